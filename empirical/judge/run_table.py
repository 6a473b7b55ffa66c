"""A table of training runs: read, checked, and what became of every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from empirical.errors import UsageError
from empirical.judge.columns import PRESETS, Preset, resolve_columns, spread_dicts
from empirical.judge.run_files import RawRows, read_rows
from empirical.judge.run_record import RejectedRow, Run
from empirical.judge.validation import in_one_unit, read_run
from scaling_theory.units import UNITS, Unit


@dataclass(frozen=True)
class RunTable:
    """Runs that differ in learning rate, batch size and what their groups name.

    Attributes:
        runs: kept, diverged ones included. rejected: the other rows, each with its reason.
        unit: of every batch size. source: the file. sha256: of its content.
        columns: which column of the file held what, {ours: theirs}.
    """

    runs: tuple[Run, ...]
    rejected: tuple[RejectedRow, ...]
    unit: Unit
    source: str
    sha256: str
    columns: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups in the order of their first run."""
        return tuple(dict.fromkeys(run.group for run in self.runs))

    @property
    def censored(self) -> int:
        """Runs that diverged."""
        return sum(run.diverged for run in self.runs)

    def has_column(self, name: str) -> bool:
        """Whether a run has this field, or a further column of this name."""
        return name in Run.__dataclass_fields__ or any(run.extra(name) for run in self.runs)

    def where(self, **wanted: str | float) -> RunTable:
        """The runs whose fields equal these, such as where(group="N429M_D50B", eps=1e-8).

        A name that is no field of a run is looked up among its extras, as text.

        Raises:
            UsageError: nothing is left.
        """
        runs = tuple(
            run for run in self.runs if all(_equals(run, *item) for item in wanted.items())
        )
        if not runs:
            asked = ", ".join(f"{name}={value}" for name, value in wanted.items())
            raise UsageError(f"no run of {self.source} has {asked}: see its groups and columns")
        return replace(self, runs=runs)

    def describe(self, most: int = 8) -> str:
        """Lines for people: rows that came, were kept, are censored, were rejected and why."""
        total = len(self.runs) + len(self.rejected)
        head = (
            f"{self.source}: {total} rows, {len(self.runs)} kept in {len(self.groups)} group(s) "
            f"({self.censored} of them diverged, kept as censored), {len(self.rejected)} rejected"
        )
        return "\n".join([head, *(f"  {line}" for line in self.why_rejected(most))])

    def why_rejected(self, most: int = 8) -> list[str]:
        """One line per reason, the most frequent first, with the lines of its first rows."""
        reasons = Counter(each.reason for each in self.rejected)
        lines = []
        for reason, count in reasons.most_common(most):
            rows = [each.row for each in self.rejected if each.reason == reason]
            shown = ", ".join(map(str, rows[:4])) + (" ..." if count > 4 else "")
            lines.append(f"{count} rejected (line {shown}): {reason}")
        if len(reasons) > most:
            rest = sum(count for _, count in reasons.most_common()[most:])
            lines.append(f"{rest} rejected for {len(reasons) - most} other reasons")
        return lines


def read_run_table(
    path: str | Path,
    mapping: Mapping[str, str] | None = None,
    preset: Preset | None = None,
    unit: Unit | None = None,
    sequence_length: int | None = None,
) -> RunTable:
    """Read a table of runs from CSV or Parquet.

    Args:
        path: .csv, .tsv or .parquet with one run per row; the columns are those of
            `empirical.judge.columns`, further ones are kept as extras.
        mapping: {our column: theirs} for other names.
        preset: names of an export of "wandb", "mlflow" or "tensorboard".
        unit: of batch sizes that state none, and the unit that all are converted to. None: that
            of most rows.
        sequence_length: tokens per sequence where the table states none.

    Raises:
        UsageError: unreadable file, unknown names, or no row that can be used, with the reasons.
    """
    if preset is not None and preset not in PRESETS:
        raise UsageError(f"preset '{preset}' is unknown: use one of {', '.join(PRESETS)}")
    if unit is not None and unit not in UNITS:
        raise UsageError(f"unit '{unit}' is unknown: use one of seq, tok, ex")
    raw = read_rows(Path(path))
    table = table_from_rows(raw, str(path), mapping, preset, unit, sequence_length)
    if not table.runs:
        raise UsageError(f"no row can be used: {table.describe(3)}".replace("\n ", ";"))
    return table


def table_from_rows(
    raw: RawRows,
    source: str,
    mapping: Mapping[str, str] | None = None,
    preset: Preset | None = None,
    unit: Unit | None = None,
    sequence_length: int | None = None,
) -> RunTable:
    """The same from rows that are in memory, such as those of a sweep's store."""
    rows = [spread_dicts(row, preset) for row in raw.rows]
    present = dict.fromkeys([*(name for row in rows for name in row), *raw.columns])
    columns = resolve_columns(present, mapping, preset)
    read = [
        read_run(row, columns, line, unit, sequence_length)
        for line, row in zip(raw.lines or range(2, len(rows) + 2), rows, strict=True)
    ]
    units = Counter(each.batch.unit for each in read if isinstance(each, Run))
    common = unit or (units.most_common(1)[0][0] if units else "bare")
    read = [in_one_unit(each, common) if isinstance(each, Run) else each for each in read]
    read = _without_repetitions(read)
    return RunTable(
        runs=tuple(each for each in read if isinstance(each, Run)),
        rejected=tuple(each for each in read if isinstance(each, RejectedRow)),
        unit=common,
        source=source,
        sha256=raw.sha256,
        columns=columns,
    )


def _without_repetitions(read: list[Run | RejectedRow]) -> list[Run | RejectedRow]:
    """Later rows of one key rejected.

    The key is run_id within its group where there is one, else everything but what was measured:
    two rows of one configuration and no seed cannot be told from one row entered twice.
    """
    first: dict[object, Run] = {}
    kept: list[Run | RejectedRow] = []
    for each in read:
        if isinstance(each, RejectedRow):
            kept.append(each)
            continue
        key = (each.run_id, each.group) if each.run_id else _configuration(each)
        earlier = first.setdefault(key, each)
        if earlier is each:
            kept.append(each)
            continue
        what = "run_id" if each.run_id else "configuration and no seed that differs"
        same = earlier.loss == each.loss and earlier.diverged == each.diverged
        ending = "" if same else ", with another loss"
        reason = f"same {what} as line {earlier.row}{ending}"
        kept.append(RejectedRow(each.row, each.run_id, reason))
    return kept


def _configuration(run: Run) -> object:
    return (
        run.group, run.model, run.optimizer, run.n_params, run.batch, run.lr, run.eps, run.beta1,
        run.beta2, run.weight_decay, run.tokens, run.steps, run.tokens_or_steps, run.seed,
        run.loss_kind, tuple(sorted((run.extras or {}).items())),
    )  # fmt: skip


def _equals(run: Run, name: str, value: str | float) -> bool:
    held = getattr(run, name) if name in Run.__dataclass_fields__ else run.extra(name)
    if name == "batch_size":
        held = run.batch_size
    return bool(held == value or str(held) == str(value))
