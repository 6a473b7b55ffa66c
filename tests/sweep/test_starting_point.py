"""Where cells start: from the theory, from a number, from a neighbour that has ended."""

from __future__ import annotations

from dataclasses import replace
from math import inf, log
from typing import Any

import pytest

from empirical.sweep.cells import Cell, cells_of
from empirical.sweep.chain import shift
from empirical.sweep.planning import planner
from empirical.sweep.rounds import replay
from empirical.sweep.starting_point import RULES_OF_THUMB, RUN_OVER_STEP, started
from empirical.sweep.sweep_file import sweep_from
from empirical.train.optimizer_configuration import OPTIMIZERS
from tests.sweep.imagined_sweep import computed, planned_sweep, with_optima
from tests.transfer.surfaces import saved

STATISTICS = saved()
SURFACE = STATISTICS.surface
NAMES = ["softsignsgd", "adamw", "signsgd", "sgd"]


def with_statistics(start: object) -> dict[str, Cell]:
    """Cells by name, of four optimizers at two batch sizes, statistics at hand."""
    plain: dict[str, Any] = {
        "statistics": "folder",
        "batch_sizes": [4, 64],
        "budget": {"steps": 100},
        "optimizers": [
            {"name": "softsignsgd", "epsilon_ratio": [0.0, 1.0]},
            {"name": "adamw", "epsilon_ratio": [1.0]},
            {"name": "signsgd"},
            {"name": "sgd"},
        ],
        "learning_rates": {"adaptive": {"start": start}},
    }
    config = sweep_from(plain, "sweep.toml")
    cells, _ = cells_of(config, 64, SURFACE.rms_sigma)
    return {cell.name: cell for cell in started(cells, config, STATISTICS)}


@pytest.mark.parametrize("batch_size", [4, 64])
def test_with_statistics_every_cell_starts_from_its_own_prediction(batch_size: int) -> None:
    """Another route: eta_1 asked of the surface, at the epsilon that stands for the optimizer."""
    cells = with_statistics("statistics")
    one_sigma = SURFACE.rms_sigma
    wanted = {
        f"softsignsgd eps=0sigma B={batch_size} steps=100": 0.0,
        f"softsignsgd eps=1sigma B={batch_size} steps=100": one_sigma,
        f"adamw eps=1sigma B={batch_size} steps=100": one_sigma,
        f"signsgd B={batch_size} steps=100": 0.0,
        f"sgd B={batch_size} steps=100": inf,
    }
    for name, epsilon in wanted.items():
        found = SURFACE.eta1(batch_size, epsilon, "correlated").step.learning_rate.value
        assert cells[name].predicted == found
        assert cells[name].start == RUN_OVER_STEP * found
        assert cells[name].neighbour is None


def test_a_ratio_is_an_epsilon_in_units_of_sigma() -> None:
    """Closed form: the optimizer of the cell holds ratio x rms sigma."""
    cell = with_statistics("statistics")["softsignsgd eps=1sigma B=4 steps=100"]
    assert cell.epsilon == SURFACE.rms_sigma
    assert cell.optimizer == OPTIMIZERS["softsignsgd"].model_validate({"epsilon": cell.epsilon})


def test_a_number_is_the_start_of_the_middle_cell() -> None:
    """Closed form: one start per optimizer, the others have neighbours."""
    cells = with_statistics(0.02)
    starts = {name: cell.start for name, cell in cells.items() if cell.start is not None}
    assert starts == {
        "softsignsgd eps=0sigma B=4 steps=100": 0.02,
        "adamw eps=1sigma B=4 steps=100": 0.02,
        "signsgd B=4 steps=100": 0.02,
        "sgd B=4 steps=100": 0.02,
    }
    assert all((cell.neighbour is None) is (cell.start is not None) for cell in cells.values())


def test_from_a_neighbour_the_optimum_moves_as_the_prediction_does() -> None:
    """Closed form: the ratio of the two predictions, whatever was found."""
    cells = with_statistics("neighbour")
    here = cells["softsignsgd eps=0sigma B=64 steps=100"]
    there = cells["softsignsgd eps=0sigma B=4 steps=100"]
    assert here.neighbour == there.name
    assert here.predicted is not None
    assert there.predicted is not None
    assert shift(here, there, -3.0, None) == log(here.predicted / there.predicted)


def test_every_optimizer_has_a_rule_of_thumb() -> None:
    """Closed form: names."""
    assert set(RULES_OF_THUMB) == set(OPTIMIZERS)


def test_without_statistics_the_last_change_is_continued() -> None:
    """Closed form: sqrt(B) first; then the slope that was found, between flat and linear."""
    cells = {(cell.batch_size, cell.epsilon): cell for cell in planned_sweep().cells}
    middle, next_, last = cells[4, 0.0], cells[8, 0.0], cells[16, 0.0]
    assert shift(next_, middle, -6.0, None) == pytest.approx(0.5 * log(2))
    assert shift(last, next_, -6.0, (middle, -6.2)) == pytest.approx(0.2)
    assert shift(last, next_, -6.0, (middle, -7.0)) == pytest.approx(log(2))
    assert shift(last, next_, -6.0, (middle, -5.0)) == 0.0
    # Over epsilon there is no slope before two positive ones are known.
    assert shift(cells[4, 1e-2], cells[4, 1e-3], -6.0, None) == 0.0


def test_cells_start_where_their_neighbours_ended() -> None:
    """Planted parameters: optima that follow sqrt(B) are met by the first three learning rates."""

    def optimum(cell: Cell) -> float:
        return -8 * log(2) + 0.5 * log(cell.batch_size / 4)

    planned = planned_sweep(optimizers=[{"name": "softsignsgd", "epsilon": 1e-3}])
    imagined = with_optima(planned, optimum, noise=1e-4)
    _, results = computed(imagined, planner(planned))
    for progress in replay(planned, results).cells.values():
        assert progress.start is not None
        # A sixteenth of an octave of rounding, and the error of the neighbour's interval.
        assert abs(progress.start / 8 - optimum(progress.cell) / log(2)) < 0.25
        assert "extend" not in [move.rule for move in progress.moves]


def test_a_surface_without_an_optimum_leaves_the_rule_of_thumb() -> None:
    """Closed form: descent of the wrong sign has no best step."""
    upside_down = replace(
        SURFACE, descent=replace(SURFACE.descent, value=-abs(SURFACE.descent.value))
    )
    config = sweep_from(
        {
            "statistics": "folder",
            "batch_sizes": [4],
            "budget": {"steps": 100},
            "optimizers": [{"name": "signsgd"}],
            "learning_rates": {"adaptive": {"start": "statistics"}},
        },
        "sweep.toml",
    )
    cells, _ = cells_of(config, 64, None)
    (cell,) = started(cells, config, replace(STATISTICS, surface=upside_down))
    assert (cell.predicted, cell.start) == (None, RULES_OF_THUMB["signsgd"])
