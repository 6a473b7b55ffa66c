"""`scaling-theory memory`: what training takes, by model and optimizer."""

from __future__ import annotations

import json
from typing import Annotated

import typer

HELP = """Memory of parameters, gradients, optimizer state and activations, in GiB.

Counted from shapes, no weight is made. Without a model, every model that has a name here:
gpt2-124m, gpt2-1.5b, llama2-7b, vit-s, vit-h, built-in. Activations are counted where a
--batch-size (or, for a module, the --input of its forward pass) is given; of 4x8x2seq only the
micro-batch of 4 counts. With --limit the exit code is 1 where no row fits.

\b
Examples:
  scaling-theory memory gpt2-1.5b --optimizer sgd-sai --optimizer adam
  scaling-theory memory llama2-7b --batch-size 1seq --dtype bfloat16 --limit 80GiB
  scaling-theory memory --params 13e9 --json
  scaling-theory memory --module torch.nn:Transformer
"""


def memory(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="a name")] = None,
    params: Annotated[
        float | None, typer.Option(help="number of parameters, where nothing else is known")
    ] = None,
    module: Annotated[
        str | None,
        typer.Option(metavar="PACKAGE.MODULE:FACTORY", help="a function that returns a module"),
    ] = None,
    optimizer: Annotated[
        list[str] | None, typer.Option(help="repeatable; none given: the usual ones")
    ] = None,
    batch_size: Annotated[
        str | None, typer.Option(metavar="4seq", help="of one device, for activations")
    ] = None,
    context: Annotated[int | None, typer.Option(help="tokens per sequence [the model's]")] = None,
    input_shape: Annotated[
        str | None, typer.Option("--input", metavar="4x1024", help="of a module's forward pass")
    ] = None,
    lora_rank: Annotated[int, typer.Option(help="of lora-adam's adapters")] = 16,
    dtype: Annotated[
        str, typer.Option(metavar="float32|bfloat16|float64", help="of parameters and gradients")
    ] = "float32",
    state_dtype: Annotated[
        str | None, typer.Option(help="of the optimizer's state [that of the parameters]")
    ] = None,
    limit: Annotated[
        str | None, typer.Option(metavar="24GiB", help="mark what fits into this")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    from empirical.cli.memory_question import MemoryQuestion, answer
    from empirical.cli.memory_text import text_of

    record = answer(
        MemoryQuestion(
            model=model,
            params=params,
            module=module,
            optimizers=tuple(optimizer or ()),
            batch_size=batch_size,
            context=context,
            input_shape=input_shape,
            lora_rank=lora_rank,
            dtype=dtype,
            state_dtype=state_dtype,
            limit=limit,
        )
    )
    typer.echo(json.dumps(record, indent=2, allow_nan=False) if as_json else text_of(record))
    if limit is not None and not any(row["fits"] for row in record["rows"]):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(name="memory", help=HELP)(memory)
