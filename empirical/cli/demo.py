"""`scaling-theory demo`: train, measure, predict, check and show, in one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from empirical.demo.configuration import PRESETS, DemoConfig, resolve_config

HELP = """Predict the optimal learning rates of a network trained here, and measure them.

A small transformer is trained on text. At an early and a late checkpoint its gradient, noise
and curvature are measured; three theories predict the optimal learning rate at every batch size
and epsilon; the network itself is asked for the truth in two independent ways; a report shows
all of it.

\b
Examples:
  scaling-theory demo --overwrite
  scaling-theory demo --text novel.txt --out runs/novel --seed 1
  scaling-theory demo --config run.toml --batch-size 4 --batch-size 64 --json
"""


def _option(name: str, *flags: str, metavar: str | None = None) -> Any:
    """The option for one field of DemoConfig, with its description and default value."""
    field = DemoConfig.model_fields[name]
    default = field.default
    if isinstance(default, tuple):
        default = " ".join(f"{value:g}" for value in default)
    shown = "" if default in (None, "", False) else f" [default: {default}]"
    return typer.Option(
        *(flags or (f"--{name.replace('_', '-')}",)),
        metavar=metavar,
        show_default=False,
        help=f"{field.description}{shown}",
    )


def demo(
    ctx: typer.Context,
    more_text: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="more files, as after --text")
    ] = None,
    text: Annotated[list[Path] | None, _option("text", metavar="FILE")] = None,
    out: Annotated[Path | None, _option("out", metavar="DIR")] = None,
    overwrite: Annotated[bool | None, _option("overwrite", "--overwrite")] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="settings; keys are the names of these options"),
    ] = None,
    preset: Annotated[str | None, _option("preset", metavar="|".join(PRESETS))] = None,
    seed: Annotated[int | None, _option("seed")] = None,
    context: Annotated[int | None, _option("context")] = None,
    width: Annotated[int | None, _option("width")] = None,
    depth: Annotated[int | None, _option("depth")] = None,
    heads: Annotated[int | None, _option("heads")] = None,
    tie_weights: Annotated[
        bool | None, _option("tie_weights", "--tie-weights/--no-tie-weights")
    ] = None,
    optimizer: Annotated[str | None, _option("optimizer", metavar="adamw|sgd|softsignsgd")] = None,
    optimizer_epsilon: Annotated[float | None, _option("optimizer_epsilon")] = None,
    lr: Annotated[float | None, _option("lr")] = None,
    warmup_steps: Annotated[int | None, _option("warmup_steps")] = None,
    train_batch_size: Annotated[int | None, _option("train_batch_size")] = None,
    steps: Annotated[int | None, _option("steps")] = None,
    early_step: Annotated[int | None, _option("early_step")] = None,
    batch_size: Annotated[list[int] | None, _option("batch_size", metavar="<int>")] = None,
    epsilon_ratio: Annotated[
        list[float] | None, _option("epsilon_ratio", metavar="<float>")
    ] = None,
    pool: Annotated[int | None, _option("pool")] = None,
    device: Annotated[str | None, _option("device", metavar="auto|cpu|cuda|mps")] = None,
    dtype: Annotated[str | None, _option("dtype", metavar="float32|float64")] = None,
    compile: Annotated[bool | None, _option("compile", "--compile/--no-compile")] = None,
    workers: Annotated[int | None, _option("workers")] = None,
    max_memory: Annotated[str | None, _option("max_memory", metavar="SIZE")] = None,
    verbose: Annotated[bool | None, _option("verbose", "--verbose")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print path and summary of the report as JSON")
    ] = False,
) -> None:
    # The options are named once, above; what was not typed is None, or () for a list.
    typed = {name: ctx.params[name] for name in DemoConfig.model_fields}
    typed["text"] = (*(text or ()), *(more_text or ()))
    settings = resolve_config({k: v for k, v in typed.items() if v not in (None, ())}, config)

    from rich.console import Console

    from empirical.report.output import RECORD, prepare_output

    # Before the seconds that torch takes to load.
    prepare_output(settings.out, settings.overwrite)

    from empirical.demo.pipeline import run_demo

    report = run_demo(settings, Console(stderr=as_json))
    if as_json:
        record = json.loads((settings.out / RECORD).read_text(encoding="utf-8"))
        typer.echo(json.dumps({"report": str(report), "summary": record["summary"]}))


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(name="demo", help=HELP, short_help="train, predict, measure and show, in one run")(
        demo
    )
