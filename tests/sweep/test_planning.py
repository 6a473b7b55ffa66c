"""The plan of a sweep: a pure function of results, whatever ends first."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from empirical.sweep.cells import Cell
from empirical.sweep.plan_record import Plan, StoredRun
from empirical.sweep.planning import planner
from empirical.sweep.rounds import replay
from empirical.sweep.standing import standing
from tests.sweep.imagined_sweep import Imagined, computed, planned_sweep, with_optima


def rising(cell: Cell) -> float:
    """ln eta* of a cell: by the square root of B, and with epsilon."""
    return -8 * log(2) + 0.5 * log(cell.batch_size) + 300 * (cell.epsilon or 0.0)


@pytest.fixture(scope="module")
def imagined() -> Imagined:
    return with_optima(planned_sweep(), rising)


@pytest.fixture(scope="module")
def whole(imagined: Imagined) -> tuple[Plan, dict[str, StoredRun]]:
    return computed(imagined, planner(imagined.planned))


def test_a_grid_wants_every_learning_rate_with_every_seed_once() -> None:
    """Brute force: the product of all axes, as a set."""
    planned = planned_sweep(
        learning_rates={"grid": {"from": 2**-10, "to": 2**-4, "per_octave": 2}}, seeds=3
    )
    plan = planner(planned)({})
    runs = [run for unit in plan.units for run in unit.runs]
    asked = [
        (run.batch_size, run.optimizer.epsilon, run.learning_rate, run.seed)  # type: ignore[union-attr]  # softsignsgd has one
        for run in runs
    ]
    rates = [2 ** (-10 + k / 2) for k in range(13)]
    assert sorted(asked) == sorted(
        (batch, epsilon, rate, seed)
        for batch in (1, 2, 4, 8, 16)
        for epsilon in (0.0, 1e-3, 1e-2)
        for rate in rates
        for seed in range(3)
    )
    assert plan.complete
    assert all(run.tokens == 1024 for run in runs)
    # 3 x 13 x 3 runs of a group in 30 stacks of at most 4, as equal as can be.
    assert {len(unit.runs) for unit in plan.units} == {3, 4}
    keys = [unit.run_key(i) for unit in plan.units for i in range(len(unit.runs))]
    assert len(set(keys)) == len(keys)


def test_the_adaptive_plan_ends_with_every_optimum_in_its_interval(
    imagined: Imagined, whole: tuple[Plan, dict[str, StoredRun]]
) -> None:
    """Planted parameters. 15 intervals of 95 %: with probability 0.995 at least 12 hold them."""
    _, results = whole
    cells = replay(imagined.planned, results).cells
    assert set(cells) == set(imagined.models)
    held = 0
    for name, progress in cells.items():
        optimum = progress.moves[-1].optimum
        assert optimum is not None
        low, high = optimum.bounds
        assert (high - low) / log(2) <= 0.25
        held += low <= imagined.models[name].optimum <= high
    assert held >= 12
    # 13 learning rates x 2 seeds x 15 cells would be 390 runs; the bound is 40 % of that.
    assert len(results) <= 156


def test_no_order_of_results_changes_the_plan(
    imagined: Imagined, whole: tuple[Plan, dict[str, StoredRun]]
) -> None:
    """Brute force: units end one by one, in five random orders of what is wanted."""
    plan, results = whole
    ask = planner(imagined.planned)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        known: dict[str, StoredRun] = {}
        draft = ask(known)
        while not draft.complete:
            open_units = [u for u in draft.units if u.run_key(0) not in known]
            # A few units at a time: what the others will give is not known yet.
            for unit in rng.permutation(np.array(open_units, dtype=object))[: rng.integers(1, 5)]:
                keys = [unit.run_key(i) for i in range(len(unit.runs))]
                known |= {key: results[key] for key in keys}
            later = ask(known)
            assert set(draft.units) <= set(later.units)
            assert set(map(repr, draft.decisions)) <= set(map(repr, later.decisions))
            draft = later
        assert draft.units == plan.units
        assert list(map(repr, draft.decisions)) == list(map(repr, plan.decisions))


def test_the_order_check_sees_a_plan_that_depends_on_what_ended_first(
    imagined: Imagined, whole: tuple[Plan, dict[str, StoredRun]]
) -> None:
    """Negative control: the results of one cell changed, and the plan changes."""
    plan, _ = whole
    shifted = with_optima(imagined.planned, lambda cell: rising(cell) + log(2))
    assert computed(shifted, planner(imagined.planned))[0].units != plan.units


def test_a_cell_depends_on_its_neighbours_only(imagined: Imagined) -> None:
    """Brute force: another optimum at the outermost batch size leaves all other cells alone."""

    def moved(cell: Cell) -> float:
        return rising(cell) + (log(4) if cell.batch_size == 16 else 0.0)

    ask = planner(imagined.planned)
    one, _ = computed(imagined, ask)
    other, _ = computed(with_optima(imagined.planned, moved), ask)

    def inner(plan: Plan) -> set[str]:
        return {unit.key for unit in plan.units if unit.runs[0].batch_size != 16}

    assert inner(one) == inner(other)
    assert set(one.units) != set(other.units)


def test_every_decision_is_recorded_with_its_numbers(
    whole: tuple[Plan, dict[str, StoredRun]],
) -> None:
    """Closed form: rounds of a cell are counted from 0, and each asks or ends."""
    plan, _ = whole
    by_cell: dict[str, list[int]] = {}
    for decision in plan.decisions:
        by_cell.setdefault(decision.cell, []).append(decision.round)
        ends = decision.numbers["rule"] in ("done", "given up")
        assert ("learning_rates" in decision.numbers) is not ends
        if decision.round:
            assert {"low", "high", "runs", "status"} <= set(decision.numbers)
    assert all(rounds == list(range(len(rounds))) for rounds in by_cell.values())


def test_runs_of_a_round_are_stacked_over_learning_rate_seed_and_epsilon(
    whole: tuple[Plan, dict[str, StoredRun]],
) -> None:
    """Closed form: some unit holds several epsilons, some several seeds; no stack of one."""
    plan, _ = whole
    stacks = [unit for unit in plan.units if unit.path == "stacked"]
    assert any(len({run.optimizer for run in unit.runs}) > 1 for unit in stacks)
    assert any(len({run.seed for run in unit.runs}) > 1 for unit in stacks)
    assert all(2 <= len(unit.runs) <= 4 for unit in stacks)
    assert all(len(unit.runs) == 1 for unit in plan.units if unit.path == "single")


def test_how_far_it_is(imagined: Imagined, whole: tuple[Plan, dict[str, StoredRun]]) -> None:
    """Closed form: nothing at the beginning, everything at the end."""
    _, results = whole
    begun, ended = (standing(imagined.planned, known) for known in ({}, results))
    assert (begun.runs, begun.ended, begun.complete) == (0, 0, False)
    # 15 cells x 5.2 x 2 runs, of 0.01 s a step and 0.1 s an evaluation.
    assert begun.expected == 150
    steps = {1: 128, 2: 64, 4: 32, 8: 16, 16: 8}
    assert begun.seconds_left == pytest.approx(
        sum(3 * 10 * (0.01 * steps[cell] + 0.2) for cell in steps)
    )
    assert (ended.runs, ended.expected, ended.ended) == (len(results), len(results), 15)
    assert ended.complete
    assert ended.seconds_left == 0
