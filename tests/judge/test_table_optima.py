"""Grids of a table, their noise levels and their optima."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import pytest

from empirical.judge.grid_losses import GridLosses, grid_losses
from empirical.judge.group_noise import common_noise, drawn_together, noise_by_group
from empirical.judge.noise_level import NoiseLevel, known_noise
from empirical.judge.optimum import find_optimum
from empirical.judge.run_files import RawRows
from empirical.judge.run_table import RunTable, table_from_rows
from empirical.judge.table_optima import grids, table_noise, table_optima

RATES = 1e-3 * 2.0 ** np.arange(-3, 4)


def table_of(rows: list[dict[str, object]]) -> RunTable:
    texts = tuple({name: str(value) for name, value in row.items()} for row in rows)
    return table_from_rows(RawRows(tuple(texts[0]), texts, ""), "memory", unit="seq")


def rows_of(
    rng: np.random.Generator, group: str, batch: int, sigma: float, seeds: int = 1, **more: object
) -> list[dict[str, object]]:
    """A parabola around 1e-3 * sqrt(batch / 64), c = 0.03, with seed effects."""
    rows: list[dict[str, object]] = []
    for seed in range(seeds):
        effect = rng.standard_normal()
        for rate in RATES:
            loss = 3 + 0.03 * log(rate / 1e-3 / sqrt(batch / 64)) ** 2
            loss += (effect if seeds > 1 else 0) + sigma * rng.standard_normal()
            row = {"group": group, "batch_size": batch, "lr": rate, "loss": loss, **more}
            rows.append({**row, "seed": seed} if seeds > 1 else row)
    return rows


def test_grids_are_groups_batches_epsilons_and_what_is_held() -> None:
    """Rung: closed form (a table of 2 x 2 x 2 x 2 grids, in the order of the groups)."""
    rng = np.random.default_rng(0)
    rows = [
        row
        for group in ("b", "a")
        for batch in (128, 64)
        for eps in (1e-6, 1e-8)
        for warmup in (10, 20)
        for row in rows_of(rng, group, batch, 1e-3, eps=eps, warmup=warmup)
    ]
    table = table_of(rows)
    held = grids(table, hold=("warmup",))
    assert len(held) == 16
    assert [grid.group for grid in held] == ["b"] * 8 + ["a"] * 8
    assert [grid.batch.amount for grid in held[:8]] == [64] * 4 + [128] * 4
    assert [(grid.eps, grid.held) for grid in held[:2]] == [
        (1e-8, (("warmup", "10"),)),
        (1e-8, (("warmup", "20"),)),
    ]
    assert held[0].label == "b, 64seq, eps 1e-08, warmup 10"
    assert {len(grid.runs) for grid in grids(table)} == {14}
    assert len(grids(table, fewest=8)) == 0


def test_each_grid_gets_the_optimum_of_its_runs() -> None:
    """Rung: closed form (the same as asking for one grid by itself)."""
    rng = np.random.default_rng(1)
    table = table_of([*rows_of(rng, "g", 64, 1e-3), *rows_of(rng, "g", 128, 1e-3)])
    found = table_optima(grids(table), 1e-3)
    for each in found:
        rates = [run.lr for run in each.grid.runs]
        alone = find_optimum(rates, [run.loss or 0.0 for run in each.grid.runs], noise=1e-3)
        assert each.optimum == alone
        truth = log(1e-3 * sqrt(each.grid.batch.amount / 64))
        assert each.optimum.bounds[0] < truth < each.optimum.bounds[1]


def test_seeds_are_paired_only_where_every_run_names_one() -> None:
    """Rung: closed form (seed effects of 1 nat cancel with names, and swamp all without)."""
    rng = np.random.default_rng(2)
    rows = rows_of(rng, "g", 64, 1e-3, seeds=3)
    paired = table_optima(grids(table_of(rows)))[0].optimum
    assert paired.ln_eta is not None
    assert paired.noise is not None and paired.noise.standard_deviation < 3e-3
    nameless = [
        {"run_id": i, **{k: v for k, v in row.items() if k != "seed"}} for i, row in enumerate(rows)
    ]
    loose = table_optima(grids(table_of(nameless)))[0].optimum
    assert (loose.runs, loose.ln_eta) == (21, None)


def test_standard_errors_over_runs_are_used_and_those_of_evaluation_are_not() -> None:
    """Rung: closed form. Means over 5 runs bring their own errors. A single run's error is that of
    the held-out text, the same for all learning rates: 100 times the noise, and without effect.
    """
    rows = rows_of(np.random.default_rng(3), "g", 64, 2e-3)
    (means,) = table_optima(grids(table_of([{**r, "loss_se": 2e-3, "n_seeds": 5} for r in rows])))
    assert means.optimum.noise is not None
    assert means.optimum.noise.source == "standard errors of the losses"
    assert means.optimum.noise.standard_deviation == 2e-3
    (single,) = table_optima(grids(table_of([{**r, "loss_se": 0.2, "n_seeds": 1} for r in rows])))
    assert single.optimum == table_optima(grids(table_of(rows)))[0].optimum


def losses(rng: np.random.Generator, sigma: float, count: int) -> list[GridLosses]:
    x = np.log(RATES)
    made = []
    for _ in range(count):
        shift = rng.uniform(-1, 1)
        values = 3 + 0.03 * (x + 7 - shift) ** 2 + sigma * rng.standard_normal((2, 7))
        names = np.repeat([0, 1], 7)
        made.append(grid_losses(np.tile(RATES, 2), values.ravel(), names))
    return made


def test_groups_that_differ_keep_their_noise() -> None:
    """Rung: planted parameters (six groups of 12 grids, noise from 0.5 to 4 x 1e-3).

    Each group's own level has 12 * 6 degrees of freedom at 37 % efficiency of the median or
    better, 14 % of sigma; three of those, and 10 % towards the common level.
    """
    rng = np.random.default_rng(4)
    planted = {str(i): s * 1e-3 for i, s in enumerate((0.5, 0.8, 1.2, 1.8, 2.7, 4.0))}
    found = noise_by_group({name: losses(rng, sigma, 12) for name, sigma in planted.items()})
    for name, sigma in planted.items():
        level = found[name]
        assert level is not None
        assert abs(log(level.standard_deviation / sigma)) < 0.52


def test_groups_that_do_not_differ_share_their_noise() -> None:
    """Rung: planted parameters. Equal noise: the groups' levels spread less than their own
    estimates do, and each is known better than from its own grids.
    """
    rng = np.random.default_rng(5)
    groups = {str(i): losses(rng, 1e-3, 8) for i in range(8)}
    own = [common_noise(each) for each in groups.values()]
    shared = list(noise_by_group(groups).values())
    spread = [
        np.std([log(level.standard_deviation) for level in each if level]) for each in (own, shared)
    ]
    assert spread[1] < 0.7 * spread[0]
    freedom = [
        np.mean([level.degrees_of_freedom for level in each if level]) for each in (own, shared)
    ]
    assert freedom[1] > 1.5 * freedom[0]


def test_two_estimates_are_averaged_by_their_variances() -> None:
    """Rung: closed form. ln 1 and ln 4 with 8 and 8 degrees of freedom: variances 1/16 each."""
    first, second = NoiseLevel(1.0, 8.0, "own"), NoiseLevel(4.0, 8.0, "all")
    equal = drawn_together(first, second, 0.0)
    assert equal.standard_deviation == pytest.approx(2.0)
    assert equal.degrees_of_freedom == pytest.approx(16.0)
    # A variance of 3/16 between groups makes the common level count a quarter of the own.
    apart = drawn_together(first, second, 3 / 16)
    assert apart.standard_deviation == pytest.approx(exp(log(4) / 5))
    assert drawn_together(first, known_noise(3.0), 0.0) == known_noise(3.0)


def test_without_repetitions_or_curves_there_is_no_level() -> None:
    """Rung: closed form (a single grid of three learning rates)."""
    rows = rows_of(np.random.default_rng(6), "g", 64, 1e-3)[:3]
    table = table_of(rows)
    assert table_noise(grids(table)) == {"g": None}
    (found,) = table_optima(grids(table))
    assert found.optimum.reason.startswith("the noise is unknown")
