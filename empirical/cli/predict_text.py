"""The answer of `predict` in the terminal: one table per view, never one across them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaling_theory.transfer.settings import NOT_SAID

TITLES = {
    "one-step": "One step, the network's state held (not a whole run)",
    "tokens": "A whole run, tokens held (kappa times fewer steps)",
    "steps": "A whole run, steps held (kappa times more tokens)",
}


def text_answer(answer: dict[str, Any], explain: bool) -> str:
    """Lines for the terminal; `explain` adds formula, source and every check of each rule."""
    lines: list[str] = []
    tuned = answer["tuned"]
    if tuned is not None:
        lines.append(
            f"from   lr {tuned['learning_rate']:.4g} at {tuned['batch_size']['described']}"
            f" ({tuned['optimizer']})"
        )
    known = _known(answer["facts"], answer["unit"])
    if known:
        lines.append(f"known  {known}")
    for each in answer["answers"]:
        lines += ["", f"to     {each['batch_size']['described']}" + _kappa(each["kappa"])]
        views = [each["one_step"], *(each["whole_run"] or {}).values()]
        filled = [view for view in views if view is not None and _filled(view)]
        if not filled:
            lines.append("  nothing: this view takes a tuned point (--from-lr)")
        for view in filled:
            lines += _view(view, explain)
    lines += [f"\nnote: {note}" for note in answer["notes"]]
    return "\n".join(lines)


def _known(facts: dict[str, Any], unit: str) -> str:
    names = {"simple_batch": "B_simple", "noise_batch": "B_noise", "curvature_ratio": "Q/T"}
    words = []
    for key, name in names.items():
        fact = facts[key]
        if fact is not None:
            error = fact["standard_error"]
            spread = f" ± {error:.2g}" if error else ""
            words.append(
                f"{name} = {fact['value']:.4g}{spread}" + (f" {unit}" if "B_" in name else "")
            )
    return ", ".join(words)


def _kappa(kappa: float | None) -> str:
    return "" if kappa is None else f"   (kappa = {kappa:.4g})"


def _view(view: dict[str, Any], explain: bool) -> list[str]:
    lines = ["", TITLES[view["held_fixed"]]]
    if view.get("statistics"):
        lines += ["  measured here, from the statistics alone:", *_statistics(view["statistics"])]
    if view["law"] is not None:
        lines += _law(view["law"])
    if view["rows"]:
        if view["held_fixed"] == "one-step":
            lines.append("  the tuned point carried along one-step curves:")
        lines += _rows(view["rows"])
        if explain:
            for row in view["rows"]:
                lines += _explained(row)
        lines += _recommended(view["recommendation"])
    return lines


def _filled(view: dict[str, Any]) -> bool:
    return bool(view["rows"] or view["law"] or view.get("statistics"))


def _statistics(rows: list[dict[str, Any]]) -> list[str]:
    table = [("noise", "epsilon", "lr", "95 % interval", "")]
    notes: list[str] = []
    for row in rows:
        rate, interval = row["learning_rate"], row["interval95"]
        mark = "" if row["status"] == "ok" else "*"
        table.append(
            (
                row["closure"],
                row["epsilon"] if row["epsilon"] == "inf" else f"{row['epsilon']:.4g}",
                _number(rate),
                "" if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}",
                mark,
            )
        )
        notes += row["outside"] or ([] if row["status"] == "ok" else [row["status"]])
        notes += [row["status"]] if row["outside"] and rate is None else []
    return [*_aligned(table), *(f"    * {note}" for note in dict.fromkeys(notes))]


def _law(law: dict[str, Any]) -> list[str]:
    low, high = law["interval95"]
    lines = [
        f"  fitted law '{law['name']}': lr {law['learning_rate']:.4g} "
        f"(95 %: {low:.3g} to {high:.3g})"
    ]
    if law["carried_from_tuned_point"] is not None:
        lines.append(f"    tuned point carried along it: {law['carried_from_tuned_point']:.4g}")
    notes = list(law["outside"])
    if law["at_bound"]:
        notes.append(
            f"the fit ended at a limit of {' and '.join(law['at_bound'])}, which the interval "
            "takes as exactly known: it may be too narrow"
        )
    return lines + [f"    * {note}" for note in notes]


def _rows(rows: list[dict[str, Any]]) -> list[str]:
    names = ("beta1", "beta2", "epsilon", "weight_decay", "warmup_steps")
    heads = ("rule", "lr", "95 % interval", "beta1", "beta2", "epsilon", "decay", "warm-up")
    table = [(*heads, "holds here?")]
    notes: list[str] = []
    for row in rows:
        low, high = row["interval95"] or (0.0, 0.0)
        interval = f"{low:.3g} to {high:.3g}" if high > low else ""
        settings_of = (row["settings"][name] for name in names)
        values = [None if s["note"] == NOT_SAID else s["value"] for s in settings_of]
        settings = ["" if value is None else _number(value, 6) for value in values]
        rate = _number(row["learning_rate"]) + ("*" if row["outside"] else "")
        table.append((row["rule"], rate, interval, *settings, _verdict(row)))
        notes += row["outside"]
    filled = [c for c in range(len(table[0])) if c == 0 or any(row[c] for row in table[1:])]
    shown = [[row[c] for c in filled] for row in table]
    return [*_aligned(shown), *(f"    * {note}" for note in dict.fromkeys(notes))]


def _verdict(row: dict[str, Any]) -> str:
    if row["learning_rate"] is None:
        return str(row["missing"] or row["holds_here"])
    if row["holds_here"] == "holds":
        return "holds"
    # A refuted assumption says more than an open one; of the open ones the decisive come first.
    worst = [c for c in row["checks"] if c["verdict"] == row["holds_here"]]
    worst.sort(key=lambda check: not check["decisive"])
    return f"{row['holds_here']}: {worst[0]['detail']}"


def _explained(row: dict[str, Any]) -> list[str]:
    lines = ["", f"  {row['rule']}: {row['formula']}", f"    source: {row['source']}"]
    for check in row["checks"]:
        lines.append(f"    {check['verdict']}: {check['assumption']} ({check['detail']})")
    for name, setting in row["settings"].items():
        if setting["note"] == NOT_SAID:
            continue
        lines.append(
            f"    {name.replace('_', ' ')}: {_number(setting['value'], 6)}, {setting['note']}"
        )
    return lines


def _recommended(found: dict[str, Any]) -> list[str]:
    if found["rule"] != "cannot tell":
        return [
            f"  recommended: {found['rule']}, lr {_number(found['learning_rate'])}",
            f"    {found['reason']}",
        ]
    lines = [f"  recommended: cannot tell; {found['measure']}", f"    {found['reason']}"]
    span = found["span_of_rules_not_ruled_out"]
    if span is not None and span[1] > span[0]:
        lines.append(f"    rules not ruled out give lr {span[0]:.3g} to {span[1]:.3g}")
    return lines


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}g}"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    padded = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    return [f"    {line}" for line in padded]
