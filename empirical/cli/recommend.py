"""`scaling-theory recommend`: batch size, optimizer and settings for this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

HELP = """What to train with on this machine: batch size, optimizer, learning rate, beta2, epsilon.

Times whole training steps and counts the memory they keep, at 1, 2, 4, ... sequences. Recommended
is the smallest batch within --fraction of the best throughput (arXiv 2507.07101: small batches
are robust, large ones only save time), with the optimizer that fits the memory. The learning rate
comes from a tuned point, from measured statistics, or both, as in `predict`; beta2 from its
half-life in tokens; epsilon is audited where statistics and --epsilon are given.

\b
Examples:
  scaling-theory recommend
  scaling-theory recommend --width 256 --depth 4 --heads 8 --context 128 --memory 8GiB
  scaling-theory recommend --stats runs/demo/statistics --from-lr 3e-3 --from-batch-size 16seq \\
      --from-beta2 0.95 --epsilon 1e-8 --out runs/recommend
  scaling-theory recommend --workload my_training:workload --memory 24GiB
"""


def recommend(
    workload: Annotated[
        str | None,
        typer.Option(metavar="PACKAGE.MODULE:FUNCTION", help="returns a Workload of your own"),
    ] = None,
    context: Annotated[int | None, typer.Option(help="built-in: tokens per sequence [64]")] = None,
    width: Annotated[int | None, typer.Option(help="built-in [64]")] = None,
    depth: Annotated[int | None, typer.Option(help="built-in: blocks [2]")] = None,
    heads: Annotated[int | None, typer.Option(help="built-in: attention heads [4]")] = None,
    optimizer: Annotated[
        str, typer.Option(metavar="adamw|sgd|muon|...", help="that is timed")
    ] = "adamw",
    fraction: Annotated[float, typer.Option(help="of the best throughput")] = 0.95,
    largest: Annotated[int, typer.Option(help="sequences, at most")] = 4096,
    memory: Annotated[
        str | None, typer.Option(metavar="24GiB", help="to fit into [80 % of this machine's]")
    ] = None,
    seconds: Annotated[float, typer.Option(help="to spend on timing at most")] = 40.0,
    stats: Annotated[
        Path | None, typer.Option(metavar="DIR", help="measured statistics of a checkpoint")
    ] = None,
    from_lr: Annotated[float | None, typer.Option(help="tuned learning rate")] = None,
    from_batch_size: Annotated[
        str | None, typer.Option(metavar="16seq", help="batch size it was tuned at")
    ] = None,
    from_beta2: Annotated[float | None, typer.Option(help="the tuned run's")] = None,
    epsilon: Annotated[float | None, typer.Option(help="the optimizer's")] = None,
    half_life: Annotated[
        float, typer.Option(metavar="TOKENS", help="of beta2, where no tuned one came")
    ] = 10_000_000,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda|mps")] = "cpu",
    seed: Annotated[int, typer.Option(help="of every random choice")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="keep recommend.json and the figure here")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    from rich.console import Console

    from empirical.atomic_files import check_writable
    from empirical.cli.recommend_answer import RecommendQuestion, answer, keep
    from empirical.cli.recommend_text import text_of
    from empirical.progress import show_progress

    if out is not None:
        check_writable(out, "choose another --out")
    question = RecommendQuestion(
        workload=workload,
        network={"context": context, "width": width, "depth": depth, "heads": heads},
        optimizer=optimizer,
        fraction=fraction,
        largest=largest,
        memory=memory,
        seconds=seconds,
        statistics=stats,
        from_lr=from_lr,
        from_batch_size=from_batch_size,
        from_beta2=from_beta2,
        epsilon=epsilon,
        half_life=half_life,
        device=device,
        seed=seed,
    )
    # Progress goes to stderr: with --json stdout is the record alone.
    with show_progress(Console(stderr=True)) as task:
        advance = task("timing steps", 1.0)
        record = answer(question, lambda share: advance(share, f"{share:.0%}"))
    if out is not None:
        keep(record, out)
    typer.echo(json.dumps(record, allow_nan=False) if as_json else text_of(record))


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(name="recommend", help=HELP)(recommend)
