"""What was asked of `memory`, checked, and its answer as plain JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any, get_args

from empirical.advise.memory import (
    GIB,
    TRAININGS,
    USUAL,
    Memory,
    Precision,
    Training,
    training_memory,
)
from empirical.advise.memory_published import REMARK, STATE_GIB
from empirical.advise.memory_shapes import MODELS, ModelShape, of_parameters
from empirical.demo.configuration import bytes_from_text
from empirical.errors import UsageError
from scaling_theory.units import parse_batch_size

SCHEMA = "scaling-theory/memory"
VERSION = 1

MOST_PARAMETERS = 1e18
"""Beyond it a number of parameters is a slip."""


@dataclass(frozen=True)
class MemoryQuestion:
    """The options of `memory` as they were typed."""

    model: str | None = None
    params: float | None = None
    module: str | None = None
    optimizers: Sequence[str] = ()
    batch_size: str | None = None
    context: int | None = None
    input_shape: str | None = None
    lora_rank: int = 16
    dtype: str = "float32"
    state_dtype: str | None = None
    limit: str | None = None


def answer(question: MemoryQuestion) -> dict[str, Any]:
    """One row per model and optimizer; UsageError for what does not fit together."""
    precision = _precision(question.dtype, "--dtype")
    state = (
        None if question.state_dtype is None else _precision(question.state_dtype, "--state-dtype")
    )
    names = tuple(dict.fromkeys(question.optimizers)) or USUAL
    for name in names:
        _known(name, TRAININGS, "optimizer")
    if question.lora_rank < 1:
        raise UsageError(f"--lora-rank is {question.lora_rank}; at least 1 is wanted: raise it")
    if question.context is not None and question.context < 1:
        raise UsageError(f"--context is {question.context}; at least 1 token is wanted: raise it")
    models, kept = _models(question, precision)
    sequences = _sequences(question)
    limit = None if question.limit is None else _limit(question.limit)
    rows = []
    for model in models:
        for name in names:
            training = TRAININGS[name]
            if training.lora_rank is not None:
                training = Training(training.optimizer, question.lora_rank)
            found = training_memory(
                model,
                training,
                sequences=sequences,
                context=question.context,
                precision=precision,
                state_precision=state,
            )
            if kept is not None:
                found = Memory(found.parameters, found.gradients, found.state, kept, found.unknown)
            rows.append(_row(model, name, found, precision, state, limit))
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "unit": "bytes",
        "dtype": precision,
        "state_dtype": state or precision,
        "micro_batch": sequences or None,
        "context": question.context,
        "limit": limit,
        "rows": rows,
        "notes": [REMARK] if any(row["paper_state_gib"] is not None for row in rows) else [],
    }


def _row(
    model: ModelShape,
    name: str,
    found: Memory,
    precision: Precision,
    state: Precision | None,
    limit: int | None,
) -> dict[str, Any]:
    full = (state or precision) == "float32"
    return {
        "model": model.name,
        "parameter_count": model.parameters,
        "optimizer": name,
        "parameters": found.parameters,
        "gradients": found.gradients,
        "state": found.state,
        "state_gib": None if found.state is None else found.state / GIB,
        "paper_state_gib": STATE_GIB.get((model.name, name)) if full else None,
        "activations": found.activations,
        "total": found.total,
        "unknown": found.unknown,
        "fits": None if limit is None else found.total is not None and found.total <= limit,
    }


def _models(question: MemoryQuestion, precision: Precision) -> tuple[list[ModelShape], int | None]:
    """The models, and what a module keeps of its forward pass in bytes."""
    given = [
        shown
        for shown, value in (
            (f"the model {question.model}", question.model),
            ("--params", question.params),
            ("--module", question.module),
        )
        if value is not None
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} came; one of them is wanted: leave the rest out")
    if question.input_shape is not None and question.module is None:
        raise UsageError("--input came without --module; a named model takes --batch-size 4seq")
    if question.module is not None:
        if question.batch_size is not None or question.context is not None:
            raise UsageError(
                "--module came with --batch-size or --context; its activations are counted from "
                "the shape of its input: give --input 4x1024 instead"
            )
        return _module(question.module, question.input_shape, precision)
    if question.params is not None:
        if not (isfinite(question.params) and question.params >= 1):
            raise UsageError(f"--params is {question.params:g}; at least 1 is wanted: write 7e9")
        if question.params > MOST_PARAMETERS:
            raise UsageError(
                f"--params is {question.params:g}; at most {MOST_PARAMETERS:g} is wanted: write 7e9"
            )
        return [of_parameters(round(question.params))], None
    if question.model is None:
        return [make() for make in MODELS.values()], None
    return [MODELS[_known(question.model, MODELS, "model")]()], None


def _module(
    path: str, input_shape: str | None, precision: Precision
) -> tuple[list[ModelShape], int | None]:
    shape = None if input_shape is None else _shape(input_shape)
    # torch takes a second to import and only a module needs it.
    import torch

    from empirical.train.module_shapes import module_shapes

    # A file beside the user is found, as `python -m` would find it.
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found = module_shapes(path, shape, getattr(torch, precision))
    finally:
        sys.path.remove(here)
    return [ModelShape(path, found.tensors)], found.kept


def _shape(text: str) -> tuple[int, ...]:
    parts = text.lower().split("x")
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise UsageError(f"--input is '{text}'; whole numbers are wanted: write it as 4x1024")
    return tuple(int(part) for part in parts)


def _sequences(question: MemoryQuestion) -> float:
    """Sequences (or images) of one micro-batch; 0 without a batch."""
    if question.batch_size is None:
        return 0
    batch = parse_batch_size(question.batch_size, question.context)
    if batch.factors:
        return batch.factors[0]
    return batch.amount if batch.unit == "ex" else batch.sequences


def _limit(text: str) -> int:
    try:
        found = bytes_from_text(text)
    except ValueError as error:
        raise UsageError(f"--limit is '{text}': {error}") from None
    assert isinstance(found, int)  # text always becomes a number of bytes
    return found


def _precision(name: str, option: str) -> Precision:
    for one in get_args(Precision):
        if one == name:
            chosen: Precision = one
            return chosen
    raise UsageError(f"{option} is '{name}'; one of {', '.join(get_args(Precision))} is wanted")


def _known(name: str, table: Any, kind: str) -> str:
    if name in table:
        return name
    near = get_close_matches(name, list(table), n=1)
    guess = f"did you mean '{near[0]}'? " if near else ""
    raise UsageError(f"there is no {kind} '{name}' here: {guess}wanted one of {', '.join(table)}")
