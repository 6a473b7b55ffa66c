"""The predictions that the optima of whole runs are compared with: one table, one entry each.

A prediction is a function from a cell (batch size, steps, tokens, epsilon, optimizer, group) to
ln eta* with a standard error. An absolute one is judged as it stands and up to one factor; a rule
fixes the shape over batch sizes only and takes its factor from the runs. A new prediction is one
more entry of `PREDICTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import hypot, inf, log

from empirical.judge.claims.claim import GIVE_LAW, GIVE_STATISTICS, Known
from empirical.judge.verdict_cells import Cell
from empirical.judge.verdict_slices import WORDS, Held
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate
from scaling_theory.law import NoOptimalStep
from scaling_theory.laws.table import LAW_FORMS
from scaling_theory.surface import Closure

EPSILON_OF = {"sgd": inf, "signsgd": 0.0}
"""Optimizers whose epsilon in the softsign is known without being stated."""

SOFTSIGN = ("softsignsgd", "adam", "adamw")
"""Optimizers that the softsign is, or stands for: kexue.fm/archives/10563 models Adam by it."""


@dataclass(frozen=True)
class Silence:
    """No prediction for a cell, and why."""

    reason: str


Foretold = Estimate | Silence
"""ln eta* with its standard error, or why there is none."""


@dataclass(frozen=True)
class Prediction:
    """One way to predict ln eta* of a run.

    name: short, for tables and legends. formula, source: in words. absolute: whether ln eta* is
    meant as it is, or only its differences over batch sizes. ln_eta: of a cell, from what is
    known. missing: why nothing can be said with what is known where this is held fixed, or "".
    """

    name: str
    formula: str
    source: str
    absolute: bool
    ln_eta: Callable[[Cell, Known], Foretold]
    missing: Callable[[Known, Held], str] = lambda known, held: ""


def one_step(cell: Cell, known: Known, closure: Closure) -> Foretold:
    """ln eta_1(B, epsilon) of the measured surface, interpolation counted as error."""
    surface = known.statistics(cell)
    if surface is None:
        return Silence("no statistics for these runs: " + GIVE_STATISTICS)
    name = cell.optimizer.lower()
    epsilon = EPSILON_OF.get(name, cell.epsilon)
    if name not in EPSILON_OF and name not in SOFTSIGN:
        return Silence(f"no one-step theory of '{cell.optimizer}' here")
    if epsilon is None:
        return Silence("the table states no epsilon")
    try:
        found = surface.eta1(cell.found.grid.batch.sequences, epsilon, closure)
    except (NoOptimalStep, InputError) as failure:
        return Silence(str(failure))
    if found.outside:
        return Silence("; ".join(found.outside))
    rate = found.step.learning_rate
    error = hypot(rate.standard_error / rate.value, found.interpolation_error)
    return Estimate(log(rate.value), error, rate.samples)


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
    return Prediction(shown, form.formula, form.source, False, partial(rule, form=name))


CORRELATED = Prediction(
    "greedy step, correlated noise",
    "eta_1 = E[u].g / E[u.Hu] where the runs begin, noise correlated as measured",
    "kexue.fm/archives/10563 section 2 with exact moments and correlated noise; own derivation",
    True,
    partial(one_step, closure="correlated"),
    _without_statistics,
)

INDEPENDENT = Prediction(
    "greedy step, independent noise",
    "eta_1 = E[u].g / E[u.Hu] where the runs begin, noise of coordinates independent",
    "kexue.fm/archives/10563 section 2 with exact moments; arXiv 2405.14578",
    True,
    partial(one_step, closure="independent"),
    _without_statistics,
)

LAW_FILE = Prediction(
    "law file",
    "the law of --law at the runs' own covariates",
    "scaling-theory fit",
    True,
    law_file,
    _without_law,
)

RULES: tuple[Prediction, ...] = (
    _form("square root", "square root rule"),
    _form("linear", "linear rule"),
    _form("constant", "keep"),
)

PREDICTIONS: tuple[Prediction, ...] = (CORRELATED, INDEPENDENT, LAW_FILE, *RULES)
"""Every prediction that is judged and drawn. Add one here."""
