"""Data-parallel measuring: processes of torch.distributed share one pass over the pool.

Every process hands in its own share of the batches. The samples, which are small beside the
gradients, go to all processes, so that all pose the same problem and draw the same blocks; each
then computes the gradients of its part of the blocks, and the sums over blocks are added up. What
comes out is what one process finds on all batches, to rounding: ragged batches, unequal weights and
all. A pass of N samples over W processes costs N / W gradients and K + 3 vectors of traffic each.

    torchrun --nproc-per-node 2 script.py        # gloo between CPUs, nccl between GPUs
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from empirical.errors import UsageError
from empirical.measure.block_store import open_store
from empirical.measure.functional import BatchLoss
from empirical.measure.groups import Group
from empirical.measure.measurement import Measurement, measure
from empirical.measure.problem import Problem
from empirical.measure.rows import gradient_of, gradient_rows
from empirical.measure.samples import gather_samples
from empirical.measure.spread import Spread, Sums, members_of, tail_coordinates

CPU = torch.device("cpu")


def measure_distributed(
    target: nn.Module | BatchLoss,
    batches: Any,
    *,
    group: dist.ProcessGroup | None = None,
    samples: int | None = None,
    **options: Any,
) -> Measurement:
    """`measure` on the batches of all processes together; all of them get the whole result.

    Example, in a script under torchrun: dist.init_process_group("gloo");
    found = measure_distributed(model, my_loader, loss=my_loss).

    Args:
        target: a module or loss, the same parameters in every process (of
            DistributedDataParallel its `.module`).
        batches: this process's share, as for `measure`.
        group: the processes; None: all.
        samples: read at most so many in each process.
        options: as for `measure`, the same in every process. Curvature is measured by every
            process in full.

    Raises:
        UsageError: in every process, if one of them cannot read its batches or holds other
            parameters; without a process group; where all rows should be kept; as `measure`.
    """
    if not dist.is_available() or not dist.is_initialized():
        raise UsageError(
            "no process group came; call torch.distributed.init_process_group under torchrun, or "
            "measure() in a single process"
        )
    _require_same_parameters(target, options.get("parameters"), group)
    everything = _gathered(batches, samples, group)

    def shared(problem: Problem, groups: tuple[Group, ...], **settings: Any) -> Spread:
        return shared_spread(problem, groups, group=group, **settings)

    return measure(target, everything, one_pass=shared, **options)


def shared_spread(
    problem: Problem,
    groups: tuple[Group, ...],
    *,
    blocks: int,
    micro_batch: int,
    max_memory: int | None,
    rng: torch.Generator,
    keep: Tensor | None = None,
    group: dist.ProcessGroup | None = None,
) -> Spread:
    """`measure_spread` with the micro-batches shared out; every process gets the whole result."""
    if keep is not None:
        raise UsageError("keep_rows came with several processes; measure() in a single one")
    rank, world = dist.get_rank(group), dist.get_world_size(group)
    count = problem.samples
    rows_in_all = -(-count // micro_batch)
    store = open_store(min(blocks, rows_in_all), problem.point, max_memory)
    order = torch.randperm(count, generator=rng, device="cpu").to(problem.point.device)
    block_of = torch.arange(rows_in_all, device="cpu") * len(store.rows) // rows_in_all
    picked = tail_coordinates(problem, rows_in_all, rng)
    even = count % micro_batch == 0 and bool((problem.weights == problem.weights[0]).all())
    sums = Sums(problem.point, groups, store.rows, picked, even)
    # one reference for all: sums of differences from different ones could not be added
    sums.reference = gradient_of(problem, order[:micro_batch])
    dist.broadcast(sums.reference, 0 if group is None else dist.get_global_rank(group, 0), group)
    first, last = (rows_in_all * r // world for r in (rank, rank + 1))
    mine = order[first * micro_batch : last * micro_batch]
    seen = []
    for rows in gradient_rows(problem, mine, micro_batch, problem.chunk) if len(mine) else ():
        seen.append(first + rows.numbers)
        sums.add(rows, block_of[first + rows.numbers])
    tails = torch.zeros(rows_in_all, len(picked), dtype=torch.float64, device="cpu")
    if seen:
        tails[torch.cat(seen)] = torch.cat(sums.tails)
    sums.tails = [tails]
    vectors = [sums.square] if sums.second is None else [sums.square, sums.second]
    for part in (*vectors, sums.per_block, sums.norms, tails, *store.rows):
        # nccl only adds up what is on a GPU
        moved = part.to(problem.point.device)
        dist.all_reduce(moved, group=group)
        part.copy_(moved)
    notes = (store.note,) if store.note else ()
    return sums.finish(members_of(order, block_of, micro_batch), micro_batch, notes)


def _gathered(batches: Any, samples: int | None, group: dist.ProcessGroup | None) -> list[Any]:
    """The batches of all processes in the order of their ranks, or the refusal of one of them."""
    mine: list[Any] = []
    trouble = None
    try:
        pool = gather_samples(batches, most=samples, device=CPU)
        mine = [
            stack.batch(stack.tensors(torch.arange(stack.size, device="cpu")))
            for stack in pool.stacks
        ]
    except UsageError as error:
        trouble = str(error)
    shares: list[Any] = [None] * dist.get_world_size(group)
    # to be told of another's trouble is better than to wait for it for ever
    dist.all_gather_object(shares, (trouble, mine), group=group)
    for rank, (refusal, _) in enumerate(shares):
        if refusal is not None:
            raise UsageError(f"process {rank}: {refusal}")
    return [batch for _, share in shares for batch in share]


def _require_same_parameters(
    target: nn.Module | BatchLoss, given: Any, group: dist.ProcessGroup | None
) -> None:
    named = target.state_dict() if isinstance(target, nn.Module) else dict(given or {})
    marks = [_mark(value) for value in named.values() if isinstance(value, Tensor)]
    shares: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(shares, (tuple(named), marks), group=group)
    for rank, share in enumerate(shares):
        if share != shares[0]:
            raise UsageError(
                f"process {rank} holds other parameters than process 0; the same are wanted: load "
                "one checkpoint in all processes, or broadcast them"
            )


def _mark(value: Tensor) -> tuple[float, float]:
    """Two sums that tell tensors apart; the same arithmetic on the same bits everywhere."""
    flat = value.detach().double().reshape(-1).cpu()
    return float(flat.sum()), float(flat.square().sum())
