"""The predictions that the optima of whole runs are compared with: one table, one entry each.

A prediction is a function from a cell (batch size, steps, tokens, epsilon, optimizer, group) to
ln eta* with a standard error. A value is judged as it stands and up to one factor; a shape up to
one factor, of each epsilon and of all; a rule says how to go from one batch size to another, at
one epsilon. A new prediction is one more entry of `PREDICTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import hypot, log
from typing import Literal

from empirical.judge.claims.claim import GIVE_LAW, GIVE_STATISTICS, Known
from empirical.judge.schedule_columns import schedule_of
from empirical.judge.verdict_cells import Cell
from empirical.judge.verdict_slices import WORDS, Held
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate
from scaling_theory.law import NoOptimalStep
from scaling_theory.laws.table import LAW_FORMS
from scaling_theory.run_curve import run_curve
from scaling_theory.run_law import run_factors, whole_steps
from scaling_theory.stand_ins import has_softsign, momentum_of, softsign_epsilon
from scaling_theory.surface import Closure, SurfacePrediction


@dataclass(frozen=True)
class Silence:
    """No prediction for a cell, and why."""

    reason: str


Foretold = Estimate | Silence
"""ln eta* with its standard error, or why there is none."""


Reach = Literal["value", "shape", "rule"]


@dataclass(frozen=True)
class Prediction:
    """One way to predict ln eta* of a run.

    name: short, for tables and legends. formula, source: in words. reach: what of ln eta* is meant,
    see the module's docstring. ln_eta: of a cell, from what is known. missing: why nothing can be
    said with what is known where this is held fixed, or "".
    """

    name: str
    formula: str
    source: str
    reach: Reach
    ln_eta: Callable[[Cell, Known], Foretold]
    missing: Callable[[Known, Held], str] = lambda known, held: ""


def one_step(cell: Cell, known: Known, closure: Closure) -> Foretold:
    """ln eta_1(B, epsilon) of the measured surface, interpolation counted as error."""
    found = _greedy(cell, known, closure)
    if isinstance(found, Silence):
        return found
    rate = found.step.learning_rate
    error = hypot(rate.standard_error / rate.value, found.interpolation_error)
    return Estimate(log(rate.value), error, rate.samples)


def run_law(cell: Cell, known: Known) -> Foretold:
    """ln of D / (kappa Q + nu N), see `scaling_theory.run_law`."""
    greedy, surface = _greedy(cell, known, "correlated"), known.statistics(cell)
    if isinstance(greedy, Silence) or surface is None:
        return greedy if isinstance(greedy, Silence) else Silence(GIVE_STATISTICS)
    beta1 = momentum_of(cell.optimizer.lower(), cell.run.beta1)
    if beta1 is None or cell.steps is None:
        return Silence(f"the table states no {'beta1' if beta1 is None else 'steps'}")
    try:
        schedule = schedule_of(cell.run)
        factors = run_factors(beta1, whole_steps(cell.steps), schedule)
        rate = run_curve(surface, greedy.batch_size, greedy.epsilon, factors)
    except (NoOptimalStep, InputError) as failure:
        return Silence(str(failure))
    error = hypot(rate.standard_error / rate.value, greedy.interpolation_error)
    return Estimate(log(rate.value), error, surface.samples)


def _greedy(cell: Cell, known: Known, closure: Closure) -> SurfacePrediction | Silence:
    surface = known.statistics(cell)
    if surface is None:
        return Silence("no statistics for these runs: " + GIVE_STATISTICS)
    name = cell.optimizer.lower()
    epsilon = softsign_epsilon(name, cell.epsilon)
    if not has_softsign(name):
        return Silence(f"no one-step theory of '{cell.optimizer}' here")
    if epsilon is None:
        return Silence("the table states no epsilon")
    try:
        found = surface.eta1(cell.found.grid.batch.sequences, epsilon, closure)
    except (NoOptimalStep, InputError) as failure:
        return Silence(str(failure))
    return Silence("; ".join(found.outside)) if found.outside else found


def rule(cell: Cell, known: Known, form: str) -> Foretold:
    """ln of a law without a scale of its own, its one learning rate set to 1."""
    return Estimate(log(float(LAW_FORMS[form].learning_rate(cell.batch, 1.0))), 0.0, 0)


def law_file(cell: Cell, known: Known) -> Foretold:
    """ln eta* of the law file, with the error of its fit and the scatter of single optima."""
    law = known.law
    if law is None:
        return Silence(GIVE_LAW)
    try:
        at = {name: _covariate(cell, name) for name in law.covariates}
        batch = law.in_unit(cell.found.grid.batch)
        found = law.learning_rate(batch, at)
    except InputError as failure:
        return Silence(str(failure))
    return Estimate(log(found.value), hypot(found.standard_error / found.value, law.scatter), 0)


def _covariate(cell: Cell, name: str) -> float:
    known = {
        "n_params": cell.run.n_params,
        "tokens": cell.data if cell.data_unit == "tokens" else None,
        "steps": cell.steps,
        "epsilon": cell.epsilon,
    }
    value = known.get(name)
    if value is None:
        try:
            value = float(cell.run.extra(name))
        except ValueError:
            raise InputError(f"the table has no {name}, which the law depends on") from None
    return value


def _without_statistics(known: Known, held: Held) -> str:
    return "" if known.any_statistics else GIVE_STATISTICS


def _without_law(known: Known, held: Held) -> str:
    if known.law is None:
        return GIVE_LAW
    if known.law.held_fixed != held:
        return f"the law is one of {WORDS[known.law.held_fixed]}"
    return ""


def _form(name: str, shown: str) -> Prediction:
    form = LAW_FORMS[name]
    return Prediction(shown, form.formula, form.source, "rule", partial(rule, form=name))


CORRELATED = Prediction(
    "greedy step, correlated noise",
    "eta_1 = E[u].g / E[u.Hu] where the runs begin, noise correlated as measured",
    "kexue.fm/archives/10563 section 2 with exact moments and correlated noise; own derivation",
    "value",
    partial(one_step, closure="correlated"),
    _without_statistics,
)

INDEPENDENT = Prediction(
    "greedy step, independent noise",
    "eta_1 = E[u].g / E[u.Hu] where the runs begin, noise of coordinates independent",
    "kexue.fm/archives/10563 section 2 with exact moments; arXiv 2405.14578",
    "value",
    partial(one_step, closure="independent"),
    _without_statistics,
)

RUN_LAW = Prediction(
    "run law",
    "D / (kappa Q + nu N): descent over curvature where the runs begin; steps, schedule, momentum",
    "own derivation (scaling_theory.run_law)",
    "shape",
    run_law,
    _without_statistics,
)

LAW_FILE = Prediction(
    "law file",
    "the law of --law at the runs' own covariates",
    "scaling-theory fit",
    "value",
    law_file,
    _without_law,
)

RULES: tuple[Prediction, ...] = (
    _form("square root", "square root rule"),
    _form("linear", "linear rule"),
    _form("constant", "keep"),
)

PREDICTIONS: tuple[Prediction, ...] = (
    CORRELATED,
    INDEPENDENT,
    RUN_LAW,
    LAW_FILE,
    *RULES,
)
"""Every prediction that is judged and drawn. Add one here."""
