"""How a failure reaches the shell: wrong use, an interrupt, a defect of the program."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import typer

from empirical.cli import app as program
from empirical.cli.errors import ExitCode
from empirical.errors import UsageError
from scaling_theory import __version__
from scaling_theory.errors import InputError


def run_with(monkeypatch: pytest.MonkeyPatch, failure: BaseException) -> int:
    """The exit code of a program whose only verb raises `failure`."""

    def build(arguments: Sequence[str]) -> typer.Typer:
        app = typer.Typer()

        @app.callback()
        def whole() -> None:
            """A group, so that the verb has a name."""

        @app.command()
        def fail() -> None:
            raise failure

        return app

    monkeypatch.setattr(program, "build_app", build)
    return program.run(["fail"])


@pytest.mark.parametrize("kind", [UsageError, InputError])
def test_wrong_use_is_one_line_and_code_2(
    kind: type[ValueError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rung: closed form."""
    assert run_with(monkeypatch, kind("got a,\n  wanted b")) == ExitCode.WRONG_USE
    assert capsys.readouterr().err == "error: got a, wanted b\n"


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), typer.Abort()])
def test_an_interrupt_is_one_line_and_code_130(
    failure: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rung: closed form."""
    assert run_with(monkeypatch, failure) == ExitCode.INTERRUPTED
    error = capsys.readouterr().err
    assert error.startswith("interrupted: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("code", [0, 1])
def test_a_verb_chooses_its_exit_code(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rung: closed form (1 means: done, and the answer is no)."""
    assert run_with(monkeypatch, typer.Exit(code)) == code


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rung: closed form (a ValueError of the program itself is not the user's mistake)."""
    with pytest.raises(ValueError, match="defect"):
        run_with(monkeypatch, ValueError("defect"))


def test_the_version_is_that_of_the_theory(capsys: pytest.CaptureFixture[str]) -> None:
    """Rung: closed form (the version is written once)."""
    assert program.run(["--version"]) == 0
    assert capsys.readouterr().out == f"scaling-theory {__version__}\n"
