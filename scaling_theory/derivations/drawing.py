"""Equations drawn in Unicode for the terminal."""

from __future__ import annotations

import re

import sympy as sp
from sympy.printing.pretty.pretty import PrettyPrinter
from sympy.printing.pretty.stringpict import prettyForm, stringPict

from scaling_theory.derivations.step import Step
from scaling_theory.symbols import LATEX

__all__ = ["drawn", "unicode_name"]

_LETTERS = {
    "eta": "η",
    "epsilon": "ε",
    "beta": "β",
    "kappa": "κ",
    "lambda": "λ",
    "Lambda": "Λ",
    "mu": "μ",
    "nu": "ν",
    "rho": "ρ",
    "sigma": "σ",
    "Sigma": "Σ",
    "tau": "τ",
    "theta": "θ",
    "varphi": "φ",
    "delta": "δ",
    "Delta": "Δ",
    "infty": "∞",
    "circ": "∘",
    "langle": "⟨",
    "rangle": "⟩",
    "max": "max",
    "min": "min",
    "ln": "ln",
}
_REWRITES = (
    (r"\\frac\{(.*)\}\{(.*)\}$", r"\1/\2"),
    (r"\\mathcal\{N\}", " 𝒩"),
    (r"\\math(?:cal|rm|bb)\{(\w+)\}", r" \1"),
    (r"\\tilde (\w)", "\\1\u0303"),
    (r"\\,", " "),
    (r"\^\\top", "ᵀ"),
    (r"\^\*", "*"),
    (r"\\\|", "‖"),
    (r"\\([A-Za-z]+)", lambda match: _LETTERS.get(match[1], match[1])),
    (r"[{}\\ ]", ""),
)


def unicode_name(latex: str) -> str:
    r"""A LaTeX name as a word of Unicode: \eta_{\max} becomes η_max."""
    for pattern, replacement in _REWRITES:
        latex = re.sub(pattern, replacement, latex)
    return latex


def drawn(step: Step) -> list[str]:
    """The equation of a step, line by line, both sides on one base line."""
    printer = PrettyPrinter({"use_unicode": True, "wrap_line": False})
    names = {symbol: sp.Symbol(unicode_name(latex)) for symbol, latex in LATEX.items()}
    left, right = (
        printer._print(side.xreplace(names)) for side in (step.equation.lhs, step.equation.rhs)
    )
    relation = " ≈ " if step.approximate else " = "
    return str(prettyForm(*stringPict.next(left, relation, right))).split("\n")
