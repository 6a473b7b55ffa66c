"""Slices of a table: cells over which only the batch size changes, and what is kept instead.

At fixed tokens the steps fall as the batch grows, at fixed steps the tokens grow: two different
questions, never pooled. Groups that agree in all that the table says of them, and differ in how
long their runs are, form one family; its cells cross, and slices at fixed steps are found in a
table of fixed tokens and the other way round. Groups that hold different runs of one cell must
differ in something unsaid, and stay apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from empirical.judge.run_table import RunTable
from empirical.judge.verdict_cells import SETTINGS, Cell, Key, levels

Held = Literal["one-step", "tokens", "steps", "both", "unstated"]
HELD: tuple[Held, ...] = get_args(Held)
"""What is kept as the batch size changes. both: tokens and steps both vary. unstated: the table
says neither."""

WORDS: dict[str, str] = {
    "one-step": "one step",
    "tokens": "fixed tokens",
    "steps": "fixed steps",
    "both": "tokens and steps both vary",
    "unstated": "horizon not stated",
}

FEWEST_BATCHES = 2

COMPUTED = ("path", "device", "diverged_at")
"""Further columns that say how a run was computed or how it went, not what it is."""


@dataclass(frozen=True)
class Slice:
    """Cells by ascending batch size, each batch size once.

    family: what names the runs. amount: tokens or steps that are kept, None where neither is.
    """

    family: str
    optimizer: str
    epsilon: float | None
    held: Held
    amount: float | None
    unit: str
    settings: Key
    cells: tuple[Cell, ...]

    @property
    def measured(self) -> tuple[Cell, ...]:
        """Cells whose optimum is a number."""
        return tuple(cell for cell in self.cells if cell.identified)

    @property
    def label(self) -> str:
        """Unique in a table."""
        parts = [self.family]
        parts += [f"eps {self.epsilon:.3g}"] if self.epsilon is not None else []
        parts += [f"{name} {text[-24:]}" for name, text in self.settings]
        return ", ".join([*parts, self.kept])

    @property
    def kept(self) -> str:
        """What is held fixed, with its amount."""
        if self.amount is None or self.held == "one-step":
            return WORDS[self.held]
        amount = f"{self.amount:.3g}" if self.amount >= 1e6 else f"{self.amount:.6g}"
        return f"fixed {self.unit} {amount}"


@dataclass(frozen=True)
class Slices:
    """slices: by what is held. alone: cells that belong to none."""

    slices: tuple[Slice, ...]
    alone: tuple[Cell, ...]


def table_slices(table: RunTable, cells: Sequence[Cell]) -> Slices:
    """Every slice with at least two batch sizes."""
    found: list[Slice] = []
    used: set[int] = set()
    for name, members in _families(table, cells).items():
        curves: dict[tuple[object, ...], list[Cell]] = defaultdict(list)
        for cell in members:
            curves[cell.optimizer, cell.epsilon, cell.settings].append(cell)
        for curve in curves.values():
            for held, amount, taken in _slices_of(curve):
                used |= {id(cell) for cell in taken}
                found.append(_slice(name, held, amount, taken))
    place = {group: at for at, group in enumerate(table.groups)}
    found.sort(key=lambda each: _order(each, place))
    return Slices(tuple(found), tuple(cell for cell in cells if id(cell) not in used))


def _slices_of(curve: Sequence[Cell]) -> Iterable[tuple[Held, float | None, list[Cell]]]:
    """What is held, how much, and the cells: of one family, optimizer, epsilon and settings."""
    taken: set[int] = set()
    for held in ("tokens", "steps"):
        known = [cell for cell in curve if _amount(cell, held) is not None]
        level = levels([_amount(cell, held) or 0.0 for cell in known])
        kept: dict[float, dict[float, Cell]] = defaultdict(dict)
        for cell in known:
            # A run that is exported with two groups is there twice.
            kept[level[_amount(cell, held) or 0.0]].setdefault(cell.batch, cell)
        for amount, by_batch in kept.items():
            if len(by_batch) >= FEWEST_BATCHES:
                taken |= {id(cell) for cell in by_batch.values()}
                one_step = held == "steps" and amount == 1
                yield "one-step" if one_step else held, amount, list(by_batch.values())
    rest: dict[tuple[str, bool], list[Cell]] = defaultdict(list)
    for cell in curve:
        if id(cell) not in taken:
            rest[cell.group, cell.steps is None].append(cell)
    for (_, silent), left in rest.items():
        batches = {cell.batch for cell in left}
        if FEWEST_BATCHES <= len(batches) == len(left):
            yield "unstated" if silent else "both", None, left


def _amount(cell: Cell, held: str) -> float | None:
    return cell.data if held == "tokens" else cell.steps


def _slice(family: str, held: Held, amount: float | None, cells: list[Cell]) -> Slice:
    groups = {cell.group for cell in cells}
    first = cells[0]
    return Slice(
        family=groups.pop() if len(groups) == 1 else family,
        optimizer=first.optimizer,
        epsilon=first.epsilon,
        held=held,
        amount=amount,
        unit=first.data_unit if held == "tokens" else "steps",
        settings=first.settings,
        cells=tuple(sorted(cells, key=lambda cell: cell.batch)),
    )


def _families(table: RunTable, cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """Cells by family: groups alike in all that is said of them, unless their runs conflict."""
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.group].append(cell)
    traits = _traits(table)
    alike: dict[object, list[str]] = defaultdict(list)
    for group in groups:
        alike[traits[group]].append(group)
    found: dict[str, list[Cell]] = {}
    for names in alike.values():
        members = [cell for name in names for cell in groups[name]]
        if len(names) == 1 or _conflict(members):
            found |= {name: groups[name] for name in names}
        else:
            found[f"{_shared(names)} (several groups)"] = members
    return found


def _traits(table: RunTable) -> dict[str, object]:
    """What the table says of each group: settings, and extras that are one value in every group."""
    values: dict[str, dict[str, set[object]]] = defaultdict(lambda: defaultdict(set))
    names = {name for run in table.runs for name in run.extras or {}}
    names = {name for name in names if name not in COMPUTED and "loss" not in name}
    for run in table.runs:
        for name in ("optimizer", *SETTINGS):
            values[run.group][name].add(getattr(run, name))
        for name in names:
            values[run.group][name].add(run.extra(name))
    varying = {name for held in values.values() for name in names if len(held[name]) > 1}
    return {
        group: tuple((name, frozenset(held[name])) for name in sorted(held) if name not in varying)
        for group, held in values.items()
    }


def _conflict(cells: Sequence[Cell]) -> bool:
    """Whether two groups hold different runs at one place."""
    seen: dict[tuple[object, ...], set[str]] = {}
    for cell in cells:
        place = (cell.optimizer, cell.epsilon, cell.settings, cell.batch, round(cell.steps or 0))
        runs = {run.run_id or f"{cell.group} {run.row}" for run in cell.found.grid.runs}
        if seen.setdefault(place, runs) != runs:
            return True
    return False


def _shared(names: Sequence[str]) -> str:
    """What the names of the groups begin with."""
    first, last = min(names), max(names)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    return first[:length].rstrip(" _-=/,") or f"{first} and others"


def _order(each: Slice, place: dict[str, int]) -> tuple[object, ...]:
    first = min(place[cell.group] for cell in each.cells)
    return (
        HELD.index(each.held),
        each.optimizer,
        first if each.held == "tokens" else 0,
        each.amount or 0.0,
        first,
        -1.0 if each.epsilon is None else each.epsilon,
        each.settings,
    )
