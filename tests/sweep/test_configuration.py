"""Sweep files: what is refused, in one line that names the place; budgets; cells."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from empirical.errors import UsageError
from empirical.sweep.budget import Budget, run_length
from empirical.sweep.cells import cells_of, grid_rates
from empirical.sweep.cost import forward_flops_per_token, sweep_cost
from empirical.sweep.learning_rate_settings import GridSettings
from empirical.sweep.parameter_count import parameter_count
from empirical.sweep.planned import decode_plan, encode_plan
from empirical.sweep.sweep_file import read_sweep, sweep_from
from empirical.train.configuration import NetworkConfig
from tests.sweep.imagined_sweep import planned_sweep

EXAMPLES = Path(__file__).parents[2] / "examples"
GOOD: dict[str, Any] = {
    "batch_sizes": [4, 16],
    "budget": {"tokens": 4096},
    "optimizers": [{"name": "softsignsgd", "epsilon": [0.0, 1e-3]}],
    "learning_rates": {"grid": {"from": 1e-3, "to": 1e-2}},
}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown optimizer": ({"optimizers": [{"name": "adamm"}]}, "perhaps 'adam' was meant"),
    "optimizer without a name": ({"optimizers": [{"epsilon": 1.0}]}, "has no name"),
    "no optimizer": ({"optimizers": []}, "wanted at least one; change optimizers"),
    "epsilon of signsgd": (
        {"optimizers": [{"name": "signsgd", "epsilon": 1e-3}]},
        "got an epsilon for signsgd, which has none",
    ),
    "no epsilon": ({"optimizers": [{"name": "softsignsgd"}]}, "add epsilon"),
    "epsilon below 0": (
        {"optimizers": [{"name": "adamw", "epsilon": [-1.0]}]},
        "got -1.0 for optimizers[0].epsilon[0]",
    ),
    "epsilon twice": (
        {"optimizers": [{"name": "adamw", "epsilon": [1e-8, 1e-8]}]},
        "got 1e-08 more than once",
    ),
    "both epsilons": (
        {"optimizers": [{"name": "adamw", "epsilon": 1e-8, "epsilon_ratio": 1}]},
        "wanted one of them",
    ),
    "ratio without statistics": (
        {"optimizers": [{"name": "adamw", "epsilon_ratio": 1}]},
        "no statistics to take its unit from",
    ),
    "number of the optimizer": (
        {"optimizers": [{"name": "adamw", "first_decay": 1.5}]},
        "got 1.5 for first_decay, wanted less than 1",
    ),
    "number of another optimizer": (
        {"optimizers": [{"name": "sgd", "second_decay": 0.9}]},
        "unknown key optimizers[0].second_decay",
    ),
    "learning rate 0": (
        {"learning_rates": {"grid": {"from": 0, "to": 1}}},
        "got 0 for learning_rates.grid.from, wanted greater than 0",
    ),
    "descending grid": (
        {"learning_rates": {"grid": {"from": 2, "to": 1}}},
        "wanted it ascending",
    ),
    "start at 0": (
        {"learning_rates": {"adaptive": {"start": 0}}},
        "got 0 for learning_rates.adaptive.start, wanted greater than 0",
    ),
    "start by another word": (
        {"learning_rates": {"adaptive": {"start": "statistic"}}},
        "wanted a number, 'neighbour' or 'statistics'",
    ),
    "start without statistics": (
        {"learning_rates": {"adaptive": {"start": "statistics"}}},
        "no statistics",
    ),
    "start of a grid": (
        {"optimizers": [{"name": "adamw", "start": 1e-3}]},
        "start for an optimizer of a grid",
    ),
    "two ways of learning rates": (
        {"learning_rates": {"adaptive": {}, "grid": {"from": 1, "to": 2}}},
        "wanted exactly one",
    ),
    "fewer seeds at most than at first": (
        {"learning_rates": {"adaptive": {"most_seeds": 1}}},
        "raise most_seeds",
    ),
    "tokens and steps": ({"budget": {"tokens": 1, "steps": 2}}, "got tokens and steps in budget"),
    "neither tokens nor steps": ({"budget": {}}, "got neither tokens nor steps"),
    "budget true": ({"budget": {"tokens": True}}, "got True for budget.tokens"),
    "batch size 0": ({"batch_sizes": [0]}, "got 0 for batch_sizes[0]"),
    "half a sequence": ({"batch_sizes": [4.5]}, "got 4.5 for batch_sizes[0]"),
    "seeds twice": ({"seeds": [1, 1]}, "got 1 more than once in seeds"),
    "no seeds": ({"seeds": 0}, "got 0 for seeds, wanted a number of seeds from 1"),
    "no seed in the list": ({"seeds": []}, "wanted at least one; change seeds"),
    "seeds below 0": ({"seeds": -1}, "got -1 for seeds, wanted a number of seeds from 1"),
    "more seeds than memory": ({"seeds": 10**11}, "wanted a number of seeds from 1 to 100000"),
    "a list for a table": (
        {"learning_rates": {"grid": [1e-3, 1e-2]}},
        "for learning_rates.grid, wanted a table, [learning_rates.grid] with its settings",
    ),
    "a number for a table": ({"optimizers": [3]}, "wanted a table, [[optimizers]] with"),
    "more learning rates than memory": (
        {"learning_rates": {"grid": {"from": 1e-3, "to": 2e-3, "per_octave": 10**8}}},
        "got a grid of 1e+08 learning rates, wanted at most 1000; lower per_octave",
    ),
    "device": ({"device": "tpu"}, "wanted 'cpu', 'cuda' or 'mps'"),
    "replicas": ({"replicas": "many"}, "wanted a number, 'auto' or 'off'"),
    "heads": ({"network": {"width": 10, "heads": 3}}, "wanted a divisor of the width"),
    "key of a table": ({"network": {"wdith": 10}}, "perhaps 'width' was meant"),
    "key": ({"batch_size": [4]}, "perhaps 'batch_sizes' was meant"),
    "key twice": ({"batch-sizes": [4]}, "has batch_sizes twice"),
    "no name of a folder": ({"out": ""}, "got '' for out, wanted the name of a file or folder"),
    "a folder of spaces": ({"out": "  "}, "for out, wanted the name"),
    "a NUL in a folder": ({"out": "a\0b"}, r"got 'a\x00b' for out, wanted the name of a file"),
    "a NUL in a text": ({"text": ["a\0b"]}, r"got 'a\x00b' for text[0], wanted the name"),
    "a NUL in statistics": ({"statistics": "a\0b"}, "for statistics, wanted the name"),
    "checkpoint and seed": ({"start": {"seed": 1, "checkpoint": "x"}}, "wanted one of them"),
    "engine": ({"executor": {"name": "k8s"}}, "wanted 'local', 'slurm' or 'ray'"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused_in_one_line(name: str) -> None:
    """Closed form: one line that names the file, what came and what was wanted."""
    changes, message = BAD[name]
    with pytest.raises(UsageError) as caught:
        sweep_from(copy.deepcopy(GOOD) | changes, "sweep.toml")
    said = str(caught.value)
    assert message in said
    assert "sweep.toml" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "twice",
    [
        {"optimizers": [{"name": "softsignsgd", "epsilon": [0.0, 1e-3]}] * 2},
        {"budget": {"tokens": [4096, 4097], "rounding": "nearest"}},
    ],
    ids=list,
)
def test_cells_of_the_same_runs_are_refused(twice: dict[str, Any]) -> None:
    """Closed form: a run belongs to one cell; two of them would share what one has."""
    config = sweep_from(copy.deepcopy(GOOD) | twice, "sweep.toml")
    with pytest.raises(UsageError, match="the same runs for the cells"):
        cells_of(config, context=64, rms_sigma=None)


def test_what_is_missing_is_named() -> None:
    """Closed form: every section that has no default."""
    for name in GOOD:
        with pytest.raises(UsageError, match=f"{name} is missing; add it"):
            sweep_from({k: v for k, v in GOOD.items() if k != name}, "sweep.toml")


def test_hyphens_and_lone_values_are_understood() -> None:
    """Closed form: the same sweep written in another way."""
    other = {
        "batch-sizes": [4, 16],
        "budget": {"tokens": [4096]},
        "optimizers": [{"name": "adamw", "weight-decay": 0.1, "epsilon": 1e-8}],
        "learning-rates": {"grid": {"from": 1e-3, "to": 1e-2, "per-octave": 2}},
        "seeds": [0, 1],
    }
    plain = GOOD | {"optimizers": [{"name": "adamw", "weight_decay": 0.1, "epsilon": [1e-8]}]}
    assert sweep_from(other, "one") == sweep_from(plain | {"seeds": 2}, "other")


@pytest.mark.parametrize("text", ["= 1", "batch_sizes = [", "\x00"])
def test_a_file_that_is_no_toml_is_refused(text: str, tmp_path: Path) -> None:
    """Closed form: one line with the path."""
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match="is not TOML"):
        read_sweep(path)
    with pytest.raises(UsageError, match="cannot read"):
        read_sweep(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    "name", ["sweep.toml", "sweep_tiny.toml", "bracket_adaptive.toml", "bracket_grid.toml"]
)
def test_the_examples_are_sweeps(name: str) -> None:
    """Closed form: they are read, and every budget is a whole number of steps."""
    config = read_sweep(EXAMPLES / name)
    network = config.network or NetworkConfig(context=32)
    cells, said = cells_of(config, network.context, None)
    assert cells
    assert not said


TOKENS = Budget("tokens", 1000)


def test_tokens_are_whole_steps_or_refused_or_rounded_and_said() -> None:
    """Closed form: 1000 tokens in steps of 4 x 10 are 25, of 7 x 10 are 14.29."""
    assert run_length(TOKENS, 4, 10, "refuse").steps == 25
    assert run_length(TOKENS, 4, 10, "refuse").said is None
    with pytest.raises(UsageError, match=r"1000 tokens, which are 14\.29 steps.*give 980 tokens"):
        run_length(TOKENS, 7, 10, "refuse")
    rounded = run_length(TOKENS, 7, 10, "nearest")
    assert rounded.steps == 14
    assert rounded.said is not None
    assert "980 tokens" in rounded.said
    with pytest.raises(UsageError, match="give 4000 tokens"):
        run_length(TOKENS, 400, 10, "nearest")
    assert run_length(Budget("steps", 7), 400, 10, "refuse").steps == 7


def test_a_grid_holds_both_its_ends() -> None:
    """Closed form: six octaves by halves are 13 learning rates."""
    rates = grid_rates(GridSettings.model_validate({"from": 2**-10, "to": 2**-4}))
    assert rates == tuple(2 ** (-10 + k / 2) for k in range(13))
    three = grid_rates(GridSettings.model_validate({"from": 1e-4, "to": 1e-3, "per_octave": 1}))
    assert three == (1e-4, 2e-4, 4e-4, 8e-4)


def test_cells_are_ordered_and_chained_outwards_from_the_middle() -> None:
    """Closed form: B = 4 and epsilon 1e-3 are in the middle; every other cell has one neighbour."""
    planned = planned_sweep()
    near = {cell.name: cell.neighbour for cell in planned.cells}
    named = "softsignsgd eps={} B={} tokens=1024".format
    assert [name for name, neighbour in near.items() if neighbour is None] == [named("0.001", 4)]
    assert near[named("0.01", 4)] == named("0.001", 4)
    assert near[named("0", 8)] == named("0", 4)
    assert near[named("0.01", 16)] == named("0.01", 8)
    assert near[named("0.01", 1)] == named("0.01", 2)
    assert list(near) == [named(e, b) for b in (1, 2, 4, 8, 16) for e in ("0", "0.001", "0.01")]
    assert [cell.start for cell in planned.cells if cell.start is not None] == [2**-8]


def test_one_optimizer_twice_gets_two_names() -> None:
    """Closed form: names of cells stay unique."""
    planned = planned_sweep(
        optimizers=[{"name": "adamw"}, {"name": "adamw", "weight_decay": 0.1}], batch_sizes=[1]
    )
    assert [cell.name for cell in planned.cells] == [
        "adamw-1 B=1 tokens=1024",
        "adamw-2 B=1 tokens=1024",
    ]


def test_the_cost_of_a_grid_by_hand() -> None:
    """Closed form: P and the FLOPs per token of a network counted matrix by matrix."""
    network = NetworkConfig(context=8, width=8, depth=1, heads=2)
    # Query, key, value and output 4 x 64, MLP 2 x 4 x 64, unembedding 256 x 8: one multiply-add
    # each; norms and biases 9 x 8 + 2 x 8; scores and their sums 2 x 8 x 8 multiply-adds a token.
    assert parameter_count(network) == 4 * 64 + 8 * 64 + 2 * 256 * 8 + 8 * 8 + 11 * 8
    per_token = 2 * (4 * 64 + 8 * 64 + 256 * 8 + 11 * 8) + 4 * 8 * 8
    assert forward_flops_per_token(network) == per_token
    planned = planned_sweep(
        learning_rates={"grid": {"from": 2**-10, "to": 2**-4}}, heldout_sequences=16, seeds=2
    )
    cost = sweep_cost(planned)
    assert cost.least == cost.expected == cost.most
    assert cost.most.runs == 15 * 13 * 2
    assert cost.most.tokens == cost.most.runs * 1024
    assert cost.most.flops == cost.most.runs * per_token * (3 * 1024 + 2 * 16 * 8)
    # 0.01 s a step and 0.1 s an evaluation; 1024 tokens are 128 / B steps.
    steps = sum(3 * 26 * 128 // batch for batch in (1, 2, 4, 8, 16))
    assert cost.most.core_seconds == pytest.approx(0.01 * steps + 390 * 0.2)


def test_an_adaptive_sweep_has_a_range_of_costs() -> None:
    """Closed form: at least three learning rates per seed, at most all of them with all seeds."""
    cost = sweep_cost(planned_sweep())
    assert (cost.least.runs, cost.expected.runs, cost.most.runs) == (90, 150, 15 * 12 * 4)


def test_a_plan_comes_back_as_it_was_written() -> None:
    """Closed form: equality; and a changed letter is seen."""
    planned = planned_sweep(optimizers=[{"name": "adamw", "second_half_life_tokens": 1e5}])
    text = encode_plan(planned)
    assert decode_plan(text, "plan.json") == planned
    with pytest.raises(UsageError, match="changed after it was written"):
        decode_plan(text.replace("imagined", "imagineD"), "plan.json")
    with pytest.raises(UsageError, match="torn"):
        decode_plan(text[: len(text) // 2], "plan.json")
