"""The adaptive sweep replayed from its results, group by group and round by round.

In a round every cell of a group says which runs it wants next; all of them are packed into units,
and the next round is decided when all of these are there. A cell starts when its neighbour has
ended. What was decided once is decided again, alike, whenever the plan is made anew: it does not
matter which run ended first, or when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import log

from empirical.sweep.bracket import Limits, Move, next_move
from empirical.sweep.cells import Cell
from empirical.sweep.chain import shift
from empirical.sweep.decisions import decision_of
from empirical.sweep.lattice import learning_rate, position_of, position_of_log
from empirical.sweep.packing import packed
from empirical.sweep.plan_record import Decision, Plan, StoredRun
from empirical.sweep.planned import PlannedSweep, run_of
from empirical.sweep.trials import Layer, Trial, shared_noise
from empirical.train.run_configuration import WorkUnit

# A plan that is made anew asks the same questions again.
_move = lru_cache(maxsize=20_000)(next_move)
_noise = lru_cache(maxsize=5_000)(shared_noise)


@dataclass
class Progress:
    """A cell as far as the plan has been replayed. start: position on the lattice, once begun."""

    cell: Cell
    start: int | None = None
    trials: list[Trial] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """The cell wants nothing more."""
        return bool(self.moves) and not self.moves[-1].wanted

    @property
    def ln_eta(self) -> float:
        """Best knowledge of ln eta*: the optimum, else the best that was tried, else the start."""
        optimum = self.moves[-1].optimum if self.moves else None
        if optimum and optimum.ln_eta:
            return optimum.ln_eta.value
        if optimum and optimum.best_tried:
            return log(optimum.best_tried)
        return log(learning_rate(self.start or 0))


@dataclass(frozen=True)
class Replay:
    """A plan, and the cells that it was made from, by name, as far as they have begun."""

    plan: Plan
    cells: Mapping[str, Progress]


def limits_of(planned: PlannedSweep) -> Limits:
    """When a cell of this sweep is done; further seeds follow the largest one."""
    adaptive = planned.config.learning_rates.adaptive
    if adaptive is None:
        raise ValueError("got the plan of a grid, wanted an adaptive one; use grid_units")
    seeds = planned.config.seeds
    more = range(max(seeds) + 1, max(seeds) + 1 + adaptive.most_seeds - len(seeds))
    return Limits(adaptive.width, adaptive.most, seeds, tuple(more))


def adaptive_plan(planned: PlannedSweep, results: Mapping[str, StoredRun]) -> Plan:
    """Everything wanted so far; complete when every cell has ended."""
    return replay(planned, results).plan


def replay(planned: PlannedSweep, results: Mapping[str, StoredRun]) -> Replay:
    """The rounds of all groups as far as the results go."""
    limits = limits_of(planned)
    units: list[WorkUnit] = []
    decisions: list[Decision] = []
    seen: dict[str, Progress] = {}
    waiting = dict(planned.groups)
    blocked = False
    while waiting:
        ready = [name for name, cells in waiting.items() if _can_begin(cells, seen)]
        if not ready:
            blocked = True
            break
        for name in ready:
            group = [Progress(cell) for cell in waiting.pop(name)]
            seen |= {p.cell.name: p for p in group}
            _replay_group(planned, group, limits, seen, results, units, decisions)
    complete = not blocked and all(p.ended for p in seen.values())
    return Replay(Plan(tuple(units), tuple(decisions), complete), seen)


def _can_begin(cells: Sequence[Cell], seen: Mapping[str, Progress]) -> bool:
    """Whether every neighbour in another group has ended."""
    own = {cell.name for cell in cells}
    outside = [cell.neighbour for cell in cells if cell.neighbour and cell.neighbour not in own]
    return all(name in seen and seen[name].ended for name in outside)


def _replay_group(
    planned: PlannedSweep,
    group: Sequence[Progress],
    limits: Limits,
    seen: Mapping[str, Progress],
    results: Mapping[str, StoredRun],
    units: list[WorkUnit],
    decisions: list[Decision],
) -> None:
    """Append the units and decisions of one group, until a result is missing or it has ended."""
    computing = planned.computing[group[0].cell.group]
    while not all(p.ended for p in group):
        noise = _noise(_noise_layers(group, seen))
        wanted: list[tuple[Progress, int, int]] = []
        for p in group:
            p.start = _start(p.cell, seen) if p.start is None else p.start
            if p.start is None or p.ended:
                continue
            move = _move(tuple(p.trials), p.start, limits, noise)
            decisions.append(decision_of(p.cell.name, len(p.moves), move, p.start))
            p.moves.append(move)
            wanted += [(p, position, seed) for position, seed in move.wanted]
        runs = [run_of(planned, p.cell, learning_rate(at), seed) for p, at, seed in wanted]
        fresh = packed(runs, computing) if runs else ()
        units += fresh
        keys = [unit.run_key(index) for unit in fresh for index in range(len(unit.runs))]
        if not all(key in results for key in keys):
            return
        for (p, position, seed), key in zip(wanted, keys, strict=True):
            loss = results[key].heldout_loss
            p.trials.append(Trial(position, seed, None if loss is None else loss.value))


def _start(cell: Cell, seen: Mapping[str, Progress]) -> int | None:
    """Where a cell begins on the lattice; None while its neighbour has not ended."""
    if cell.neighbour is None:
        return None if cell.start is None else position_of(cell.start)
    neighbour = seen[cell.neighbour]
    if not neighbour.ended:
        return None
    further = neighbour.cell.neighbour
    before = (seen[further].cell, seen[further].ln_eta) if further else None
    moved = shift(cell, neighbour.cell, neighbour.ln_eta, before)
    return position_of_log(neighbour.ln_eta + moved)


def _noise_layers(group: Sequence[Progress], seen: Mapping[str, Progress]) -> tuple[Layer, ...]:
    """The trials of a group, then those of the cells that it was started from, inwards."""
    names = {p.cell.name for p in group}
    layers = [tuple(tuple(p.trials) for p in group)]
    outer = [p.cell for p in group]
    while outer:
        inner = dict.fromkeys(cell.neighbour for cell in outer if cell.neighbour)
        layer = [seen[name] for name in inner if name not in names]
        names |= {p.cell.name for p in layer}
        layers.append(tuple(tuple(p.trials) for p in layer))
        outer = [p.cell for p in layer]
    return tuple(layers)
