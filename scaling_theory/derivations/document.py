"""Derivations as text: for the terminal, as Markdown, as LaTeX and as JSON values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scaling_theory.derivations.catalogue import DERIVATIONS
from scaling_theory.derivations.drawing import drawn
from scaling_theory.derivations.step import Step
from scaling_theory.derivations.tables import Table

__all__ = ["as_json", "as_latex", "as_markdown", "as_text", "summary", "table_markdown"]


def summary(name: str) -> str:
    """First line of what a derivation says about itself."""
    return (DERIVATIONS[name].__doc__ or "").strip().splitlines()[0]


def verdict(step: Step) -> str:
    """How a step is checked, in a word or two."""
    return "exactly" if step.exact else f"as numbers, to {step.tolerance:g}"


def as_markdown(name: str, steps: Iterable[Step], level: int = 2) -> str:
    """One derivation as a section: assumption, equation, what was checked, source."""
    lines = [f"{'#' * level} {name}", "", summary(name), ""]
    for number, step in enumerate(steps, 1):
        lines += [
            f"**{number}. {step.title}.** *Assumption:* {step.assumption}",
            "",
            f"$$\n{step.latex}\n$$",
            "",
            f"*Checked {verdict(step)}.* {step.how} *Source: {step.source}.*",
            "",
        ]
    return "\n".join(lines)


def as_latex(name: str, steps: Iterable[Step]) -> str:
    """One derivation as a LaTeX section; needs amsmath, and a Unicode engine for Greek in text."""
    lines = [rf"\section{{{name}}}", summary(name), ""]
    for step in steps:
        lines += [
            rf"\paragraph{{{_escaped(step.title)}.}} Assumption: {_escaped(step.assumption)}",
            rf"\begin{{equation}}{step.latex}\end{{equation}}",
            f"Checked {verdict(step)}: {_escaped(step.how)} Source: {_escaped(step.source)}.",
            "",
        ]
    return "\n".join(lines)


def as_text(name: str, steps: Iterable[Step]) -> str:
    """One derivation for the terminal, equations drawn in Unicode."""
    lines = [name, "=" * len(name), summary(name), ""]
    for number, step in enumerate(steps, 1):
        lines += [
            f"{number}. {step.title}",
            f"   assume   {step.assumption}",
            "",
            *(f"      {line}".rstrip() for line in drawn(step)),
            "",
            f"   checked  {verdict(step)}: {step.how}",
            f"   source   {step.source}",
            "",
        ]
    return "\n".join(lines)


def as_json(name: str, steps: Iterable[Step]) -> dict[str, Any]:
    """One derivation as plain values."""
    return {
        "name": name,
        "summary": summary(name),
        "steps": [
            {
                "title": step.title,
                "assumption": step.assumption,
                "equation": str(step.equation),
                "latex": step.latex,
                "approximate": step.approximate,
                "how": step.how,
                "exact": step.exact,
                "tolerance": step.tolerance,
                "source": step.source,
            }
            for step in steps
        ],
    }


def table_markdown(table: Table, level: int = 3) -> str:
    """A table with its title and note."""
    rows = [table.header, ("---",) * len(table.header), *table.rows]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"{'#' * level} {table.title}", "", table.note, "", *lines, ""])


def _escaped(text: str) -> str:
    for character in "&%#_":
        text = text.replace(character, f"\\{character}")
    return text.replace("^", r"\^{}")
