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

# In the order of `--help`, with what that says. The verb a-b is `register` of the module a_b.
VERBS = {
    "demo": "train a network, predict its learning rates, measure them",
    "derive": "the formulas, derived step by step",
    "measure": "gradient, noise and curvature of a network, kept for the other verbs",
    "lr-find": "the best learning rate of the next step, or why it is not known",
    "sweep": "training runs over learning rate, batch size and epsilon, kept and resumable",
    "fit": "laws of the learning rate fitted to a table of runs, judged on points not seen",
    "validate": "theory against whole runs: a verdict on every claim, with its numbers",
    "predict": "the learning rate at another batch size or epsilon",
    "surge": "does the learning rate fall at large batches?",
    "audit-eps": "is epsilon active, here and at other batch sizes?",
    "report": "one page to explore: loss surfaces, laws, one-step truth, what-if sliders",
    "memory": "what parameters, gradients, optimizer state and activations take",
    "recommend": "batch size, optimizer and settings for this machine",
}


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


def _described_only() -> None:
    """Stands for a verb whose module is not needed: it is listed, and never run."""


def build_app(arguments: Sequence[str]) -> typer.Typer:
    """The typer application for one command line: every verb is listed, one is loaded."""
    # Plain help text: rich's panels would add a third to the start-up time of `--help`.
    app = typer.Typer(
        name="scaling-theory",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_program)
    # No option before the verb takes a value, so that the verb is the first that is no option.
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for verb, summary in VERBS.items():
        if verb == wanted:
            import_module(f"empirical.cli.{verb.replace('-', '_')}").register(app)
        else:
            app.command(name=verb, short_help=summary)(_described_only)
    return app


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the program on `arguments` (default: the process's own) and return its exit code.

    0 done; 1 a verb's own "not met"; 2 wrong use, with one line on stderr; 130 interrupted.
    Unexpected exceptions pass through with their traceback.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    command = typer.main.get_command(build_app(arguments))
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
