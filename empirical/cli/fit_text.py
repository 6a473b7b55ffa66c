"""The league of laws and the chosen law as lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SPLITS = {
    "batch size": "each batch size left out",
    "upward": "larger half of batch sizes from the smaller",
    "group": "each group left out",
}

SHOWN = 1.02
"""Widening of intervals from which it is told."""


def text_fit(record: dict[str, Any], every: bool) -> str:
    """Lines; every: all horizons of every law, not only the best of each."""
    table, optima = record["table"], record["optima"]
    lines = [
        f"{table['source']}: {table['runs']} runs, {table['groups']} group(s); best learning rate "
        f"inside the grid at {optima['inside']} batch sizes, beyond it at {optima['beyond']}, "
        f"not identified at {len(optima['unused'])}",
        *(f"  {line}" for line in table["why_rejected"]),
        table["held_note"] or _held(table["held_fixed"]),
        "",
        "held-out error: rms of ln eta* (95 % interval), regret in millinats; "
        "! worse than the best with 97.5 % confidence",
        "",
    ]
    lines += _aligned(_league(record["league"], every))
    lines += ["", *_verdicts(record, every), "", *_chosen(record["chosen"])]
    return "\n".join(lines)


def _held(held: str) -> str:
    if held == "one-step":
        return "one step from one checkpoint: nothing of a whole run is answered here"
    other = "steps" if held == "tokens" else "tokens"
    return (
        f"{held} are the same over batch sizes of a group, {other} are not: a law at fixed {held}"
    )


def _league(rows: Sequence[dict[str, Any]], every: bool) -> list[tuple[str, ...]]:
    splits = [split for split in SPLITS if any(split in row["held_out"] for row in rows)]
    lines = [("law [from group to group]", "k", "dAICc", *(SPLITS[s] for s in splits), "verdict")]
    least = min((row["aicc"] for row in rows if row["aicc"] is not None), default=0.0)
    for row in rows if every else _best_of_each(rows):
        aicc = "-" if row["aicc"] is None else f"{row['aicc'] - least:.0f}"
        cells = [_cell(row["held_out"].get(split)) for split in splits]
        k = "-" if row["coefficients"] is None else str(row["coefficients"])
        lines.append((f"{row['law']} [{row['horizon']}]", k, aicc, *cells, row["verdict"]))
    return lines


def _best_of_each(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows come best first: the first of each law, and every other one that is not refuted."""
    shown: list[dict[str, Any]] = []
    for row in rows:
        first = all(row["law"] != other["law"] for other in shown)
        if first or row["verdict"] in ("best", "tied"):
            shown.append(row)
    return shown


def _cell(score: dict[str, Any] | None) -> str:
    if score is None:
        return "-"
    low, high = (_number(end) for end in score["rms_interval95"])
    regret = score["regret_nats"]
    cost = "" if regret is None else f" {1000 * regret:.3g} mnat"
    return f"{score['rms_ln_eta']:.3f} ({low}-{high}){cost}{' !' if score['refuted'] else ''}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"


def _verdicts(record: dict[str, Any], every: bool) -> list[str]:
    lines = [f"best, {SPLITS[split]}: {label}" for split, label in record["best"].items()]
    rows = record["league"]
    for verdict in ("tied", "refuted", "not compared", "cannot tell"):
        names = [f"{row['law']} [{row['horizon']}]" for row in rows if row["verdict"] == verdict]
        if verdict == "refuted" and not every:
            laws = dict.fromkeys(row["law"] for row in rows)
            alive = {row["law"] for row in rows if row["verdict"] != "refuted"}
            names = [law for law in laws if law not in alive]
            verdict = "refuted with every horizon"
        if names:
            lines.append(f"{verdict}: {', '.join(names)}")
    return [
        *lines,
        f"(bootstrap over {record['resampled']}; every comparison with the split's best)",
    ]


def _chosen(chosen: dict[str, Any]) -> list[str]:
    lines = [
        f"{chosen['law']} [{chosen['horizon']}]: {chosen['formula']}",
        f"  source: {chosen['source']}",
    ]
    for each in chosen["parameters"]:
        low, high = ("open" if end is None else f"{end:.4g}" for end in each["interval95"])
        name, _, covariate = each["name"].partition(" ")
        shown = f"power of {name} in {covariate}" if covariate in chosen["references"] else None
        lines.append(f"  {shown or each['name']} = {each['value']:.4g} (95 %: {low} to {high})")
    for name, value in chosen["given"].items():
        parameter, _, covariate = name.partition(" ")
        if covariate:
            lines.append(f"  power of {parameter} in {covariate} = {value:g} (given)")
        else:
            covariates = [each.partition(" ")[2] for each in chosen["given"] if each != name]
            where = f", where {' and '.join(covariates)} are 1" if covariates else ""
            lines.append(f"  {name} = {value:g} (given{where})")
    used = {name: value for name, value in chosen["references"].items() if _mentions(chosen, name)}
    if used and chosen["parameters"]:
        at = ", ".join(f"{name} {value:.4g}" for name, value in used.items())
        lines.append(f"  values at {at}")
    if chosen["intervals_widened"] > SHOWN:
        factor = chosen["intervals_widened"]
        lines.append(
            f"  intervals are {factor:.2f} times the likelihood's, as simulated tables want"
        )
    if chosen["at_bound"]:
        lines.append(f"  {_at_limit(chosen['at_bound'])}")
    if chosen["scatter"] is not None:
        lines.append(f"  single optima scatter round it by {chosen['scatter']:.3f} in ln eta")
    return lines


def _at_limit(names: Sequence[str]) -> str:
    """What it means that the fit of these coefficients ended at a limit of its search."""
    return (
        f"the fit ended at a limit of {' and '.join(names)}: a law saved from it takes that as "
        "exactly known, and its intervals may be too narrow"
    )


def _mentions(chosen: dict[str, Any], covariate: str) -> bool:
    names = [each["name"] for each in chosen["parameters"]] + list(chosen["given"])
    return any(name.endswith(f" {covariate}") for name in names)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
