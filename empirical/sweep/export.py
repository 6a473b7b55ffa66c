"""The table of a sweep: one row per run and group, the same bytes whatever happened on the way.

Times and retries are left out unless asked for: with them no two sweeps give the same file.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence

from empirical.sweep.parameter_count import parameter_count
from empirical.sweep.plan_record import StoredRun
from empirical.train.averages import resolve
from empirical.train.run_configuration import canonical_json
from scaling_theory.schedule import Schedule

Groups = Callable[[str, StoredRun], Sequence[str]]
"""(run key, run) -> names of the groups it belongs to; none: the run is left out."""

Cell = str | float | int | None

COLUMNS = (
    "run_id",
    "model",
    "n_params",
    "optimizer",
    "batch_size",
    "batch_unit",
    "seq_len",
    "lr",
    "eps",
    "beta1",
    "beta2",
    "weight_decay",
    "tokens_or_steps",
    "loss",
    "diverged",
    "source",
    "group",
    "tokens",
    "steps",
    "loss_kind",
    "n_seeds",
    "note",
    "loss_se",
    "loss_drop",
    "loss_drop_se",
    "start_loss",
    "start_loss_se",
    "heldout_sequences",
    "diverged_at",
    "seed",
    "schedule",
    "warmup_share",
    "decay_share",
    "final_share",
    "dtype",
    "device",
    "path",
)
TIMES = ("seconds",)


def own_group(key: str, run: StoredRun) -> tuple[str]:
    """The group of a run by itself: its optimizer, and a hash of all that has no column.

    Nothing in it tells which of tokens and steps is held fixed: whoever knows the budgets of a
    sweep gives names of its own.
    """
    shown = {"learning_rate", "batch_size", "steps", "seed"}
    rest = run.config.model_dump(mode="json", exclude=shown)
    rest["optimizer"].pop("epsilon", None)
    digest = hashlib.sha256(canonical_json(rest).encode()).hexdigest()
    return (f"{run.config.optimizer.name} {digest[:8]}",)


def export_csv(
    results: Mapping[str, StoredRun], groups: Groups = own_group, *, times: bool = False
) -> str:
    """CSV in the order of group, epsilon, batch size, steps, learning rate, seed and key."""
    rows = sorted(
        ((group, key, run) for key, run in results.items() for group in groups(key, run)),
        key=lambda row: _order(*row),
    )
    columns = (*COLUMNS, *TIMES) if times else COLUMNS
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for group, key, run in rows:
        writer.writerow(_row(group, key, run))
    return file.getvalue()


def _shares(schedule: Schedule) -> dict[str, Cell]:
    """The shares that this schedule has."""
    falls = schedule.name != "constant"
    return {
        "warmup_share": schedule.warmup_share,
        "decay_share": schedule.decay_share if schedule.name == "warmup_stable_decay" else None,
        "final_share": schedule.final_share if falls else None,
    }


def _order(group: str, key: str, run: StoredRun) -> tuple[object, ...]:
    config = run.config
    epsilon = getattr(config.optimizer, "epsilon", None)
    epsilon = -1.0 if epsilon is None else epsilon
    return (
        group,
        epsilon,
        config.batch_size,
        config.steps,
        config.learning_rate,
        config.seed,
        key,
    )


def _row(group: str, key: str, run: StoredRun) -> dict[str, Cell]:
    config, network = run.config, run.config.network
    optimizer = resolve(config.optimizer, config.batch_size * network.context).config
    tied = " tied" if network.tied else ""
    start = config.start.checkpoint_sha256
    began = f"checkpoint {start[:12]}" if start else f"fresh weights {config.start.network_seed}"
    row: dict[str, Cell] = {
        "run_id": key[:16],
        "model": f"transformer w{network.width} d{network.depth} h{network.heads}{tied}",
        "n_params": parameter_count(network),
        "optimizer": optimizer.name,
        "batch_size": config.batch_size,
        "batch_unit": "sequences",
        "seq_len": network.context,
        "lr": config.learning_rate,
        "eps": getattr(optimizer, "epsilon", None),
        "beta1": getattr(optimizer, "first_decay", getattr(optimizer, "momentum", None)),
        "beta2": getattr(optimizer, "second_decay", None),
        "weight_decay": optimizer.weight_decay,
        "tokens_or_steps": config.tokens,
        "diverged": str(run.diverged),
        "source": f"text {config.text_sha256[:12]}, {began}",
        "group": group,
        "tokens": config.tokens,
        "steps": config.steps,
        "loss_kind": "held-out, nats per token",
        "n_seeds": 1,
        "start_loss": run.start_loss.value,
        "start_loss_se": run.start_loss.standard_error,
        "heldout_sequences": config.heldout_sequences,
        "diverged_at": run.diverged_at,
        "seed": config.seed,
        "schedule": config.schedule.name,
        **_shares(config.schedule.shape),
        "dtype": config.dtype,
        "device": config.device,
        "path": run.path,
        "seconds": run.seconds,
    }
    if run.heldout_loss is not None:
        row["loss"] = run.heldout_loss.value
        row["loss_se"] = run.heldout_loss.standard_error
    if run.loss_drop is not None:
        row["loss_drop"] = run.loss_drop.value
        row["loss_drop_se"] = run.loss_drop.standard_error
    return row
