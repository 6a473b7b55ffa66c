"""The answer of `predict` as plain JSON values; one-step and whole-run answers stay apart."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from typing import Any

from empirical.cli.predict_input import Inputs
from empirical.errors import UsageError
from scaling_theory.estimate import Estimate
from scaling_theory.fitted_law import LAW_FORMS
from scaling_theory.law import NoOptimalStep
from scaling_theory.surface import CLOSURES, Closure
from scaling_theory.transfer.advice import Advice
from scaling_theory.transfer.recommend import Recommendation, advise, recommend
from scaling_theory.transfer.situation import Hold
from scaling_theory.units import BatchSize

SCHEMA = "scaling-theory/predict"
VERSION = 1


def answer(inputs: Inputs) -> dict[str, Any]:
    """Everything `predict` says. Raises `UsageError` if no asked number has a minimum."""
    answers = [_target(inputs, target) for target in inputs.targets]
    _refuse_if_empty(inputs, answers)
    tuned = None
    if inputs.tuned_batch is not None:
        tuned = {
            "learning_rate": inputs.learning_rate,
            "batch_size": _batch(inputs.tuned_batch),
            **asdict(inputs.recipe),
        }
    facts = {
        name: _estimate(value) if isinstance(value, Estimate) else value
        for name, value in vars(inputs.facts).items()
    }
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "tuned": tuned,
        "unit": inputs.unit,
        "facts": facts,
        "answers": answers,
        "notes": _notes(inputs),
    }


def _notes(inputs: Inputs) -> list[str]:
    if inputs.statistics is not None and "one-step" not in inputs.views:
        return ["the statistics speak of one step: leave --hold out to see what they say"]
    return []


def _target(inputs: Inputs, target: BatchSize) -> dict[str, Any]:
    views = {hold: _view(inputs, target, hold) for hold in inputs.views}
    whole_run = {hold: view for hold, view in views.items() if hold != "one-step"}
    kappa = None
    if inputs.tuned_batch is not None:
        kappa = inputs.amount(target) / inputs.amount(inputs.tuned_batch)
    return {
        "batch_size": _batch(target),
        "kappa": kappa,
        "one_step": views.get("one-step"),
        "whole_run": whole_run or None,
    }


def _view(inputs: Inputs, target: BatchSize, hold: Hold) -> dict[str, Any]:
    view: dict[str, Any] = {"held_fixed": hold, "rows": [], "recommendation": None, "law": None}
    if hold == "one-step":
        view["statistics"] = _statistics(inputs, target)
    situation = inputs.situation(target, hold)
    if situation is not None:
        advice = advise(situation)
        view["rows"] = [_row(each) for each in advice]
        view["recommendation"] = _recommendation(recommend(situation, advice))
    if inputs.law is not None and inputs.law.held_fixed == hold:
        view["law"] = _law(inputs, target)
    return view


def _statistics(inputs: Inputs, target: BatchSize) -> list[dict[str, Any]]:
    if inputs.statistics is None:
        return []
    batch = inputs.amount(target)
    return [
        _measured(inputs, batch, epsilon, closure)
        for epsilon in inputs.epsilons()
        for closure in CLOSURES
    ]


def _measured(inputs: Inputs, batch: float, epsilon: float, closure: Closure) -> dict[str, Any]:
    assert inputs.statistics is not None
    row: dict[str, Any] = {
        "closure": closure,
        "epsilon": epsilon if isfinite(epsilon) else "inf",
        "learning_rate": None,
        "standard_error": None,
        "interval95": None,
        "interpolation_error": None,
        "loss_drop": None,
        "outside": [],
        "status": "ok",
    }
    try:
        found = inputs.statistics.surface.eta1(batch, epsilon, closure)
    except NoOptimalStep as failure:
        return row | {"status": str(failure)}
    return row | {
        "learning_rate": found.step.learning_rate.value,
        "standard_error": found.step.learning_rate.standard_error,
        "interval95": list(found.interval()),
        "interpolation_error": found.interpolation_error,
        "loss_drop": _estimate(found.step.loss_drop),
        "outside": list(found.outside),
        "status": "outside the measured grid" if found.outside else "ok",
    }


def _row(advice: Advice) -> dict[str, Any]:
    rate, outcome, rule = advice.learning_rate, advice.outcome, advice.rule
    interval = advice.interval()
    return {
        "rule": rule.name,
        "formula": rule.formula,
        "source": rule.source,
        "assumptions": list(rule.assumptions),
        "learning_rate": None if rate is None else rate.value,
        "standard_error": None if rate is None else rate.standard_error,
        "interval95": None if interval is None else list(interval),
        "factor": None if outcome.factor is None else outcome.factor.value,
        "settings": {name: asdict(value) for name, value in vars(outcome.settings).items()},
        "checks": [asdict(check) for check in outcome.checks],
        "holds_here": advice.verdict,
        "missing": outcome.missing,
        "outside": list(outcome.outside),
    }


def _recommendation(found: Recommendation) -> dict[str, Any]:
    rate = None if found.advice is None else found.advice.learning_rate
    return {
        "rule": "cannot tell" if found.advice is None else found.advice.rule.name,
        "learning_rate": None if rate is None else rate.value,
        "reason": found.reason,
        "measure": found.measure,
        "span_of_rules_not_ruled_out": None if found.span is None else list(found.span),
    }


def _law(inputs: Inputs, target: BatchSize) -> dict[str, Any]:
    law = inputs.law
    assert law is not None
    batch = law.in_unit(target)
    rate = law.learning_rate(batch)
    carried = None
    if inputs.tuned_batch is not None and inputs.learning_rate is not None:
        tuned = law.learning_rate(law.in_unit(inputs.tuned_batch))
        carried = inputs.learning_rate * rate.value / tuned.value
    outside = [law.outside(law.in_unit(b)) for b in (target, inputs.tuned_batch) if b is not None]
    form = LAW_FORMS[law.form]
    return {
        "name": law.form,
        "formula": form.formula,
        "source": form.source,
        "held_fixed": law.held_fixed,
        "learning_rate": rate.value,
        "standard_error": rate.standard_error,
        "interval95": list(rate.interval()),
        "carried_from_tuned_point": carried,
        "outside": [sentence for sentence in outside if sentence],
    }


def _refuse_if_empty(inputs: Inputs, answers: list[dict[str, Any]]) -> None:
    """Statistics without a single minimum answer nothing: say so instead of printing blanks."""
    views = [each["one_step"] for each in answers if each["one_step"] is not None]
    measured = [row for view in views for row in view["statistics"]]
    if measured and not any(row["learning_rate"] for row in measured):
        raise UsageError(
            f"{measured[0]['status']} (batch size {answers[0]['batch_size']['text']}, epsilon "
            f"{measured[0]['epsilon']}): measure the curvature again on more sequences, or at "
            "another checkpoint"
        )


def _batch(batch: BatchSize) -> dict[str, Any]:
    return {
        "text": str(batch),
        "amount": batch.amount,
        "unit": batch.unit,
        "sequence_length": batch.sequence_length,
        "described": batch.describe(),
    }


def _estimate(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "standard_error": estimate.standard_error}
