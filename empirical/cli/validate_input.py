"""What `validate` was given: statistics, by the runs that they suit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from empirical.errors import UsageError

if TYPE_CHECKING:
    from empirical.judge.verdict_cells import Cell
    from scaling_theory.surface import SurfaceStatistics


def read_all_statistics(
    texts: Sequence[str],
) -> Callable[[Cell], SurfaceStatistics | None]:
    """The statistics for a cell: [WORD=]DIR, for runs whose group, model or source has WORD.

    A directory without a word serves the runs that no word fits.
    """
    from empirical.statistics_files import read_statistics

    named: dict[str, SurfaceStatistics] = {}
    for text in texts:
        word, equals, place = text.partition("=")
        if not equals or Path(text).is_dir():
            word, place = "", text
        if word in named:
            whom = f"'{word}'" if word else "all runs"
            raise UsageError(f"--stats for {whom} came twice; WORD=DIR with other words is wanted")
        named[word] = read_statistics(Path(place)).surface

    def of(cell: Cell) -> SurfaceStatistics | None:
        said = f"{cell.group} {cell.run.model} {cell.run.source}"
        fitting = [word for word in named if word and word in said]
        if len(fitting) > 1:
            raise UsageError(
                f"--stats words {' and '.join(fitting)} both fit the runs of {said}; "
                "one fitting word is wanted"
            )
        return named.get(fitting[0] if fitting else "")

    return of
