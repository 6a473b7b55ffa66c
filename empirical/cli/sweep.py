"""`scaling-theory sweep`: real training over learning rate, batch size and epsilon, kept."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from empirical.errors import UsageError

if TYPE_CHECKING:
    from empirical.sweep.planned import PlannedSweep

HELP = """Train over learning rates, batch sizes and epsilons; stop and go on at any time.

A sweep is a TOML file. `plan` checks it, measures how fast its runs are here and prints what it
costs, before anything runs. `run` computes it, into the folder that the file names; whatever
stops it, `resume` goes on, also in the middle of a run. `export` writes one row per run.

\b
Examples:
  scaling-theory sweep plan sweep.toml
  scaling-theory sweep run sweep.toml
  scaling-theory sweep resume runs/sweep
  scaling-theory sweep status runs/sweep --json
  scaling-theory sweep export runs/sweep --out sweep.csv
"""

AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
File = Annotated[Path, typer.Argument(metavar="FILE.toml", help="the sweep")]
Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="folder of the sweep, or the file that names it")
]


def plan(file: File, as_json: AsJson = False) -> None:
    """Check a sweep, measure its speed here and print what it costs; nothing is trained.

    \b
    Example:
      scaling-theory sweep plan sweep.toml
    """
    from empirical.cli.sweep_text import plan_record, plan_text
    from empirical.sweep.sweep_file import read_sweep

    config = read_sweep(file)
    planned = _planned(file, again=True)
    record = plan_record(planned)
    typer.echo(
        json.dumps(record, allow_nan=False)
        if as_json
        else plan_text(record, f"scaling-theory sweep run {file}", config.out)
    )


def run(file: File, as_json: AsJson = False) -> None:
    """Compute a sweep into the folder that its file names; goes on if it was begun.

    Ctrl-C stops cleanly: what runs leaves its state and is gone on with. Exit code 1: runs failed.

    \b
    Example:
      scaling-theory sweep run sweep.toml
    """
    from empirical.sweep.planned import PLAN, encode_plan

    planned = _planned(file)
    documents = {"sweep.toml": file.read_text(encoding="utf-8"), PLAN: encode_plan(planned)}
    _drive(planned.config.out, planned, documents, as_json)


def resume(folder: Folder, as_json: AsJson = False) -> None:
    """Go on with a sweep that was stopped, killed or lost its machine.

    \b
    Example:
      scaling-theory sweep resume runs/sweep
    """
    root = _root(folder)
    _drive(root, _kept(root), {}, as_json)


def status(folder: Folder, as_json: AsJson = False) -> None:
    """How far a sweep is: runs by state, what failed and why, the time that is left.

    \b
    Example:
      scaling-theory sweep status runs/sweep
    """
    from empirical.cli.sweep_text import status_record, status_text

    root = _root(folder)
    record = status_record(root, _kept(root))
    typer.echo(json.dumps(record, allow_nan=False) if as_json else status_text(record))


def retry(folder: Folder, as_json: AsJson = False) -> None:
    """Want the runs that failed again; `resume` then computes them. Divergence is no failure.

    \b
    Example:
      scaling-theory sweep retry runs/sweep
    """
    from empirical.sweep.recovery import open_sweep

    root = _root(folder)
    _kept(root)
    with open_sweep(root) as (store, _):
        count = store.retry()
    if as_json:
        typer.echo(json.dumps({"retried_units": count}))
    elif count:
        typer.echo(f"{count} units will be tried again by: scaling-theory sweep resume {root}")
    else:
        typer.echo("nothing had failed")


def export(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="table [table.csv in the folder]")
    ] = None,
    times: Annotated[
        bool, typer.Option("--times", help="also seconds, which never repeat")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write one row per run that has ended, diverged ones included, in canonical order.

    \b
    Example:
      scaling-theory sweep export runs/sweep --out sweep.csv
    """
    from empirical.atomic_files import write_atomically
    from empirical.sweep.contents import read_contents
    from empirical.sweep.export import export_csv
    from empirical.sweep.folder import SweepFolder
    from empirical.sweep.standing import table_groups
    from empirical.sweep.storage import storage

    root = _root(folder)
    planned = _kept(root)
    path = out or root / "table.csv"
    table = export_csv(
        read_contents(SweepFolder(root)).finished(), table_groups(planned), times=times
    )
    with storage(path):
        write_atomically(path, table.encode())
    rows = table.count("\n") - 1
    if as_json:
        typer.echo(json.dumps({"table": str(path), "rows": rows}))
    else:
        typer.echo(f"{rows} runs of {len(planned.cells)} cells are in {path}")


def _drive(root: Path, planned: PlannedSweep, documents: dict[str, str], as_json: bool) -> None:
    from rich.console import Console

    from empirical.cli.errors import ExitCode
    from empirical.cli.sweep_text import outcome_text, status_record
    from empirical.cli.sweep_watch import watching
    from empirical.sweep.driver import run_sweep
    from empirical.sweep.planned import other_planner
    from empirical.sweep.planning import planner

    for note in other_planner(planned):
        typer.echo(f"note: {note}", err=True)
    with watching(Console(stderr=True), planned) as watch:
        outcome = run_sweep(
            root,
            planner(planned),
            planned.config.executor,
            text=planned.config.text,
            checkpoint=planned.config.start.checkpoint,
            documents=documents,
            watch=watch,
        )
    record: dict[str, Any] = {
        **status_record(root, planned),
        "stopped": outcome.stopped,
        "mended": list(outcome.mended),
    }
    typer.echo(json.dumps(record, allow_nan=False) if as_json else outcome_text(record))
    if outcome.stopped:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if not outcome.complete:
        raise typer.Exit(ExitCode.NOT_MET)


def _planned(file: Path, *, again: bool = False) -> PlannedSweep:
    """The plan of a sweep file: the one that its folder holds, else a new one."""
    from rich.console import Console

    from empirical.progress import show_progress
    from empirical.sweep.executors.engine import check_settings
    from empirical.sweep.kept_plan import kept_plan, same_sweep
    from empirical.sweep.planned import other_planner, write_plan
    from empirical.sweep.storage import storage
    from empirical.sweep.sweep_file import read_sweep

    config = read_sweep(file)
    check_settings(config.executor)
    kept, begun = kept_plan(config.out)
    if kept is not None and same_sweep(kept.config, config):
        if begun or not (again or other_planner(kept)):
            return kept.model_copy(update={"config": config})
    elif begun:
        raise UsageError(
            f"{config.out} holds another sweep than {file} asks for; name another folder with out, "
            f"or go on with that one: scaling-theory sweep resume {config.out}"
        )
    from empirical.sweep.preparing import prepare

    with show_progress(Console(stderr=True)) as task:
        planned = prepare(config, say=task("measuring speeds", 1.0))
    with storage(config.out):
        write_plan(config.out, planned)
    return planned


def _root(folder: Path) -> Path:
    """The folder itself, or that of a sweep file."""
    from empirical.sweep.sweep_file import read_sweep

    with suppress(OSError):  # of a name too long for the disk: that is no folder either
        if folder.is_dir():
            return folder
        if folder.suffix == ".toml" and folder.is_file():
            return read_sweep(folder).out
    raise UsageError(f"{folder} is no folder of a sweep; name the one that its file calls out")


def _kept(root: Path) -> PlannedSweep:
    from empirical.sweep.kept_plan import kept_plan

    kept, _ = kept_plan(root)
    if kept is None:
        raise UsageError(f"{root} holds no sweep; begin one with: scaling-theory sweep run FILE")
    return kept


def register(app: typer.Typer) -> None:
    """Add the verb and its verbs to the program."""
    verbs = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)
    for verb in (plan, run, resume, status, retry, export):
        verbs.command()(verb)
    app.add_typer(verbs, name="sweep")
