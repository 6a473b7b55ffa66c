"""Compiled kernels: gradients against torch.autograd, edges of ranges, what they refuse."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.train.configuration import NetworkConfig
from empirical.train.network import build_network
from empirical.train.stacked.compiled_gradient import PART_TOKENS, CompiledGradient
from empirical.train.stacked.gradient import DifferentiatedGradient, Gradient
from empirical.train.stacked.kernels import build
from empirical.train.stacked.kernels.functions import Kernels
from empirical.train.stacked.layout import network_layout

# Vectors hold 8 or 16 numbers: sizes below, at and beyond them, and parts that do not fit evenly.
SHAPES = {
    "next-to-nothing": (NetworkConfig(context=1, width=2, depth=1, heads=1), 1, 1, 1),
    "below-a-vector": (NetworkConfig(context=5, width=6, depth=1, heads=2), 2, 3, 5),
    "a-vector": (NetworkConfig(context=16, width=16, depth=1, heads=1), 1, 2, 16),
    "beyond-a-vector": (NetworkConfig(context=33, width=34, depth=2, heads=2), 3, 1, 33),
    "wide-heads": (NetworkConfig(context=20, width=66, depth=1, heads=1), 2, 2, 20),
    "three-blocks-tied": (
        NetworkConfig(context=12, width=12, depth=3, heads=4, tied=True),
        2,
        3,
        12,
    ),
    "shorter-than-the-context": (NetworkConfig(context=40, width=8, depth=2, heads=2), 2, 3, 7),
    "a-ragged-last-part": (NetworkConfig(context=150, width=8, depth=1, heads=2), 2, 8, 150),
}


def gradients(
    make: type[CompiledGradient] | type[DifferentiatedGradient],
    shape: str,
    dtype: torch.dtype,
    scale: float = 1.0,
) -> tuple[Tensor, Tensor, Gradient]:
    """Losses [R], gradients [R, P], and what computed them. scale: of the weights."""
    network, replicas, sequences, tokens = SHAPES[shape]
    layout = network_layout(network)
    plain = [build_network(network, seed).state_dict() for seed in range(replicas)]
    weights = scale * layout.rows(plain, torch.empty(0, dtype=dtype))
    found = torch.zeros_like(weights)
    gradient = make(network, layout, weights, found)
    inputs, targets = batch(replicas, sequences, tokens)
    return gradient(inputs, targets), found, gradient


def batch(replicas: int, sequences: int, tokens: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, replicas, sequences, tokens), generator=generator)


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_autograd(shape: str, dtype: torch.dtype, scale: float) -> None:
    """Another library: torch.autograd on the stacked network.

    A few hundred roundings on the way to a gradient, of 1e-16 or 6e-8: 1e-13 or 3e-5 of the norm
    of a replica's gradient. Weights three times as large make attention and GELU less linear.
    """
    mine, found, _ = gradients(CompiledGradient, shape, dtype, scale)
    losses, expected, _ = gradients(DifferentiatedGradient, shape, dtype, scale)
    tolerance = 1e-13 if dtype == torch.float64 else 3e-5
    assert float((mine / losses - 1).abs().max()) < tolerance
    assert float(((found - expected).norm(dim=1) / expected.norm(dim=1)).max()) < tolerance


def test_the_parts_of_a_batch_are_ragged_here() -> None:
    """Closed form: the case that is there for a last part that is smaller has one."""
    _, _, sequences, tokens = SHAPES["a-ragged-last-part"]
    assert sequences % (PART_TOKENS // tokens) != 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_gelu_and_its_slope(dtype: torch.dtype) -> None:
    """Another library: torch in float64 from -30 to 30, zero included.

    Where x is negative gelu is small, and relative accuracy is asked for down to 1e-33, near the
    end of float32: x^2 / 2 = 75 rounded to 24 bits alone makes 75 x 6e-8 = 5e-6.
    """
    x = torch.cat([torch.linspace(-30, 30, 6001, dtype=torch.float64), torch.tensor([0.0])])
    x = x.to(dtype).double().requires_grad_()
    expected = torch.nn.functional.gelu(x)
    (slope,) = torch.autograd.grad(expected.sum(), x)
    found, bias = x.detach().to(dtype, copy=True), torch.zeros(len(x), dtype=dtype)
    out = torch.empty_like(found)
    Kernels(dtype).gelu(found.data_ptr(), bias.data_ptr(), 0, out.data_ptr(), 1, 1, len(x))
    tolerance, smallest = (1e-12, 1e-300) if dtype == torch.float64 else (5e-6, 2e-33)
    # torch computes 1 + erf, which cancels for x below -5: there erfc is the reference.
    exact = x.detach() / 2 * torch.special.erfc(-x.detach() / math.sqrt(2))
    assert float(((out - exact).abs() / (exact.abs() + smallest)).max()) < tolerance
    assert float((found - slope).abs().max()) < (1e-14 if dtype == torch.float64 else 5e-7)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_cross_entropy_of_extreme_logits(dtype: torch.dtype) -> None:
    """Closed form: one logit far above the rest, and all alike; huge ones do not overflow."""
    logits = torch.zeros(1, 3, 256, dtype=dtype)
    logits[0, 0, 5] = 1e4
    logits[0, 1, 5] = 1e4
    targets = torch.tensor([[[5], [6], [7]]])
    losses = torch.empty(1, 3, dtype=dtype)
    known = Kernels(dtype).cross_entropy(
        logits.data_ptr(), targets.data_ptr(), 3, 1.0, losses.data_ptr(), 3, 1, 3, 1, 256
    )
    assert known
    assert losses[0].tolist() == pytest.approx([0.0, 1e4, math.log(256)], rel=1e-6, abs=1e-12)
    sums = logits.sum(dim=2)
    assert float(sums.abs().max()) < 1e-6  # a probability less a one-hot
    assert float(logits[0, 1, 5]) == pytest.approx(1.0)
    assert float(logits[0, 1, 6]) == pytest.approx(-1.0)


@pytest.mark.parametrize("name", ["token_embedding.weight", "blocks.0.mlp_in.weight"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_stays_none(name: str, value: float) -> None:
    """Closed form: one bad weight of one replica makes its loss and no other's NaN or infinite."""
    network, replicas, sequences, tokens = SHAPES["below-a-vector"]
    layout = network_layout(network)
    plain = [build_network(network, seed).state_dict() for seed in range(replicas)]
    plain[0] = {key: weight.clone() for key, weight in plain[0].items()}
    inputs, targets = batch(replicas, sequences, tokens)
    plain[0][name][int(inputs[0, 0, 0]) % len(plain[0][name])] = value
    weights = layout.rows(plain, torch.empty(0))
    losses = CompiledGradient(network, layout, weights, torch.zeros_like(weights))(inputs, targets)
    assert not losses[0].isfinite()
    assert losses[1].isfinite()


def test_tokens_that_would_reach_beyond_the_weights_are_refused() -> None:
    """Closed form: what came, what was wanted."""
    _, _, gradient = gradients(CompiledGradient, "below-a-vector", torch.float32)
    inputs, targets = batch(2, 3, 5)
    high = targets.clone()
    high[1, 2, 4] = 256
    for pair in ((high, targets), (inputs, high), (-1 - inputs, targets)):
        with pytest.raises(UsageError, match="token outside 0 to 255"):
            gradient(*pair)
    with pytest.raises(UsageError, match="at most 5 tokens"):
        gradient(*batch(2, 3, 6))
    with pytest.raises(UsageError, match="for 2 replicas"):
        gradient(*batch(3, 3, 5))
    with pytest.raises(UsageError, match="wanted int64"):
        gradient(inputs.int(), targets)


def test_one_library_serves_all_and_another_compiler_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed form: the file is found again; its name changes with what it is made of."""
    path = build.library_file(False, tmp_path)
    written = path.stat().st_mtime_ns
    assert build.library_file(False, tmp_path) == path
    assert path.stat().st_mtime_ns == written
    assert build.library_file(True, tmp_path) != path
    monkeypatch.setattr(build, "FLAGS", (*build.FLAGS, "-DOTHER"))
    assert build.library_file(False, tmp_path) != path
    assert [entry.suffix for entry in sorted(tmp_path.iterdir())] == [".so"] * 3


@pytest.mark.parametrize(
    ("compiler", "words"),
    [("no-such-compiler", "wants a C compiler"), ("false", "failed to build")],
)
def test_compilers_of_no_use_are_named(
    compiler: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed form: what came, what to do."""
    monkeypatch.setenv("CC", compiler)
    with pytest.raises(UsageError, match=f"{words}.*use the path stacked"):
        build.library_file(False, tmp_path)
