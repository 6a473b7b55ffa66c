"""What measuring costs, counted in samples that pass through the loss; and its cheap routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from empirical.errors import UsageError
from empirical.measure.block_sums import block_sums
from empirical.measure.directional import (
    block_curvatures,
    curvature_at,
    hessian_vector_ahead,
    hessian_vector_at,
    units_of,
)
from empirical.measure.groups import by_module, groups_of
from empirical.measure.measurement import Measurement, default_micro_batch, measure
from empirical.measure.short_memory import with_less
from empirical.measure.surface_terms import GridEffort, measure_grid
from tests.measure.plain import TiedModel, next_token_loss, randomised, token_batch

SAMPLES, BLOCKS = 48, 8
POSING = 44
"""Samples that checking a problem may take: a batch of four twice, a pair of samples together and
alone for each of nine weightings that the tokens suggest."""


class Counted:
    """next_token_loss that counts the samples it is asked about."""

    def __init__(self) -> None:
        self.forward = self.backward = 0

    def __call__(self, model: nn.Module, batch: Any) -> Tensor:
        if torch.is_grad_enabled():
            self.backward += len(batch[0])
        else:
            self.forward += len(batch[0])
        return next_token_loss(model, batch)

    def during(self, work: Callable[[], object]) -> tuple[int, int]:
        """Samples (forward alone, with a gradient) while work runs."""
        before = self.forward, self.backward
        work()
        return self.forward - before[0], self.backward - before[1]


def measured(loss: Any = next_token_loss, **options: Any) -> Measurement:
    """A small transformer with an uneven mean over tokens."""
    inputs, targets = token_batch(SAMPLES)
    targets = targets.clone()
    targets[::3, 3:] = -100  # every third sample counts fewer tokens
    settings = {"curvature": "none", "micro_batch": 3, "blocks": BLOCKS, **options}
    return measure(randomised(TiedModel()), (inputs, targets), loss=loss, **settings)


def test_noise_statistics_take_every_sample_once() -> None:
    """Closed form: N samples with a gradient, and a handful to check the problem."""
    loss = Counted()
    forward, backward = loss.during(lambda: measured(loss))
    assert SAMPLES <= backward <= SAMPLES + POSING
    assert forward <= POSING


def test_curvature_takes_two_forward_passes() -> None:
    """Closed form: 2 N samples and a look at one chunk; the loss at the point once, at first."""
    loss = Counted()
    point = measured(loss, chunk=6).point
    direction = point.spread.gradient.sign()
    first = loss.during(lambda: curvature_at(point, direction))
    again = loss.during(lambda: curvature_at(point, 2 * direction))
    assert again == (2 * SAMPLES + 6, 0)
    assert first == (3 * SAMPLES + 6, 0)


def test_cells_of_the_surface_cost_what_is_said() -> None:
    """Closed form: 2 N for the signal, S for each of K deviations and n probes of two kinds."""
    loss = Counted()
    found = measured(loss, chunk=6)
    effort = GridEffort(deviations=BLOCKS, probes=5, subset=6)
    curvature_at(found.point, found.gradient)  # the loss at the point
    axis = [0.1 * found.whole.rms_sigma]

    def cells(number: int) -> None:
        measure_grid(found, [float(b) for b in range(1, number + 1)], axis, effort=effort)

    one, three = (loss.during(lambda n=n: cells(n))[0] for n in (1, 3))  # type: ignore[misc]  # n is bound to the loop's value
    # looks that set the step: one chunk for the signal, the deviations and each kind of probe
    assert one == 2 * SAMPLES + 6 * (BLOCKS + 2 * 5) + 4 * 6
    assert three == 3 * one


def hessian_of(found: Measurement, samples: Tensor) -> Tensor:
    """Dense Hessian of sum w_k L_k / n over these samples by torch.func, from the loss alone."""
    problem = found.point.problem
    model = randomised(TiedModel())
    shapes = dict(zip(problem.names, problem.shapes, strict=True))
    stack = problem.pool.stacks[0]
    inputs, targets = stack.tensors(samples)

    def total(theta: Tensor) -> Tensor:
        pieces = torch.split(theta, [shape.numel() for shape in shapes.values()])
        named = {n: p.view(s) for (n, s), p in zip(shapes.items(), pieces, strict=True)}
        logits = functional_call(model, named, (inputs,), tie_weights=True)
        each = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
        return each / float((targets != -100).sum())

    weight = float(problem.weights[samples].sum()) / len(samples)
    dense: Tensor = torch.autograd.functional.hessian(total, problem.point)  # type: ignore[no-untyped-call]  # torch leaves it without types
    return weight * dense


@pytest.mark.parametrize(
    "kept", [{}, {"micro_batch": 1, "keep_rows": True}], ids=["blocks", "rows"]
)
def test_one_sided_curvature_is_that_of_its_units(kept: dict[str, Any]) -> None:
    """Another library (dense Hessians of torch.autograd.functional): each direction on its own.

    The step changes a loss by 1e-4, so the odd term is of that order relative to a curvature of
    the order of the slope; 3e-3 leaves room for flat directions. One per cent is seen.
    """
    found = measured(**kept)
    rows = found.deviations[:5]
    several = 4 if kept else 2
    values = block_curvatures(found.point, rows, samples=several * (1 if kept else 6))
    order = torch.cat(found.point.spread.members)
    units = torch.split(order, 1 if kept else 6)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        exact = torch.stack(
            [
                row
                @ hessian_of(found, torch.cat([units[j] for j in units_of(k, several, len(units))]))
                @ row
                for k, row in enumerate(rows)
            ]
        )
    torch.testing.assert_close(values, exact, rtol=3e-3, atol=3e-3 * float(exact.abs().mean()))
    worst = float((1.01 * exact - values).abs().max())
    assert worst > 3e-3 * float(exact.abs().max())


def test_products_from_one_gradient() -> None:
    """Slow brute force: central differences of the gradient, on the pool and on blocks."""
    found = measured()
    direction = found.deviations[0]
    for blocks in (None, [2, 5]):
        members = found.point.spread.members
        chosen = None if blocks is None else torch.cat([members[j] for j in blocks])
        exact = hessian_vector_at(found.point, direction, chosen)
        close = hessian_vector_ahead(found.point, direction, blocks)
        # off by a term in h: a step changes a loss by 1e-4
        assert float((close - exact).norm()) < 1e-2 * float(exact.norm())
        assert float((close - exact).norm()) > 0


def test_sums_over_blocks_against_block_means() -> None:
    """Slow brute force: Gram matrices and the halves of the one-norm from the means themselves."""
    found = measured()
    spread = found.point.spread
    groups = groups_of(found.point.problem, by_module)
    means = (spread.gradient + spread.shrink[:, None] * spread.blocks).numpy()
    sums = block_sums(spread, groups, None, 0.01)
    a = 1 / (np.sqrt(found.gradient.numpy() ** 2 + found.variance.numpy()) + 0.01)
    a[found.gradient.numpy() ** 2 + found.variance.numpy() == 0] = 0
    for group, part in zip(groups, sums, strict=True):
        inside = np.concatenate([means[:, piece] for piece in group.slices], axis=1)
        scale = np.concatenate([a[piece] for piece in group.slices])
        np.testing.assert_allclose(part.gram, inside @ inside.T, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(part.adam_gram, (inside * scale) @ inside.T, atol=1e-12)
        assert part.norm == pytest.approx(float(np.sum(inside.mean(0) ** 2)), rel=0.1)
    whole = sums[0].one_norm
    assert whole.plain == pytest.approx(float(found.gradient.abs().sum()))
    assert whole.crossed < whole.plain < whole.half


def test_default_micro_batches() -> None:
    """Closed form: 256 gradients or one per sample, at most 16 samples each, 1 for tiny models."""
    large = type("P", (), {"parameters": 10**6, "samples": 1024})()
    assert default_micro_batch(large) == 4
    large.samples = 100
    assert default_micro_batch(large) == 1
    large.samples = 10**6
    assert default_micro_batch(large) == 16
    large.parameters = 100
    assert default_micro_batch(large) == 1


SHORT = "[enforce fail] DefaultCPUAllocator: can't allocate memory"


def test_short_memory_halves_the_batch() -> None:
    """Closed form: a loss that fails above four samples gives the same numbers; one is refused."""

    def scarce(model: nn.Module, batch: Any) -> Tensor:
        if len(batch[0]) > most:
            raise RuntimeError(SHORT)
        return next_token_loss(model, batch)

    most = 4
    plain = measured(micro_batch=6)
    less = measured(scarce, micro_batch=6)
    torch.testing.assert_close(less.gradient, plain.gradient, rtol=0, atol=1e-14)
    torch.testing.assert_close(less.variance, plain.variance, rtol=1e-10, atol=1e-15)
    direction = plain.gradient
    assert curvature_at(less.point, direction) == pytest.approx(
        curvature_at(plain.point, direction), rel=1e-6
    )

    def never(chunk: int) -> None:
        raise RuntimeError(SHORT)

    with pytest.raises(UsageError, match="one sample at a time"):
        with_less(never, 8)

    def other(chunk: int) -> None:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        with_less(other, 8)
