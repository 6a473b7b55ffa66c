"""The built-in network with a leading replica axis on every weight.

Letters in names: R replicas, B sequences, T tokens, N = B T, W width, H heads, V byte values.
What differs from `empirical.train.network` is the replica axis alone: y = x Wᵀ becomes one batched
product, attention folds the replicas into the sequences, norms scale and shift by replica.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from empirical.train.configuration import NetworkConfig


def stacked_losses(
    weights: Mapping[str, Tensor],
    config: NetworkConfig,
    inputs_RxBxT: Tensor,
    targets_RxBxT: Tensor,
) -> Tensor:
    """Cross-entropy of each sequence under each replica, a mean over its tokens: [R, B].

    weights: [R, ...] each, by the plain network's names. Nats per token, as `sequence_losses`.
    """
    logits_RxNxV = stacked_logits(weights, config, inputs_RxBxT)
    losses = functional.cross_entropy(
        logits_RxNxV.flatten(0, 1), targets_RxBxT.flatten(), reduction="none"
    )
    return losses.view(targets_RxBxT.shape).mean(dim=2)


def stacked_logits(
    weights: Mapping[str, Tensor], config: NetworkConfig, inputs_RxBxT: Tensor
) -> Tensor:
    """Tokens int64 [R, B, T] -> logits [R, B T, V]."""
    tokens = inputs_RxBxT.shape[2]
    embedding_RxVxW = weights["token_embedding.weight"]
    replica = torch.arange(len(inputs_RxBxT), device=inputs_RxBxT.device)[:, None, None]
    positions_Rx1xTxW = weights["position_embedding.weight"][:, None, :tokens]
    x_RxNxW = (embedding_RxVxW[replica, inputs_RxBxT] + positions_Rx1xTxW).flatten(1, 2)
    for index in range(config.depth):
        of = f"blocks.{index}."
        normed = _norm(weights, of + "attention_norm", x_RxNxW)
        x_RxNxW = x_RxNxW + _attention(weights, of + "attention.", normed, config.heads, tokens)
        normed = _norm(weights, of + "mlp_norm", x_RxNxW)
        hidden_RxNx4W = functional.gelu(_affine(weights, of + "mlp_in", normed))
        x_RxNxW = x_RxNxW + _affine(weights, of + "mlp_out", hidden_RxNx4W)
    unembedding = embedding_RxVxW if config.tied else weights["unembedding.weight"]
    return torch.bmm(_norm(weights, "final_norm", x_RxNxW), unembedding.mT)


def _attention(
    weights: Mapping[str, Tensor], of: str, x_RxNxW: Tensor, heads: int, tokens: int
) -> Tensor:
    replicas, _, width = x_RxNxW.shape
    qkv = torch.bmm(x_RxNxW, weights[of + "query_key_value.weight"].mT)
    # [R N, 3 W] -> three of [R B, H, T, D]: a sequence does not know whose replica it is.
    q, k, v = qkv.view(-1, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    y_RBxHxTxD = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    y_RxNxW = y_RBxHxTxD.transpose(1, 2).reshape(replicas, -1, width)
    return torch.bmm(y_RxNxW, weights[of + "output.weight"].mT)


def _affine(weights: Mapping[str, Tensor], of: str, x_RxNxI: Tensor) -> Tensor:
    """x Wᵀ + b: [R, N, I] -> [R, N, O]."""
    return torch.baddbmm(weights[of + ".bias"][:, None], x_RxNxI, weights[of + ".weight"].mT)


def _norm(weights: Mapping[str, Tensor], of: str, x_RxNxW: Tensor) -> Tensor:
    normed = functional.layer_norm(x_RxNxW, x_RxNxW.shape[-1:])
    return torch.addcmul(weights[of + ".bias"][:, None], normed, weights[of + ".weight"][:, None])
