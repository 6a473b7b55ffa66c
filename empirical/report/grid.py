"""The (batch size, epsilon) grid of a checkpoint, cut into one panel per epsilon.

Epsilon is compared between checkpoints in units of the rms sigma of each, as that is how it
was chosen; two ratios that agree to three digits are one panel.
"""

from __future__ import annotations

from collections.abc import Sequence

from empirical.report.records import Row, Surge


def panel_key(epsilon_over_rms_sigma: float) -> float:
    """The ratio rounded to three significant digits: what a panel is called by."""
    return float(f"{epsilon_over_rms_sigma:.2e}")


def panels(rows: Sequence[Row]) -> dict[float, list[Row]]:
    """Rows by panel, epsilon ascending; within a panel by batch size."""
    grouped: dict[float, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.epsilon_over_rms_sigma, row.batch_size)):
        grouped.setdefault(panel_key(row.epsilon_over_rms_sigma), []).append(row)
    return {key: sorted(group, key=lambda row: row.batch_size) for key, group in grouped.items()}


def batch_sizes(rows: Sequence[Row]) -> list[int]:
    """Distinct batch sizes, ascending, in sequences."""
    return sorted({row.batch_size for row in rows})


def by_epsilon(surges: Sequence[Surge]) -> list[Surge]:
    """Verdicts, epsilon ascending."""
    return sorted(surges, key=lambda surge: surge.epsilon_over_rms_sigma)
