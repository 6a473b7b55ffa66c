"""Noise statistics and u^T H u in gradients, next to the peers, on one network in one run."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import torch
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from empirical.bench.gradient_cost import (
    Subject,
    costs,
    fastest_chunk,
    mean_loss,
    plain_gradient,
    reference_subject,
    round_costs,
)
from empirical.bench.peers import MISSING, SEQUENCES, Peers
from empirical.bench.rows import BenchRow
from empirical.measure.directional import curvature_at
from empirical.measure.measurement import measure

POOL = 1024
ROUNDS = 3
PEER_ROUNDS = 7
MICRO_BATCH = 8
"""Sequences per gradient behind sigma^2: 128 gradients of the pool."""

UNIT = "gradients"
NOISE, CURVATURE = 1.15, 1.0
"""Targets, in gradients."""

OF_NOISE = ("vmap(grad), gradients only", "Opacus")
OF_CURVATURE = (
    "curvlinops",
    "hessian-eigenthings",
    "hessian-eigenthings, finite difference",
)


def run() -> tuple[BenchRow, ...]:
    """Ours on the whole pool, the peers on a part of it, each in gradients of what it works on."""
    subject = reference_subject(POOL)
    few = subject.first(SEQUENCES)
    chunk = fastest_chunk(subject)
    ours = our_cases(subject)
    single: dict[str, Callable[[], object]] = {OF_NOISE[0]: lambda: vectorised_gradients(few, 16)}
    for case in (*ours.values(), *single.values()):
        case()
    mine: list[dict[str, float]] = []
    theirs: list[dict[str, float | str]] = []
    with Peers() as peers:
        peers.round()
        for _ in range(ROUNDS):
            mine.append(round_costs(ours, lambda: plain_gradient(subject, chunk)))
            for _ in range(PEER_ROUNDS // ROUNDS + 1):
                alone = round_costs(single, lambda: plain_gradient(few, chunk))
                theirs.append({**alone, **peers.round()})
    found = {name: median(one[name] for one in mine) for name in ours}
    noise, curvature = found["noise"], found["curvature"]
    words = f"micro-batches of {MICRO_BATCH}, {subject.words}"
    return (
        *(_row(f"noise statistics, {words}", noise, p, theirs, NOISE) for p in OF_NOISE),
        *(_row(f"uᵀHu, {subject.words}", curvature, p, theirs, CURVATURE) for p in OF_CURVATURE),
        *small_rows(),
    )


def our_cases(subject: Subject) -> dict[str, Callable[[], object]]:
    """Everything that `measure` reports, and one directional curvature of a measured point."""
    batch = (subject.inputs, subject.targets)
    point = measure(subject.network, batch, loss=mean_loss, curvature="none").point
    direction = torch.sign(point.spread.gradient)
    return {
        "noise": lambda: measure(
            subject.network, batch, loss=mean_loss, curvature="none", micro_batch=MICRO_BATCH
        ),
        "curvature": lambda: curvature_at(point, direction),
    }


def small_rows() -> tuple[BenchRow, ...]:
    """Where overhead counts most: a smaller network, and what else `measure` can be asked for."""
    subject = reference_subject(256)
    batch = (subject.inputs, subject.targets)
    chunk = fastest_chunk(subject)
    cases: dict[str, Callable[[], object]] = {
        "single samples": lambda: measure(
            subject.network, batch, loss=mean_loss, curvature="none", micro_batch=1
        ),
        "vmap(grad)": lambda: vectorised_gradients(subject, 16),
        "with SGD's curvature": lambda: measure(subject.network, batch, loss=mean_loss),
    }
    found = costs(cases, lambda: plain_gradient(subject, chunk), ROUNDS)
    return (
        BenchRow(
            f"noise statistics from single samples, {subject.words}",
            found["single samples"],
            found["vmap(grad)"],
            OF_NOISE[0],
            UNIT,
        ),
        BenchRow(
            f"noise statistics with SGD's curvature, {subject.words}",
            found["with SGD's curvature"],
            None,
            "no peer has Tr(HΣ)",
            UNIT,
        ),
    )


def vectorised_gradients(subject: Subject, chunk: int) -> None:
    """The gradient of every sequence by vmap(grad), and nothing made of them."""
    named = {name: p.detach() for name, p in subject.network.named_parameters()}

    def one(p: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        logits = functional_call(subject.network, p, (x[None],))
        return torch.nn.functional.cross_entropy(logits[0], y)

    # the fused attention kernels have no batching rule
    with sdpa_kernel(SDPBackend.MATH):
        for start in range(0, len(subject.inputs), chunk):
            part = slice(start, start + chunk)
            vmap(grad(one), in_dims=(None, 0, 0))(
                named, subject.inputs[part], subject.targets[part]
            )


def _row(
    name: str, ours: float, peer: str, theirs: list[dict[str, float | str]], target: float
) -> BenchRow:
    seen = [one[peer] for one in theirs if peer in one]
    numbers = [value for value in seen if isinstance(value, float)]
    if numbers:
        return BenchRow(f"{name}: {peer}", ours, median(numbers), peer, UNIT, target=target)
    why = str(seen[0]) if seen else MISSING
    return BenchRow(f"{name}: {peer}", ours, None, f"{peer} {why}", UNIT, target=target)
