"""The answer of `recommend` as lines for the terminal."""

from __future__ import annotations

from typing import Any

GIB = 2**30


def text_of(record: dict[str, Any]) -> str:
    """The recommendation first, the measurements behind it after."""
    size, found = record["batch_size"], record["throughput"]
    lines = [
        f"{record['workload']['name']}, on {record['device']}, timed with "
        f"{record['optimizer_timed']}",
        "",
        f"batch size     {_batch_size(record)}",
        f"optimizer      {_optimizer(record)}",
        f"learning rate  {_learning_rate(record['learning_rate'])}",
        f"beta2          {_beta2(record['beta2'])}",
        f"epsilon        {_epsilon(record['epsilon'])}",
        f"accumulation   {_accumulation(record['accumulation'])}",
        "",
        "  sequences     tokens/s   of the best (95 % interval)   s per step",
    ]
    for row in found["table"]:
        low, high = row["interval"]
        mark = "<" if row["batch_size"] == size["sequences"] and record["optimizer"] else ""
        lines.append(
            f"  {row['batch_size']:>9}  {row['tokens_per_second']:>11,.0f}   "
            f"{row['share']:>6.1%} ({low:.1%} to {high:.1%})      {row['seconds_per_step']:.3g} "
            f"{mark}".rstrip()
        )
    return "\n".join(lines)


def _batch_size(record: dict[str, Any]) -> str:
    size, found = record["batch_size"], record["throughput"]
    shown = f"{size['sequences']} sequence{'s' * (size['sequences'] > 1)} = {size['tokens']} tokens"
    if record["optimizer"] is None:
        # What follows was still timed, and is worked out for that batch.
        limit = record["memory"]["limit"] / GIB
        return f"none fits into {limit:.3g} GiB; what follows is for {shown}"
    return (
        f"{shown}: the smallest within {1 - found['fraction']:.0%} of the best "
        f"throughput{_doubt(found)}"
    )


def _doubt(found: dict[str, Any]) -> str:
    if found["status"] == "not settled":
        return f" (not settled by these times: at most {found['at_most']}; give more --seconds)"
    if found["status"] == "still rising":
        return " (and still rising: the largest batch timed; raise --largest or --memory)"
    return ""


def _optimizer(record: dict[str, Any]) -> str:
    limit = record["memory"]["limit"] / GIB
    totals = ", ".join(
        f"{one['optimizer']} {one['total'] / GIB:.3g}{'' if one['fits'] else ' (too much)'}"
        for one in record["memory"]["optimizers"]
        if one["total"] is not None
    )
    name = record["optimizer"]
    if name is None:
        return f"none fits into {limit:.3g} GiB at this batch: {totals}"
    return f"{name}, the first in order of preference that fits {limit:.3g} GiB ({totals})"


def _learning_rate(record: dict[str, Any] | None) -> str:
    if record is None:
        return "not known: give --from-lr with --from-batch-size, --stats, or run lr-find"
    (one,) = record["answers"]
    parts = []
    views = {"one step": one["one_step"], **(one["whole_run"] or {})}
    for name, view in views.items():
        advice = view and view["recommendation"]
        if advice and advice["learning_rate"] is not None:
            rule = advice["rule"]
            parts.append(f"{advice['learning_rate']:.3g} ({_view(name)}, rule '{rule}')")
        elif advice:
            parts.append(f"cannot tell for {_view(name)}: {advice['measure']}")
    for row in (one["one_step"] or {}).get("statistics") or []:
        if row["closure"] == "correlated" and row["learning_rate"] is not None:
            rate = f"{row['learning_rate']:.3g}"
            parts.append(f"{rate} (the best single step at epsilon {row['epsilon']})")
    return "; ".join(parts) or "not identified by what was given"


def _view(name: str) -> str:
    return name if name == "one step" else f"a run of the same {name}"


def _beta2(found: dict[str, Any]) -> str:
    clamped = f" (clamped from {found['unclamped']:.10g})" if found["clamped"] else ""
    return (
        f"{found['beta2']:.6g}{clamped}: a half-life of {found['half_life_tokens']:.3g} tokens "
        f"({found['source']})"
    )


def _epsilon(record: dict[str, Any] | None) -> str:
    if record is None:
        return "not audited: give --stats and --epsilon"
    (place,) = record["places"]
    share = place["fraction_root_v_below_epsilon"]
    return f"{record['epsilon']:g} is {place['regime']} here: sqrt(v) < epsilon in {share:.1%}"


def _accumulation(found: dict[str, Any]) -> str:
    verdict = "worth it" if found["worth"] else "not worth it"
    return f"{verdict}: over {found['steps']} micro-batches {found['reason']}"
