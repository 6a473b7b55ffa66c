"""The table of symbols: complete, unambiguous, printable."""

from __future__ import annotations

import subprocess
import sys

from scaling_theory.symbol_table import symbol_table
from scaling_theory.symbols import SYMBOLS


def test_every_symbol_is_described_once() -> None:
    """Rung: closed form. Names and symbols are unique; LaTeX, meaning and unit are given."""
    assert len({entry.symbol for entry in SYMBOLS.values()}) == len(SYMBOLS)
    for name, entry in SYMBOLS.items():
        assert str(getattr(entry.symbol, "label", entry.symbol)) == name
        assert entry.latex and entry.meaning and entry.unit


def test_names_settled_once() -> None:
    """Rung: closed form. No bare beta, lambda or kappa; the noise batches have their own names."""
    assert not {"beta", "lambda", "kappa", "noise_batch"} & set(SYMBOLS)
    assert {"beta1", "beta2", "epsilon", "kappa2", "c", "B"} <= set(SYMBOLS)
    assert {"B_noise", "B_simple", "B_n", "B_peak"} <= set(SYMBOLS)
    latex = [SYMBOLS[name].latex for name in ("B_noise", "B_simple", "B_n", "B_peak")]
    assert len(set(latex)) == 4


def test_scales_are_known_to_be_positive() -> None:
    """Rung: closed form. What sympy may assume, so that roots and limits simplify."""
    for name in ("sigma", "s", "epsilon", "B", "K", "kappa2", "c"):
        assert SYMBOLS[name].symbol.is_positive, name
    assert SYMBOLS["g"].symbol.is_real and not SYMBOLS["g"].symbol.is_positive


def test_markdown_table() -> None:
    """Rung: closed form. One row of three cells per symbol, in math mode."""
    lines = symbol_table().splitlines()
    assert lines[:2] == ["| symbol | meaning | unit |", "|---|---|---|"]
    assert len(lines) == len(SYMBOLS) + 2
    for line in lines[2:]:
        assert line.replace(r"\|", "").count("|") == 4
        assert line.startswith("| $") and "$ |" in line


def test_numbers_do_not_need_the_symbols() -> None:
    """Rung: another process. The numeric path imports neither sympy nor torch nor optimizers."""
    modules = "estimate, moments, updates, statistics, noise, law, canonical, surge"
    program = f"""
import sys
from scaling_theory import {modules}
found = [name for name in ("sympy", "torch", "matplotlib", "scipy.optimize") if name in sys.modules]
sys.exit(", ".join(found) or 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
