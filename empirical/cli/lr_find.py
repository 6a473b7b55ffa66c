"""`scaling-theory lr-find`: the best learning rate of the next step of the built-in network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from empirical.cli import subject_options as subject

if TYPE_CHECKING:
    from empirical.measure.lr_finder import LearningRate

HELP = """The learning rate that lowers the loss most in one step, with an interval, or a refusal.

Half of the sequences make real updates of the optimizer, the other half judges them. The network
comes from a checkpoint or is trained here first; the optimizer's averages take in --state-steps
batches. Exit code 1 where the learning rate is not identified. For a model and an optimizer of
your own call empirical.measure.lr_finder.lr_find.

\b
Examples:
  scaling-theory lr-find --steps 300 --batch-size 16 --optimizer adamw
  scaling-theory lr-find --checkpoint model.safetensors --text novel.txt --batch-size 64 --json
"""


def lr_find(
    batch_size: Annotated[int, typer.Option(help="sequences per step")],
    optimizer: Annotated[str, typer.Option(metavar="adamw|softsignsgd|sgd|muon|...")] = "adamw",
    optimizer_epsilon: Annotated[
        float | None, typer.Option(help="of an optimizer that has one [adamw: 1e-8]")
    ] = None,
    state_steps: Annotated[
        int, typer.Option(help="batches that the optimizer's averages take in first")
    ] = 20,
    updates: Annotated[int, typer.Option(help="real batches to try")] = 24,
    checkpoint: subject.Checkpoint = None,
    text: subject.Text = None,
    steps: subject.Steps = None,
    context: subject.Context = None,
    width: subject.Width = None,
    depth: subject.Depth = None,
    heads: subject.Heads = None,
    pool: Annotated[int, typer.Option(help="sequences in all")] = 1024,
    seed: subject.Seed = 0,
    device: subject.Device = "cpu",
    as_json: subject.AsJson = False,
) -> None:
    from rich.console import Console

    from empirical.measure.lr_finder import lr_find as find
    from empirical.measure.request_checks import check_batches, check_steps
    from empirical.progress import show_progress
    from empirical.train.network import sequence_losses
    from empirical.train.optimizer_configuration import optimizer_named
    from empirical.train.optimizers import build_optimizer

    config = subject.configured(
        checkpoint=checkpoint,
        text=text,
        pool=pool,
        steps=steps,
        context=context,
        width=width,
        depth=depth,
        heads=heads,
        seed=seed,
        device=device,
    )
    rule = optimizer_named(optimizer, optimizer_epsilon)
    check_steps(batch_size, updates, state_steps=state_steps)
    check_batches(batch_size, pool)
    # Progress is for a person at a terminal; with --json it must not mix with the record.
    with show_progress(Console(stderr=True)) as task:
        seen = subject.prepared(config, task)
    found = find(
        seen.model,
        (seen.inputs, seen.targets),
        build_optimizer(seen.model, rule, 1e-3, tokens_per_step=batch_size * seen.inputs.shape[1]),
        batch_size=batch_size,
        loss=lambda model, batch: sequence_losses(model, batch[0], batch[1]),
        updates=updates,
        state_steps=state_steps,
        seed=seed,
    )
    record = record_of(found, optimizer, seen.inputs.shape[1])
    typer.echo(json.dumps(record, allow_nan=False) if as_json else text_of(record))
    if found.status != "ok":
        raise typer.Exit(1)


def record_of(found: LearningRate, optimizer: str, tokens: int) -> dict[str, Any]:
    """What was found as plain JSON."""
    return {
        "schema": "scaling-theory/lr-find",
        "schema_version": 1,
        "optimizer": optimizer,
        "batch_size": found.batch_size,
        "batch_tokens": found.batch_size * tokens,
        "learning_rate": found.learning_rate,
        "interval": found.interval,
        "loss_drop": found.loss_drop,
        "status": found.status,
        "updates": found.updates,
        "tried": [
            {"learning_rate": rate, "loss_change": change}
            for rate, change in zip(found.rates, found.loss_change, strict=False)
        ],
        "notes": list(found.notes),
    }


def text_of(record: dict[str, Any]) -> str:
    """Lines for the terminal."""
    where = f"{record['optimizer']}, {record['batch_size']} sequences"
    where += f" = {record['batch_tokens']} tokens"
    if record["learning_rate"] is None:
        lines = [f"{where}: no learning rate", record["status"]]
    else:
        lines = [f"{where}: lr {record['learning_rate']:.3g}"]
        if record["interval"] is not None:
            low, high = record["interval"]
            lines[0] += f", 95 % interval {low:.3g} to {high:.3g}"
        else:
            lines.append(record["status"])
        lines.append(f"expected to lower the loss by {record['loss_drop']:.3g} in that step")
    for one in record["tried"]:
        lines.append(f"  lr {one['learning_rate']:<10.3g} loss {one['loss_change']:+.4g}")
    return "\n".join([*lines, *record["notes"]])


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(name="lr-find", help=HELP)(lr_find)
