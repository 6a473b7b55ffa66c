"""What is held fixed is found from the runs and never pooled: tokens, steps, both, neither."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from empirical.errors import UsageError
from empirical.judge.claims.claim import Known
from empirical.judge.run_files import RawRows
from empirical.judge.run_table import RunTable, table_from_rows
from empirical.judge.verdict_cells import levels, table_cells
from empirical.judge.verdict_slices import Slices, table_slices
from empirical.judge.verdicts import judge_table, strata
from scaling_theory.units import Unit

RATES = 1e-3 * 2.0 ** np.arange(-2, 3)


def table_of(cells: Iterable[dict[str, object]], unit: Unit = "seq", **every: object) -> RunTable:
    """Five learning rates per cell, a parabola in ln eta; cells give batch, steps and the rest."""
    rows = []
    for at, each in enumerate(cells):
        for rate in RATES:
            loss = 3 + 0.05 * np.log(rate / 1.1e-3) ** 2
            row = {"seq_len": 64, "group": "g", "optimizer": "adamw", **every, **each}
            named = {"run_id": f"{at}-{rate:.3g}", "lr": rate, "loss": loss}
            rows.append({k: str(v) for k, v in {**named, **row}.items()})
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    filled = tuple({name: row.get(name, "") for name in names} for row in rows)
    return table_from_rows(RawRows(names, filled, ""), "memory", unit=unit)


def slices_of(table: RunTable, *hold: str) -> Slices:
    return table_slices(table, table_cells(table, hold, 1e-3)[0])


def kept(found: Slices) -> list[tuple[str, float | None, list[float]]]:
    return [(each.held, each.amount, [c.batch for c in each.cells]) for each in found.slices]


def run(batch: int, steps: int, **more: object) -> dict[str, object]:
    return {"batch_size": batch, "steps": steps, "tokens": batch * steps * 64, **more}


def test_fixed_tokens_and_fixed_steps_are_told_apart() -> None:
    """Rung: closed form (one table of each)."""
    tokens = slices_of(table_of([run(4, 256), run(16, 64), run(64, 16)]))
    assert kept(tokens) == [("tokens", 65536.0, [4.0, 16.0, 64.0])]
    assert tokens.slices[0].label == "g, fixed tokens 65536"
    steps = slices_of(table_of([run(4, 50), run(16, 50), run(64, 50)]))
    assert kept(steps) == [("steps", 50.0, [4.0, 16.0, 64.0])]
    assert steps.alone == ()


def test_a_crossed_table_has_both_and_pools_neither() -> None:
    """Rung: closed form (3 batch sizes x 3 steps: three of each kind, corners alone)."""
    crossed = [run(batch, steps) for batch in (4, 16, 64) for steps in (10, 40, 160)]
    found = slices_of(table_of(crossed))
    assert [each.held for each in found.slices] == ["tokens"] * 3 + ["steps"] * 3
    assert [len(each.cells) for each in found.slices] == [2, 3, 2, 3, 3, 3]
    parts = strata(table_of(crossed), found.slices)
    assert [(part.held, len(part.slices)) for part in parts] == [("tokens", 3), ("steps", 3)]


def test_groups_that_differ_in_length_alone_form_a_family() -> None:
    """Rung: closed form. Groups of fixed tokens cross at fixed steps, as in public tables."""
    cells = [
        run(batch, total // batch, group=f"D{total}")
        for total in (2048, 4096, 8192)
        for batch in (32, 64, 128)
    ]
    found = slices_of(table_of(cells))
    assert [each.family for each in found.slices if each.held == "tokens"] == [
        "D2048",
        "D4096",
        "D8192",
    ]
    steps = {each.amount: [c.batch for c in each.cells] for each in found.slices[3:]}
    assert steps == {32.0: [64.0, 128.0], 64.0: [32.0, 64.0, 128.0], 128.0: [32.0, 64.0]}
    assert found.slices[3].family == "D (several groups)"


def test_groups_that_differ_in_something_unsaid_stay_apart() -> None:
    """Rung: closed form. Groups with other runs at one place, or another model, do not cross."""
    for second in (
        [run(32, 64, group="b"), run(64, 32, group="b")],
        [run(32, 128, group="b", model="other"), run(64, 64, group="b", model="other")],
    ):
        found = slices_of(table_of([run(32, 64), run(64, 32), *second]))
        assert {each.held for each in found.slices} == {"tokens"}
        assert {each.family for each in found.slices} == {"g", "b"}


def test_one_step_both_and_unstated() -> None:
    """Rung: closed form."""
    assert kept(slices_of(table_of([run(4, 1), run(16, 1)]))) == [("one-step", 1.0, [4.0, 16.0])]
    assert kept(slices_of(table_of([run(4, 100), run(16, 40)]))) == [("both", None, [4.0, 16.0])]
    silent = slices_of(table_of([{"batch_size": 4}, {"batch_size": 16}]))
    assert kept(silent) == [("unstated", None, [4.0, 16.0])]
    assert "horizon not stated" in silent.slices[0].label


def test_steps_follow_from_tokens_and_data_from_steps() -> None:
    """Rung: closed form (tokens over batch times length; examples where there is no length)."""
    tokens: list[dict[str, object]] = [{"batch_size": b, "tokens": 64 * 1024} for b in (4, 16)]
    (cell, _), _ = table_cells(table_of(tokens), (), 1e-3)
    assert (cell.steps, cell.data, cell.data_unit) == (256.0, 65536.0, "tokens")
    examples = table_of(
        [{"batch_size": b, "steps": 1024 // b} for b in (4, 16)], unit="ex", seq_len=""
    )
    (found,) = table_slices(examples, table_cells(examples, (), 1e-3)[0]).slices
    assert found.label == "g, fixed examples 1024"


def test_epsilons_optimizers_and_held_columns_are_slices_of_their_own() -> None:
    """Rung: closed form (2 x 2 x 2); a weight decay that differs within a cell splits it too."""
    cells = [
        run(batch, 50, eps=eps, optimizer=optimizer, warmup=warmup)
        for batch in (4, 16)
        for eps in (0, 1e-3)
        for optimizer in ("adamw", "softsignsgd")
        for warmup in (1, 2)
    ]
    found = slices_of(table_of(cells), "warmup")
    assert len(found.slices) == 8
    assert len({each.label for each in found.slices}) == 4
    assert {each.settings for each in found.slices} == {(("warmup", "1"),), (("warmup", "2"),)}
    decays = [run(b, 50, weight_decay=w) for b in (4, 16) for w in (0.0, 0.1)]
    assert [each.settings for each in slices_of(table_of(decays)).slices] == [
        (("weight_decay", "0.0"),),
        (("weight_decay", "0.1"),),
    ]


def test_a_run_in_two_groups_counts_once() -> None:
    """Rung: closed form. The same runs under a name for their tokens and one for their steps."""
    cells = [run(4, 64), run(16, 16), run(4, 64, group="h"), run(16, 64, group="h")]
    table = table_of(cells)
    twin = {row.run_id: row.run_id.replace("2-", "0-", 1) for row in table.runs}
    table = replace(table, runs=tuple(replace(r, run_id=twin[r.run_id]) for r in table.runs))
    found = slices_of(table)
    assert [(each.held, len(each.cells)) for each in found.slices] == [("tokens", 2), ("steps", 2)]


def test_levels_join_what_agrees_within_two_percent() -> None:
    """Rung: closed form."""
    assert levels([100.0, 101.0, 103.0]) == {100.0: 100.0, 101.0: 100.0, 103.0: 103.0}


def test_a_table_without_a_slice_is_refused() -> None:
    """Rung: closed form. One batch size, or too few learning rates: one line, what is wanted."""
    with pytest.raises(UsageError, match="no two batch sizes"):
        judge_table(table_of([run(4, 50)]), Known(laws=()))
