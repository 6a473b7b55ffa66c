"""The public tables beside the checkout, where they are there: read, and their optima found."""

from __future__ import annotations

from collections import Counter
from math import isclose, log
from pathlib import Path

import numpy as np
import pytest

from empirical.judge.optimum import find_optimum
from empirical.judge.optimum_record import Status
from empirical.judge.run_table import RunTable, read_run_table
from empirical.judge.table_optima import GridOptimum, grids, losses_of, table_noise, table_optima

FOLDER = Path(__file__).parents[2].parent / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"the public tables are not in {FOLDER}: nothing to read"
)


def table(name: str) -> RunTable:
    return read_run_table(FOLDER / f"{name}.csv")


def at_an_edge(found: GridOptimum) -> bool:
    """The lowest loss is at the smallest or largest learning rate of its grid."""
    rates = [run.lr for run in found.grid.runs]
    best = found.optimum.best_tried
    return best is not None and any(
        isclose(best, end, rel_tol=1e-3) for end in (min(rates), max(rates))
    )


@pytest.mark.parametrize(
    ("name", "rows", "kept", "groups", "unit"),
    [
        ("steplaw_dense", 1506, 1506, 13, "seq"),
        ("steplaw_moe", 708, 708, 16, "seq"),
        ("laion_clip_mammut_lr_bs", 1431, 1431, 231, "ex"),
        ("mnist_one_step_sgd", 806, 806, 2, "ex"),
        ("opda_deberta_mnli", 2048, 2048, 8, "ex"),
        ("marin_optimizer_sweep_ablations", 1791, 1760, 153, "seq"),
    ],
)
def test_every_row_is_accounted_for(
    name: str, rows: int, kept: int, groups: int, unit: str
) -> None:
    """Rung: closed form (the counts that stand beside the tables)."""
    found = table(name)
    assert len(found) + len(found.rejected) == rows
    assert (len(found), len(found.groups), found.unit) == (kept, groups, unit)


def test_rejected_rows_of_a_table_have_two_reasons() -> None:
    """Rung: closed form (19 runs without a loss; 12 that stand twice in one group)."""
    reasons = Counter(
        each.reason.split(" as line")[0]
        for each in table("marin_optimizer_sweep_ablations").rejected
    )
    assert reasons == {"no loss, and not marked as diverged": 19, "same run_id": 12}


def test_edge_minima_are_reported_as_such() -> None:
    """Rung: closed form. 39 % of the grids with four learning rates have an edge minimum (an
    independent count: 25 of 64); none of them gets a number, and a bound holds the edge.
    """
    found = table_optima(grids(table("laion_clip_mammut_lr_bs"), fewest=4))
    edges = [each for each in found if at_an_edge(each)]
    assert (len(edges), len(found)) == (25, 64)
    assert all(each.optimum.ln_eta is None for each in edges)
    one_sided = {Status.ABOVE, Status.BELOW}
    sided = [each.optimum for each in edges if each.optimum.status in one_sided]
    assert len(sided) >= 15
    for optimum in sided:
        assert optimum.best_tried is not None
        low, high = optimum.bounds
        assert low <= log(optimum.best_tried) + 1e-9 and log(optimum.best_tried) <= high + 1e-9


def test_no_edge_minimum_of_the_language_models_gets_a_number() -> None:
    """Rung: closed form (B = 16 and 32 often have their lowest loss at the smallest rate)."""
    found = table_optima(grids(table("steplaw_dense")))
    assert len(found) == 130
    edges = [each for each in found if at_an_edge(each)]
    assert len(edges) == 8
    assert {each.optimum.status for each in edges} == {Status.BELOW}
    assert all(each.grid.batch.amount <= 64 for each in edges)
    identified = [each for each in found if each.optimum.status is Status.IDENTIFIED]
    assert len(identified) >= 105


def test_optima_of_the_language_models_against_a_plain_parabola() -> None:
    """Rung: slow brute force (polyfit through five points round the lowest loss).

    The parabola leans to the steep side where the curve is not symmetric, by up to a step of the
    grid (0.35); half of the optima within a third of a step is wanted, and none off by two steps.
    """
    shifts = []
    for each in table_optima(grids(table("steplaw_dense"))):
        if each.optimum.ln_eta is None:
            continue
        losses = losses_of(each.grid)
        near = slice(max(losses.best - 2, 0), losses.best + 3)
        c, b, _ = np.polyfit(losses.x[near], losses.loss[near], 2)
        shifts.append(abs(-b / (2 * c) - each.optimum.ln_eta.value))
    assert np.median(shifts) < 0.116
    assert max(shifts) < 0.7


def test_the_noise_of_the_language_models() -> None:
    """Rung: another estimate (0.0016 nats, from an independent look at the same runs).

    The typical group within 30 %, its own stated error; no group off by more than a factor 2.
    """
    levels = table_noise(grids(table("steplaw_dense")))
    sigmas = [level.standard_deviation for level in levels.values() if level is not None]
    assert len(sigmas) == 13
    assert abs(log(float(np.median(sigmas)) / 0.0016)) < 0.3
    assert max(abs(log(sigma / 0.0016)) for sigma in sigmas) < log(2)


def test_losses_with_standard_errors_use_them() -> None:
    """Rung: closed form (the one-step table states the error of every loss)."""
    found = table_optima(grids(table("mnist_one_step_sgd")))
    assert len(found) == 26
    levels = {each.optimum.noise.source for each in found if each.optimum.noise}
    assert levels == {"standard errors of the losses"}
    largest = [each for each in found if each.grid.batch.amount == 2048]
    # eta* = eta_max / (1 + B_noise / B) with B_noise about 100 is within 5 % of eta_max there.
    for each in largest:
        assert each.optimum.learning_rate is not None
        assert 0.1 < each.optimum.learning_rate < 0.25


def test_a_random_search_is_a_grid_too() -> None:
    """Rung: another estimate. 257 scattered learning rates and diverged runs per group; more
    epochs want a smaller learning rate, as the source says: 4 epochs below 1 in both models.
    """
    found = table("opda_deberta_mnli")
    assert found.censored == 499
    rates = {}
    for group in found.groups:
        runs = found.where(group=group).runs
        optimum = find_optimum(
            [run.lr for run in runs],
            [np.nan if run.loss is None else run.loss for run in runs],
            censored=[run.diverged for run in runs],
        )
        rates[group] = optimum.learning_rate
    for model in ("deberta-base", "deberta-v3-base"):
        one, four = rates[f"{model}_epochs1"], rates[f"{model}_epochs4"]
        assert one is not None and four is not None
        assert 5e-6 < four < one < 5e-5
