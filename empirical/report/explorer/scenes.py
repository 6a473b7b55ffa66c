"""What can be asked of the what-if panel: one scene for the next step, one for a whole run.

The two are different questions: the learning rate that is best for the next step lowers the loss
most at once, that of a run leaves the loss lowest at its end. They never stand in one chart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from empirical.report.explorer.formulas import FORMULAS, law_source
from empirical.report.explorer.sliders import (
    Slider,
    amount_slider,
    batch_slider,
    count,
    epsilon_slider,
    plain_epsilon_slider,
    rate_slider,
)
from empirical.statistics_files import SavedStatistics, to_json
from scaling_theory.fitted_law import LAW_FORMS, FittedLaw
from scaling_theory.law import NoOptimalStep
from scaling_theory.surface import SurfaceStatistics

UNITS = {"seq": "sequences", "tok": "tokens", "ex": "examples", "bare": ""}
TUNED_AT, WANTED_AT = 0.25, 0.75
"""Where the two batch sizes stand first, as a share of the known range: apart, to show a move."""

HORIZONS = {"tokens": "Length of the run in tokens", "steps": "Length of the run in steps"}


@dataclass(frozen=True)
class Method:
    """One line of a scene. formula: in FORMULAS. source: key in the scene's sources, "" for none.

    look: class that colours it. dash: of its line, in pixels, "" for a full one.
    """

    label: str
    formula: str
    source: str
    look: str
    dash: str = ""

    def __post_init__(self) -> None:
        assert self.formula in FORMULAS, f"no formula is called {self.formula}"


@dataclass(frozen=True)
class Scene:
    """name: part of ids. lead, limits: what is shown and what it is not, a paragraph each.

    keeps: what may stay the same over batch sizes, the first one at the start. domain: batch sizes
    inside which the sources know; sources: plain JSON for the formulas.
    """

    name: str
    title: str
    lead: str
    limits: str
    batch_unit: str
    sliders: tuple[Slider, ...]
    tuned: tuple[Slider, ...]
    keeps: tuple[str, ...]
    domain: tuple[float, float]
    methods: tuple[Method, ...]
    sources: Mapping[str, Any]


RULES = (
    Method("keep it as it is", "keep", "", "rule-keep", "1 4"),
    Method("square root of the batch size", "square root", "", "rule-root", "7 3 1 3"),
    Method("in proportion to the batch size", "linear", "", "rule-linear", "10 5"),
)


def next_step(saved: SavedStatistics) -> Scene:
    """The next step of the network whose statistics were measured."""
    surface = saved.surface
    measured = surface.batch_sizes.tolist()
    low, high = measured[0], measured[-1]
    epsilons = epsilon_slider("epsilon", "Adam's epsilon, ε", surface)
    tuned_batch = batch_slider(
        "tuned batch_size", "Its batch size, B₀", "sequences", low, high, measured, TUNED_AT
    )
    at = tuned_batch.stops[tuned_batch.start].value
    guess = _guess(surface, at, epsilons.stops[epsilons.start].value)
    return Scene(
        name="next-step",
        title="What if: the next step",
        lead=(
            "Measured at one checkpoint: how far an update points downhill and how much curvature "
            "it meets, over batch sizes and ε. From these the page computes the learning rate "
            "that lowers the expected loss most in one single step of SoftSignSGD, "
            "u = g / √(g² + ε²): Adam without its memory. Nothing is fitted. Between the measured "
            "batch sizes and ε it interpolates, and says how far that may be off."
        ),
        limits=(
            "This is not the best learning rate of a whole run: that one also has to keep the "
            "noise down at the end and stay stable for thousands of steps, and is usually smaller. "
            "What one step tells well is how the learning rate changes with B and ε: carry one "
            "that you tuned, by ratio. Momentum is not in it, and rules of thumb know no ε."
        ),
        batch_unit="sequences",
        sliders=(
            batch_slider(
                "batch_size", "Batch size, B", "sequences", low, high, measured, WANTED_AT
            ),
            epsilons,
        ),
        tuned=(
            rate_slider("tuned learning_rate", "Learning rate, η₀", guess),
            tuned_batch,
            epsilon_slider("tuned epsilon", "Its epsilon, ε₀", surface),
        ),
        keeps=("one-step",),
        domain=(low, high),
        methods=(
            Method(
                "measured noise, correlated",
                "one step, correlated noise",
                "statistics",
                "correlated",
            ),
            Method(
                "noise taken as independent",
                "one step, independent noise",
                "statistics",
                "independent",
                "8 4",
            ),
            *RULES,
        ),
        # Where it was measured does not travel with the page: paths and names of machines.
        sources={"statistics": to_json(saved) | {"provenance": {}}},
    )


def _guess(surface: SurfaceStatistics, batch_size: float, epsilon: float) -> float:
    """Where the slider of the tuned learning rate begins; a usual one where nothing is known."""
    try:
        return surface.eta1(batch_size, epsilon, "correlated").step.learning_rate.value
    except NoOptimalStep:
        return 1e-3


def whole_run(law: FittedLaw) -> Scene:
    """Whole runs, by a law that was fitted to some."""
    form = LAW_FORMS[law.form]
    unit, span = UNITS[law.unit], (law.smallest, law.largest)
    tuned_batch = batch_slider(
        "tuned batch_size", "Its batch size, B₀", unit, *span, start=TUNED_AT
    )
    middle = dict(law.references)
    horizon = [name for name in HORIZONS if name in middle]
    sliders = [batch_slider("batch_size", "Batch size, B", unit, *span, start=WANTED_AT)]
    sliders += [_covariate(name, law) for name in (*horizon, *sorted(set(middle) - set(horizon)))]
    tuned_epsilon: list[Slider] = []
    if form.epsilon:
        # Its scale is the one length along epsilon that the law knows.
        middle["epsilon"] = scale = law.parameters["epsilon_scale"]
        sliders.append(plain_epsilon_slider("epsilon", "Adam's epsilon, ε", scale))
        tuned_epsilon = [plain_epsilon_slider("tuned epsilon", "Its epsilon, ε₀", scale)]
    guess = law.learning_rate(tuned_batch.stops[tuned_batch.start].value, middle)
    return Scene(
        name="whole-run",
        title="What if: a whole run" if law.held_fixed != "one-step" else "What if: a fitted law",
        lead=(
            f"A law fitted to the best learning rates of whole runs: “{law.form}”, "
            f"{form.formula}. The page computes it again as you move the sliders, with the 95 % "
            "interval in which the optimum of one more such run is expected."
        ),
        limits=_limits(law, horizon),
        batch_unit=unit,
        sliders=tuple(sliders),
        tuned=(
            rate_slider("tuned learning_rate", "Learning rate, η₀", guess.value),
            tuned_batch,
            *tuned_epsilon,
        ),
        keeps=_keeps(law, horizon),
        domain=span,
        methods=(Method(f"fitted law “{law.form}”", "fitted law", "law", "correlated"), *RULES),
        sources={"law": law_source(law)},
    )


def _covariate(name: str, law: FittedLaw) -> Slider:
    label = HORIZONS.get(name, "Parameters of the network" if name == "n_params" else name)
    unit = name if name in HORIZONS else ""
    return amount_slider(name, label, unit, *law.spans[name])


def _keeps(law: FittedLaw, horizon: list[str]) -> tuple[str, ...]:
    if law.held_fixed == "one-step" or not horizon:
        return (law.held_fixed,)
    return (law.held_fixed, *({"tokens", "steps"} - {law.held_fixed}))


def _limits(law: FittedLaw, horizon: list[str]) -> str:
    span = f"{count(law.smallest)} to {count(law.largest)} {UNITS[law.unit]}".strip()
    known = f"The law knows batch sizes of {span}; beyond them it is extrapolated and says so."
    if law.held_fixed == "one-step":
        return f"{known} It was fitted to single steps and says nothing of a whole run."
    kept = f"In the runs it was fitted to, {law.held_fixed} stayed the same over batch sizes"
    if horizon:
        return f"{known} {kept}; with the other choice below it is taken beyond that evidence."
    return f"{known} {kept}, and it knows no other length of a run than theirs."
