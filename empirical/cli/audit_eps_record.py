"""The answer of `audit-eps` as plain JSON values, and as lines for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from scaling_theory.audit import EpsilonAudit

SCHEMA = "scaling-theory/audit-eps"
VERSION = 1


def record_of(found: EpsilonAudit, source: str, unit: str, texts: Sequence[str]) -> dict[str, Any]:
    """The audit; an infinite batch size is the word "inf". source: "vectors" or "dimensionless"."""
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "source": source,
        "unit": unit,
        "epsilon": found.epsilon,
        "epsilon_unit": "gradient" if source == "vectors" else "epsilon itself",
        "coordinates": found.coordinates if source == "vectors" else None,
        "dead_fraction": found.dead,
        "epsilon_batch": _finite(found.epsilon_batch),
        "epsilon_batch_quantiles": [_finite(q) for q in found.epsilon_batch_quantiles],
        "sign_like_up_to_batch": _finite(found.sign_like_up_to_batch),
        "sgd_like_from_batch": _finite(found.sgd_like_from_batch),
        "places": [
            {
                "batch_size": place.batch_size,
                "batch_size_text": texts[index % len(texts)],
                "model_scale": place.model_scale,
                "fraction_root_v_below_epsilon": place.below_root_v,
                "fraction_gradient_below_epsilon": place.below_gradient,
                "regime": place.regime,
                "sign_like_up_to_epsilon": place.sign_like_up_to,
                "sgd_like_from_epsilon": place.sgd_like_from,
            }
            for index, place in enumerate(found.places)
        ],
    }


def _finite(value: float) -> float | str:
    return value if isfinite(value) else "inf"


def text_audit(record: dict[str, Any]) -> str:
    """Lines for the terminal."""
    unit = "" if record["unit"] == "bare" else record["unit"]
    measured = record["source"] == "vectors"
    name = f"{record['epsilon']:.4g}" if measured else "1 (everything is in its unit)"
    lines = [f"epsilon {name}"]
    if measured:
        dead = record["dead_fraction"]
        lines[0] += f", {record['coordinates']} coordinates, {dead:.1%} of them without a gradient"
    low, middle, high = (_batch(q) for q in record["epsilon_batch_quantiles"])
    lines += [
        f"B_eps = (sigma/epsilon)^2 = {_batch(record['epsilon_batch'])}{unit}"
        f" by rms sigma; 10, 50, 90 % of coordinates: {low}, {middle}, {high}",
        f"sign-like up to B = {_batch(record['sign_like_up_to_batch'])}{unit}, "
        f"SGD-like from B = {_batch(record['sgd_like_from_batch'])}{unit}",
        "",
        "  batch size    model    sqrt(v) < eps  |g| < eps  regime     crossover for epsilon in",
    ]
    for place in record["places"]:
        lines.append(
            f"  {place['batch_size_text']:<12}  {place['model_scale']:>5.4g} x"
            f"  {place['fraction_root_v_below_epsilon']:>13.1%}"
            f"  {place['fraction_gradient_below_epsilon']:>9.1%}  {place['regime']:<9}"
            f"  {place['sign_like_up_to_epsilon']:.3g} to {place['sgd_like_from_epsilon']:.3g}"
        )
    return "\n".join(lines)


def _batch(value: float | str) -> str:
    return "infinity " if isinstance(value, str) else f"{value:.4g}"
