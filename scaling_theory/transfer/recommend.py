"""All rules side by side, and which one to follow, or "cannot tell" and what to measure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scaling_theory.estimate import not_identified, scaled_estimate
from scaling_theory.transfer.adam_rules import ADAM_RULES
from scaling_theory.transfer.advice import Advice, Rule
from scaling_theory.transfer.curve_rules import CURVE_RULES
from scaling_theory.transfer.measured_rules import MEASURED_RULES
from scaling_theory.transfer.run_rules import RUN_RULES
from scaling_theory.transfer.situation import Hold, Situation

RULES: dict[str, Rule] = {
    rule.name: rule for rule in (*RUN_RULES, *ADAM_RULES, *CURVE_RULES, *MEASURED_RULES)
}

# Best founded first: measured curves before closed forms, rules that say all settings before
# those that say the learning rate alone.
PREFERENCE: dict[Hold, tuple[str, ...]] = {
    "one-step": (
        "softsign correlated",
        "mccandlish",
        "epsilon crossover",
        "softsign independent",
        "adam-ema",
        "canonical",
        "surge",
        "linear",
        "square root",
        "none",
    ),
    "tokens": ("sde", "sde, half-life", "linear", "square root", "run law", "half-life", "none"),
    "steps": ("run law", "square root", "none"),
}

SWEEP: dict[Hold, str] = {
    "one-step": "measure the statistics of a checkpoint and give them as --stats",
    "tokens": "sweep the learning rate at the new batch for the same tokens",
    "steps": "sweep the learning rate at two batch sizes for the same steps",
}


@dataclass(frozen=True)
class Recommendation:
    """advice: the rule to follow, None where it cannot be told. reason: why.

    measure: what would settle it, empty where it is settled. span: lowest and highest learning
    rate among the rules that nothing speaks against, None where there are none.
    """

    advice: Advice | None
    reason: str
    measure: str
    span: tuple[float, float] | None


def advise(situation: Situation) -> tuple[Advice, ...]:
    """Every rule's answer for the situation's view; rules silent about that view are left out."""
    answers = []
    for rule in RULES.values():
        if situation.hold not in rule.holds_fixed:
            continue
        outcome = rule.apply(situation)
        rate = outcome.factor and scaled_estimate(outcome.factor, situation.learning_rate)
        answers.append(_identified(Advice(rule, situation.hold, rate, outcome)))
    return tuple(answers)


def _identified(advice: Advice) -> Advice:
    """The advice; without its number where the 95 % interval of that reaches 0."""
    rate, interval = advice.learning_rate, advice.interval()
    if rate is None or interval is None or interval[0] > 0:
        return advice
    missing = f"{not_identified(rate.value, interval)}; measure on more sequences, or nearer"
    outcome = replace(advice.outcome, factor=None, missing=missing)
    return replace(advice, learning_rate=None, outcome=outcome)


def recommend(situation: Situation, answers: tuple[Advice, ...]) -> Recommendation:
    """The best founded rule whose decisive assumptions all hold, else what to measure."""
    by_name = {advice.rule.name: advice for advice in answers}
    open_rates = [a.learning_rate.value for a in answers if a.learning_rate and not a.refuted]
    span = (min(open_rates), max(open_rates)) if open_rates else None
    if situation.same:
        return Recommendation(by_name["none"], "nothing changes", "", span)
    ordered = [by_name[name] for name in PREFERENCE[situation.hold] if name in by_name]
    for advice in ordered:
        if advice.decided:
            return Recommendation(advice, _why(advice), "", span)
    for advice in ordered:
        if not advice.refuted:
            measure = _wanting(advice) or SWEEP[situation.hold]
            return Recommendation(None, _why_not(advice), measure, span)
    reason = "no rule's assumptions hold here"
    return Recommendation(None, reason, SWEEP[situation.hold], span)


def _why(advice: Advice) -> str:
    held = [c.detail for c in advice.outcome.checks if c.decisive and c.verdict == "holds"]
    doubts = [c.assumption for c in advice.outcome.checks if c.verdict == "cannot tell"]
    text = "its assumptions hold: " + "; ".join(held)
    return text + (f"; not judged: {'; '.join(doubts)}" if doubts else "")


def _why_not(advice: Advice) -> str:
    rate = "" if advice.learning_rate is None else f" (lr {advice.learning_rate.value:.3g})"
    lacking = f"nothing speaks against '{advice.rule.name}'{rate}, but"
    if advice.outcome.missing:
        return f"{lacking} it gives no number"
    open_checks = [
        f"{c.assumption} ({c.detail})"
        for c in advice.outcome.checks
        if c.decisive and c.verdict == "cannot tell"
    ]
    return f"{lacking} it is not known whether {'; '.join(open_checks)}"


def _wanting(advice: Advice) -> str:
    if advice.outcome.missing:
        return advice.outcome.missing
    checks = advice.outcome.checks
    return "; ".join(dict.fromkeys(c.measure for c in checks if c.decisive and c.measure))
