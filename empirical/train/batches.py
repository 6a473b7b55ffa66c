"""Windows of text: random batches, and fixed pools of distinct sequences.

A sequence of `context` tokens is a window of context + 1 bytes: the inputs are all but the
last, the targets all but the first. Start positions are drawn on the CPU from a generator that
the caller owns; only the finished batch goes to the device.
"""

import torch
from torch import Tensor

from empirical.errors import UsageError

CPU = torch.device("cpu")


def sample_sequences(
    data: Tensor,
    count: int,
    context: int,
    generator: torch.Generator,
    *,
    device: torch.device = CPU,
) -> tuple[Tensor, Tensor]:
    """Draw `count` windows with replacement, every start position equally likely.

    data: uint8 [n] on the CPU. Returns inputs and targets, int64 [count, context] each, on
    `device`. Raises UsageError if the context does not fit or the count is not positive.
    """
    starts = torch.randint(
        0, _positions(data, count, context), (count,), generator=generator, device=CPU
    )
    return _windows(data, starts, context, device)


def distinct_sequences(
    data: Tensor,
    count: int,
    context: int,
    generator: torch.Generator,
    *,
    device: torch.device = CPU,
) -> tuple[Tensor, Tensor]:
    """Draw a fixed pool of `count` windows without replacement; results as sample_sequences.

    The windows share no byte while the data are long enough for that (the n // (context + 1)
    windows of a grid with a random offset are shuffled); else they have distinct start
    positions and overlap. Raises UsageError if there are fewer than `count` start positions.
    """
    positions = _positions(data, count, context)
    if count > positions:
        raise UsageError(
            f"a text part of {len(data)} bytes has {positions} distinct sequences of context "
            f"{context}, wanted {count}; give a longer text or ask for fewer sequences"
        )
    window = context + 1
    disjoint = len(data) // window
    if count <= disjoint:
        spare = len(data) - disjoint * window
        offset = torch.randint(0, spare + 1, (1,), generator=generator, device=CPU)
        order = torch.randperm(disjoint, generator=generator, device=CPU)[:count]
        starts = offset + window * order
    else:
        starts = torch.randperm(positions, generator=generator, device=CPU)[:count]
    return _windows(data, starts, context, device)


def _positions(data: Tensor, count: int, context: int) -> int:
    """The number of start positions; the one place where count and context are checked."""
    if count < 1 or context < 1:
        raise UsageError(
            f"got {count} sequences of context {context}, wanted at least 1 of each; raise both"
        )
    positions = len(data) - context
    if positions < 1:
        raise UsageError(
            f"a context of {context} wants at least {context + 1} bytes, this part of the text "
            f"has {len(data)}; give a longer text or a shorter context"
        )
    return positions


def _windows(
    data: Tensor, starts: Tensor, context: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    offsets = torch.arange(context + 1, device=CPU)
    windows = data[starts[:, None] + offsets].long().to(device)
    return windows[:, :-1].contiguous(), windows[:, 1:].contiguous()
