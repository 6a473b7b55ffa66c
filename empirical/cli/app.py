"""The program `scaling-theory`: gathers the verbs, runs one, maps failures to exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from empirical.cli.errors import report_interrupt, report_wrong_use
from empirical.errors import UsageError
from scaling_theory import __version__
from scaling_theory.errors import InputError

# In the order of `--help`. Each module has `register(app)` and imports nothing heavy at its top.
VERBS = ("demo", "predict", "surge", "audit_eps")


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    typer.echo(f"scaling-theory {__version__}")
    raise typer.Exit


def _program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Optimal learning rates against batch size and Adam's epsilon: predicted and measured."""


def build_app() -> typer.Typer:
    """The typer application with every verb registered."""
    # Plain help text: rich's panels would add a third to the start-up time of `--help`.
    app = typer.Typer(
        name="scaling-theory",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_program)
    for verb in VERBS:
        import_module(f"empirical.cli.{verb}").register(app)
    return app


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the program on `arguments` (default: the process's own) and return its exit code.

    0 done; 1 a verb's own "not met"; 2 wrong use, with one line on stderr; 130 interrupted.
    Unexpected exceptions pass through with their traceback.
    """
    command = typer.main.get_command(build_app())
    try:
        status = command.main(arguments, prog_name="scaling-theory", standalone_mode=False)
    except (UsageError, InputError) as error:
        return report_wrong_use(str(error))
    except typer.TyperException as error:
        return report_wrong_use(f"{error.format_message()} (add --help to see what is wanted)")
    except (KeyboardInterrupt, typer.Abort):
        return report_interrupt()
    # typer turns an interrupt inside a verb into the status 130.
    if status == 130:
        return report_interrupt()
    return status if isinstance(status, int) else 0


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
