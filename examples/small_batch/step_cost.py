"""What a training step costs with each optimizer: milliseconds in turn, and numbers kept.

    python -m examples.small_batch.step_cost --csv notebooks/data/small_batch_step_cost.csv

The built-in network of 136 thousand parameters and this sweep's of 30 thousand, plain torch on one
thread. Optimizers take turns, round after round, and what is compared is one round's times with
each other; time is the processor's, so that busy neighbours are mostly left out. State is counted
in vectors as long as the parameters, from the tensors that the optimizer holds.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from empirical.train.configuration import NetworkConfig
from empirical.train.network import build_network, sequence_losses
from empirical.train.optimizer_configuration import (
    AdafactorConfig,
    AdamConfig,
    MuonConfig,
    OptimizerConfig,
    SGDConfig,
    SGDSaIConfig,
    SqrtNumelSGDConfig,
)
from empirical.train.optimizers import build_optimizer

SUBJECTS: dict[str, OptimizerConfig] = {
    "SGD": SGDConfig(),
    "momentum SGD": SGDConfig(momentum=0.9),
    "SGD-SaI": SGDSaIConfig(),
    "√numel-SGD": SqrtNumelSGDConfig(),
    "Adafactor": AdafactorConfig(),
    "Adam": AdamConfig(),
    "Muon": MuonConfig(),
}
NETWORKS = (NetworkConfig(context=32, width=32, depth=1, heads=2), NetworkConfig())
BATCHES = (1, 16, 256)
ROUNDS, STEPS_AT_ONE = 9, 20


def prepared(
    network: NetworkConfig, config: OptimizerConfig, batch: int
) -> tuple[Callable[[], None], float]:
    """A step, and the optimizer's state after the first one, in vectors of the parameters."""
    model = build_network(network, 0)
    optimizer = build_optimizer(
        model.named_parameters(), config, 1e-9, tokens_per_step=batch * network.context
    )
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randint(256, (2, batch, network.context), generator=generator)

    def step() -> None:
        optimizer.zero_grad()
        torch.autograd.backward(sequence_losses(model, inputs, targets).mean())
        optimizer.step()

    step()
    kept = sum(
        value.numel()
        for entries in optimizer.state_dict()["state"].values()
        for value in entries.values()
        if isinstance(value, torch.Tensor)
    )
    return step, kept / sum(weight.numel() for weight in model.parameters())


def timed(step: Callable[[], None], times: int) -> float:
    """Milliseconds of processor time per step."""
    began = time.process_time()
    for _ in range(times):
        step()
    return 1e3 * (time.process_time() - began) / times


def main() -> None:
    """One row per network, batch size and optimizer."""
    parser = argparse.ArgumentParser(description="The cost of a step.")
    parser.add_argument("--csv", type=Path, required=True)
    path = parser.parse_args().csv
    torch.set_num_threads(1)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ("n_params", "batch_size", "optimizer", "state_vectors", "milliseconds", "over_sgd")
        )
        for network in NETWORKS:
            count = sum(weight.numel() for weight in build_network(network, 0).parameters())
            for batch in BATCHES:
                steps = {name: prepared(network, each, batch) for name, each in SUBJECTS.items()}
                times = max(1, STEPS_AT_ONE // batch)
                rounds = [
                    {name: timed(step, times) for name, (step, _) in steps.items()}
                    for _ in range(ROUNDS)
                ]
                for name, (_, vectors) in steps.items():
                    cost = median(each[name] for each in rounds)
                    over = median(each[name] / each["SGD"] for each in rounds)
                    writer.writerow(
                        (count, batch, name, f"{vectors:.3f}", f"{cost:.3f}", f"{over:.2f}")
                    )


if __name__ == "__main__":
    main()
