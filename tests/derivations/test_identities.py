"""Every identity of docs/theory.md holds, and a factor planted in any of them is caught."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sympy as sp

from scaling_theory.derivations.catalogue import DERIVATIONS
from scaling_theory.derivations.step import IdentityError, Step, equate
from scaling_theory.derivations.theory_page import CHAPTERS
from scaling_theory.symbols import N
from tests.derivations.derived import steps_of

ROOT = Path(__file__).parents[2]
FACTORS = (sp.Rational(101, 100), sp.Rational(99, 100), sp.Integer(-1))


@pytest.mark.parametrize("name", DERIVATIONS)
def test_every_step_holds(name: str) -> None:
    """Rung: closed form; the right side against the left side worked out by another route."""
    steps = steps_of(name)
    assert steps
    assert all(step.check() for step in steps)


def refused(step: Step) -> bool:
    try:
        step.check()
    except IdentityError:
        return True
    return False


@pytest.mark.parametrize("factor", FACTORS, ids=str)
@pytest.mark.parametrize("name", DERIVATIONS)
def test_a_planted_factor_is_caught_in_every_step(name: str, factor: sp.Expr) -> None:
    """Rung: negative control; each right side is multiplied by a factor and must be refused."""
    missed = [step.title for step in steps_of(name) if not refused(step.planted(factor))]
    assert not missed


@pytest.mark.parametrize("name", DERIVATIONS)
def test_a_planted_factor_in_any_symbol_is_caught(name: str) -> None:
    """Rung: negative control; one symbol of a right side at a time is made 3 % larger."""
    missed = []
    for step in steps_of(name):
        labels = {element.base.label for element in step.claim.atoms(sp.Indexed)}
        plain = {symbol for symbol in step.claim.free_symbols if isinstance(symbol, sp.Symbol)}
        for symbol in plain - labels - {N}:
            wrong = step.claim.subs(symbol, sp.Rational(103, 100) * symbol)
            if wrong == step.claim:  # the sign of x, which no factor changes
                continue
            if not refused(replace(step, equation=equate(step.equation.lhs, wrong))):
                missed.append((step.title, symbol))
    assert not missed


def test_every_step_tells_its_source_and_assumption() -> None:
    """Rung: closed form (the texts are there, and end as sentences)."""
    for name in DERIVATIONS:
        for step in steps_of(name):
            assert step.title
            assert step.source
            assert step.assumption.endswith((".", "?")), (name, step.title)
            assert step.how.endswith((".", ".)")), (name, step.title)


def test_chapters_hold_every_derivation_once() -> None:
    """Rung: closed form (a partition)."""
    named = [name for chapter in CHAPTERS for name in chapter.names]
    assert sorted(named) == sorted(DERIVATIONS)


def test_nothing_is_derived_at_import() -> None:
    """Rung: another program (a fresh interpreter that looks for steps among its objects)."""
    script = (
        "import gc\n"
        "from scaling_theory.derivations import catalogue as c, step as s\n"
        "found = lambda: sum(isinstance(o, s.Step) for o in gc.get_objects())\n"
        "before = found(); steps = c.DERIVATIONS['half-life'](); print(before, found())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # The second number is the control: the search does see steps once there are some.
    assert done.stdout.split() == ["0", str(len(steps_of("half-life")))]
