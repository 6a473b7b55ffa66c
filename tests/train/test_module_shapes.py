"""Modules made without memory, and what their forward passes keep."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from empirical.errors import UsageError
from empirical.train.configuration import NetworkConfig
from empirical.train.module_shapes import kept_for_backward, module_shapes
from empirical.train.network import GPT, build_network


def network() -> GPT:
    """What a user's factory is: no arguments, one module."""
    return GPT(NetworkConfig(context=16, width=24, depth=2, heads=2))


def with_buffer() -> nn.Module:
    """Batch normalisation, whose running averages are no parameters."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


HERE = __name__


def test_shapes_are_those_of_the_module() -> None:
    """Another route: the real network's names and shapes."""
    real = build_network(NetworkConfig(context=16, width=24, depth=2, heads=2), 0)
    found = module_shapes(f"{HERE}:network")
    assert found.tensors == tuple((n, tuple(p.shape)) for n, p in real.named_parameters())
    assert found.kept is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_memory_the_same_is_kept(dtype: torch.dtype) -> None:
    """Brute force: the same call with real tensors, byte by byte."""
    real = build_network(NetworkConfig(context=16, width=24, depth=2, heads=2), 0, dtype=dtype)
    tokens = torch.zeros(3, 16, dtype=torch.int64)
    expected = kept_for_backward(lambda: real(tokens), real.parameters())
    assert module_shapes(f"{HERE}:network", (3, 16), dtype).kept == expected
    # Negative control: another batch keeps something else.
    assert module_shapes(f"{HERE}:network", (4, 16), dtype).kept != expected


def test_buffers_are_no_activations() -> None:
    """Brute force: an image through a convolution and a normalisation with running averages."""
    real = with_buffer()
    images = torch.zeros(2, 3, 8, 8)
    own = [*real.parameters(), *real.buffers()]
    expected = kept_for_backward(lambda: real(images), own)
    assert module_shapes(f"{HERE}:with_buffer", (2, 3, 8, 8)).kept == expected


def test_nothing_is_kept_without_a_gradient() -> None:
    """Negative control: inside no_grad autograd keeps nothing."""
    real = with_buffer()
    with torch.no_grad():
        assert kept_for_backward(lambda: real(torch.zeros(2, 3, 8, 8)), real.parameters()) == 0


def test_a_wrong_shape_is_a_user_error() -> None:
    """Closed form: what the module said is part of the line."""
    with pytest.raises(UsageError, match=r"cannot be called with token numbers of shape 2x99"):
        module_shapes(f"{HERE}:network", (2, 99))
