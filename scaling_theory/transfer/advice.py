"""What a transfer rule says, and whether its assumptions hold where it is applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scaling_theory.estimate import Estimate
from scaling_theory.transfer.situation import Hold, Situation

Verdict = Literal["holds", "does not hold", "cannot tell"]


@dataclass(frozen=True)
class Check:
    """One assumption of a rule, judged here.

    number: what decided (None where nothing could be computed). detail: that number in words.
    measure: what would decide, empty where nothing measured once would. decisive: a rule is
    recommended only if all its decisive checks hold.
    """

    assumption: str
    verdict: Verdict
    number: float | None
    detail: str
    decisive: bool = True
    measure: str = ""


@dataclass(frozen=True)
class Setting:
    """What becomes of one setting: its new value (None: no number) and why in a few words."""

    value: float | None
    note: str


@dataclass(frozen=True)
class Settings:
    """Everything beside the learning rate. betas: factors per step; epsilon: unit of a gradient."""

    beta1: Setting
    beta2: Setting
    epsilon: Setting
    weight_decay: Setting
    warmup_steps: Setting


@dataclass(frozen=True)
class Outcome:
    """What a rule's function returns: factor on the learning rate, settings, checks.

    factor: eta / eta0, None where the rule has no number; missing: then, what it would need.
    interpolation_error: relative, 0 unless the factor came from a measured grid.
    outside: what lies outside the rule's measured domain, one sentence each.
    """

    factor: Estimate | None
    settings: Settings
    checks: tuple[Check, ...]
    missing: str = ""
    interpolation_error: float = 0.0
    outside: tuple[str, ...] = ()


def without_number(settings: Settings, checks: tuple[Check, ...], what: str) -> Outcome:
    """The outcome of a rule that lacks an input; `what` says what to do about it."""
    return Outcome(None, settings, checks, missing=what)


@dataclass(frozen=True)
class Rule:
    """One way of carrying a learning rate to another batch size.

    formula: plain text, kappa = B/B0. holds_fixed: the views it makes a claim about.
    apply: called only for those views.
    """

    name: str
    formula: str
    source: str
    assumptions: tuple[str, ...]
    holds_fixed: tuple[Hold, ...]
    apply: Callable[[Situation], Outcome]


@dataclass(frozen=True)
class Advice:
    """A rule's answer in one situation.

    learning_rate: eta0 * factor with its standard error, None where the rule has no number.
    """

    rule: Rule
    hold: Hold
    learning_rate: Estimate | None
    outcome: Outcome

    @property
    def verdict(self) -> Verdict:
        """The worst of the checks: "does not hold" over "cannot tell" over "holds"."""
        verdicts = {check.verdict for check in self.outcome.checks}
        if "does not hold" in verdicts:
            return "does not hold"
        return "cannot tell" if "cannot tell" in verdicts else "holds"

    @property
    def decided(self) -> bool:
        """True where there is a number and every decisive assumption holds."""
        return self.learning_rate is not None and all(
            check.verdict == "holds" for check in self.outcome.checks if check.decisive
        )

    @property
    def refuted(self) -> bool:
        """True where a decisive assumption does not hold."""
        return any(c.decisive and c.verdict == "does not hold" for c in self.outcome.checks)

    def interval(self, standard_errors: float = 1.96) -> tuple[float, float] | None:
        """Interval of the learning rate from what is uncertain in the rule's inputs alone."""
        if self.learning_rate is None:
            return None
        rate = self.learning_rate
        width = (
            rate.standard_error**2 + (self.outcome.interpolation_error * rate.value) ** 2
        ) ** 0.5
        return rate.value - standard_errors * width, rate.value + standard_errors * width
