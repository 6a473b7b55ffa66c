"""The formulas that the page computes again, as the toolkit computes them: one table, by name.

The page has a table of the same names in its script (templates/explorer_formulas.js); a file of
shared vectors (tests/report/explorer_vectors.json) holds the two together. A formula takes a
source, plain JSON that says what was measured or fitted, and a place:

    batch_size, epsilon     where eta* is wanted; epsilon in the unit of a gradient
    covariates, keep        of a whole run, such as tokens at this batch size; what stays the same
                            over batch sizes: "one-step", "tokens" or "steps"
    tuned                   learning_rate, batch_size, epsilon of a run that was tuned

and gives eta* on its own, or the tuned learning rate carried to the place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from empirical.statistics_files import from_json
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate, exact_estimate, ratio_estimate
from scaling_theory.fitted_law import FittedLaw
from scaling_theory.law import NoMinimum, NoOptimalStep
from scaling_theory.run_curve import run_curve
from scaling_theory.run_law import RunFactors, run_factors, whole_steps
from scaling_theory.schedule import Schedule
from scaling_theory.surface import Closure, SurfacePrediction, SurfaceStatistics, eta1_ratio
from scaling_theory.transfer.run_rules import RUN_RULES
from scaling_theory.transfer.situation import Situation

Plain = Mapping[str, Any]
Answer = dict[str, Any]
Evaluate = Callable[[Plain, Plain], Answer]

NORMAL_95 = 1.96


@dataclass(frozen=True)
class Formula:
    """alone: eta* of a source at a place; carried: the tuned one there. None: no such claim.

    Both return status ("ok" or why there is no number), learning_rate, standard_error, interval95,
    interpolation_error (relative), and the names of what lies outside the source's domain.
    """

    alone: Evaluate | None
    carried: Evaluate | None


def answer(
    learning_rate: float,
    standard_error: float | None = None,
    interval95: tuple[float, float] | None = None,
    interpolation_error: float = 0.0,
    outside: tuple[str, ...] = (),
) -> Answer:
    """A number with what is known of its error."""
    return {
        "status": "ok",
        "learning_rate": learning_rate,
        "standard_error": standard_error,
        "interval95": None if interval95 is None else list(interval95),
        "interpolation_error": interpolation_error,
        "outside": list(outside),
    }


def no_answer(status: str) -> Answer:
    """No number, and why in a word."""
    return answer(0.0) | {"status": status, "learning_rate": None}


def surface_of(source: Plain) -> SurfaceStatistics:
    """The measured surface of a statistics record (`empirical.statistics_files.to_json`)."""
    return from_json(source).surface


def law_source(law: FittedLaw) -> Answer:
    """A fitted law as plain JSON values; parameters as two lists, as their order counts."""
    plain = asdict(law) | {"covariance": law.covariance.tolist()}
    names = list(plain.pop("parameters"))
    return plain | {"names": names, "values": [law.parameters[name] for name in names]}


def law_of(source: Plain) -> FittedLaw:
    """The inverse of `law_source`."""
    rest = {name: value for name, value in source.items() if name not in ("names", "values")}
    rest["covariance"] = np.array(source["covariance"], dtype=float)
    rest["spans"] = {name: (low, high) for name, (low, high) in source["spans"].items()}
    return FittedLaw(
        parameters=dict(zip(source["names"], source["values"], strict=True)),
        **rest,
    )


def _one_step(source: Plain, at: Plain, closure: Closure) -> Answer:
    try:
        found = surface_of(source).eta1(at["batch_size"], float(at["epsilon"]), closure)
    except NoOptimalStep as failure:
        return _no_step(failure)
    rate = found.step.learning_rate
    return answer(
        rate.value,
        rate.standard_error,
        found.interval(),
        found.interpolation_error,
        _beyond(found),
    )


def _one_step_carried(source: Plain, at: Plain, closure: Closure) -> Answer:
    surface, tuned = surface_of(source), at["tuned"]
    try:
        new = surface.eta1(at["batch_size"], float(at["epsilon"]), closure)
        old = surface.eta1(tuned["batch_size"], float(tuned["epsilon"]), closure)
    except NoOptimalStep as failure:
        return _no_step(failure)
    return _moved(tuned["learning_rate"], eta1_ratio(new, old)[0], new, old)


def _run_carried(source: Plain, at: Plain) -> Answer:
    """The tuned learning rate along D / (kappa Q + nu N), each end with its own steps."""
    surface, tuned = surface_of(source), at["tuned"]
    places = [(end["batch_size"], float(end["epsilon"])) for end in (at, tuned)]
    runs = [covariates_at(at, batch_size) for batch_size, _ in places]
    try:
        ends = [surface.eta1(*place, "correlated") for place in places]
        new, old = (
            run_curve(surface, *place, _factors(run))
            for place, run in zip(places, runs, strict=True)
        )
    except NoOptimalStep as failure:
        return _no_step(failure)
    except InputError:
        return no_answer("no such run")
    same = places[0] == places[1]
    ratio = exact_estimate(1.0) if same else ratio_estimate(new, old)
    # How far rival interpolations stray is known of the one-step curve, made of the same terms.
    return _moved(tuned["learning_rate"], ratio, *ends)


def _factors(run: Plain) -> RunFactors:
    """kappa and nu; the learning rate falls linearly to a share of its peak, 1: it is constant."""
    schedule = Schedule("linear", final_share=run["final_share"])
    return run_factors(run["beta1"], whole_steps(run["steps"]), schedule)


def _moved(
    learning_rate: float, factor: Estimate, new: SurfacePrediction, old: SurfacePrediction
) -> Answer:
    """A tuned learning rate times `factor`, with the interpolation error between the ends."""
    rate, spread = learning_rate * factor.value, learning_rate * factor.standard_error
    error = eta1_ratio(new, old)[1]
    half = NORMAL_95 * float(np.hypot(spread, error * rate))
    outside = tuple(dict.fromkeys(_beyond(new) + _beyond(old)))
    return answer(rate, spread, (rate - half, rate + half), error, outside)


def _no_step(failure: NoOptimalStep) -> Answer:
    return no_answer("no minimum" if isinstance(failure, NoMinimum) else "no descent")


def _beyond(found: SurfacePrediction) -> tuple[str, ...]:
    names = ("batch size", "epsilon")
    return tuple(name for name in names if any(said.startswith(name) for said in found.outside))


def covariates_at(at: Plain, batch_size: float) -> dict[str, float]:
    """The run's covariates at another batch size: tokens go with B where steps are kept."""
    found = dict(at["covariates"])
    ratio = batch_size / at["batch_size"]
    if at["keep"] == "steps" and "tokens" in found:
        found["tokens"] *= ratio
    if at["keep"] == "tokens" and "steps" in found:
        found["steps"] /= ratio
    return found


def _of_law(law: FittedLaw, at: Plain, batch_size: float, epsilon: float) -> dict[str, float]:
    found = covariates_at(at, batch_size)
    return found | ({"epsilon": epsilon} if "epsilon" in law.covariates else {})


def _fitted(source: Plain, at: Plain) -> Answer:
    law = law_of(source)
    batch = at["batch_size"]
    run = _of_law(law, at, batch, at["epsilon"])
    rate = law.learning_rate(batch, run)
    return answer(
        rate.value,
        rate.standard_error,
        law.interval(batch, run),
        outside=_beyond_law(law, batch, run),
    )


def _fitted_carried(source: Plain, at: Plain) -> Answer:
    law, tuned = law_of(source), at["tuned"]
    ends = [
        (batch, _of_law(law, at, batch, epsilon))
        for batch, epsilon in (
            (at["batch_size"], at["epsilon"]),
            (tuned["batch_size"], tuned["epsilon"]),
        )
    ]
    new, old = (law.learning_rate(*end).value for end in ends)
    outside = dict.fromkeys(name for end in ends for name in _beyond_law(law, *end))
    return answer(tuned["learning_rate"] * new / old, outside=tuple(outside))


def _beyond_law(law: FittedLaw, batch_size: float, run: Mapping[str, float]) -> tuple[str, ...]:
    batch = ("batch size",) if law.outside(batch_size) else ()
    return batch + tuple(n for n, value in run.items() if law.outside(law.smallest, {n: value}))


def _rule(source: Plain, at: Plain, name: str) -> Answer:
    rule = next(rule for rule in RUN_RULES if rule.name == name)
    if at["keep"] not in rule.holds_fixed:
        return no_answer("no claim")
    tuned = at["tuned"]
    moved = Situation(
        tuned["learning_rate"], tuned["batch_size"], at["batch_size"], hold=at["keep"]
    )
    factor = rule.apply(moved).factor
    assert factor is not None
    return answer(tuned["learning_rate"] * factor.value)


FORMULAS: dict[str, Formula] = {
    "one step, correlated noise": Formula(
        partial(_one_step, closure="correlated"), partial(_one_step_carried, closure="correlated")
    ),
    "one step, independent noise": Formula(
        partial(_one_step, closure="independent"), partial(_one_step_carried, closure="independent")
    ),
    "run law": Formula(None, _run_carried),
    "fitted law": Formula(_fitted, _fitted_carried),
    "keep": Formula(None, partial(_rule, name="none")),
    "square root": Formula(None, partial(_rule, name="square root")),
    "linear": Formula(None, partial(_rule, name="linear")),
}
"""Every formula of the page. A new one is an entry here, one of the same name in the script, and
shared vectors; a method of a scene (`scenes`) shows it."""
