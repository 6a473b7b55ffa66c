"""`scaling-theory audit-eps`: is Adam's epsilon active, now and at other batch and model sizes?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from empirical.errors import UsageError

HELP = """Is epsilon active? The share of coordinates with sqrt(v) or |g| below it, and the regime.

sign-like: epsilon does nothing. SGD-like: the update is the gradient over epsilon. crossover: in
between. From a checkpoint's saved vectors (--stats), or from two dimensionless numbers, the rms
gradient and the rms noise of one sequence over epsilon. Says at which batch sizes and epsilons
the regime changes, and what a larger model does (gradients fall as parameters^(-1/2)).

\b
Examples:
  scaling-theory audit-eps --stats runs/stats --epsilon 1e-8 --batch-size 64seq \\
      --batch-size 4096seq --model-scale 1 --model-scale 100
  scaling-theory audit-eps --gradient-over-epsilon 0.02 --sigma-over-epsilon 3 --batch-size 64seq
"""


@dataclass(frozen=True)
class AuditQuestion:
    """The options as they were typed."""

    batch_sizes: Sequence[str]
    model_scales: Sequence[float] = (1.0,)
    statistics: Path | None = None
    epsilon: float | None = None
    gradient_over_epsilon: float | None = None
    sigma_over_epsilon: float | None = None
    sigma_spread: float = 0.0
    sequence_length: int | None = None


def run_audit_eps(question: AuditQuestion) -> dict[str, Any]:
    """The audit as plain JSON values; `UsageError` or an error of `scaling_theory` otherwise."""
    from empirical.cli.audit_eps_record import record_of
    from empirical.statistics_files import read_statistics, read_vectors
    from scaling_theory.audit import audit_epsilon, representative_coordinates
    from scaling_theory.units import BatchSize, parse_batch_size

    ratios = (question.gradient_over_epsilon, question.sigma_over_epsilon)
    if not question.batch_sizes:
        raise UsageError("no batch size to audit at: add --batch-size 64seq (repeatable)")
    length = question.sequence_length
    if question.statistics is not None:
        if ratios != (None, None):
            raise UsageError(
                "--stats measures what --gradient-over-epsilon and its like assume: "
                "give one or the other"
            )
        if question.epsilon is None:
            raise UsageError("no epsilon to audit: add the optimizer's, such as --epsilon 1e-8")
        vectors = read_vectors(question.statistics)
        saved = read_statistics(question.statistics).scalars.sequence_length
        if length not in (None, saved):
            raise UsageError(
                f"sequences are of {length} tokens but of {saved} in the statistics: "
                "leave --seq-len out"
            )
        length, epsilon, source = saved, question.epsilon, "vectors"
        gradient, sigma = vectors.gradient, vectors.sigma
    else:
        if ratios[0] is None or ratios[1] is None:
            raise UsageError(
                "nothing to audit: give --stats DIR with --epsilon, or "
                "--gradient-over-epsilon with --sigma-over-epsilon"
            )
        if question.epsilon is not None:
            raise UsageError("--epsilon needs --stats: the ratios are already in its unit")
        epsilon, source = 1.0, "dimensionless"
        gradient, sigma = representative_coordinates(ratios[0], ratios[1], question.sigma_spread)
    batches = [parse_batch_size(text, length) for text in question.batch_sizes]
    if source == "vectors" and any(batch.unit == "bare" for batch in batches):
        raise UsageError(
            f"batch size {batches[0]} has no unit and the statistics count sequences: "
            f"write {batches[0]}seq if that is what is meant"
        )
    # sigma is that of one sequence: tokens become sequences, which needs their length.
    unit = "seq" if source == "vectors" or batches[0].unit == "tok" else batches[0].unit
    amounts = [batch.over(batches[0]) for batch in batches]
    first = batches[0].over(BatchSize(1.0, unit, length))
    found = audit_epsilon(
        gradient, sigma, epsilon, [first * amount for amount in amounts], question.model_scales
    )
    return record_of(found, source, unit, [str(batch) for batch in batches])


def audit_eps(
    batch_size: Annotated[
        list[str] | None,
        typer.Option(metavar="SIZE", help="first: now; then others: 64seq, 0.5Mtok; repeatable"),
    ] = None,
    stats: Annotated[
        Path | None, typer.Option(metavar="DIR", help="statistics of a checkpoint, with vectors")
    ] = None,
    epsilon: Annotated[
        float | None, typer.Option(metavar="EPS", help="Adam's, with --stats")
    ] = None,
    model_scale: Annotated[
        list[float] | None,
        typer.Option(metavar="FACTOR", help="parameters over those measured; repeatable"),
    ] = None,
    gradient_over_epsilon: Annotated[
        float | None, typer.Option(metavar="RATIO", help="rms gradient over epsilon")
    ] = None,
    sigma_over_epsilon: Annotated[
        float | None, typer.Option(metavar="RATIO", help="rms sigma of one sequence over epsilon")
    ] = None,
    sigma_spread: Annotated[
        float, typer.Option(metavar="SD", help="of ln sigma over coordinates, without --stats")
    ] = 0.0,
    seq_len: Annotated[int | None, typer.Option(metavar="TOKENS", help="per sequence")] = None,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="sign-like|crossover|SGD-like", help="exit with 1 if any place is another"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    from empirical.cli.audit_eps_record import text_audit

    record = run_audit_eps(
        AuditQuestion(
            batch_sizes=batch_size or (),
            model_scales=model_scale or (1.0,),
            statistics=stats,
            epsilon=epsilon,
            gradient_over_epsilon=gradient_over_epsilon,
            sigma_over_epsilon=sigma_over_epsilon,
            sigma_spread=sigma_spread,
            sequence_length=seq_len,
        )
    )
    if expect is not None:
        from scaling_theory.audit import REGIMES

        if expect not in REGIMES:
            raise UsageError(f"--expect is '{expect}'; one of {', '.join(REGIMES)} is wanted")
    typer.echo(json.dumps(record, allow_nan=False) if as_json else text_audit(record))
    if expect is not None and any(place["regime"] != expect for place in record["places"]):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(name="audit-eps", help=HELP)(audit_eps)
