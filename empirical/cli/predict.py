"""`scaling-theory predict`: the learning rate at another batch size or epsilon, by every rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from empirical.cli.predict_input import Question

HELP = """The learning rate at another batch size or epsilon, under every rule side by side.

From a tuned point (--from-lr, --from-batch-size), from a checkpoint's statistics (--stats), from
both together (the tuned point carried along the measured curve: the most useful), or from a
fitted law (--law). Each rule says what it assumes and whether that holds here. Answers for one
step and for a whole run are different questions and stand in different tables.

\b
Examples:
  scaling-theory predict --from-lr 3e-4 --from-batch-size 64seq --batch-size 512seq \\
      --beta1 0.9 --beta2 0.95 --epsilon 1e-8 --weight-decay 0.1
  scaling-theory predict --from-lr 3e-4 --from-batch-size 64seq --stats runs/stats \\
      --batch-size 0.5Mtok --epsilon 1e-8
  scaling-theory predict --from-lr 3e-4 --from-batch-size 16seq --stats runs/stats \\
      --batch-size 64seq --epsilon 1e-8 --beta1 0.9 --steps 128 --schedule cosine
  scaling-theory predict --law law.json --batch-size 512seq --at tokens=2e10 --at n_params=3e8
"""


def run_predict(question: Question) -> dict[str, Any]:
    """Answer `question` as plain JSON values; raises for wrong use."""
    from empirical.cli.predict_answer import answer
    from empirical.cli.predict_input import check_question

    return answer(check_question(question))


def predict(
    batch_size: Annotated[
        list[str] | None,
        typer.Option(metavar="SIZE", help="wanted: 512seq, 0.5Mtok, 4x8x16seq; repeatable"),
    ] = None,
    from_lr: Annotated[
        float | None, typer.Option(metavar="RATE", help="tuned learning rate")
    ] = None,
    from_batch_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="batch size it was tuned at")
    ] = None,
    seq_len: Annotated[
        int | None, typer.Option(metavar="TOKENS", help="per sequence, to convert seq and tok")
    ] = None,
    stats: Annotated[
        Path | None, typer.Option(metavar="DIR", help="measured statistics of a checkpoint")
    ] = None,
    law: Annotated[Path | None, typer.Option(metavar="FILE", help="fitted law, law.json")] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="of the run, for a law of n_params, tokens...; repeatable"
        ),
    ] = None,
    hold: Annotated[
        str | None,
        typer.Option(metavar="tokens|steps|one-step", help="what is kept; unstated: each is shown"),
    ] = None,
    epsilon: Annotated[
        float | None, typer.Option(metavar="EPS", help="wanted epsilon; alone: the tuned run's too")
    ] = None,
    from_epsilon: Annotated[
        float | None, typer.Option(metavar="EPS", help="the tuned run's epsilon, if another")
    ] = None,
    optimizer: Annotated[
        str, typer.Option(metavar="adamw|sgd|signsgd|softsignsgd", help="of the tuned run")
    ] = "adamw",
    beta1: Annotated[float | None, typer.Option(help="the tuned run's", metavar="BETA")] = None,
    beta2: Annotated[float | None, typer.Option(help="the tuned run's", metavar="BETA")] = None,
    beta1_half_life: Annotated[
        str | None, typer.Option(metavar="TOKENS", help="in place of --beta1, such as 500ktok")
    ] = None,
    beta2_half_life: Annotated[
        str | None, typer.Option(metavar="TOKENS", help="in place of --beta2, such as 10Mtok")
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="the tuned run's, decoupled", metavar="LAMBDA")
    ] = None,
    warmup_steps: Annotated[
        float | None, typer.Option(help="the tuned run's", metavar="STEPS")
    ] = None,
    steps: Annotated[
        float | None, typer.Option(help="the tuned run's, for the run law", metavar="STEPS")
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            metavar="constant|linear|cosine|warmup_stable_decay", help="of its learning rate"
        ),
    ] = None,
    final_share: Annotated[
        float | None, typer.Option(metavar="SHARE", help="of the peak, where the schedule ends")
    ] = None,
    noise_batch: Annotated[
        str | None, typer.Option(metavar="SIZE", help="B_noise = Tr(H Sigma) / g.Hg, if measured")
    ] = None,
    simple_batch: Annotated[
        str | None, typer.Option(metavar="SIZE", help="B_simple = Tr(Sigma) / g.g, if measured")
    ] = None,
    peak_batch: Annotated[
        str | None, typer.Option(metavar="SIZE", help="where the Surge curve peaks, if known")
    ] = None,
    curvature_ratio: Annotated[
        float | None, typer.Option(metavar="Q/T", help="sign(g).H sign(g) / Tr H, if measured")
    ] = None,
    rms_gradient: Annotated[
        float | None, typer.Option(metavar="G", help="root mean square of g per coordinate")
    ] = None,
    rms_sigma: Annotated[
        float | None, typer.Option(metavar="SIGMA", help="the same of the noise of one sequence")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="formula, source and every check of each rule")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    from empirical.cli.predict_input import Question
    from empirical.cli.predict_schedule import schedule_of
    from empirical.cli.predict_text import text_answer
    from scaling_theory.transfer.situation import Optimizer, Recipe

    # Not checked here: the recipe itself refuses any other name.
    kind = cast(Optimizer, {"adam": "adamw"}.get(optimizer, optimizer))
    answer = run_predict(
        Question(
            batch_sizes=batch_size or (),
            from_lr=from_lr,
            from_batch_size=from_batch_size,
            sequence_length=seq_len,
            statistics=stats,
            law=law,
            at=at or (),
            epsilon=epsilon,
            recipe=Recipe(
                kind,
                beta1,
                beta2,
                from_epsilon,
                weight_decay,
                warmup_steps,
                steps,
                schedule_of(schedule, final_share, steps, warmup_steps),
            ),
            beta1_half_life=beta1_half_life,
            beta2_half_life=beta2_half_life,
            hold=hold,
            noise_batch=noise_batch,
            simple_batch=simple_batch,
            peak_batch=peak_batch,
            curvature_ratio=curvature_ratio,
            rms_gradient=rms_gradient,
            rms_sigma=rms_sigma,
        )
    )
    typer.echo(json.dumps(answer, allow_nan=False) if as_json else text_answer(answer, explain))


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(name="predict", help=HELP)(predict)
