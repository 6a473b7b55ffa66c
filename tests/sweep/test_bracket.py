"""The adaptive bracket of one cell: planted optima found, every rule at its own case."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
import pytest

from empirical.judge.noise_level import known_noise
from empirical.judge.optimum_record import Status
from empirical.sweep.bracket import OCTAVE, Limits, next_move
from empirical.sweep.lattice import learning_rate, position_of
from empirical.sweep.trials import Trial, shared_noise
from tests.sweep.loss_model import Found, bracket_together, imagined

LIMITS = Limits(width=0.25, most=12, seeds=(0, 1), more_seeds=(2, 3))
NOISE = known_noise(0.001)


@pytest.fixture(scope="module")
def found() -> list[Found]:
    """Six groups of three cells, started up to two octaves from their optima."""
    rng = np.random.default_rng(0)
    cells: list[Found] = []
    for group in range(6):
        models = [imagined(10 * group + n, rng, noise=7e-4, near=-6.0) for n in range(3)]
        away = [log(2) * rng.uniform(-2, 2) for _ in models]
        starts = [
            (model, position_of(np.exp(model.optimum + off)))
            for model, off in zip(models, away, strict=True)
        ]
        cells += bracket_together(starts, LIMITS)
    return cells


def test_planted_optima_lie_in_intervals_as_narrow_as_asked(found: list[Found]) -> None:
    """Planted parameters. Of 18 intervals of 95 %, 14 or more hold with probability 0.999."""
    assert all(cell.moves[-1].rule == "done" for cell in found)
    for cell in found:
        optimum = cell.moves[-1].optimum
        assert optimum is not None
        assert (optimum.bounds[1] - optimum.bounds[0]) / log(2) <= LIMITS.width
    assert sum(cell.covered for cell in found) >= 14


def test_the_coverage_check_sees_a_bias(found: list[Found]) -> None:
    """Negative control: optima planted a fifth of an octave away are missed."""
    missed = 0
    for cell in found:
        optimum = cell.moves[-1].optimum
        assert optimum is not None
        low, high = optimum.bounds
        missed += not low <= cell.model.optimum + 0.2 * log(2) <= high
    assert missed > 4


def test_it_takes_two_fifths_of_a_half_octave_grid_over_six_octaves(found: list[Found]) -> None:
    """Planted parameters: 13 learning rates x 2 seeds, the cells that start far off included."""
    runs = np.array([len(cell.trials) for cell in found])
    far = np.array([abs(cell.off) > 1.5 for cell in found])
    assert far.sum() >= 3
    assert runs.mean() <= 0.4 * 13 * 2
    assert runs[far].mean() <= 0.4 * 13 * 2


def trials(losses: dict[int, float | None], seed: int = 0) -> tuple[Trial, ...]:
    """Octave by octave from position 0, {octave: loss}."""
    return tuple(Trial(OCTAVE * octave, seed, loss) for octave, loss in losses.items())


CASES: dict[str, tuple[dict[int, float | None], str, list[tuple[float, int]]]] = {
    "nothing yet": ({}, "start", [(-1, 0), (0, 0), (1, 0)]),
    "lowest at the top": ({-1: 1.3, 0: 1.2, 1: 1.1}, "extend", [(2, 0)]),
    "lowest at the bottom": ({-1: 1.1, 0: 1.2, 1: 1.3}, "extend", [(-2, 0)]),
    "still at the top": ({-1: 1.4, 0: 1.3, 1: 1.2, 2: 1.1}, "extend", [(4, 0)]),
    "all diverged": ({-1: None, 0: None, 1: None}, "extend", [(-3, 0)]),
    "next to divergence": ({-1: 1.2, 0: 1.1, 1: None}, "fill", [(0.5, 0)]),
    "far neighbour": ({0: 1.2, 1: 1.1, 3: 1.2}, "fill", [(2, 0)]),
    "a stray divergence between": (
        {0: 1.2, 1: 1.1, 2: None, 3: 1.2},
        "seeds",
        [(0, 1), (1, 1), (3, 1)],
    ),
    "between its neighbours": (
        {-1: 1.2, 0: 1.1, 1: 1.2},
        "seeds",
        [(-1, 1), (0, 1), (1, 1)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_case_has_its_rule(name: str) -> None:
    """Closed form: what is wanted next, in octaves from the start and by seed."""
    losses, rule, wanted = CASES[name]
    move = next_move(trials(losses), 0, LIMITS, NOISE)
    assert move.rule == rule
    assert list(move.wanted) == [(octave * OCTAVE, seed) for octave, seed in wanted]


def test_an_optimum_at_the_edge_of_divergence_is_said_to_be_one() -> None:
    """Closed form: losses fall up to a quarter octave below divergence, none is sure."""
    falling = [(0, 1.3), (8, 1.2), (12, 1.15), (14, 1.12)]
    made = [Trial(at, seed, loss + seed / 10) for at, loss in falling for seed in (0, 1)]
    made += [Trial(16, seed, None) for seed in (0, 1)]
    move = next_move(tuple(made), 8, LIMITS, NOISE)
    assert move.rule == "done"
    assert move.optimum is not None
    assert move.optimum.status is Status.STABILITY_EDGE
    assert move.optimum.learning_rate is None


def test_three_learning_rates_without_a_noise_level_are_no_end() -> None:
    """Closed form: two seeds at three learning rates say nothing of the noise; more are tried."""
    pair = (*trials({-1: 1.2, 0: 1.1, 1: 1.2}), *trials({-1: 1.21, 0: 1.11, 1: 1.22}, seed=1))
    move = next_move(pair, 0, LIMITS, None)
    assert move.rule == "fill"
    assert sorted({at / OCTAVE for at, _ in move.wanted}) == [-0.5, 0.5]
    assert {seed for _, seed in move.wanted} == {0, 1}


def test_it_gives_up_at_its_limits() -> None:
    """Closed form: three learning rates at most, and the lowest loss at the edge."""
    few = Limits(width=0.25, most=3, seeds=(0,))
    move = next_move(trials({-1: 1.3, 0: 1.2, 1: 1.1}), 0, few, NOISE)
    assert move.rule == "given up"
    assert not move.wanted


def test_at_its_limits_a_bracketed_optimum_still_gets_its_seeds() -> None:
    """Closed form: four learning rates are the most, and the lowest has a far neighbour."""
    few = Limits(width=0.25, most=4, seeds=(0, 1))
    move = next_move(trials({-1: 1.4, 0: 1.3, 1: 1.1, 3: 1.2}), 0, few, NOISE)
    assert move.rule == "seeds"
    assert list(move.wanted) == [(0, 1), (OCTAVE, 1), (3 * OCTAVE, 1)]


def repeated(differences: Sequence[float]) -> tuple[tuple[Trial, ...], ...]:
    """Cells of three learning rates and two seeds; the seeds differ by so much, up and down."""
    return tuple(
        tuple(
            Trial(OCTAVE * at, seed, 1.0 + 0.1 * (at - 1) ** 2 + seed * (-1) ** at * difference)
            for at in range(3)
            for seed in (0, 1)
        )
        for difference in differences
    )


def test_cells_without_a_noise_level_in_common_are_judged_each_by_itself() -> None:
    """Closed form: differences over eight decades have no typical one; nearly equal ones do."""
    assert shared_noise([repeated([1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0])]) is None
    level = shared_noise([repeated([1.0e-3, 1.1e-3, 0.9e-3, 1.0e-3, 1.2e-3, 0.8e-3])])
    assert level is not None
    assert 5e-4 < level.standard_deviation < 2e-3


def test_more_seeds_where_learning_rates_alone_do_not_narrow_it() -> None:
    """Planted parameters: noise as large as the curve; the cell ends, within its limits."""
    model = imagined(0, np.random.default_rng(1), noise=0.02, near=-6.0)
    few = Limits(width=0.25, most=6, seeds=(0, 1), more_seeds=(2,))
    (cell,) = bracket_together([(model, position_of(np.exp(model.optimum)))], few)
    assert cell.moves[-1].rule == "given up"
    assert len({trial.position for trial in cell.trials}) <= 6
    assert {trial.seed for trial in cell.trials} == {0, 1, 2}
    assert len(set(cell.trials)) == len(cell.trials) <= 18


def test_a_wider_interval_costs_fewer_runs() -> None:
    """Brute force: the same imagined cells asked for an octave and for a quarter of one."""
    counts = []
    for width in (1.0, 0.25):
        rng = np.random.default_rng(2)
        models = [imagined(number, rng, noise=2e-3, near=-6.0) for number in range(2)]
        starts = [(model, position_of(np.exp(model.optimum))) for model in models]
        cells = bracket_together(starts, Limits(width, 12, (0, 1)))
        counts.append(sum(len(cell.trials) for cell in cells))
    assert counts[0] < counts[1]


def test_learning_rates_lie_on_one_lattice() -> None:
    """Closed form: eighths of an octave, there and back."""
    assert learning_rate(0) == 1.0
    assert learning_rate(-8) == 0.5
    assert all(position_of(learning_rate(k)) == k for k in range(-200, 50))
