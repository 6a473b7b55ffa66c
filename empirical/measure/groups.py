"""Parameter groups: which coordinates belong together, as slices of the parameter vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn
from torch.optim import Optimizer

from empirical.errors import UsageError
from empirical.measure.problem import Problem

WHOLE = "all"
"""The group of all coordinates, always the first."""

Grouping = Callable[[str], str] | Mapping[str, Sequence[str]]
"""Parameter name -> group name, or group name -> parameter names."""


@dataclass(frozen=True)
class Group:
    """A named set of coordinates, as disjoint slices in ascending order."""

    name: str
    slices: tuple[slice, ...]

    @property
    def size(self) -> int:
        """How many coordinates it has."""
        return sum(piece.stop - piece.start for piece in self.slices)

    @property
    def runs(self) -> list[tuple[int, int]]:
        """Start and stop of its stretches without a gap: neighbouring slices joined."""
        found: list[tuple[int, int]] = []
        for piece in self.slices:
            if found and found[-1][1] == piece.start:
                found[-1] = found[-1][0], piece.stop
            else:
                found.append((piece.start, piece.stop))
        return found


def by_module(name: str) -> str:
    """Names down to the first number, or else without the last part: "h.0", "wte", "lm_head"."""
    parts = name.split(".")
    numbers = [place for place, part in enumerate(parts) if part.isdigit()]
    kept = parts[: numbers[0] + 1] if numbers else parts[:-1]
    return ".".join(kept) or name


def groups_of(problem: Problem, grouping: Grouping = by_module) -> tuple[Group, ...]:
    """All coordinates, then every group; parameters that no group names belong to "other".

    Raises UsageError for a parameter that is unknown or in two groups.
    """
    if isinstance(grouping, Mapping):
        table: dict[str, str] = {}
        for group, names in grouping.items():
            for name in names:
                if name not in problem.names or name in table:
                    why = "in two groups" if name in table else "no measured parameter"
                    raise UsageError(f"{name!r} of group {group!r} is {why}; correct the groups")
                table[name] = group
        labels = [table.get(name, "other") for name in problem.names]
    else:
        labels = [grouping(name) for name in problem.names]
    found: dict[str, list[slice]] = {}
    start = 0
    for label, shape in zip(labels, problem.shapes, strict=True):
        found.setdefault(label, []).append(slice(start, start + shape.numel()))
        start += shape.numel()
    whole = Group(WHOLE, (slice(0, start),))
    return (whole, *(Group(label, tuple(slices)) for label, slices in found.items()))


def optimizer_groups(optimizer: Optimizer, model: nn.Module) -> dict[str, list[str]]:
    """The parameter groups of a torch optimizer, "group 0" and so on, for `measure(groups=...)`.

    Frozen parameters are left out, as they are not measured.
    """
    names = {id(p): name for name, p in model.named_parameters() if p.requires_grad}
    return {
        f"group {number}": [names[id(p)] for p in group["params"] if id(p) in names]
        for number, group in enumerate(optimizer.param_groups)
    }
