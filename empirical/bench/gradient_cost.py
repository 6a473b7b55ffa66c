"""Cost in gradients: one gradient is the fastest plain gradient of the same N sequences.

Times on a machine that others use drift; what is compared is therefore always timed in turn: a
plain gradient, a case, a plain gradient, the next case, round after round, and a case's cost is
the median over rounds of its time over the mean of its two neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from empirical.train.configuration import NetworkConfig
from empirical.train.network import GPT, VOCABULARY, build_network, sequence_losses
from empirical.train.randomness import private_generator

CHUNKS = (8, 16, 32)
"""Sequences per pass that a plain gradient may choose from: the fastest counts."""

Case = Callable[[], object]


@dataclass(frozen=True, eq=False)
class Subject:
    """A network and N sequences: what ours and the peers measure. inputs, targets: [N, T]."""

    network: GPT
    inputs: Tensor
    targets: Tensor

    @property
    def words(self) -> str:
        """Its size in words."""
        size = sum(p.numel() for p in self.network.parameters())
        count, length = self.inputs.shape
        return f"{size / 1e6:.3g}M parameters, {count} x {length} tokens"

    def first(self, count: int) -> Subject:
        """The same network with fewer sequences."""
        return Subject(self.network, self.inputs[:count], self.targets[:count])


def reference_subject(sequences: int, *, width: int = 128, depth: int = 4) -> Subject:
    """The network of 873k parameters with 128 tokens of context, or one of another width."""
    config = NetworkConfig(context=128, width=width, depth=depth, heads=4)
    rng = private_generator(0, "bench tokens")
    tokens = torch.randint(VOCABULARY, (sequences, config.context + 1), generator=rng)
    return Subject(build_network(config, 0), tokens[:, :-1], tokens[:, 1:])


def mean_loss(model: nn.Module, batch: Any) -> Tensor:
    """Mean cross-entropy of a batch (inputs, targets), in nats per token, []."""
    return sequence_losses(model, batch[0], batch[1]).mean()


def plain_gradient(subject: Subject, chunk: int) -> None:
    """Loss and backward of all sequences, `chunk` at a time, as training would do it."""
    count = len(subject.inputs)
    subject.network.zero_grad(set_to_none=True)
    for start in range(0, count, chunk):
        part = slice(start, start + chunk)
        batch = subject.inputs[part], subject.targets[part]
        torch.autograd.backward(mean_loss(subject.network, batch) * (len(batch[0]) / count))
    subject.network.zero_grad(set_to_none=True)


def fastest_chunk(subject: Subject, rounds: int = 3) -> int:
    """The chunk of the fastest plain gradient, from at most 64 of the sequences."""
    few = subject.first(64)
    times: dict[int, list[float]] = {chunk: [] for chunk in CHUNKS}
    for _ in range(rounds):
        for chunk, seen in times.items():
            seen.append(seconds(partial(plain_gradient, few, chunk)))
    return min(times, key=lambda chunk: min(times[chunk]))


def seconds(case: Case) -> float:
    """CPU seconds of one call: with one thread, what else the machine does is not in them."""
    start = time.process_time()
    case()
    return time.process_time() - start


def round_costs(cases: Mapping[str, Case], gradient: Case) -> dict[str, float]:
    """Costs of one round, in gradients."""
    found: dict[str, float] = {}
    before = seconds(gradient)
    for name, case in cases.items():
        spent = seconds(case)
        after = seconds(gradient)
        found[name] = 2 * spent / (before + after)
        before = after
    return found


def costs(cases: Mapping[str, Case], gradient: Case, rounds: int) -> dict[str, float]:
    """Median costs over rounds; the first calls, which warm up, do not count."""
    for case in (gradient, *cases.values()):
        case()
    seen = [round_costs(cases, gradient) for _ in range(rounds)]
    return {name: median(one[name] for one in seen) for name in cases}
