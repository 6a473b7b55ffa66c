"""Tokens per second against the batch size, with the smallest batch that is enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from empirical.report.figures import palette
from empirical.report.figures.canvas import batch_axis, legend_below, log_axis, panel_grid


def draw_throughput(record: Mapping[str, Any], wide: bool) -> Figure:
    """From the record of `recommend`: measured throughput, its best, and the recommendation."""
    rows = record["throughput"]["table"]
    sizes = [row["batch_size"] for row in rows]
    rates = [row["tokens_per_second"] for row in rows]
    best = max(rates)
    low = [best * row["interval"][0] for row in rows]
    high = [best * row["interval"][1] for row in rows]
    errors = [
        [max(rate - a, 0.0) for rate, a in zip(rates, low, strict=True)],
        [max(b - rate, 0.0) for rate, b in zip(rates, high, strict=True)],
    ]
    figure, (axes,) = panel_grid(1, wide)
    measured = axes.errorbar(
        sizes,
        rates,
        yerr=errors,
        fmt="o-",
        color=palette.MEASURED.colour,
        capsize=3,
        label="measured, median; bars: 95 % interval of the ratio to the best",
    )
    fraction = record["throughput"]["fraction"]
    enough = axes.axhline(
        best * fraction,
        color=palette.GREY,
        linestyle="--",
        label=f"{fraction:.0%} of the best",
    )
    shown: list[Artist] = [measured.lines[0], enough]
    if record["optimizer"] is not None:  # else not even this batch fits into the memory
        chosen = record["batch_size"]["sequences"]
        shown += axes.plot(
            [chosen],
            [rates[sizes.index(chosen)]],
            "s",
            markersize=13,
            markerfacecolor="none",
            color=palette.CORRELATED.colour,
            label=f"recommended: {chosen} sequences",
        )
    batch_axis(axes, sizes)
    log_axis(axes, [*low, *high, best * fraction])
    axes.set_xlabel("batch size [sequences]")
    axes.set_ylabel("throughput [tokens per second]")
    axes.set_title(record["workload"]["name"])
    legend_below(figure, shown)
    return figure
