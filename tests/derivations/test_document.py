"""Derivations as text: terminal, Markdown, LaTeX, JSON, and the verb that prints them."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from empirical.cli.derive import FORMATS, list_derivations, register, run_derive
from empirical.errors import UsageError
from scaling_theory.derivations.catalogue import DERIVATIONS
from scaling_theory.derivations.document import (
    as_latex,
    as_markdown,
    as_text,
    summary,
    table_markdown,
)
from scaling_theory.derivations.drawing import drawn, unicode_name
from scaling_theory.derivations.tables import Table
from scaling_theory.symbols import LATEX
from tests.derivations.derived import steps_of


@pytest.fixture
def shell() -> CliRunner:
    return CliRunner()


def program() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return app


@pytest.mark.parametrize("name", DERIVATIONS)
def test_every_format_shows_every_step(name: str) -> None:
    """Rung: closed form (titles, equations and sources are found in the text)."""
    steps = steps_of(name)
    text, markdown, latex = as_text(name, steps), as_markdown(name, steps), as_latex(name, steps)
    for step in steps:
        assert step.title in text and step.how in text and step.source in text
        assert step.latex in markdown and step.latex in latex
        assert step.assumption in markdown and step.how in markdown
    assert summary(name) in text
    assert markdown.count("$$") == 2 * len(steps)
    assert latex.count(r"\begin{equation}") == latex.count(r"\end{equation}") == len(steps)


def test_latex_is_balanced() -> None:
    """Rung: closed form (braces and \\left, \\right pair up in every equation)."""
    for name in DERIVATIONS:
        for step in steps_of(name):
            # Norms are written \\| and delimiters \\left\\{: an escaped brace is no brace.
            plain = step.latex.replace(r"\{", "").replace(r"\}", "")
            assert plain.count("{") == plain.count("}"), step.title
            assert step.latex.count(r"\left") == step.latex.count(r"\right"), step.title


def test_drawings_have_one_base_line() -> None:
    """Rung: closed form; the relation stands on the line of a one-line left side."""
    law = next(step for step in steps_of("sgd") if step.title == "Optimal learning rate of SGD")
    lines = drawn(law)
    (line,) = [line for line in lines if "=" in line]
    assert line.startswith("η* = ─")
    assert max(map(len, lines)) < 80


def test_names_in_unicode_leave_no_macro() -> None:
    """Rung: closed form; examples, and no backslash or brace in any name."""
    assert unicode_name(r"\eta_{\max}") == "η_max"
    assert unicode_name(r"\Delta\mathcal{L}_\infty") == "ΔL_∞"
    assert unicode_name(r"g^\top P^\top HPg") == "gᵀPᵀHPg"
    for latex in LATEX.values():
        assert not set(unicode_name(latex)) & set("\\{}")


def test_tables_are_markdown() -> None:
    """Rung: closed form, a table by hand."""
    table = Table("A title", ("x", "y"), (("1", "2"),), "A note.")
    assert table_markdown(table, level=2) == (
        "## A title\n\nA note.\n\n| x | y |\n| --- | --- |\n| 1 | 2 |\n"
    )


def test_json_holds_what_the_step_holds() -> None:
    """Rung: closed form; the record read back."""
    record = json.loads(run_derive("half-life", output_format="json"))
    assert record["schema"] == "scaling-theory/derive"
    (found,) = record["derivations"]
    steps = steps_of("half-life")
    assert [step["title"] for step in found["steps"]] == [step.title for step in steps]
    assert [step["latex"] for step in found["steps"]] == [step.latex for step in steps]
    assert [step["exact"] for step in found["steps"]] == [step.exact for step in steps]


@pytest.mark.parametrize("output_format", FORMATS)
def test_one_derivation_in_every_format(output_format: str) -> None:
    """Rung: closed form (the title of its peak is found)."""
    assert "Batch of the peak" in run_derive("canonical-surge", output_format=output_format)


def test_wrong_names_and_formats_are_refused() -> None:
    """Rung: negative control; one line that says what to do."""
    with pytest.raises(UsageError, match=r"no derivation 'canonical-surg'.*'canonical-surge'\?"):
        run_derive("canonical-surg", output_format="text")
    with pytest.raises(UsageError, match="lists the names"):
        run_derive("zzz", output_format="text")
    with pytest.raises(UsageError, match="format 'pdf' came; one of text, markdown, latex, json"):
        run_derive("sgd", output_format="pdf")


def test_the_list_names_all(shell: CliRunner) -> None:
    """Rung: closed form; with and without --list, as text and as JSON."""
    for arguments in (["derive"], ["derive", "--list"]):
        done = shell.invoke(program(), arguments)
        assert done.exit_code == 0
        assert [line.split()[0] for line in done.output.splitlines()] == list(DERIVATIONS)
    assert list(json.loads(list_derivations("json"))["names"]) == list(DERIVATIONS)


def test_the_verb_prints_one_derivation(shell: CliRunner) -> None:
    """Rung: closed form; the same text as the function."""
    done = shell.invoke(program(), ["derive", "variance-views", "--markdown"])
    assert done.exit_code == 0
    assert done.output == run_derive("variance-views", output_format="markdown")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sgd", "--latex", "--json"], "--latex and --json came; one format is wanted"),
        (["sgd", "--all"], "'sgd' and --all came; one of them is wanted"),
        (["--list", "--all"], "--all and --list came; one of them is wanted"),
        (["--markdown"], "--markdown came without a derivation"),
        (["nothing"], "there is no derivation 'nothing'"),
    ],
)
def test_the_verb_refuses_wrong_use(shell: CliRunner, arguments: list[str], message: str) -> None:
    """Rung: negative control."""
    done = shell.invoke(program(), ["derive", *arguments])
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
