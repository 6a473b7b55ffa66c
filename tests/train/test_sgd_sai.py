"""SGD-SaI by its formula, where it is hard, and what its scales really are."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

from empirical.train.configuration import NetworkConfig
from empirical.train.network import build_network, sequence_losses
from empirical.train.optimizers import SGDSaI
from empirical.train.optimizers.tensor_scale import g_snr, sqrt_numel, tensor_scales
from empirical.train.randomness import private_generator


def _gradients(*shapes: tuple[int, ...], seed: int = 0, dtype: Any = torch.float64) -> list[Tensor]:
    generator = private_generator(seed, "gradients")
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


SHAPES = ((4, 3), (5,), (2, 3, 2))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("variant", ["paper", "code", "sqrt-numel"])
def test_steps_follow_the_formula(variant: str, momentum: float) -> None:
    """Closed form: four steps, written out in numpy; a 1 % error in the decay is seen."""
    rate, decay, epsilon = 0.1, 0.2, 1e-3
    parameters = [Parameter(torch.ones(shape, dtype=torch.float64)) for shape in SHAPES]
    optimizer = SGDSaI(
        parameters,
        rate,
        momentum,
        epsilon,
        decay,
        normalize=variant != "code",
        unbiased=variant == "code",
        scale_by="sqrt-numel" if variant == "sqrt-numel" else "g-snr",
    )
    steps = [_gradients(*SHAPES, seed=seed) for seed in range(4)]
    for gradients in steps:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()

    def expected(decay: float) -> list[np.ndarray[Any, Any]]:
        firsts = [gradient.numpy() for gradient in steps[0]]
        ddof = int(variant == "code")
        ratios = [np.linalg.norm(g) / (g.std(ddof=ddof) + epsilon) for g in firsts]
        if variant == "sqrt-numel":
            ratios = [math.sqrt(g.size) for g in firsts]
        if variant != "code":
            ratios = [ratio / max(ratios) for ratio in ratios]
        weights = [np.ones(shape) for shape in SHAPES]
        averages = firsts
        for number, gradients in enumerate(steps):
            for k, gradient in enumerate(gradients):
                new = gradient.numpy()
                if number:
                    averages[k] = momentum * averages[k] + (1 - momentum) * new
                weights[k] = weights[k] * (1 - rate * decay) - rate * ratios[k] * averages[k]
        return weights

    for parameter, right, wrong in zip(
        parameters, expected(decay), expected(1.01 * decay), strict=True
    ):
        # float64, four steps of a dozen roundings of numbers of order one.
        np.testing.assert_allclose(parameter.detach().numpy(), right, rtol=1e-12, atol=1e-13)
        assert np.abs(wrong - right).max() > 1e-5


@pytest.mark.parametrize(("mean", "dtype"), [(0.0, "float32"), (0.3, "float64"), (5.0, "float32")])
@pytest.mark.parametrize("size", [64, 4096, 100_000])
def test_g_snr_is_the_root_of_the_size_but_for_a_mean(mean: float, dtype: str, size: int) -> None:
    """Closed form: √d √(1 + ḡ²/σ²) exactly; √d to a part in √d for entries without a mean."""
    (noise,) = _gradients((size,), seed=size, dtype=getattr(torch, dtype))
    gradient = 1e-3 * (noise + mean)
    ratio = g_snr(gradient)
    assert ratio is not None
    values = gradient.double().numpy()
    exact = math.sqrt(size) * math.sqrt(1 + (values.mean() / values.std()) ** 2)
    # Sums of float32 numbers, pairwise: a few roundings of 6e-8 each.
    assert ratio == pytest.approx(exact, rel=1e-6)
    unbiased = g_snr(gradient, unbiased=True)
    shrunk = math.sqrt(size * (size - 1) / size + size * (values.mean() / values.std(ddof=1)) ** 2)
    assert unbiased == pytest.approx(shrunk, rel=1e-6)
    if mean == 0:
        # ḡ²/σ² is 1/d on average: 9/d is three standard errors of ḡ, halved by the root.
        assert ratio == pytest.approx(sqrt_numel(gradient), rel=4.5 / size)


@pytest.mark.parametrize("shape", ["heavy tails", "one row in a hundred", "one entry in a hundred"])
def test_g_snr_does_not_see_tails_or_sparsity(shape: str) -> None:
    """Monte Carlo: Cauchy entries and mostly zero ones, of random sign, give √d too."""
    generator = private_generator(1, shape)
    gradient = torch.randn(1000, 100, generator=generator, dtype=torch.float64)
    if shape == "heavy tails":
        gradient = gradient / torch.randn(1000, 100, generator=generator, dtype=torch.float64)
    elif shape == "one row in a hundred":
        gradient[torch.arange(1000) % 100 != 0] = 0
    else:
        gradient *= torch.rand(1000, 100, generator=generator) < 0.01
    # The mean over entries has a variance of at most the mean square over d: its square over σ²
    # is below 16/d but for four standard errors, and the ratio off by half of that.
    assert g_snr(gradient) == pytest.approx(math.sqrt(1e5), rel=8 / 1e5)


def test_scales_of_a_network_are_those_of_its_shapes() -> None:
    """Recovery: the first gradient of a real network, on this file's own text."""
    network = build_network(NetworkConfig(), 0)
    text = torch.tensor(list(Path(__file__).read_bytes()[: 16 * 65])).view(16, 65)
    torch.autograd.backward(sequence_losses(network, text[:, :-1], text[:, 1:]).mean())
    scales = tensor_scales(network)
    assert [scale.name for scale in scales] == [name for name, _ in network.named_parameters()]
    # 1 from the closed form; float32 sums of at most 16384 entries.
    assert all(scale.over_sqrt_numel >= 1 - 1e-5 for scale in scales)
    # Entries of a matrix have no mean to speak of. A norm's entries may share one: measured 1.065
    # at most on ordinary text; a tenth would be a mean of 0.46 deviations.
    assert all(scale.over_sqrt_numel < 1.001 for scale in scales if scale.numel >= 4096)
    assert all(scale.over_sqrt_numel < 1.2 for scale in scales)
    # Negative control: with entries that share a mean the data do show.
    for parameter in network.parameters():
        assert parameter.grad is not None
        parameter.grad += parameter.grad.std()
    assert all(scale.over_sqrt_numel > 1.3 for scale in tensor_scales(network))


def test_a_tensor_without_a_scale_is_left_out() -> None:
    """Closed form: no gradient, or nothing but zeros."""
    model = torch.nn.Linear(3, 2)
    assert tensor_scales(model) == ()
    model.weight.grad = torch.zeros_like(model.weight)
    model.bias.grad = torch.tensor([1.0, -1.0])
    (scale,) = tensor_scales(model)
    assert (scale.name, scale.numel) == ("bias", 2)
    assert scale.g_snr == pytest.approx(math.sqrt(2), rel=1e-6)


def _first_step(gradient: Tensor, **options: Any) -> tuple[Parameter, SGDSaI]:
    parameter = Parameter(torch.ones_like(gradient))
    optimizer = SGDSaI([parameter], lr=0.01, **options)
    parameter.grad = gradient
    optimizer.step()
    return parameter, optimizer


@pytest.mark.parametrize("variant", [True, False], ids=["paper", "code"])
@pytest.mark.parametrize(
    ("gradient", "scale"),
    [
        (torch.tensor(0.5), 1.0),
        (torch.tensor([0.5]), 1.0),
        (torch.tensor([[0.5]]), 1.0),
        (torch.full((9,), 0.3), 3.0),
        (torch.full((4, 4), 1e-12, dtype=torch.float64), 4.0),
        (torch.full((9,), 0.3, dtype=torch.bfloat16), 3.0),
    ],
    ids=["scalar", "one entry", "one by one", "equal", "equal and small", "equal in bfloat16"],
)
def test_gradients_without_a_spread(gradient: Tensor, scale: float, variant: bool) -> None:
    """Closed form: the scale is the root of the size, not a number over ε."""
    parameter, _ = _first_step(gradient, normalize=variant, unbiased=not variant)
    expected = 1 - 0.01 * (1.0 if variant else scale) * gradient.double()
    tolerance = torch.finfo(gradient.dtype).eps
    torch.testing.assert_close(parameter.double(), expected, rtol=tolerance, atol=tolerance)


def test_a_zero_first_gradient_freezes_nothing() -> None:
    """Closed form: the first gradient that is not zero sets scale and buffer."""
    (noise,) = _gradients((6, 4))
    parameter, optimizer = _first_step(torch.zeros(6, 4, dtype=torch.float64), weight_decay=0.5)
    decayed = 1 - 0.01 * 0.5
    assert torch.equal(parameter, torch.full_like(parameter, decayed))
    assert not optimizer.state[parameter]
    parameter.grad = noise
    optimizer.step()
    # The largest of all scales is its own: the normalised one is 1.
    torch.testing.assert_close(parameter.detach(), decayed**2 - 0.01 * noise, rtol=1e-14, atol=0)


def test_a_late_gradient_is_divided_by_the_largest_of_the_first_step() -> None:
    """Closed form: the others' rates do not jump; the late scale may exceed 1."""
    small, large = _gradients((4, 4), (40, 40))
    first, late = Parameter(torch.zeros_like(small)), Parameter(torch.zeros_like(large))
    optimizer = SGDSaI([first, late], lr=1.0, momentum=0.0)
    first.grad = small
    optimizer.step()
    torch.testing.assert_close(first.detach(), -small, rtol=1e-14, atol=0)
    late.grad = large
    optimizer.step()
    torch.testing.assert_close(first.detach(), -2 * small, rtol=1e-14, atol=0)
    ratio = (g_snr(large, 1e-8) or 0) / (g_snr(small, 1e-8) or 1)
    assert ratio > 5
    torch.testing.assert_close(late.detach(), -ratio * large, rtol=1e-13, atol=0)


def test_a_gradient_that_is_not_finite_fixes_no_scale() -> None:
    """Closed form: the run shows the NaN; the scale waits for a gradient that is a number."""
    assert g_snr(torch.tensor([1.0, math.nan])) is None
    assert g_snr(torch.tensor([1.0, math.inf])) is None
    parameter, optimizer = _first_step(torch.tensor([1.0, math.nan]))
    assert parameter.isnan().any()
    assert not optimizer.state[parameter]


def test_a_resumed_run_keeps_its_scales() -> None:
    """Brute force: another batch after loading leaves the saved scale as it was."""
    first, second = _gradients((8, 8), (8, 8))
    parameter, optimizer = _first_step(first + 1.0)
    saved = optimizer.state_dict()
    other = SGDSaI([parameter], lr=0.01)
    other.load_state_dict(saved)
    parameter.grad = second
    other.step()
    assert other.state[parameter]["snr"] == saved["state"][0]["snr"]
    assert other.state[parameter]["largest_snr"] == saved["state"][0]["largest_snr"]
    assert g_snr(second, 1e-8) != pytest.approx(saved["state"][0]["snr"], rel=0.1)


def test_without_momentum_there_is_no_buffer() -> None:
    """Closed form: the state is two numbers per tensor."""
    parameter, optimizer = _first_step(torch.linspace(-1, 1, 5), momentum=0.0)
    assert set(optimizer.state[parameter]) == {"snr", "largest_snr"}
