"""Assumptions of the transfer rules, judged from what was measured."""

from __future__ import annotations

from scaling_theory.estimate import Estimate
from scaling_theory.transfer.advice import Check, Verdict
from scaling_theory.transfer.situation import Situation

FAR = 10.0
"""A batch is far below a scale if the scale is at least this many times larger; a convention: the
law 1/(1 + scale/B) then differs from its limit by at most a tenth."""


SIMPLE = ("B_simple", "--simple-batch or --stats")
NOISE = ("B_noise", "--noise-batch or --stats")
"""A noise batch and the options that give it."""


def unmeasured(assumption: str, detail: str, measure: str) -> Check:
    """An assumption that one measurement would decide."""
    return Check(assumption, "cannot tell", None, detail, measure=measure)


def noise_dominates(s: Situation, scale: Estimate | None, name: str, flag: str) -> Check:
    """Both batches are far below a noise batch."""
    assumption = f"both batches are far below {name}: noise dominates the batch gradient"
    if scale is None:
        return unmeasured(assumption, f"{name} is unknown", f"measure {name} ({flag})")
    low, high = scale.interval()
    largest = max(s.batch, s.batch0)
    verdict: Verdict = "cannot tell"
    if low > 0 and largest * FAR <= low:
        verdict = "holds"
    elif largest >= high:
        verdict = "does not hold"
    share = largest / scale.value
    return Check(assumption, verdict, share, f"larger batch / {name} = {share:.3g}")


def signal_dominates(s: Situation, scale: Estimate | None, name: str, flag: str) -> Check:
    """Both batches are far above a noise batch."""
    assumption = f"both batches are far above {name}: noise no longer matters"
    if scale is None:
        return unmeasured(assumption, f"{name} is unknown", f"measure {name} ({flag})")
    low, high = scale.interval()
    smallest = min(s.batch, s.batch0)
    verdict: Verdict = "cannot tell"
    if smallest >= FAR * high:
        verdict = "holds"
    elif smallest <= low:
        verdict = "does not hold"
    share = smallest / scale.value
    return Check(assumption, verdict, share, f"smaller batch / {name} = {share:.3g}")


def update_is(s: Situation, wanted: str) -> Check:
    """The update is "SGD-like" or "sign-like": by the optimizer, for Adam by epsilon / sqrt(v)."""
    optimizer = s.recipe.optimizer
    assumption = f"the update is {wanted}"
    if optimizer in ("sgd", "signsgd"):
        own = "SGD-like" if optimizer == "sgd" else "sign-like"
        verdict: Verdict = "holds" if own == wanted else "does not hold"
        return Check(assumption, verdict, None, f"the optimizer is {optimizer}")
    ends = [(s.recipe.epsilon, s.batch0), (s.epsilon, s.batch)]
    shares = []
    for epsilon, batch in ends:
        root = s.root_v(batch)
        if epsilon is None or not root:
            return unmeasured(
                assumption,
                "epsilon / sqrt(v) is unknown",
                "give --epsilon with --stats, or with --rms-gradient and --rms-sigma",
            )
        shares.append(epsilon / root)
    low, high = min(shares), max(shares)
    detail = (
        f"epsilon / sqrt(v) = {low:.3g} to {high:.3g}"
        if high > low
        else (f"epsilon / sqrt(v) = {low:.3g}")
    )
    if wanted == "SGD-like":
        verdict = "holds" if low >= FAR else "does not hold" if high <= 1 else "cannot tell"
        return Check(assumption, verdict, low, detail)
    verdict = "holds" if high <= 1 / FAR else "does not hold" if low >= 1 else "cannot tell"
    return Check(assumption, verdict, high, detail)


def epsilon_is(s: Situation, ruled: float | None, wanted_by: str) -> Check:
    """The epsilon asked for is the rule's own."""
    assumption = f"epsilon is {wanted_by}"
    if s.wanted_epsilon is None or s.wanted_epsilon == ruled:
        return Check(assumption, "holds", ruled, "epsilon is left to the rule")
    if ruled is None:
        return unmeasured(assumption, "the tuned run's epsilon is unstated", "give --from-epsilon")
    if abs(s.wanted_epsilon - ruled) <= 0.01 * ruled:
        return Check(assumption, "holds", ruled, f"the wanted {s.wanted_epsilon:.3g} is the rule's")
    sign_like = update_is(s, "sign-like")
    detail = f"the rule wants {ruled:.3g}, {s.wanted_epsilon:.3g} was asked for"
    if sign_like.verdict == "holds":
        return Check(assumption, "holds", ruled, f"{detail}; both are too small to act")
    # A known ratio that is not far below 1 means epsilon acts, and the rule is silent about that.
    verdict: Verdict = "cannot tell" if sign_like.number is None else "does not hold"
    return Check(assumption, verdict, ruled, f"{detail}: this rule does not say what it does")


def small_steps(name: str, beta: float | None, ratio: float) -> Check:
    """kappa (1 - beta) < 1, without which the linear rule for beta leaves [0, 1)."""
    assumption = f"kappa (1 - {name}) < 1"
    if beta is None:
        return unmeasured(assumption, f"{name} is unstated", f"give --{name}")
    value = ratio * (1 - beta)
    # Rounding must not turn kappa = 100 at 0.99 into 0.9999999: the rule is void from 1 on.
    verdict: Verdict = "holds" if value < 1 - 1e-9 else "does not hold"
    return Check(assumption, verdict, value, f"kappa (1 - {name}) = {value:.3g}")


def fixed(assumption: str, detail: str, decisive: bool = False) -> Check:
    """An assumption no number here can judge."""
    return Check(assumption, "cannot tell", None, detail, decisive)


def frozen_state() -> Check:
    """One step: the tuned point is read as the best single step."""
    detail = "the tuned point is taken as the best single step; a whole run's best is another"
    return fixed("the network's state is held: one step", detail)


def independent_noise() -> Check:
    """The coordinates' noise is uncorrelated along the Hessian."""
    detail = "on measured transformers it was wrong by up to ten times at small batches"
    return fixed("coordinates' noise is independent", f"{detail}; --stats measures it", True)


def small_step_check() -> Check:
    """The discrete run follows its differential equation."""
    detail = "the longer steps must stay below the edge of stability: watch the first steps"
    return fixed("steps are small against the curvature", detail)


def horizon() -> Check:
    """A whole run's best learning rate moves with the number of steps by itself."""
    detail = "in the measured cases it did, differently for each epsilon: sweep it at the new batch"
    return fixed("the best learning rate does not depend on the length of the run", detail, True)


def no_memory(s: Situation) -> Check:
    """The update of one batch alone: neither momentum nor an average of squares."""
    assumption = "the update looks at one batch only (beta1 = beta2 = 0)"
    beta1, beta2 = s.recipe.beta1, s.recipe.beta2
    if s.recipe.optimizer in ("signsgd", "softsignsgd") and not (beta1 or beta2):
        return Check(assumption, "holds", 0.0, f"the optimizer is {s.recipe.optimizer}", False)
    detail = (
        "momentum has no first-order effect on the noise of many small steps and up to "
        "(1+beta1)/(1-beta1) on that of one"
    )
    return Check(assumption, "cannot tell", beta1, detail, decisive=False)


TESTED = 256
"""Steps of the longest runs that the run law was right for at every batch size, ε up to 1 rms σ."""


def tested_length(s: Situation) -> Check:
    """Runs as long as those that the run law was held against."""
    assumption = f"the run has at most {TESTED} steps, where the law was held against runs"
    # At equal tokens the two runs differ in length, and what length does beyond is not known.
    decisive = s.hold == "tokens"
    if s.recipe.steps is None or s.steps is None:
        detail = "--steps states it; without it the averages of momentum are taken as settled"
        return fixed(assumption, detail, decisive)
    longest = max(s.recipe.steps, s.steps)
    if longest <= TESTED:
        return Check(assumption, "holds", longest, f"{longest:.4g} steps", decisive)
    detail = (
        f"{longest:.4g} steps: at a constant learning rate, runs of a thousand steps and more "
        "wanted less than this says, small batches most"
    )
    return Check(assumption, "cannot tell", longest, detail, decisive)


def known_schedule(s: Situation) -> Check:
    """The tuned run's schedule is stated, and the new run's is the same."""
    assumption = "both runs have the stated schedule"
    if s.recipe.schedule is None:
        return fixed(assumption, "it is unstated and taken as constant: --schedule")
    return Check(assumption, "holds", None, f"{s.recipe.schedule.name}, as stated", False)


def settled_start() -> Check:
    """The curvature measured is that of the run: runs forget the sharpness of an early start."""
    detail = "in the first steps of training it has not: there the law was 2 to 9 times too low"
    return fixed("the statistics are of a checkpoint whose curvature has settled", detail)
