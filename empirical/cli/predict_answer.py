"""The answer of `predict` as plain JSON values; one-step and whole-run answers stay apart."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from empirical.cli.predict_input import Inputs
from empirical.cli.predict_rows import (
    batch_of,
    estimate_of,
    law_row,
    measured_row,
    recommendation_of,
    rule_row,
)
from empirical.errors import UsageError
from scaling_theory.estimate import Estimate
from scaling_theory.surface import CLOSURES
from scaling_theory.transfer.recommend import advise, recommend
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
            "batch_size": batch_of(inputs.tuned_batch),
            **asdict(inputs.recipe),
        }
    facts = {
        name: estimate_of(value) if isinstance(value, Estimate) else value
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
    if inputs.statistics is None:
        return []
    if inputs.views == ("tokens",) and inputs.recipe.steps is None:
        return [
            "the statistics speak of one step, and of runs whose number of steps is stated "
            "(--steps): leave --hold out to see what they say of one step"
        ]
    return []


def _target(inputs: Inputs, target: BatchSize) -> dict[str, Any]:
    views = {hold: _view(inputs, target, hold) for hold in inputs.views}
    whole_run = {hold: view for hold, view in views.items() if hold != "one-step"}
    kappa = None
    if inputs.tuned_batch is not None:
        kappa = inputs.amount(target) / inputs.amount(inputs.tuned_batch)
    return {
        "batch_size": batch_of(target),
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
        view["rows"] = [rule_row(each) for each in advice]
        view["recommendation"] = recommendation_of(recommend(situation, advice))
    if inputs.law is not None and inputs.law.held_fixed == hold:
        view["law"] = law_row(inputs, target)
    return view


def _statistics(inputs: Inputs, target: BatchSize) -> list[dict[str, Any]]:
    if inputs.statistics is None:
        return []
    batch = inputs.amount(target)
    return [
        measured_row(inputs, batch, epsilon, closure)
        for epsilon in inputs.epsilons()
        for closure in CLOSURES
    ]


def _refuse_if_empty(inputs: Inputs, answers: list[dict[str, Any]]) -> None:
    """Statistics without a single minimum answer nothing: say so instead of printing blanks."""
    views = [each["one_step"] for each in answers if each["one_step"] is not None]
    measured = [row for view in views for row in view["statistics"]]
    if not measured or any(row["learning_rate"] for row in measured):
        return
    first = measured[0]
    found = first["status"].startswith("not identified")
    if found and inputs.tuned_batch is not None:
        return  # the tuned point has answers of its own
    advice = (
        "ask within what was measured, or measure there"
        if first["outside"]
        else "measure the curvature again on more sequences, or at another checkpoint"
    )
    raise UsageError(
        f"{'; '.join([first['status'], *first['outside']])} (batch size "
        f"{answers[0]['batch_size']['text']}, epsilon {first['epsilon']}): {advice}"
    )
