"""What is generated from the derivations: modules of closed forms, and the theory document."""

from __future__ import annotations

from scaling_theory.derivations.numeric_averages import closed_averages
from scaling_theory.derivations.numeric_laws import closed_laws
from scaling_theory.numeric import render

__all__ = ["generated_files"]


def generated_files() -> dict[str, str]:
    """Path in the repository -> text, for every file that is written from the derivations."""
    return {
        "scaling_theory/closed_forms.py": render("Closed forms of the laws", closed_laws()),
        "scaling_theory/closed_averages.py": render(
            "Closed forms of moments and averages", closed_averages()
        ),
    }
