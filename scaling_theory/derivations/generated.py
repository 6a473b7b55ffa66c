"""What is generated from the derivations: modules of closed forms, and the theory document."""

from __future__ import annotations

from scaling_theory.derivations.numeric_averages import closed_averages
from scaling_theory.derivations.numeric_laws import closed_laws
from scaling_theory.derivations.theory_page import theory_page
from scaling_theory.numeric import render

__all__ = ["closed_form_files", "generated_files"]


def generated_files() -> dict[str, str]:
    """Path in the repository -> text, for every file that is written from the derivations."""
    return closed_form_files() | {"docs/theory.md": theory_page()}


def closed_form_files() -> dict[str, str]:
    """The modules of closed forms alone."""
    return {
        "scaling_theory/closed_forms.py": render("Closed forms of the laws", closed_laws()),
        "scaling_theory/closed_averages.py": render(
            "Closed forms of moments and averages", closed_averages()
        ),
    }
