"""What can be asked of a whole run from the statistics of its start: the run law's scene."""

from __future__ import annotations

from dataclasses import replace

from empirical.report.explorer.scenes import RULES, Method, Scene, next_step
from empirical.report.explorer.sliders import Slider, Stop, amount_slider
from empirical.statistics_files import SavedStatistics

MOMENTA = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
FINAL_SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
SHORT, LONG = 16.0, 256.0
"""Steps of the runs that the law was held against, about."""


def measured_run(saved: SavedStatistics) -> Scene:
    """A whole run from the checkpoint of the statistics, carried from a tuned one."""
    step = next_step(saved)
    momentum = Slider(
        "beta1",
        "Momentum, β₁",
        tuple(Stop(value, f"{value:g}" if value else "0 (none)") for value in MOMENTA),
        MOMENTA.index(0.9),
    )
    schedule = Slider(
        "final_share",
        "Learning rate at the end, share of its peak",
        tuple(Stop(v, f"{v:g}" if v < 1 else "1 (constant)") for v in FINAL_SHARES),
        FINAL_SHARES.index(0.1),
    )
    return replace(
        step,
        name="measured-run",
        title="What if: a whole run from here",
        lead=(
            "The same measured terms, put together for a run of many steps: its best learning "
            "rate is c D / (κ Q + ν N), with the descent D, the curvature Q along the mean update "
            "and N of its noise. κ and ν follow from the number of steps, momentum and schedule: "
            "momentum and a falling learning rate make room, κ is below 1. The number c is not "
            "predicted: a learning rate that you tuned fixes it."
        ),
        limits=(
            "Both runs start here and have the same schedule, warm-up left out. Held against runs "
            "of 2 to 256 steps; with a constant learning rate over a thousand steps or more, small "
            "batches want less than this says. Near SGD (ε of 30 rms σ) it is up to four times too "
            "low, and from a checkpoint of the first steps, still sharp, it holds for a few steps "
            "only."
        ),
        sliders=(
            *step.sliders,
            amount_slider("steps", "Length of the run in steps", "steps", SHORT, LONG),
            momentum,
            schedule,
        ),
        keeps=("steps", "tokens"),
        methods=(
            Method("run law, measured terms", "run law", "statistics", "correlated"),
            Method(
                "as the next step has it",
                "one step, correlated noise",
                "statistics",
                "mean_field",
                "8 3 2 3",
            ),
            *RULES,
        ),
    )
