"""A vision transformer on scikit-learn's digits: SGD-SaI against AdamW, momentum SGD, √numel-SGD.

    python -m examples.small_batch.vit_digits --csv notebooks/data/small_batch_vit_digits.csv

The claim of arXiv 2412.11768 outside language, as small as it can be: 1,797 images of 8 x 8 pixels
in patches of 2 x 2, two pre-norm blocks of width 32, 12 epochs in batches of 64, cosine schedule
with a warm-up of a tenth, learning rates over four decades an octave apart, three seeds (of
weights, split and order). The loss is that of 360 images held out. About four minutes.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from empirical.train.optimizer_configuration import (
    AdamWConfig,
    OptimizerConfig,
    SGDConfig,
    SGDSaIConfig,
    SqrtNumelSGDConfig,
    name_of,
)
from empirical.train.optimizers import build_optimizer
from empirical.train.randomness import private_generator
from scaling_theory.schedule import Schedule, schedule_multiple

HELD_OUT, BATCH, EPOCHS, WIDTH, HEADS, DEPTH = 360, 64, 12, 32, 4, 2
SCHEDULE = Schedule(name="cosine", warmup_share=0.1, final_share=0.05)
OCTAVES, SEEDS = 13, (0, 1, 2)
SUBJECTS: tuple[tuple[str, OptimizerConfig, float], ...] = (
    ("AdamW", AdamWConfig(second_decay=0.999, weight_decay=0.0), 2.0**-13),
    ("momentum SGD", SGDConfig(momentum=0.9), 2.0**-11),
    ("SGD-SaI", SGDSaIConfig(), 2.0**-8),
    ("√numel-SGD", SqrtNumelSGDConfig(), 2.0**-8),
)
"""Name, settings, smallest learning rate."""


class Vision(nn.Module):
    """Patches of 2 x 2 pixels, a learned position each, pre-norm blocks, mean over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Linear(4, WIDTH)
        self.position = nn.Parameter(0.02 * torch.randn(16, WIDTH))
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.blocks = nn.TransformerEncoder(layer, DEPTH, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, images_Nx8x8: Tensor) -> Tensor:
        """Scores of the ten digits, [N, 10]."""
        patches = images_Nx8x8.unfold(1, 2, 2).unfold(2, 2, 2).flatten(3).flatten(1, 2)
        hidden = self.blocks(self.patch_embed(patches) + self.position)
        scores: Tensor = self.head(self.norm(hidden).mean(1))
        return scores


def digits(seed: int) -> tuple[Tensor, Tensor]:
    """Images [1797, 8, 8] in [0, 1] and labels, in an order of their own for each seed."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(images), generator=private_generator(seed, "order of the digits"))
    x = torch.tensor(images, dtype=torch.float32).view(-1, 8, 8) / 16
    return x[order], torch.tensor(labels)[order]


def trained(config: OptimizerConfig, rate: float, seed: int) -> tuple[float, float] | None:
    """Loss [nats] and accuracy on the images held out; None where training diverged."""
    images, labels = digits(seed)
    torch.manual_seed(seed)
    model = Vision()
    optimizer = build_optimizer(model.named_parameters(), config, rate, tokens_per_step=BATCH)
    training = len(images) - HELD_OUT
    steps = EPOCHS * (training // BATCH)
    rng = private_generator(seed, "batches of digits")
    for step, picked in enumerate(_batches(training, steps, rng), start=1):
        for group in optimizer.param_groups:
            group["lr"] = rate * schedule_multiple(step, steps, SCHEDULE)
        loss = functional.cross_entropy(model(images[picked]), labels[picked])
        if not math.isfinite(float(loss.detach())):
            return None
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.no_grad():
        scores = model.eval()(images[training:])
    wanted = labels[training:]
    held_out = float(functional.cross_entropy(scores, wanted))
    accuracy = float((scores.argmax(1) == wanted).double().mean())
    return (held_out, accuracy) if math.isfinite(held_out) else None


def _batches(count: int, steps: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Without replacement within an epoch; the ragged rest is left out."""
    given = 0
    while given < steps:
        order = torch.randperm(count, generator=rng)
        yield from order[: count // BATCH * BATCH].view(-1, BATCH)
        given += count // BATCH


def main() -> None:
    """Every optimizer, learning rate and seed; one row each."""
    parser = argparse.ArgumentParser(description="A vision transformer on digits.")
    parser.add_argument("--csv", type=Path, required=True)
    path = parser.parse_args().csv
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            (
                "group",
                "optimizer",
                "batch_size",
                "batch_unit",
                "lr",
                "seed",
                "loss",
                "accuracy",
                "diverged",
            )
        )
        for name, config, smallest in SUBJECTS:
            for octave in range(OCTAVES + 1):
                rate = smallest * 2.0**octave
                for seed in SEEDS:
                    found = trained(config, rate, seed)
                    shown = ("", "") if found is None else (f"{found[0]:.6g}", f"{found[1]:.4f}")
                    label = name_of(config)
                    row = (name, label, BATCH, "ex", rate, seed, *shown, found is None)
                    writer.writerow(row)
                file.flush()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
