"""`scaling-theory measure`: gradient, noise and curvature of the built-in network, saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from empirical.cli import subject_options as subject

if TYPE_CHECKING:
    from empirical.measure.measurement import Measurement

HELP = """Measure gradient, noise and curvature of a network, and keep them.

The network comes from a checkpoint of this program, or is trained here first. What is kept in
--out is what predict, surge and audit-eps read with --stats. For a model of your own call
empirical.measure.measure, which takes any PyTorch model and any batches.

\b
Examples:
  scaling-theory measure --steps 300 --out runs/stats
  scaling-theory measure --checkpoint model.safetensors --text novel.txt --out runs/novel --json
"""


def measure(
    out: Annotated[Path, typer.Option(metavar="DIR", help="a new directory for the statistics")],
    checkpoint: subject.Checkpoint = None,
    text: subject.Text = None,
    steps: subject.Steps = None,
    context: subject.Context = None,
    width: subject.Width = None,
    depth: subject.Depth = None,
    heads: subject.Heads = None,
    train_batch_size: Annotated[int | None, typer.Option(help="sequences [16]")] = None,
    lr: Annotated[float | None, typer.Option(help="of its training [0.003]")] = None,
    pool: Annotated[int, typer.Option(help="sequences that are measured on")] = 1024,
    batch_size: Annotated[
        list[float] | None, typer.Option(help="sequences; repeatable [1 4 16 ... 4096]")
    ] = None,
    epsilon_ratio: Annotated[
        list[float] | None,
        typer.Option(help="epsilon over rms sigma; repeatable; 0 is sign, inf is SGD"),
    ] = None,
    micro_batch: Annotated[
        int | None, typer.Option(help="sequences per gradient [samples / 256, at most 16]")
    ] = None,
    max_memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="of the deviations in memory, e.g. 2GB")
    ] = None,
    save_checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE.safetensors", help="keep the network")
    ] = None,
    seed: subject.Seed = 0,
    device: subject.Device = "cpu",
    as_json: subject.AsJson = False,
) -> None:
    from math import inf

    from empirical.atomic_files import check_writable
    from empirical.demo.configuration import bytes_from_text
    from empirical.errors import UsageError
    from empirical.statistics_files import NUMBERS

    if (out / NUMBERS).exists():
        raise UsageError(f"{out} already holds statistics: name another directory with --out")
    check_writable(out)
    if save_checkpoint is not None:
        if save_checkpoint.is_dir():
            raise UsageError(f"--save-checkpoint {save_checkpoint} is a folder: name a file")
        check_writable(save_checkpoint.parent)
    from rich.console import Console

    from empirical.measure.measurement import DEFAULT_MEMORY
    from empirical.measure.measurement import measure as measure_model
    from empirical.measure.request_checks import check_micro_batch
    from empirical.measure.saving import BATCH_SIZES, EPSILON_RATIOS, save
    from empirical.progress import show_progress
    from empirical.train.checkpoint_files import write_checkpoint
    from empirical.train.network import sequence_losses

    config = subject.configured(
        checkpoint=checkpoint,
        text=text,
        pool=pool,
        steps=steps,
        context=context,
        width=width,
        depth=depth,
        heads=heads,
        train_batch_size=train_batch_size,
        lr=lr,
        seed=seed,
        device=device,
    )
    try:
        memory = DEFAULT_MEMORY if max_memory is None else int(str(bytes_from_text(max_memory)))
    except ValueError as error:
        raise UsageError(f"got {max_memory!r} for --max-memory: {error}") from None
    ratios = epsilon_ratio or list(EPSILON_RATIOS)
    # all that can be refused before the training is
    for ratio in ratios:
        if not ratio >= 0:
            raise UsageError(f"--epsilon-ratio is {ratio:g}; at least 0 is wanted, or inf for SGD")
    for size in batch_size or ():
        if not 0 < size < inf:
            raise UsageError(f"--batch-size is {size:g}; a finite number above 0 is wanted")
    if micro_batch is not None:
        check_micro_batch(micro_batch, pool)
    # Progress is for a person at a terminal; with --json it must not mix with the record.
    with show_progress(Console(stderr=True)) as task:
        seen = subject.prepared(config, task)
        if save_checkpoint is not None:
            write_checkpoint(save_checkpoint, seen.model, seen.provenance)
        found = measure_model(
            seen.model,
            (seen.inputs, seen.targets),
            loss=lambda model, batch: sequence_losses(model, batch[0], batch[1]),
            micro_batch=micro_batch,
            max_memory=memory,
            seed=seed,
        )
        done = task("surface", 1)
        save(
            found,
            out,
            batch_sizes=batch_size or BATCH_SIZES,
            epsilon_ratios=ratios,
            provenance=seen.provenance,
            seed=seed,
            max_memory=memory,
            on_progress=lambda share: done(share, f"{share:.0%} of the grid"),
        )
    record = record_of(found, out)
    typer.echo(json.dumps(record, allow_nan=False) if as_json else text_of(record))


def record_of(found: Measurement, out: Path) -> dict[str, Any]:
    """What was found as plain JSON."""
    from empirical.measure.groups import WHOLE
    from empirical.measure.saving import scale_record

    scales = [found.whole.simple, found.curvature[WHOLE].sgd, found.whole.sign, found.whole.adam]
    return {
        "schema": "scaling-theory/measure",
        "schema_version": 1,
        "statistics": str(out),
        "parameters": found.parameters,
        "sequences": found.samples,
        "tokens_per_sequence": found.tokens_per_sample,
        "rms_sigma": found.whole.rms_sigma,
        "gaussian_from_batch": found.tails.gaussian_from,
        "noise_scales": {scale.name: scale_record(scale) for scale in scales},
        "status": found.status,
        "notes": list(found.notes),
    }


def text_of(record: dict[str, Any]) -> str:
    """Lines for the terminal."""
    tokens = record["tokens_per_sequence"]
    lines = [
        f"{record['parameters']} parameters, {record['sequences']} sequences of {tokens:g} tokens, "
        f"rms sigma {record['rms_sigma']:.3g} per sequence",
        "",
        "  noise scale    sequences            95 % interval      tokens",
    ]
    for name, scale in record["noise_scales"].items():
        if scale["sequences"] is None:
            lines.append(f"  {name:<12}  {scale['status']}")
            continue
        low, high = (x if isinstance(x, str) else f"{x:.4g}" for x in scale["interval"])
        lines.append(
            f"  {name:<12}  {scale['sequences']:>10.4g}  {f'{low} to {high}':>23}"
            f"  {scale['tokens']:>10.4g}"
        )
    lines += ["", f"status: {record['status']}", *record["notes"]]
    return "\n".join([*lines, f"statistics in {record['statistics']}, for --stats"])


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(name="measure", help=HELP)(measure)
