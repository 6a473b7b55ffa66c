"""Forward and backward of R replicas on a part of their batches, without allocating.

Letters in names: R replicas, B sequences, T tokens, N = B T, W width, V byte values.

The way back is written out, against the advice that holds everywhere else, because here that is
what makes small networks fast: gradients of weights are added up inside the matrix product, and
gradients of activations overwrite the activations. The plain network under torch.autograd is what
it is tested against.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from empirical.train.network import VOCABULARY
from empirical.train.stacked.compiled_operations import Operations


@dataclass(frozen=True, eq=False)
class _Block:
    """What one block leaves for the way back, [R, N, ...] each."""

    x: Tensor
    normed: Tensor
    moments: Tensor
    qkv: Tensor
    softmax: Tensor
    attended: Tensor
    middle: Tensor
    middle_normed: Tensor
    middle_moments: Tensor
    slope: Tensor
    hidden: Tensor


class Pass:
    """The buffers for B sequences of T tokens per replica, and what is computed in them."""

    def __init__(self, operations: Operations, sequences: int, tokens: int) -> None:
        self._do, self._tokens = operations, tokens
        config, count, empty = operations.config, sequences * tokens, operations.empty
        width = config.width
        kept = 2 * config.heads * operations.kernels.padded(tokens)
        self._blocks = [
            _Block(
                x=empty(count, width),
                normed=empty(count, width),
                moments=empty(count, 2),
                qkv=empty(count, 3 * width),
                softmax=empty(sequences, kept),
                attended=empty(count, width),
                middle=empty(count, width),
                middle_normed=empty(count, width),
                middle_moments=empty(count, 2),
                slope=empty(count, 4 * width),
                hidden=empty(count, 4 * width),
            )
            for _ in range(config.depth)
        ]
        self._last, self._normed = empty(count, width), empty(count, width)
        self._moments, self._gradient = empty(count, 2), empty(count, width)
        self._logits = empty(count, VOCABULARY)
        self._unembedding = "token_embedding" if config.tied else "unembedding"

    def losses(
        self, inputs_RxBxT: Tensor, targets_RxBxT: Tensor, losses_RxB: Tensor, scale: float
    ) -> None:
        """Forward: the loss of each sequence; `scale` times its gradient is left for `backward`."""
        do = self._do
        late = None  # the bias of the block before, which is added where x is read next
        do.embed(inputs_RxBxT, self._blocks[0].x)
        for index, block in enumerate(self._blocks):
            of = f"blocks.{index}."
            after = self._blocks[index + 1].x if index + 1 < len(self._blocks) else self._last
            do.norm(of + "attention_norm", block.x, late, block.normed, block.moments)
            do.product(of + "attention.query_key_value", block.normed, block.qkv)
            do.attention(self._tokens, block.qkv, block.attended, block.softmax)
            do.product(of + "attention.output", block.attended, block.middle, block.x)
            do.norm(of + "mlp_norm", block.middle, None, block.middle_normed, block.middle_moments)
            do.product(of + "mlp_in", block.middle_normed, block.slope)
            do.gelu(of + "mlp_in", block.slope, block.hidden)
            do.product(of + "mlp_out", block.hidden, after, block.middle)
            late = of + "mlp_out.bias"
        do.norm("final_norm", self._last, late, self._normed, self._moments)
        do.product(self._unembedding, self._normed, self._logits)
        do.cross_entropy(self._logits, targets_RxBxT, losses_RxB, scale)

    def backward(self, inputs_RxBxT: Tensor) -> None:
        """From the gradient of the logits, which `losses` left, to those of all weights."""
        do, dx = self._do, self._gradient
        late: str | None = f"blocks.{len(self._blocks) - 1}.mlp_out.bias"
        do.product_backward(self._unembedding, self._logits, self._normed)
        do.norm_backward(
            "final_norm", self._normed, self._last, late, self._moments, dx, first=True
        )
        for index, block in reversed(list(enumerate(self._blocks))):
            of = f"blocks.{index}."
            late = f"blocks.{index - 1}.mlp_out.bias" if index else None
            do.product_backward(of + "mlp_out", dx, block.hidden)
            do.gelu_backward(of + "mlp_in", block.hidden, block.slope)
            do.product_backward(of + "mlp_in", block.hidden, block.middle_normed)
            do.norm_backward(
                of + "mlp_norm", block.middle_normed, block.middle, None, block.middle_moments, dx
            )
            do.product_backward(of + "attention.output", dx, block.attended)
            do.attention_backward(self._tokens, block.qkv, block.attended, block.softmax)
            do.product_backward(of + "attention.query_key_value", block.qkv, block.normed)
            do.norm_backward(of + "attention_norm", block.normed, block.x, late, block.moments, dx)
        do.embed_backward(inputs_RxBxT, dx)
