"""The verdicts as an aligned table for a terminal, and as tables for a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from empirical.judge.verdict_slices import WORDS

HEADING = ("claim", "verdict", "number (interval); the claim says", "optima", "regret, millinats")
LAWS = "fitted law: "
STATED = {"agrees": "best", "cannot tell": "not told from the best", "disagrees": "refuted"}

Table = dict[str, Any]
Verdict = dict[str, Any]


def text_validate(record: dict[str, Any], every: bool) -> str:
    """Lines for a terminal; every: each slice and each fitted law by itself too."""
    lines = [_level(record)]
    for table in record["tables"]:
        lines += ["", *_about(table)]
        for title, verdicts in _strata(table):
            rows = [(row, verdict) for verdict in verdicts for row in _rows(verdict, every)]
            shown = _aligned([HEADING, *(row for row, _ in rows)])
            lines += ["", title, f"  {shown[0]}"]
            for line, (row, verdict) in zip(shown[1:], rows, strict=True):
                lines.append(f"  {line}")
                reason = verdict["reason"] if row[0] == verdict["claim"] else ""
                lines += [f"      {reason}"] if reason else []
            lines += [f"  {line}" for line in _fits(verdicts)]
        lines += ["", *_not_judged(table)]
    return "\n".join(lines).rstrip()


def markdown_validate(record: dict[str, Any]) -> str:
    """One table per kind of slice, for a page."""
    blocks = [_level(record), *_overview(record)]
    for table in record["tables"]:
        blocks.append(" ".join(_about(table)))
        for title, verdicts in _strata(table):
            rows = [(*row, verdict["reason"]) for verdict in verdicts for row in _rows(verdict)]
            blocks.append(f"**{title}**")
            if rows:
                heading = (*HEADING, "in words")
                lines = [heading, tuple("---" for _ in heading), *(_bold(row) for row in rows)]
                blocks.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
            blocks += ["; ".join(_fits(verdicts))] if _fits(verdicts) else []
        blocks += ["\n".join(_not_judged(table))] if _not_judged(table) else []
    return "\n\n".join(blocks) + "\n"


def _overview(record: dict[str, Any]) -> list[str]:
    """Claims against kinds of slices, of all tables: the verdict and its number alone."""
    several = len(record["tables"]) > 1
    columns = [
        (
            (f"{Path(table['source']).stem}: " if several else "")
            + (f"{WORDS[held]}, {optimizer}" if optimizer else WORDS[held]),
            verdicts,
        )
        for table in record["tables"]
        for (held, optimizer), verdicts in _by_stratum(table).items()
    ]
    claims = dict.fromkeys(v["claim"] for _, verdicts in columns for v in verdicts)
    lines = [("claim", *(name for name, _ in columns)), ("---", *("---" for _ in columns))]
    for claim in claims:
        found = [[v for v in verdicts if v["claim"] == claim] for _, verdicts in columns]
        cells = [_brief(each[0]) if each else "" for each in found]
        if not claim.startswith(LAWS) and any(cells):
            lines.append((claim, *cells))
    return ["\n".join(f"| {' | '.join(line)} |" for line in lines)] if len(lines) > 2 else []


def _brief(verdict: Verdict) -> str:
    """Such as "**disagrees** x1.77 (1.71 to 1.82), 12 mnat"; empty where nothing was judged."""
    if verdict["verdict"] == "not judged":
        return ""
    number, regret = verdict["number"], verdict["regret_nats"]
    words = "" if number is None else f" {_number(number).partition(';')[0]}"
    known = regret is not None and regret["mean"] is not None
    cost = f", {_milli(regret['mean'])} mnat" if known else ""
    return f"**{verdict['verdict']}**{words}{cost}"


def _level(record: dict[str, Any]) -> str:
    every = [verdict for table in record["tables"] for verdict in table["verdicts"]]
    judged = sum(verdict["verdict"] != "not judged" for verdict in every)
    chance = judged * (1 - record["confidence"]) / 2
    return (
        f"{judged} claims judged, each at {record['confidence']:.0%} by itself: at most "
        f"{chance:.1f} are said to agree, and as many to disagree, by chance. Tolerance, set "
        f"beforehand: a quarter octave, a factor of {record['tolerance_factor']:.2f} in the "
        "learning rate. x: a factor. Regret: mean loss above the optimum's from following."
    )


def _about(table: Table) -> list[str]:
    held: dict[str, int] = {}
    for each in table["slices"]:
        held[each["held_fixed"]] = held.get(each["held_fixed"], 0) + 1
    kinds = ", ".join(f"{count} at {WORDS[kind]}" for kind, count in held.items())
    lines = [
        f"{table['source']}: {table['runs']} runs ({table['diverged']} diverged, "
        f"{table['rejected']} rejected); {len(table['slices'])} slices: {kinds}; "
        f"{table['cells_with_a_number']} of {table['cells']} optima are numbers, the others "
        "bounds or unknown."
    ]
    left = {
        "have too few learning rates": table["cells_with_too_few_learning_rates"],
        "have no second batch size beside them": table["cells_in_no_slice"],
    }
    lines += [f"{line}." for line in table["why_rejected"]]
    words = [f"{count} cells {what}" for what, count in left.items() if count]
    return [*lines, f"Left out: {', '.join(words)}."] if words else lines


def _strata(table: Table) -> list[tuple[str, list[Verdict]]]:
    return [
        (
            f"{WORDS[held]}, {optimizer or 'optimizer not stated'}, "
            f"{verdicts[0]['slices']} slice(s)",
            verdicts,
        )
        for (held, optimizer), verdicts in _by_stratum(table).items()
    ]


def _by_stratum(table: Table) -> dict[tuple[str, str], list[Verdict]]:
    found: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in table["verdicts"]:
        found.setdefault((verdict["held_fixed"], verdict["optimizer"]), []).append(verdict)
    return found


def _rows(verdict: Verdict, every: bool = False) -> list[tuple[str, ...]]:
    """The row of a verdict and, if asked for, of its slices; fitted laws go together."""
    if verdict["verdict"] == "not judged" or (verdict["claim"].startswith(LAWS) and not every):
        return []
    rows = [_row(verdict["claim"], verdict)]
    return rows + [_row(f"  {p['slice']}", p) for p in (verdict["parts"] if every else ())]


def _row(name: str, verdict: Verdict) -> tuple[str, ...]:
    cells = str(verdict["cells"]) if verdict["cells"] else "-"
    return name, verdict["verdict"], _number(verdict["number"]), cells, _regret(verdict)


def _number(number: dict[str, Any] | None) -> str:
    if number is None:
        return "-"
    sign = "x" if number["factor"] else ""
    low, high = (_end(end) for end in number["interval"])
    text = f"{sign}{number['value']:.3g} ({low} to {high})"
    least, most = number["predicted"]
    wanted = {
        (False, False): "anything",
        (True, False): f"above {sign}{least or 0:.3g}",
        (False, True): f"below {sign}{most or 0:.3g}",
        (True, True): f"{sign}{least or 0:.3g} to {sign}{most or 0:.3g}",
    }[least is not None, most is not None]
    if least == (1 if number["factor"] else 0) and most is not None:
        # A spread or an error: nothing is smaller.
        wanted = f"at most {sign}{most:.3g}"
    statistic = f"; {number['statistic']}" if number["statistic"] else ""
    return f"{text}; {wanted}{statistic}"


def _end(value: float | None) -> str:
    return "open" if value is None else f"{value:.3g}"


def _regret(verdict: Verdict) -> str:
    regret = verdict["regret_nats"]
    if regret is None or regret["mean"] is None:
        return "-"
    low, high = ("?" if end is None else _milli(end) for end in regret["interval95"])
    return f"{_milli(regret['mean'])} ({low} to {high})"


def _milli(nats: float) -> str:
    """Thousandths, two digits, never with a power of ten where they are many."""
    return f"{1000 * nats:.2g}" if abs(nats) < 0.0995 else f"{1000 * nats:.0f}"


def _fits(verdicts: Sequence[Verdict]) -> list[str]:
    """The league in short: which laws are best, tied and refuted."""
    laws = [verdict for verdict in verdicts if verdict["claim"].startswith(LAWS)]
    lines = []
    for outcome, words in STATED.items():
        named = [_law(law) for law in laws if law["verdict"] == outcome]
        lines += [f"fitted laws {words}: {', '.join(named)}"] if named else []
    return lines


def _law(verdict: Verdict) -> str:
    name = verdict["claim"].removeprefix(LAWS)
    number = verdict["number"]
    return name if number is None else f"{name} ({number['value']:.3f})"


def _not_judged(table: Table) -> list[str]:
    """Each reason once, with its claims."""
    reasons: dict[str, dict[str, None]] = {}
    for verdict in table["verdicts"]:
        if verdict["verdict"] == "not judged":
            reasons.setdefault(verdict["reason"], {})[_place(verdict)] = None
    return [f"not judged, {reason}: {'; '.join(claims)}" for reason, claims in reasons.items()]


def _place(verdict: Verdict) -> str:
    if verdict["reason"].startswith(("give --", "left out")):
        return str(verdict["claim"])
    kind = WORDS[verdict["held_fixed"]]
    return f"{verdict['claim']} ({kind}, {verdict['optimizer'] or 'no optimizer stated'})"


def _bold(row: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"**{cell}**" if place == 1 else cell for place, cell in enumerate(row))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
