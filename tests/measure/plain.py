"""Plain references for measuring: one sample at a time, dense matrices, no code shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from empirical.measure.functional import BatchLoss


def linear_loss(parameters: Mapping[str, Tensor], batch: Any) -> Tensor:
    """Mean over samples of theta . x_k: the gradient of sample k is x_k itself."""
    result: Tensor = (batch @ parameters["theta"]).mean()
    return result


def quadratic_loss(hessian: Tensor) -> BatchLoss:
    """Mean over samples of (theta - c_k)^T H (theta - c_k) / 2."""

    def loss(parameters: Mapping[str, Tensor], batch: Any) -> Tensor:
        away = parameters["theta"] - batch
        result: Tensor = 0.5 * (away @ hessian * away).sum(1).mean()
        return result

    return loss


def sample_gradients(model: nn.Module, losses: Sequence[Callable[[], Tensor]]) -> Tensor:
    """Gradient of each loss by plain backward passes, [n, P], in the model's order."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    rows = []
    for loss in losses:
        pieces = torch.autograd.grad(loss(), parameters, allow_unused=True)
        both = zip(pieces, parameters, strict=True)
        rows.append(
            torch.cat([(torch.zeros_like(p) if d is None else d).reshape(-1) for d, p in both])
        )
    return torch.stack(rows)


class TiedModel(nn.Module):
    """Embedding tied to the output, positions without a batch axis, default attention."""

    def __init__(self, vocabulary: int = 12, width: int = 6, context: int = 5) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.zeros(context, width))
        self.mix = nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        q, k, v = self.mix(x)[:, None].chunk(3, dim=-1)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)[:, 0]
        logits: Tensor = self.head(x + y)
        return logits


def randomised(model: nn.Module, seed: int = 0, size: float = 0.5) -> nn.Module:
    """The model in float64 with normal parameters from a generator of its own."""
    rng = torch.Generator().manual_seed(seed)
    model = model.double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(size * torch.randn(parameter.shape, generator=rng, dtype=torch.float64))
    return model


def next_token_loss(model: nn.Module, batch: Any) -> Tensor:
    """Mean cross-entropy over the targets that count (-100 does not)."""
    logits = model(batch[0])
    return nn.functional.cross_entropy(logits.flatten(0, 1), batch[1].flatten())


def token_batch(samples: int, seed: int = 1, used: int = 8, context: int = 5) -> tuple[Tensor, ...]:
    """Tokens below `used`, and the tokens that follow."""
    rng = torch.Generator().manual_seed(seed)
    tokens = torch.randint(used, (samples, context + 1), generator=rng)
    return tokens[:, :-1], tokens[:, 1:]
