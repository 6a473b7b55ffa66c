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
from empirical.measure.measurement import Measurement, measure

POOL = 4096
FEWER = 1024
ROUNDS = 3
PEER_ROUNDS = 7
MICRO_BATCH = 8
"""Sequences per gradient behind sigma^2 in the smaller pool: 128 gradients of it."""

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
    """Ours on whole pools, the peers on a part of one, each in gradients of what it works on."""
    large, subject = reference_subject(POOL), reference_subject(FEWER)
    few = subject.first(SEQUENCES)
    chunk = fastest_chunk(subject)
    ours, of_large = our_cases(subject), {"noise": lambda: noise_statistics(large, None)}
    single: dict[str, Callable[[], object]] = {OF_NOISE[0]: lambda: vectorised_gradients(few, 16)}
    for case in (*ours.values(), *single.values()):
        case()
    mine: list[dict[str, float]] = []
    theirs: list[dict[str, float | str]] = []
    with Peers() as peers:
        peers.round()
        for _ in range(ROUNDS):
            on_fewer = round_costs(ours, lambda: plain_gradient(subject, chunk))
            mine.append({**on_fewer, **round_costs(of_large, lambda: plain_gradient(large, chunk))})
            for _ in range(PEER_ROUNDS // ROUNDS + 1):
                alone = round_costs(single, lambda: plain_gradient(few, chunk))
                theirs.append({**alone, **peers.round()})
    found = {name: median(one[name] for one in mine) for name in mine[0]}
    noise = f"noise statistics, {large.words}"
    fewer = f"noise statistics from micro-batches of {MICRO_BATCH}, {subject.words}"
    curvature = f"uᵀHu, {subject.words}"
    return (
        *(_row(noise, found["noise"], peer, theirs, NOISE) for peer in OF_NOISE),
        _row(fewer, found["noise of fewer"], OF_NOISE[0], theirs, None),
        *(_row(curvature, found["curvature"], peer, theirs, CURVATURE) for peer in OF_CURVATURE),
        *small_rows(),
    )


def our_cases(subject: Subject) -> dict[str, Callable[[], object]]:
    """Everything that `measure` reports, and one directional curvature of a measured point."""
    point = noise_statistics(subject, None).point
    direction = torch.sign(point.spread.gradient)
    return {
        "noise of fewer": lambda: noise_statistics(subject, MICRO_BATCH),
        "curvature": lambda: curvature_at(point, direction),
    }


def noise_statistics(subject: Subject, micro_batch: int | None) -> Measurement:
    """What `measure` reports without curvature; None: micro-batches as it chooses them."""
    batch = (subject.inputs, subject.targets)
    return measure(
        subject.network, batch, loss=mean_loss, curvature="none", micro_batch=micro_batch
    )


def small_rows() -> tuple[BenchRow, ...]:
    """Where overhead counts most: a smaller network, and what else `measure` can be asked for."""
    subject = reference_subject(256)
    batch = (subject.inputs, subject.targets)
    chunk = fastest_chunk(subject)
    cases: dict[str, Callable[[], object]] = {
        "single samples": lambda: noise_statistics(subject, 1),
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
    name: str, ours: float, peer: str, theirs: list[dict[str, float | str]], target: float | None
) -> BenchRow:
    seen = [one[peer] for one in theirs if peer in one]
    numbers = [value for value in seen if isinstance(value, float)]
    if numbers:
        return BenchRow(f"{name}: {peer}", ours, median(numbers), peer, UNIT, target=target)
    why = str(seen[0]) if seen else MISSING
    return BenchRow(f"{name}: {peer}", ours, None, f"{peer} {why}", UNIT, target=target)
