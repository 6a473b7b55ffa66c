"""One training run as a row of a table, and why a row is not one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scaling_theory.units import BatchSize


@dataclass(frozen=True)
class Run:
    """One finished or diverged training run.

    Attributes:
        run_id: its name, "" if it has none. row: its line in the file, the heading being line 1.
        group: everything held fixed but learning rate and batch size.
        batch: batch size per optimizer step, with its unit. lr: learning rate, > 0.
        loss: final loss, in nats unless loss_kind says otherwise; None if none was finite.
        diverged: the run is kept as censored: its learning rate was too large, its loss is not
            used.
        seed: what tells repetitions apart; runs of one seed saw the same batches. "" if unknown.
        loss_standard_error: of `loss`; over runs where n_seeds > 1, else of its evaluation.
        tokens, steps, tokens_or_steps: the horizon, as far as stated.
        extras: further columns as text, by name.
        The rest as in the table; None or "" where the table is silent.
    """

    run_id: str
    row: int
    group: str
    batch: BatchSize
    lr: float
    loss: float | None
    diverged: bool
    seed: str = ""
    model: str = ""
    n_params: float | None = None
    optimizer: str = ""
    eps: float | None = None
    beta1: float | None = None
    beta2: float | None = None
    weight_decay: float | None = None
    tokens: float | None = None
    steps: float | None = None
    tokens_or_steps: float | None = None
    loss_kind: str = ""
    loss_raw: float | None = None
    loss_standard_error: float | None = None
    n_seeds: float | None = None
    source: str = ""
    note: str = ""
    extras: Mapping[str, str] | None = None

    @property
    def batch_size(self) -> float:
        """The amount of `batch`, in its own unit."""
        return self.batch.amount

    def extra(self, name: str) -> str:
        """A further column as text, "" if the table has none."""
        return (self.extras or {}).get(name, "")


@dataclass(frozen=True)
class RejectedRow:
    """A row that is not used. row: its line in the file; reason: one line."""

    row: int
    run_id: str
    reason: str
