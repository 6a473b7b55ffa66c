"""A decoder-only transformer on bytes.

Letters in names: B sequences, T tokens, W width, H heads, D = W / H, V = 256 byte values.
"""

import math
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from empirical.train.configuration import NetworkConfig
from empirical.train.randomness import private_generator

VOCABULARY = 256
"""One token per byte value."""

INITIAL_STD = 0.02


class Attention(nn.Module):
    """Causal self-attention: softmax(q kᵀ / √D) v, later keys masked."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query_key_value = nn.Linear(config.width, 3 * config.width, bias=False)
        self.output = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x_BxTxW: Tensor) -> Tensor:
        q_BxTxW, k_BxTxW, v_BxTxW = self.query_key_value(x_BxTxW).chunk(3, dim=-1)
        q_BxHxTxD, k_BxHxTxD, v_BxHxTxD = map(self._split_heads, (q_BxTxW, k_BxTxW, v_BxTxW))
        y_BxHxTxD = functional.scaled_dot_product_attention(
            q_BxHxTxD, k_BxHxTxD, v_BxHxTxD, is_causal=True
        )
        y_BxTxW = y_BxHxTxD.transpose(1, 2).flatten(2)
        return cast(Tensor, self.output(y_BxTxW))

    def _split_heads(self, x_BxTxW: Tensor) -> Tensor:
        return x_BxTxW.view(*x_BxTxW.shape[:2], self.heads, -1).transpose(1, 2)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = Attention(config)
        self.mlp_norm = nn.LayerNorm(config.width)
        self.mlp_in = nn.Linear(config.width, 4 * config.width)
        self.mlp_out = nn.Linear(4 * config.width, config.width)

    def forward(self, x_BxTxW: Tensor) -> Tensor:
        x_BxTxW = x_BxTxW + self.attention(self.attention_norm(x_BxTxW))
        hidden_BxTx4W = functional.gelu(self.mlp_in(self.mlp_norm(x_BxTxW)))
        return x_BxTxW + cast(Tensor, self.mlp_out(hidden_BxTx4W))


class GPT(nn.Module):
    """Tokens int64 [B, T] -> logits [B, T, 256], T at most the context. No dropout.

    Weights are whatever torch leaves in them: `build_network` makes a network ready to use.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(VOCABULARY, config.width)
        self.position_embedding = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.final_norm = nn.LayerNorm(config.width)
        self.unembedding = None if config.tied else nn.Linear(config.width, VOCABULARY, bias=False)

    def forward(self, tokens_BxT: Tensor) -> Tensor:
        tokens = tokens_BxT.shape[-1]
        x_BxTxW = self.token_embedding(tokens_BxT) + self.position_embedding.weight[:tokens]
        for block in self.blocks:
            x_BxTxW = block(x_BxTxW)
        # Tying is a choice of matrix here, not a shared Parameter that a copy could untie.
        unembedding = self.token_embedding if self.unembedding is None else self.unembedding
        return functional.linear(self.final_norm(x_BxTxW), unembedding.weight)


def build_network(
    config: NetworkConfig,
    seed: int,
    *,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> GPT:
    """A freshly initialised network on a device (the CPU if none is given).

    Matrices and embeddings are normal with standard deviation 0.02, those that write to the
    residual stream 0.02 / √(2 depth); biases 0, norms 1. The weights depend on the seed alone:
    drawn in float32 on the CPU from a private generator, then rounded to `dtype` and moved.
    """
    with torch.device("meta"):  # shapes only: torch's own initialisation uses the global seed
        network = GPT(config)
    network = network.to_empty(device=torch.device("cpu"))
    generator = private_generator(seed, "weights")
    residual_std = INITIAL_STD / math.sqrt(2 * config.depth)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("attention.output.weight", "mlp_out.weight")):
                parameter.normal_(std=residual_std, generator=generator)
            elif parameter.dim() == 2:
                parameter.normal_(std=INITIAL_STD, generator=generator)
            else:
                parameter.fill_(1.0 if name.endswith("norm.weight") else 0.0)
    return network.to(device=device or torch.device("cpu"), dtype=dtype)


def sequence_losses(
    model: Callable[[Tensor], Tensor], inputs_BxT: Tensor, targets_BxT: Tensor
) -> Tensor:
    """Cross-entropy of each sequence, a mean over its T tokens, in nats per token: [B].

    Every sequence has the same T, so the mean over sequences is also the mean over tokens.
    """
    logits_BxTxV = model(inputs_BxT)
    losses = functional.cross_entropy(
        logits_BxTxV.flatten(0, 1), targets_BxT.flatten(), reduction="none"
    )
    return losses.view(targets_BxT.shape).mean(dim=1)
