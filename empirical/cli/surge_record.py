"""The answer of `surge` as plain JSON values, and as lines for the terminal."""

from __future__ import annotations

from math import isfinite
from typing import Any

from scaling_theory.surge_curve import SurgeCurve
from scaling_theory.surge_map import SurgeMap

SCHEMA = "scaling-theory/surge"
VERSION = 1


def record_of(lines: SurgeMap, phase: SurgeMap) -> dict[str, Any]:
    """Curves and verdicts of `lines`, the ridge of `phase`; NaN and infinity as null and "inf"."""
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "source": lines.source,
        "ratio_over": lines.reference,
        "epsilon_unit": lines.epsilon_unit,
        "rms_sigma": lines.sigma,
        "curves": [_curve(curve, lines.sigma) for curve in lines.curves],
        "ridge": [
            {
                "epsilon": curve.epsilon,
                "epsilon_over_rms_sigma": curve.epsilon / phase.sigma,
                "peak_batch": curve.peak_batch,
                "peak_ratio": curve.peak_ratio,
                "outcome": _outcome(curve),
            }
            for curve in phase.curves
        ],
        "surge_vanishes_between_epsilons": phase.vanishes_between,
        "surge_vanishes_at_epsilon": phase.vanishes_at,
    }


def _curve(curve: SurgeCurve, sigma: float) -> dict[str, Any]:
    verdict = curve.verdict
    finite = isfinite(curve.epsilon)
    return {
        "epsilon": curve.epsilon if finite else "inf",
        "epsilon_over_rms_sigma": curve.epsilon / sigma if finite else "inf",
        "outcome": _outcome(curve),
        "reason": curve.status,
        "ratio": None if verdict is None else verdict.ratio.value,
        "ratio_interval": None if verdict is None else list(verdict.interval),
        "confidence": None if verdict is None else verdict.confidence,
        "peak_batch": curve.peak_batch,
        "peak_ratio": curve.peak_ratio,
        "batch_sizes": curve.batch_sizes.tolist(),
        "ratio_of_batch_size": [r if isfinite(r) else None for r in curve.ratio.tolist()],
        "standard_error": [e if isfinite(e) else None for e in curve.standard_error.tolist()],
    }


def _outcome(curve: SurgeCurve) -> str:
    return "no minimum" if curve.verdict is None else curve.verdict.outcome.value


def text_surge(record: dict[str, Any]) -> str:
    """Lines for the terminal."""
    lines = [f"one step, {record['source']}; eta*(B) over {record['ratio_over']}", ""]
    lines.append("  eps / rms sigma  surge?       highest  at B     why")
    for curve in record["curves"]:
        over = curve["epsilon_over_rms_sigma"]
        name = over if isinstance(over, str) else f"{over:.3g}"
        ratio = "-" if curve["ratio"] is None else f"{curve['ratio']:.3g} x"
        peak = "-" if curve["peak_batch"] is None else f"{curve['peak_batch']:.3g}"
        lines.append(
            f"  {name:<15}  {curve['outcome']:<11}  {ratio:<7}  {peak:<7}  {curve['reason']}"
        )
    between = record["surge_vanishes_between_epsilons"]
    if between is not None:
        low, high = (epsilon / record["rms_sigma"] for epsilon in between)
        text = f"between epsilon = {low:.3g} and {high:.3g} rms sigma"
        if record["surge_vanishes_at_epsilon"] is not None:
            at = record["surge_vanishes_at_epsilon"] / record["rms_sigma"]
            text = f"at epsilon = {at:.4g} rms sigma"
        lines += ["", f"the surge vanishes {text}"]
    return "\n".join(lines)
