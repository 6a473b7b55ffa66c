"""The theory document: every derivation in chapters, with the computed tables and the symbols."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scaling_theory.derivations.catalogue import DERIVATIONS
from scaling_theory.derivations.document import as_markdown, summary, table_markdown
from scaling_theory.derivations.step import Step
from scaling_theory.derivations.tables import Table, error_table, noise_table, surge_table
from scaling_theory.symbol_table import symbol_table

__all__ = ["CHAPTERS", "Chapter", "theory_page"]

_OPENING = """# The theory, derived and checked

The question: which learning rate is best for one step of SGD, SignSGD, SoftSignSGD or Adam, how it
changes with the batch size B and with Adam's ε, and when it *falls* at large B (a surge).

This page is written by `scaling-theory derive --all --markdown` from the derivations in
`scaling_theory/derivations`. Each step has an assumption, an equation and a check:

- **Checked exactly** means that the left side was worked out by the route the text tells, and that
  sympy reduced its difference to the right side to 0. **As numbers** means that both sides were
  computed independently and agree to the tolerance given.
- `=` is an identity under the assumption, `≈` says that the assumption is an approximation.
- Sums run over the coordinates i, j = 1 … N. Identities of sums are checked written out for two to
  four coordinates with general entries.
- A test evaluates every check, then multiplies every right side by 0.99 and by 1.01 and by −1 and
  expects every check to fail.

What to keep in mind: everything here is about **one step** at a fixed state of the network, unless
a step says otherwise. The articles take the noise of different coordinates as independent; on
measured transformers that is wrong by an order of magnitude at small batches, and the form with
correlated noise (`correlated-noise`) is the one that predicts. Scalar forms (`canonical-form`)
are for orientation and fits; whether a real network surges is measured.
"""


@dataclass(frozen=True)
class Chapter:
    """Derivations that belong together, in order; after some of them a computed table."""

    title: str
    names: tuple[str, ...]


CHAPTERS = (
    Chapter("Rules that keep something fixed", ("variance-views", "adam-sde", "half-life")),
    Chapter("The one-step law and SGD", ("one-step-law", "sgd", "steps-and-samples")),
    Chapter(
        "Moments of sign and softsign",
        (
            "sign-moments",
            "sign-law",
            "s-curves",
            "clip-moments",
            "exact-mean",
            "exact-second-moment",
            "mean-field",
        ),
    ),
    Chapter(
        "The learning rate against B and ε",
        (
            "softsign-law",
            "preconditioned",
            "peaked-form",
            "canonical-form",
            "canonical-surge",
            "limits",
            "surge-vanishes",
        ),
    ),
    Chapter("The Surge paper", ("surge-paper", "noise-batches")),
    Chapter(
        "Correlated noise and unequal coordinates",
        (
            "correlated-pair",
            "correlated-noise",
            "scalar-noise",
            "multi-group",
            "scalar-criterion",
        ),
    ),
    Chapter("Epsilon over a run", ("epsilon-crossover",)),
    Chapter(
        "Moving averages", ("momentum", "momentum-run", "run-schedule", "adam-surge", "update-rms")
    ),
    Chapter("Weights under decay, and Muon", ("weight-rms", "muon")),
)
_TABLES: dict[str, Callable[[], Table]] = {
    "mean-field": error_table,
    "limits": noise_table,
    "surge-vanishes": surge_table,
}


def theory_page(steps_of: Callable[[str], tuple[Step, ...]] | None = None) -> str:
    """The whole document as Markdown; every step is checked on the way.

    steps_of: the steps of a derivation by name, for callers that have them already.
    """
    derive = steps_of or (lambda name: DERIVATIONS[name]())
    chapters = [_chapter(chapter, derive) for chapter in CHAPTERS]
    return "\n".join([_OPENING, _contents(), *chapters, _end()])


def _contents() -> str:
    lines = ["## Contents", ""]
    for chapter in CHAPTERS:
        lines.append(f"- {chapter.title}")
        lines += [f"  - [{name}](#{name}): {summary(name)}" for name in chapter.names]
    return "\n".join([*lines, "- [Symbols](#symbols)", ""])


def _chapter(chapter: Chapter, steps_of: Callable[[str], tuple[Step, ...]]) -> str:
    parts = [f"## {chapter.title}", ""]
    for name in chapter.names:
        steps = steps_of(name)
        for step in steps:
            step.check()
        parts.append(as_markdown(name, steps, level=3))
        if name in _TABLES:
            parts.append(table_markdown(_TABLES[name](), level=4))
    return "\n".join(parts)


def _end() -> str:
    return "\n".join(["## Symbols", "", symbol_table()]).rstrip() + "\n"
