"""The peer of sweeps: one run after another in one process, a plain loop in the style of nanoGPT.

    python -m empirical.bench.plain_loop '{"width": 64, ..., "steps": 1000}'

Batches are cut from a memory-mapped file, attention is torch's own, AdamW is the fused one, the
held-out loss is taken before the first step and after the last, and nothing is compiled (as that
project's README says for CPUs). Threads are torch's default. Prints JSON: seconds of the cell,
without the start of Python, and its last held-out loss.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from empirical.train.configuration import NetworkConfig
from empirical.train.network import GPT, build_network

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class PlainCell:
    """One run: sizes of the network, batch_size and heldout in sequences, text as a file."""

    width: int
    depth: int
    heads: int
    context: int
    batch_size: int
    steps: int
    heldout: int
    learning_rate: float
    text: str

    def to_json(self) -> str:
        """What `main` reads."""
        return json.dumps(asdict(self))


def train_cell(cell: PlainCell) -> tuple[float, float]:
    """Seconds that the cell took, and its held-out loss in nats per token."""
    data = np.memmap(cell.text, dtype=np.uint8, mode="r")
    split = int(0.9 * len(data))
    train, heldout = data[:split], data[split:]
    began = time.perf_counter()
    torch.manual_seed(0)
    config = NetworkConfig(
        width=cell.width, depth=cell.depth, heads=cell.heads, context=cell.context
    )
    model = build_network(config, 0)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=cell.learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    evaluate(model, heldout, cell)
    for step in range(cell.steps):
        inputs, targets = get_batch(train, cell.batch_size, cell.context)
        logits = model(inputs)
        loss = functional.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 10 == 0 and not np.isfinite(loss.item()):
            break
    after = evaluate(model, heldout, cell)
    return time.perf_counter() - began, after


def get_batch(data: NDArray[np.uint8], sequences: int, context: int) -> tuple[Tensor, Tensor]:
    """Random windows, inputs and targets."""
    starts = torch.randint(len(data) - context, (sequences,)).tolist()
    windows = [torch.from_numpy(data[i : i + context + 1].astype(np.int64)) for i in starts]
    batch = torch.stack(windows)
    return batch[:, :-1].contiguous(), batch[:, 1:].contiguous()


@torch.no_grad()
def evaluate(model: GPT, data: NDArray[np.uint8], cell: PlainCell) -> float:
    """Mean loss over the first `heldout` windows of the held-out part."""
    model.eval()
    count, context = cell.heldout, cell.context
    windows = torch.from_numpy(data[: count * (context + 1)].astype(np.int64)).view(count, -1)
    losses = []
    for batch in torch.split(windows, EVALUATION_BATCH):
        logits = model(batch[:, :-1])
        losses.append(
            functional.cross_entropy(
                logits.view(-1, logits.size(-1)), batch[:, 1:].reshape(-1), reduction="sum"
            )
        )
    model.train()
    return float(torch.stack(losses).sum()) / (count * context)


def main() -> int:
    """Train the cell that is given as JSON."""
    cell = PlainCell(**json.loads(sys.argv[1]))
    if not Path(cell.text).is_file():
        print(f"error: no file {cell.text}", file=sys.stderr)
        return 2
    seconds, loss = train_cell(cell)
    print(json.dumps({"seconds": seconds, "loss": loss, "threads": torch.get_num_threads()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
