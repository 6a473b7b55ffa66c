"""What is written from the derivations is current, and the numeric path stays light."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

from scaling_theory import closed_averages, closed_forms
from scaling_theory.derivations.generated import closed_form_files
from scaling_theory.derivations.numeric_averages import closed_averages as averages
from scaling_theory.derivations.numeric_laws import closed_laws as laws
from scaling_theory.derivations.theory_page import theory_page
from scaling_theory.numeric import ClosedForm, render
from scaling_theory.symbols import B, K
from tests.derivations.derived import steps_of

ROOT = Path(__file__).parents[2]
FORMS = [(closed_forms, form) for form in laws()] + [(closed_averages, form) for form in averages()]


@pytest.mark.parametrize("name", closed_form_files())
def test_closed_forms_are_current(name: str) -> None:
    """Rung: another program (the file in the repository, byte for byte)."""
    assert (ROOT / name).read_bytes().decode() == closed_form_files()[name]


def test_the_theory_page_is_current() -> None:
    """Rung: another program (the file in the repository, byte for byte)."""
    assert (ROOT / "docs" / "theory.md").read_bytes().decode() == theory_page(steps_of)


def test_the_theory_page_shows_every_step() -> None:
    """Rung: closed form (a count of displayed equations)."""
    page = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    shown = page.count("\n$$\n") // 2
    assert shown == sum(page.count(f"\n**{number}. ") for number in range(1, 40))
    assert shown > 200


@pytest.mark.parametrize(("module", "form"), FORMS, ids=[form.name for _, form in FORMS])
def test_functions_give_the_numbers_of_their_expressions(module: object, form: ClosedForm) -> None:
    """Rung: another library, sympy at 30 digits; 1e-13 is some hundred roundings of float64."""
    function = getattr(module, form.name)
    rng = np.random.default_rng(5)
    # In (0, 1), and ascending enough for roots such as K - B_n to be real.
    values = np.sort(rng.uniform(0.05, 0.95, size=(20, len(form.arguments))), axis=1)
    if form.name == "snr_from_update_rms":
        values = values[:, ::-1]
    got = function(**dict(zip(form.arguments, values.T, strict=True)))
    assert got.shape == (20,) and got.dtype == np.float64
    for row, number in zip(values, got, strict=True):
        exact = form.expression.subs(
            {s: sp.Float(v, 30) for s, v in zip(form.arguments.values(), row, strict=True)}
        ).evalf(30)
        assert number == pytest.approx(float(exact), rel=1e-12)
        # Negative control: 1e-6 more in one argument is seen.
        moved = dict(zip(form.arguments, row, strict=True))
        first = next(iter(moved))
        moved[first] *= 1 + 1e-6
        assert float(function(**moved)) != pytest.approx(float(exact), rel=1e-12)


def test_functions_broadcast_and_take_keywords_only() -> None:
    """Rung: closed form; a column against a row, numbers, lists; positions are refused."""
    rates = closed_forms.sgd_learning_rate(
        eta_max=[[1.0], [2.0]], noise_batch=3, batch_size=np.array([1, 3])
    )
    assert rates.shape == (2, 2)
    assert rates == pytest.approx(np.array([[0.25, 0.5], [0.5, 1.0]]))
    assert closed_forms.sgd_learning_rate(eta_max=1, noise_batch=3, batch_size=3).shape == ()
    for module, form in FORMS:
        parameters = inspect.signature(getattr(module, form.name)).parameters.values()
        assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)


def test_docstrings_name_formula_and_source() -> None:
    """Rung: closed form; every keyword appears in the formula, every source is named."""
    for module, form in FORMS:
        text = inspect.getdoc(getattr(module, form.name)) or ""
        assert all(keyword in text for keyword in form.arguments)
        assert form.source.split(" (")[0] in text


def test_the_numeric_path_imports_neither_sympy_nor_scipy() -> None:
    """Rung: another program (a fresh interpreter lists its modules)."""
    script = (
        "import sys, scaling_theory.closed_forms, scaling_theory.closed_averages;"
        "print(sorted({'sympy', 'scipy', 'torch', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['numpy']"


def test_a_form_without_a_keyword_for_every_symbol_is_refused() -> None:
    """Rung: negative control."""
    with pytest.raises(ValueError, match=r"half uses \['B', 'K'\] and names \['B'\]"):
        ClosedForm("half", "half", B / K, {"batch_size": B}, "nobody")
    with pytest.raises(ValueError, match="one keyword to every symbol"):
        ClosedForm("half", "half", B / 2, {"batch_size": B, "again": B}, "nobody")


def test_what_is_written_runs() -> None:
    """Rung: closed form; a module written here, executed, and compared with the expression."""
    form = ClosedForm("share", "Share of B", B / (B + K), {"batch": B, "scale": K}, "nobody")
    namespace: dict[str, object] = {}
    exec(compile(render("A title", (form,)), "written", "exec"), namespace)
    share = namespace["share"]
    assert callable(share)
    assert float(share(batch=1, scale=3)) == 0.25
