"""Measure the model of a plain training script, written as nanoGPT's is.

    python examples/nanogpt_style.py [file.txt]

The script below is what many people have: a model that returns (logits, loss), a get_batch, a
loop with AdamW. Nothing in it knows about measuring. What is added stands in `main`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from empirical.measure import measure
from empirical.measure.adam import adam_next_step
from empirical.measure.adam_state import read_adam
from empirical.measure.lr_finder import lr_find

BLOCK_SIZE, BATCH_SIZE, WIDTH, HEADS, LAYERS, VOCABULARY = 32, 8, 32, 4, 2, 256


class Block(nn.Module):
    """Attention and MLP, each after a norm, each added to the stream; dropout as in training."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.c_attn, self.c_proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH), nn.Dropout(0.1)
        )

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        q, k, v = self.c_attn(self.ln_1(x)).view(b, t, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(y.transpose(1, 2).reshape(b, t, c))
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class GPT(nn.Module):
    """Token and position embeddings, blocks, a head tied to the token embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(BLOCK_SIZE, WIDTH)
        self.h = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln_f = nn.LayerNorm(WIDTH)
        self.lm_head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        nn.init.normal_(self.wte.weight, std=0.02)
        nn.init.normal_(self.wpe.weight, std=0.02)
        self.lm_head.weight = self.wte.weight

    def forward(self, idx: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        x = self.wte(idx) + self.wpe(torch.arange(idx.shape[1], device=idx.device))
        for block in self.h:
            x = block(x)
        logits = self.lm_head(self.ln_f(x))
        loss = functional.cross_entropy(logits.view(-1, VOCABULARY), targets.reshape(-1))
        return logits, loss


def get_batch(data: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """BATCH_SIZE windows of the text, and the tokens that follow."""
    ix = torch.randint(len(data) - BLOCK_SIZE, (BATCH_SIZE,), generator=rng)
    x = torch.stack([data[i : i + BLOCK_SIZE] for i in ix])
    y = torch.stack([data[i + 1 : i + 1 + BLOCK_SIZE] for i in ix])
    return x, y


def main(path: Path, steps: int = 200) -> None:
    """Train as usual, then measure what the training left behind."""
    data = torch.tensor(list(path.read_bytes()), dtype=torch.long)
    rng = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = GPT()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95))
    model.train()
    for _ in range(steps):
        _, loss = model(*get_batch(data, rng))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    print(f"step {steps}: loss {loss.item():.3f}")

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield get_batch(data, rng)

    # The model returns its loss, so nothing else is asked for; dropout is switched off in a copy.
    found = measure(model, batches(), samples=768, micro_batch=2)
    for note in found.notes:
        print("note:", note)
    scales = [found.whole.simple, found.curvature["all"].sgd, found.whole.sign, found.whole.adam]
    for scale in scales:
        low, high = scale.interval
        known = "?" if scale.tokens is None else f"{scale.tokens.value:.0f} tokens"
        print(f"{scale.name:>7} noise scale: {known}, {low:.3g} to {high:.3g} sequences")
        if scale.status != "ok":
            print(" " * 8, scale.status)
    state = read_adam(optimizer, model, found.point.problem)
    step = adam_next_step(found, state, BATCH_SIZE)
    if step.learning_rate is None:
        print("AdamW's next step:", step.status)
    else:
        rate = step.learning_rate
        print(f"AdamW's best next step: lr {rate.value:.3g} ± {rate.standard_error:.1g}")
    line = lr_find(model, batches(), optimizer, batch_size=BATCH_SIZE, samples=1536)
    print(f"by line search: lr {line.learning_rate}, interval {line.interval}: {line.status}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else __file__))
