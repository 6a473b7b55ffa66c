"""The parts of `predict`'s answer as plain JSON values: a rule, a measured cell, a law."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from typing import Any

from empirical.cli.predict_input import Inputs
from scaling_theory.estimate import Estimate, not_identified
from scaling_theory.fitted_law import LAW_FORMS
from scaling_theory.law import NoOptimalStep
from scaling_theory.surface import Closure
from scaling_theory.transfer.advice import Advice
from scaling_theory.transfer.recommend import Recommendation
from scaling_theory.units import BatchSize


def measured_row(inputs: Inputs, batch: float, epsilon: float, closure: Closure) -> dict[str, Any]:
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
    rate, interval = found.step.learning_rate.value, found.interval()
    if interval[0] <= 0:
        return row | {"status": not_identified(rate, interval), "outside": list(found.outside)}
    return row | {
        "learning_rate": rate,
        "standard_error": found.step.learning_rate.standard_error,
        "interval95": list(interval),
        "interpolation_error": found.interpolation_error,
        "loss_drop": estimate_of(found.step.loss_drop),
        "outside": list(found.outside),
        "status": "outside the measured grid" if found.outside else "ok",
    }


def rule_row(advice: Advice) -> dict[str, Any]:
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


def recommendation_of(found: Recommendation) -> dict[str, Any]:
    rate = None if found.advice is None else found.advice.learning_rate
    return {
        "rule": "cannot tell" if found.advice is None else found.advice.rule.name,
        "learning_rate": None if rate is None else rate.value,
        "reason": found.reason,
        "measure": found.measure,
        "span_of_rules_not_ruled_out": None if found.span is None else list(found.span),
    }


def law_row(inputs: Inputs, target: BatchSize) -> dict[str, Any]:
    law = inputs.law
    assert law is not None
    batch = law.in_unit(target)
    rate = law.learning_rate(batch, inputs.at)
    carried = None
    if inputs.tuned_batch is not None and inputs.learning_rate is not None:
        tuned = law.learning_rate(law.in_unit(inputs.tuned_batch), inputs.at)
        carried = inputs.learning_rate * rate.value / tuned.value
    asked = [batch for batch in (target, inputs.tuned_batch) if batch is not None]
    outside = [law.outside(law.in_unit(batch), inputs.at) for batch in asked]
    form = LAW_FORMS[law.form]
    return {
        "name": law.form,
        "formula": form.formula,
        "source": form.source,
        "held_fixed": law.held_fixed,
        "learning_rate": rate.value,
        "standard_error": rate.standard_error,
        "interval95": list(law.interval(batch, inputs.at)),
        "scatter": law.scatter,
        "at_bound": list(law.at_bound),
        "at": dict(inputs.at),
        "carried_from_tuned_point": carried,
        "outside": [sentence for sentence in outside if sentence],
    }


def batch_of(batch: BatchSize) -> dict[str, Any]:
    return {
        "text": str(batch),
        "amount": batch.amount,
        "unit": batch.unit,
        "sequence_length": batch.sequence_length,
        "described": batch.describe(),
    }


def estimate_of(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "standard_error": estimate.standard_error}
