"""Measure a GPT-2 of Hugging Face transformers, randomly initialised: nothing is downloaded.

    pip install transformers
    python examples/gpt2_transformers.py

Batches are dicts as a data collator makes them, padded to a common length; labels of -100 do not
count, so that the loss is a mean over tokens of unequal number per sequence.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from empirical.measure import measure

VOCABULARY, LONGEST = 512, 24


def build_model() -> nn.Module:
    """A GPT-2 from a configuration; ask for layers = heads = 12 and width 768 for the real size."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=LONGEST, n_embd=32, n_layer=2, n_head=4,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


def collated(batches: int, size: int = 16) -> Iterator[dict[str, Tensor]]:
    """Padded batches of sentences of unequal length from a made-up language."""
    rng = torch.Generator().manual_seed(0)
    for _ in range(batches):
        # a token follows its predecessor by a small step: something to learn
        steps = torch.randint(1, 4, (size, LONGEST), generator=rng)
        tokens = steps.cumsum(1) % VOCABULARY
        lengths = torch.randint(LONGEST // 3, LONGEST + 1, (size, 1), generator=rng)
        mask = (torch.arange(LONGEST) < lengths).long()
        yield {
            "input_ids": tokens * mask,
            "attention_mask": mask,
            "labels": tokens.masked_fill(mask == 0, -100),
        }


def main() -> None:
    """Measure, by parameter group, and print what was found."""
    found = measure(build_model(), collated(12), curvature="whole", micro_batch=2)
    print(f"{found.parameters} parameters, {found.samples} sequences,", end=" ")
    print(f"{found.tokens_per_sample:.4g} tokens each that count; status: {found.status}")
    for note in found.notes:
        print("note:", note)
    for name, noise in found.noise.items():
        scale = noise.simple
        known = "not identified" if scale.tokens is None else f"{scale.tokens.value:.0f} tokens"
        print(f"{name:>18}: B_simple {known}")
    print("B_noise of SGD:", found.curvature["all"].sgd.status, found.curvature["all"].sgd.interval)


if __name__ == "__main__":
    main()
