"""The exported table: its columns, its order, and what is left out."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from random import Random

import pytest

from empirical.judge.run_table import read_run_table
from empirical.sweep.export import COLUMNS, export_csv, own_group
from empirical.sweep.parameter_count import parameter_count
from empirical.sweep.plan_record import StoredRun
from empirical.train.configuration import AdamWConfig, NetworkConfig, SoftSignSGDConfig
from empirical.train.network import build_network
from empirical.train.run_configuration import WorkUnit
from scaling_theory.estimate import Estimate
from tests.sweep.tiny_sweep import tiny_run


def stored(
    learning_rate: float, *, seed: int = 0, epsilon: float | None = None, seconds: float = 1.0
) -> tuple[str, StoredRun]:
    config = tiny_run(learning_rate, seed=seed)
    if epsilon is not None:
        optimizer = SoftSignSGDConfig(epsilon=epsilon)
        config = config.model_copy(update={"optimizer": optimizer})
    unit, diverged = WorkUnit(runs=(config,)), learning_rate > 1
    run = StoredRun(
        unit=unit.key,
        index=0,
        path="single",
        config=config,
        diverged_at=20 if diverged else None,
        heldout_loss=None if diverged else Estimate(1.1 - learning_rate, 0.01, 16),
        start_loss=Estimate(5.5, 0.02, 16),
        loss_drop=None if diverged else Estimate(4.4 + learning_rate, 0.03, 16),
        seconds=seconds,
    )
    return unit.run_key(0), run


def rows(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table)))


def test_the_order_of_the_results_and_their_times_are_not_in_the_table() -> None:
    """Rung: closed form."""
    found = [stored(0.01 * k, seed=k % 2, seconds=k) for k in range(1, 9)]
    table = export_csv(dict(found))
    Random(0).shuffle(found)
    slower = [(key, StoredRun(**{**vars(run), "seconds": 77.0})) for key, run in found]
    assert export_csv(dict(slower)) == table
    assert export_csv(dict(slower), times=True) != export_csv(dict(found), times=True)


def test_a_row_says_what_the_run_was() -> None:
    """Rung: closed form (numbers as they are, none rounded)."""
    table = rows(export_csv(dict([stored(0.1, seed=3), stored(5.0)])))
    finished, diverged = sorted(table, key=lambda row: float(row["lr"]))
    assert tuple(finished) == COLUMNS
    shown = {name: finished[name] for name in ("optimizer", "lr", "eps", "batch_size", "seed")}
    assert shown == {
        "optimizer": "softsignsgd", "lr": "0.1", "eps": "0.001", "batch_size": "2", "seed": "3"
    }  # fmt: skip
    assert (finished["steps"], finished["tokens"], finished["seq_len"]) == ("40", "640", "8")
    assert float(finished["loss"]) == 1.1 - 0.1
    assert float(finished["loss_drop"]) == 4.4 + 0.1
    assert (diverged["diverged"], diverged["loss"], diverged["diverged_at"]) == ("True", "", "20")


def test_a_half_life_is_shown_as_the_decay_that_it_is() -> None:
    """Rung: closed form (a half-life of one step's tokens halves at each step)."""
    key, run = stored(0.1)
    optimizer = AdamWConfig(second_half_life_tokens=16.0)
    config = run.config.model_copy(update={"optimizer": optimizer})
    (row,) = rows(export_csv({key: StoredRun(**{**vars(run), "config": config})}))
    assert (row["beta1"], row["beta2"], row["eps"]) == ("0.9", "0.5", "1e-08")


def test_groups_hold_everything_but_what_has_a_column() -> None:
    """Rung: closed form; epsilon has a column, the network has none."""
    _, run = stored(0.1, epsilon=1e-3)
    _, other_epsilon = stored(0.2, epsilon=1e-2)
    assert own_group("", run) == own_group("", other_epsilon)
    network = NetworkConfig(context=8, width=16, depth=1, heads=2)
    wider = run.config.model_copy(update={"network": network})
    assert own_group("", StoredRun(**{**vars(run), "config": wider})) != own_group("", run)


def test_a_run_of_two_groups_has_two_rows_and_one_of_none_has_none() -> None:
    """Rung: closed form."""
    found = dict([stored(0.1), stored(0.2)])
    twice, none = found
    table = export_csv(found, lambda key, run: ("b", "a") if key == twice else ())
    assert [row["group"] for row in rows(table)] == ["a", "b"]
    assert {row["run_id"] for row in rows(table)} == {twice[:16]}
    assert none[:16] not in table


def test_the_reader_of_tables_takes_every_row(tmp_path: Path) -> None:
    """Rung: another module of this project, which knows nothing of sweeps."""
    path = tmp_path / "table.csv"
    path.write_text(export_csv(dict([stored(0.1), stored(0.2, seed=1), stored(5.0)])))
    table = read_run_table(path)
    assert len(table) == 3 and table.censored == 1 and not table.rejected
    assert table.unit == "seq"


@pytest.mark.parametrize(
    "network",
    [NetworkConfig(), NetworkConfig(context=32, width=48, depth=3, heads=4, tied=True)],
    ids=["built-in", "tied"],
)
def test_parameters_are_counted_without_the_network(network: NetworkConfig) -> None:
    """Rung: slow brute force (the network itself)."""
    counted = sum(weight.numel() for weight in build_network(network, 0).parameters())
    assert parameter_count(network) == counted
