"""Shapes of models, from which memory follows by counting: no weight is ever made.

Letters: L blocks, W width, F inner width of the feed-forward part, V vocabulary or classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

Tensors = tuple[tuple[str, tuple[int, ...]], ...]
"""Names and shapes of all parameters; a tied one once."""

INDEX_BYTES = 8
"""Of one token's number, which torch keeps as int64."""


@dataclass(frozen=True)
class Activations:
    """What the forward pass keeps for the backward pass, for attention that is fused, no dropout.

    floats_per_token, floats_per_sequence: numbers in the type of the computation; sequences are
    images for a vision transformer. index_bytes_per_token: of inputs and targets.
    """

    floats_per_token: int
    floats_per_sequence: int = 0
    index_bytes_per_token: int = 0


@dataclass(frozen=True)
class ModelShape:
    """A model as its parameters' shapes.

    context: tokens per sequence that is trained on (patches and class token of an image), where
    known. activations: None where they are not known from the shapes. shapes_known: False where
    only the number of parameters is known, given as one tensor.
    """

    name: str
    tensors: Tensors
    context: int | None = None
    activations: Activations | None = None
    shapes_known: bool = True

    @property
    def parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(prod(shape) for _, shape in self.tensors)


def of_parameters(count: int) -> ModelShape:
    """A model of which only the size is known."""
    return ModelShape(f"{count:,} parameters", (("all", (count,)),), shapes_known=False)


def gpt2(name: str, depth: int, width: int, heads: int, *, context: int = 1024) -> ModelShape:
    """GPT-2: learned positions, biases, fused query, key and value, tied output; V = 50257."""
    tensors = [("wte.weight", (50257, width)), ("wpe.weight", (context, width))]
    blocks = [
        part for k in range(depth) for part in _gelu_block(f"h.{k}", width, 4 * width, bias=True)
    ]
    final = _layer_norm("ln_f", width)
    kept = _gelu_tokens(depth, width, 4 * width, heads) + _output_tokens(width, 50257)
    return ModelShape(
        name,
        (*tensors, *blocks, *final),
        context,
        Activations(kept, index_bytes_per_token=2 * INDEX_BYTES),
    )


def built_in(width: int, depth: int, heads: int, *, context: int, tied: bool) -> ModelShape:
    """The transformer on bytes that this project trains (256 values, no biases in attention)."""
    edge = [
        ("token_embedding.weight", (256, width)),
        ("position_embedding.weight", (context, width)),
    ]
    blocks = [
        part
        for k in range(depth)
        for part in _gelu_block(f"blocks.{k}", width, 4 * width, bias=False)
    ]
    final = _layer_norm("final_norm", width)
    output = () if tied else (("unembedding.weight", (256, width)),)
    kept = _gelu_tokens(depth, width, 4 * width, heads) + _output_tokens(width, 256)
    return ModelShape(
        "built-in",
        (*edge, *blocks, *final, *output),
        context,
        Activations(kept, index_bytes_per_token=2 * INDEX_BYTES),
    )


def llama(name: str, depth: int, width: int, inner: int, heads: int) -> ModelShape:
    """Llama 2: RMSNorm, rotary positions, gated feed-forward, no biases, untied; V = 32000."""
    tensors: list[tuple[str, tuple[int, ...]]] = [("embed_tokens.weight", (32000, width))]
    for k in range(depth):
        at = f"layers.{k}"
        tensors += [
            (f"{at}.self_attn.{part}_proj.weight", (width, width)) for part in ("q", "k", "v", "o")
        ]
        tensors += [(f"{at}.mlp.{part}_proj.weight", (inner, width)) for part in ("gate", "up")]
        tensors += [(f"{at}.mlp.down_proj.weight", (width, inner))]
        tensors += [(f"{at}.{norm}.weight", (width,)) for norm in ("input_norm", "post_norm")]
    tensors += [("norm.weight", (width,)), ("lm_head.weight", (32000, width))]
    # Two norms (input, one statistic each), their outputs, q, k, v, attention's output with one
    # statistic per head, the gate, its activation, the other branch and the product.
    block = 2 * (width + 1) + 2 * width + 3 * width + width + heads + 4 * inner
    kept = depth * block + (width + 1) + width + 32000
    return ModelShape(
        name, tuple(tensors), 4096, Activations(kept, index_bytes_per_token=2 * INDEX_BYTES)
    )


def vit(name: str, depth: int, width: int, heads: int, patch: int) -> ModelShape:
    """A vision transformer for images of 224 x 224 and 1000 classes, with a class token."""
    tokens = (224 // patch) ** 2 + 1
    edge: list[tuple[str, tuple[int, ...]]] = [
        ("class_embed", (1, 1, width)),
        ("position_embed", (1, tokens, width)),
        ("patch_embed.weight", (width, 3, patch, patch)),
        ("patch_embed.bias", (width,)),
    ]
    blocks = [
        part
        for k in range(depth)
        for part in _gelu_block(f"blocks.{k}", width, 4 * width, bias=True)
    ]
    final = _layer_norm("norm", width)
    head = (("head.weight", (1000, width)), ("head.bias", (1000,)))
    # The last norm's output is kept whole: the class token is a view of it.
    per_token = _gelu_tokens(depth, width, 4 * width, heads) + 2 * width + 2
    per_image = 3 * 224 * 224 + 1000
    return ModelShape(
        name, (*edge, *blocks, *final, *head), tokens, Activations(per_token, per_image)
    )


def _gelu_block(at: str, width: int, inner: int, *, bias: bool) -> Tensors:
    """Norm, fused query-key-value, output, norm, feed-forward; `bias`: of the attention."""
    attention = [("qkv", (3 * width, width)), ("out", (width, width))]
    return (
        *_layer_norm(f"{at}.attention_norm", width),
        *(
            part
            for name, shape in attention
            for part in _linear(f"{at}.attention.{name}", shape, bias=bias)
        ),
        *_layer_norm(f"{at}.mlp_norm", width),
        *_linear(f"{at}.mlp_in", (inner, width), bias=True),
        *_linear(f"{at}.mlp_out", (width, inner), bias=True),
    )


def _layer_norm(at: str, width: int) -> Tensors:
    return ((f"{at}.weight", (width,)), (f"{at}.bias", (width,)))


def _linear(at: str, shape: tuple[int, int], *, bias: bool) -> Tensors:
    return ((f"{at}.weight", shape), *(((f"{at}.bias", shape[:1]),) if bias else ()))


def _gelu_tokens(depth: int, width: int, inner: int, heads: int) -> int:
    """Numbers kept per token: two norms' inputs, statistics and outputs, q, k, v, the attention's
    output and one statistic per head, the feed-forward part before and after its gelu."""
    return depth * (2 * (width + 2) + 2 * width + 3 * width + width + heads + 2 * inner)


def _output_tokens(width: int, vocabulary: int) -> int:
    """The last norm's input, statistics and output, and the logarithms of the probabilities."""
    return width + 2 + width + vocabulary


MODELS = MappingProxyType[str, Callable[[], ModelShape]](
    {
        "gpt2-124m": lambda: gpt2("gpt2-124m", 12, 768, 12),
        "gpt2-1.5b": lambda: gpt2("gpt2-1.5b", 48, 1600, 25),
        "llama2-7b": lambda: llama("llama2-7b", 32, 4096, 11008, 32),
        "vit-s": lambda: vit("vit-s", 12, 384, 6, 16),
        "vit-h": lambda: vit("vit-h", 32, 1280, 16, 14),
        "built-in": lambda: built_in(64, 2, 4, context=64, tied=False),
    }
)
"""Models by name: GPT-2 124M and 1.5B, Llama 2 7B, ViT-S/16, ViT-H/14, this project's default."""
