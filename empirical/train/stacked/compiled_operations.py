"""The operations of a pass on rows of weights: matrix products by torch, the rest compiled.

Letters in names: R replicas, B sequences, T tokens, N = B T, W width, I inputs, O outputs.
Activations are contiguous [R, N, ...]. Gradients of weights are added to what is there; gradients
of activations overwrite the activations, which are not needed any more.
"""

from __future__ import annotations

import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.train.configuration import NetworkConfig
from empirical.train.network import VOCABULARY
from empirical.train.stacked.kernels.functions import Kernels
from empirical.train.stacked.layout import Layout


class Operations:
    """Weights and gradients [R, P] on the CPU, and what a network does with them."""

    def __init__(
        self, config: NetworkConfig, layout: Layout, weights_RxP: Tensor, gradients_RxP: Tensor
    ) -> None:
        self.config = config
        self.kernels = Kernels(weights_RxP.dtype)
        self.replicas, self._stride = weights_RxP.shape
        self._weights = layout.views(weights_RxP)
        self._gradients = layout.views(gradients_RxP)
        self._at = {name: view.data_ptr() for name, view in self._weights.items()}
        self._gradient_at = {name: view.data_ptr() for name, view in self._gradients.items()}
        self._scratch = weights_RxP.new_empty(0)

    def empty(self, count: int, last: int) -> Tensor:
        """Room for [R, count, last]."""
        return self._scratch.new_empty(self.replicas, count, last)

    def require(self, *batch: Tensor) -> None:
        """UsageError unless inputs and targets are what the kernels take on trust."""
        for tokens_RxBxT in batch:
            replicas, _, tokens = tokens_RxBxT.shape
            fits = replicas == self.replicas and tokens <= self.config.context
            if not fits or tokens_RxBxT.dtype != torch.int64 or tokens_RxBxT.device.type != "cpu":
                raise UsageError(
                    f"got tokens {tuple(tokens_RxBxT.shape)}, {tokens_RxBxT.dtype} on "
                    f"{tokens_RxBxT.device}, wanted int64 on cpu for {self.replicas} replicas and "
                    f"at most {self.config.context} tokens; bring them into that form"
                )

    def embed(self, inputs_RxBxT: Tensor, x_RxNxW: Tensor) -> None:
        """x = token embedding + position embedding."""
        _, sequences, tokens = inputs_RxBxT.shape
        known = self.kernels.embed(
            inputs_RxBxT.data_ptr(),
            inputs_RxBxT.stride(0),
            self._at["token_embedding.weight"],
            self._at["position_embedding.weight"],
            self._stride,
            x_RxNxW.data_ptr(),
            self.replicas,
            sequences,
            tokens,
            self.config.width,
            VOCABULARY,
        )
        _require(known)

    def embed_backward(self, inputs_RxBxT: Tensor, dx_RxNxW: Tensor) -> None:
        """Gradients of both embeddings from that of x."""
        _, sequences, tokens = inputs_RxBxT.shape
        self.kernels.embed_backward(
            inputs_RxBxT.data_ptr(),
            inputs_RxBxT.stride(0),
            dx_RxNxW.data_ptr(),
            self._gradient_at["token_embedding.weight"],
            self._gradient_at["position_embedding.weight"],
            self._stride,
            self.replicas,
            sequences,
            tokens,
            self.config.width,
        )

    def norm(
        self, of: str, x_RxNxW: Tensor, late: str | None, out_RxNxW: Tensor, moments_RxNx2: Tensor
    ) -> None:
        """x += the bias named `late`; out = norm(x); moments: means and inverse deviations."""
        self.kernels.norm(
            x_RxNxW.data_ptr(),
            None if late is None else self._at[late],
            self._at[of + ".weight"],
            self._at[of + ".bias"],
            self._stride,
            out_RxNxW.data_ptr(),
            moments_RxNx2.data_ptr(),
            *x_RxNxW.shape,
        )

    def norm_backward(
        self,
        of: str,
        dout_RxNxW: Tensor,
        x_RxNxW: Tensor,
        late: str | None,
        moments_RxNx2: Tensor,
        dx_RxNxW: Tensor,
        *,
        first: bool = False,
    ) -> None:
        """dx += the norm's share, or = if first; then the gradient of `late` from dx."""
        self.kernels.norm_backward(
            dout_RxNxW.data_ptr(),
            x_RxNxW.data_ptr(),
            moments_RxNx2.data_ptr(),
            self._at[of + ".weight"],
            self._stride,
            dx_RxNxW.data_ptr(),
            first,
            self._gradient_at[of + ".weight"],
            self._gradient_at[of + ".bias"],
            None if late is None else self._gradient_at[late],
            *x_RxNxW.shape,
        )

    def product(
        self, of: str, x_RxNxI: Tensor, out_RxNxO: Tensor, added_RxNxO: Tensor | None = None
    ) -> None:
        """out = x Wᵀ, plus `added` if given."""
        weight_RxIxO = self._weights[of + ".weight"].mT
        if added_RxNxO is None:
            torch.bmm(x_RxNxI, weight_RxIxO, out=out_RxNxO)
        else:
            torch.baddbmm(added_RxNxO, x_RxNxI, weight_RxIxO, out=out_RxNxO)

    def product_backward(self, of: str, dout_RxNxO: Tensor, x_RxNxI: Tensor) -> None:
        """The gradient of W grows by doutᵀ x; x becomes its own gradient, dout W."""
        self._gradients[of + ".weight"].baddbmm_(dout_RxNxO.mT, x_RxNxI)
        torch.bmm(dout_RxNxO, self._weights[of + ".weight"], out=x_RxNxI)

    def gelu(self, of: str, u_RxNxO: Tensor, out_RxNxO: Tensor) -> None:
        """out = gelu(u + bias); u becomes the slope there."""
        self.kernels.gelu(
            u_RxNxO.data_ptr(),
            self._at[of + ".bias"],
            self._stride,
            out_RxNxO.data_ptr(),
            *u_RxNxO.shape,
        )

    def gelu_backward(self, of: str, dout_RxNxO: Tensor, slope_RxNxO: Tensor) -> None:
        """dout becomes the gradient of u, and the gradient of the bias grows by its sum."""
        self.kernels.gelu_backward(
            dout_RxNxO.data_ptr(),
            slope_RxNxO.data_ptr(),
            self._gradient_at[of + ".bias"],
            self._stride,
            *dout_RxNxO.shape,
        )

    def attention(
        self, tokens: int, qkv_RxNx3W: Tensor, out_RxNxW: Tensor, softmax: Tensor
    ) -> None:
        """out = causal attention; softmax: what its weights are computed from again."""
        self.kernels.attention(
            qkv_RxNx3W.data_ptr(),
            out_RxNxW.data_ptr(),
            softmax.data_ptr(),
            *self._heads(tokens, qkv_RxNx3W),
        )

    def attention_backward(
        self, tokens: int, qkv_RxNx3W: Tensor, dout_RxNxW: Tensor, softmax: Tensor
    ) -> None:
        """qkv becomes its gradient."""
        self.kernels.attention_backward(
            qkv_RxNx3W.data_ptr(),
            dout_RxNxW.data_ptr(),
            softmax.data_ptr(),
            *self._heads(tokens, qkv_RxNx3W),
        )

    def cross_entropy(
        self, logits_RxNxV: Tensor, targets_RxBxT: Tensor, losses_RxB: Tensor, scale: float
    ) -> None:
        """Losses of the sequences; logits become their gradient times scale, unless that is 0."""
        known = self.kernels.cross_entropy(
            logits_RxNxV.data_ptr(),
            targets_RxBxT.data_ptr(),
            targets_RxBxT.stride(0),
            scale,
            losses_RxB.data_ptr(),
            losses_RxB.stride(0),
            *targets_RxBxT.shape,
            VOCABULARY,
        )
        _require(known)

    def _heads(self, tokens: int, qkv_RxNx3W: Tensor) -> tuple[int, int, int, int, int]:
        """Scratch space and sizes [S, T, H, D] as the attention kernels want them."""
        heads, head_width = self.config.heads, self.config.width // self.config.heads
        wanted = self.kernels.scratch(tokens, head_width)
        if self._scratch.numel() < wanted:
            self._scratch = self._scratch.new_empty(wanted)
        sequences = qkv_RxNx3W.shape[0] * qkv_RxNx3W.shape[1] // tokens
        return self._scratch.data_ptr(), sequences, tokens, heads, head_width


def _require(known: int) -> None:
    if not known:
        raise UsageError(f"got a token outside 0 to {VOCABULARY - 1}, wanted bytes; check the text")
