"""The answer of `recommend` as plain JSON values: measured first, then what follows from it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empirical.advise.accumulation import judge_accumulation
from empirical.advise.choice import optimizers_that_fit
from empirical.advise.throughput import SmallestBatch, smallest_batch
from empirical.cli.audit_eps import AuditQuestion, run_audit_eps
from empirical.cli.predict import run_predict
from empirical.cli.predict_input import Question
from empirical.demo.configuration import bytes_from_text
from empirical.errors import UsageError
from empirical.settings import checked
from empirical.statistics_files import read_statistics
from empirical.train.configuration import NetworkConfig
from empirical.train.optimizer_configuration import optimizer_to_time
from scaling_theory.half_life import decay_from_half_life, half_life_tokens
from scaling_theory.transfer.situation import Recipe
from scaling_theory.units import parse_batch_size

if TYPE_CHECKING:
    from empirical.measure.throughput import StepTimes

SCHEMA = "scaling-theory/recommend"
VERSION = 1

SAFE = 0.8
"""Share of the memory that is used: buffers, the allocator and other programs take the rest."""

CEILING = 0.9999999
"""beta2 above this stays there: 1 - beta2 would drown in the rounding of float32."""


@dataclass(frozen=True)
class RecommendQuestion:
    """The options of `recommend` as they were typed."""

    workload: str | None = None
    network: Mapping[str, int | None] = field(default_factory=dict)
    optimizer: str = "adamw"
    fraction: float = 0.95
    largest: int = 4096
    memory: str | None = None
    seconds: float = 40.0
    statistics: Path | None = None
    from_lr: float | None = None
    from_batch_size: str | None = None
    from_beta2: float | None = None
    epsilon: float | None = None
    half_life: float = 10_000_000
    device: str = "cpu"
    seed: int = 0


def answer(question: RecommendQuestion, on_progress: Callable[[float], None]) -> dict[str, Any]:
    """Measure, then advise; UsageError for what does not fit together, before anything is timed."""
    _check(question)
    from empirical.measure.step_cost import measure_step_cost
    from empirical.train.devices import resolve_device
    from empirical.train.randomness import numpy_generator
    from empirical.train.workload import built_in_workload, workload_named

    device = resolve_device(question.device)
    rule = optimizer_to_time(question.optimizer)
    if question.workload is None:
        given = {name: value for name, value in question.network.items() if value is not None}
        network = checked(NetworkConfig, given, {name: f"--{name}" for name in given})
        workload = built_in_workload(network, device, question.seed)
    else:
        workload = workload_named(question.workload)
    limit = _limit(question.memory, question.device)
    _beta2(question, workload.tokens, 1)  # what is wrong with its numbers is said before timing

    def smallest(times: Sequence[StepTimes]) -> SmallestBatch:
        return smallest_batch(
            [one.batch_size for one in times],
            [one.seconds for one in times],
            workload.tokens,
            fraction=question.fraction,
            rng=numpy_generator(question.seed, "throughput"),
        )

    cost = measure_step_cost(
        workload,
        rule,
        largest=question.largest,
        limit_bytes=limit,
        seconds=question.seconds,
        settled=lambda times: smallest(times).status != "not settled",
        on_progress=on_progress,
    )
    found = smallest(cost.times)
    chosen = found.batch_size
    row = next(row for row in found.table if row.batch_size == chosen)
    activations = cost.bytes_fixed + cost.bytes_per_sequence * chosen
    fits = optimizers_that_fit(cost.shapes, cost.bytes_per_number, activations, limit)
    noise = None
    if question.statistics is not None:
        noise = read_statistics(question.statistics).scalars.noise_batch
    accumulation = judge_accumulation(
        chosen, row.seconds_per_step, cost.update_seconds, noise.value if noise else None
    )
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "workload": {"name": workload.name, "tokens_per_sequence": workload.tokens},
        "device": question.device,
        "optimizer_timed": question.optimizer,
        "batch_size": {"sequences": chosen, "tokens": chosen * workload.tokens},
        "throughput": asdict(found),
        "memory": {
            "limit": limit,
            "activations_per_sequence": cost.bytes_per_sequence,
            "optimizers": [
                {"optimizer": one.optimizer, "total": one.memory.total, "fits": one.fits}
                for one in fits
            ],
        },
        "optimizer": next((one.optimizer for one in fits if one.fits), None),
        "beta2": _beta2(question, workload.tokens, chosen),
        "learning_rate": _learning_rate(question, workload.tokens, chosen),
        "epsilon": _epsilon(question, chosen),
        "accumulation": asdict(accumulation),
    }


def keep(record: Mapping[str, Any], directory: Path) -> None:
    """Write recommend.json and throughput.svg and .png; UsageError where it cannot."""
    from functools import partial

    from empirical.report.figures.canvas import render
    from empirical.report.figures.throughput import draw_throughput
    from empirical.report.output_folder import fill_folder, image_files

    numbers = (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()
    figures = image_files({"throughput": render(partial(draw_throughput, record))})
    fill_folder(directory, {"recommend.json": numbers, **figures})


def _check(question: RecommendQuestion) -> None:
    if not 0 < question.fraction <= 1:
        raise UsageError(f"--fraction is {question.fraction}; above 0 and at most 1 is wanted")
    if question.largest < 1 or not question.seconds > 0:
        raise UsageError(
            f"--largest is {question.largest} and --seconds {question.seconds}; both are wanted "
            "above 0: raise them"
        )
    if (question.from_lr is None) != (question.from_batch_size is None):
        raise UsageError("--from-lr and --from-batch-size belong together; give both or neither")
    if question.from_beta2 is not None and question.from_batch_size is None:
        raise UsageError("--from-beta2 is of a batch size; add --from-batch-size")
    given = [name for name, value in question.network.items() if value is not None]
    if question.workload is not None and given:
        raise UsageError(f"--workload came with --{given[0]}, which is of the built-in network")


def _limit(text: str | None, device: str) -> int:
    if text is not None:
        try:
            given = bytes_from_text(text)
        except ValueError as error:
            raise UsageError(f"--memory is '{text}': {error}") from None
        assert isinstance(given, int)  # text always becomes a number of bytes
        if given < 1:
            raise UsageError(f"--memory is '{text}'; more than nothing is wanted, such as 24GiB")
        return given
    import torch

    if device == "cuda":
        return int(SAFE * torch.cuda.mem_get_info()[0])
    return int(SAFE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _beta2(question: RecommendQuestion, tokens: int, chosen: int) -> dict[str, Any]:
    half_life, source = question.half_life, "--half-life"
    if question.from_beta2 is not None and question.from_batch_size is not None:
        tuned = parse_batch_size(question.from_batch_size, tokens)
        half_life = half_life_tokens(question.from_beta2, tuned.sequences * tokens)
        source = "the tuned run's beta2"
    decay = decay_from_half_life(half_life, chosen * tokens, ceiling=CEILING)
    return {
        "beta2": decay.beta,
        "half_life_tokens": half_life,
        "source": source,
        "clamped": decay.clamped,
        "unclamped": decay.unclamped,
    }


def _learning_rate(question: RecommendQuestion, tokens: int, chosen: int) -> dict[str, Any] | None:
    """What `predict` says at the chosen batch; None where there is nothing to say it from."""
    if question.from_lr is None and question.statistics is None:
        return None
    recipe = Recipe("adamw", None, question.from_beta2, question.epsilon, None, None)
    return run_predict(
        Question(
            batch_sizes=(f"{chosen}seq",),
            from_lr=question.from_lr,
            from_batch_size=question.from_batch_size,
            sequence_length=None if question.statistics else tokens,
            statistics=question.statistics,
            epsilon=question.epsilon,
            recipe=recipe,
        )
    )


def _epsilon(question: RecommendQuestion, chosen: int) -> dict[str, Any] | None:
    if question.statistics is None or question.epsilon is None:
        return None
    return run_audit_eps(
        AuditQuestion(
            batch_sizes=(f"{chosen}seq",),
            statistics=question.statistics,
            epsilon=question.epsilon,
        )
    )
