"""Models and batches on which measuring goes wrong elsewhere, each against a plain reference."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from empirical.errors import UsageError
from empirical.measure.directional import curvature_at
from empirical.measure.measurement import Measurement, measure
from tests.measure.plain import (
    TiedModel,
    linear_loss,
    next_token_loss,
    randomised,
    sample_gradients,
    token_batch,
)


def quick(target: Any, batches: Any, **options: Any) -> Measurement:
    return measure(target, batches, **{"curvature": "none", "blocks": 8, **options})


def plain_rows(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    each = [partial(next_token_loss, model, (x[i : i + 1], y[i : i + 1])) for i in range(len(x))]
    return sample_gradients(model, each)


def test_a_ragged_last_batch_is_weighted_by_its_size() -> None:
    """Slow brute force: 33 samples in batches of 8 are 33 equal samples, no mean of batches."""
    model = randomised(TiedModel())
    x, y = token_batch(33)
    loader = DataLoader(TensorDataset(x, y), batch_size=8)
    found = quick(model, loader, loss=next_token_loss, micro_batch=5, blocks=6, chunk=8)
    rows = plain_rows(model, x, y)
    torch.testing.assert_close(found.gradient, rows.mean(0), rtol=0, atol=1e-13)
    wrong = torch.stack([part.mean(0) for part in torch.split(rows, 8)]).mean(0)
    assert not torch.allclose(found.gradient, wrong, rtol=1e-3)


def test_tied_weights_positions_and_unused_rows() -> None:
    """Slow brute force: a tied matrix is one parameter with both its gradients."""
    model = randomised(TiedModel())
    x, y = token_batch(40, used=6)
    found = quick(model, (x, y), loss=next_token_loss)
    names = found.point.problem.names
    assert names == ("positions", "embedding.weight", "mix.weight", "mix.bias")
    rows = plain_rows(model, x, y)
    torch.testing.assert_close(found.variance, rows.var(0), rtol=1e-9, atol=1e-15)
    positions = found.variance[: 5 * 6]
    assert bool((positions > 0).all())  # per sample, not one gradient shared by the batch


class Untied(nn.Module):
    """An embedding with rows that no token uses."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 4)
        self.head = nn.Linear(4, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embedding(tokens))
        return logits


def test_unused_rows_have_no_noise_and_change_nothing() -> None:
    """Closed form: sigma is exactly 0 there, and scales are those of the used coordinates."""
    model = randomised(Untied())
    x, y = (part % 5 for part in token_batch(40))
    found = quick(model, (x, y), loss=next_token_loss, groups=lambda name: "all of it")
    unused = found.variance.view(-1)[5 * 4 : 20 * 4]
    assert not bool(unused.any())
    assert found.whole.adam.estimate is not None
    used = plain_rows(model, x, y).var(0)
    assert found.whole.rms_sigma == pytest.approx(float(used[used > 0].mean().sqrt()), rel=1e-6)


class Regularised(nn.Module):
    """Dropout and batch-norm."""

    def __init__(self, dropout: float = 0.5, norm: bool = True) -> None:
        super().__init__()
        self.first = nn.Linear(4, 6)
        self.norm = nn.BatchNorm1d(6) if norm else nn.Identity()
        self.drop = nn.Dropout(dropout)
        self.last = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(self.drop(torch.relu(self.norm(self.first(x)))))
        return y


def square_loss(model: nn.Module, batch: Any) -> Tensor:
    result: Tensor = model(batch[0])[:, 0].sub(batch[1]).square().mean()
    return result


def regression(samples: int = 40) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(samples, 4, generator=rng, dtype=torch.float64)
    return x, x.sum(1)


def test_dropout_and_batch_norm_are_switched_to_evaluation_and_said() -> None:
    """Closed form: the same as the model in evaluation; the model itself stays in training."""
    model = randomised(Regularised()).train()
    batch = regression()
    found = quick(model, batch, loss=square_loss)
    assert any("BatchNorm1d, Dropout switched to evaluation" in note for note in found.notes)
    assert model.training and model.get_submodule("norm").training
    assert int(model.get_buffer("norm.num_batches_tracked")) == 0
    plain = quick(model.eval(), batch, loss=square_loss)
    assert not any("switched" in note for note in plain.notes)
    torch.testing.assert_close(found.gradient, plain.gradient, rtol=0, atol=0)


def test_randomness_that_no_switch_reaches_is_refused() -> None:
    """Closed form: a loss that draws numbers gives two losses for one batch."""

    def noisy(parameters: Mapping[str, Tensor], batch: Any) -> Tensor:
        return linear_loss(parameters, batch) + torch.rand(())

    with pytest.raises(UsageError, match="the loss is random"):
        quick(noisy, torch.randn(20, 3), parameters={"theta": torch.ones(3)})


def test_samples_that_see_each_other_are_refused() -> None:
    """Closed form: normalised over the batch, no mean over samples makes the loss of a batch."""

    def coupled(parameters: Mapping[str, Tensor], batch: Any) -> Tensor:
        scores = batch @ parameters["theta"]
        return torch.logsumexp(scores, 0)

    rng = torch.Generator().manual_seed(0)
    with pytest.raises(UsageError, match="no mean with weights"):
        quick(coupled, torch.randn(20, 3, generator=rng), parameters={"theta": torch.ones(3)})

    def summed(parameters: Mapping[str, Tensor], batch: Any) -> Tensor:
        result: Tensor = (batch @ parameters["theta"]).sum()
        return result

    with pytest.raises(UsageError, match="sum over its samples"):
        quick(summed, torch.rand(20, 3, generator=rng), parameters={"theta": torch.ones(3)})


def test_default_attention_needs_no_second_derivative() -> None:
    """Dense algebra: v^T H v under default attention is that of the exact Hessian in float64."""
    model = randomised(TiedModel(vocabulary=5, width=3, context=4), size=0.4)
    x, y = (part % 5 for part in token_batch(12, context=4))
    found = quick(model, (x, y), loss=next_token_loss, blocks=6)
    problem = found.point.problem

    def flat(theta: Tensor) -> Tensor:
        pieces = torch.split(theta, [shape.numel() for shape in problem.shapes])
        named = {
            name: piece.view(shape)
            for name, piece, shape in zip(problem.names, pieces, problem.shapes, strict=True)
        }
        return problem.loss(named, (x, y))

    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        hessian = torch.func.jacrev(torch.func.jacrev(flat))(problem.point)
    rng = torch.Generator().manual_seed(0)
    for _ in range(3):
        v = torch.randn(problem.parameters, generator=rng, dtype=torch.float64)
        exact = float(v @ hessian @ v)
        # LOSS_CHANGE 1e-4 in float64: rounding 1e-16 / 1e-8, fourth derivative of order 1e-8
        assert curvature_at(found.point, v) == pytest.approx(exact, rel=1e-5)
        assert curvature_at(found.point, v) != pytest.approx(1.01 * exact, rel=1e-3)


@pytest.mark.parametrize("micro_batch", [1, 3], ids=["single", "micro-batches"])
@pytest.mark.parametrize("form", ["pairs", "dict"])
def test_unequal_token_counts_are_a_ratio_of_sums(form: str, micro_batch: int) -> None:
    """Slow brute force: gradient of the token mean; deviations of the ratio by the delta method."""
    model = randomised(TiedModel())
    x, y = token_batch(48)
    lengths = torch.arange(48) % 5 + 1
    y = y.masked_fill(torch.arange(5) >= lengths[:, None], -100)
    batch: Any = (x, y) if form == "pairs" else UserDict(tokens=x, labels=y)

    def loss(module: nn.Module, given: Any) -> Tensor:
        if isinstance(given, Mapping):
            return next_token_loss(module, (given["tokens"], given["labels"]))
        return next_token_loss(module, given)

    found = quick(model, batch, loss=loss, micro_batch=micro_batch)
    rows, counts = plain_rows(model, x, y), lengths.double()
    share = counts / counts.mean()
    gradient = (share[:, None] * rows).mean(0)
    torch.testing.assert_close(found.gradient, gradient, rtol=0, atol=1e-13)
    away = share[:, None] * (rows - gradient)
    trace = float(away.square().sum()) / 47
    whole = found.whole.trace_covariance
    close = 1e-9 if micro_batch == 1 else 4 * whole.standard_error / trace
    assert whole.value == pytest.approx(trace, rel=close)
    assert found.tokens_per_sample == float(counts.mean())
    assert any("1 to 5 tokens per sample" in note for note in found.notes)
    # equal weights would be wrong by far more
    assert float(rows.var(0).sum()) != pytest.approx(trace, rel=0.1)


def test_batches_padded_to_different_lengths() -> None:
    """Slow brute force: two shapes in one pool, weighted by the tokens that count."""
    model = randomised(TiedModel())
    x, y = token_batch(30)
    short = (x[:20, :2], y[:20, :2])
    found = quick(model, [short, (x[20:], y[20:])], loss=next_token_loss)
    rows = torch.cat([plain_rows(model, *short), plain_rows(model, x[20:], y[20:])])
    counts = torch.tensor([2.0] * 20 + [5.0] * 10, dtype=torch.float64)
    gradient = (counts[:, None] * rows).sum(0) / counts.sum()
    torch.testing.assert_close(found.gradient, gradient, rtol=0, atol=1e-13)


def test_frozen_and_chosen_parameters() -> None:
    """Closed form: what is frozen, or not named, has no coordinate; the others keep theirs."""
    model = randomised(Untied())
    x, y = (part % 5 for part in token_batch(30))
    whole = quick(model, (x, y), loss=next_token_loss)
    chosen = quick(model, (x, y), loss=next_token_loss, parameters=["head.bias"])
    model.get_parameter("embedding.weight").requires_grad_(False)
    model.get_parameter("head.weight").requires_grad_(False)
    frozen = quick(model, (x, y), loss=next_token_loss)
    assert frozen.parameters == chosen.parameters == 5
    assert any("2 frozen" in note for note in frozen.notes)
    torch.testing.assert_close(frozen.variance, whole.variance[-5:], rtol=1e-12, atol=0)
    torch.testing.assert_close(chosen.variance, frozen.variance, rtol=0, atol=0)
    with pytest.raises(UsageError, match="no trainable parameter of Untied"):
        quick(model, (x, y), loss=next_token_loss, parameters=["embedding.weight"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_measured_in_a_float32_copy(dtype: torch.dtype) -> None:
    """Closed form: the same as the rounded model in float32; the model keeps its precision."""
    model = randomised(Regularised(0.0, norm=False)).to(dtype)
    x, y = (part.to(dtype) for part in regression())
    found = quick(model, (x, y), loss=square_loss)
    assert found.gradient.dtype == torch.float32
    assert any("float32 copy" in note for note in found.notes)
    assert all(p.dtype == dtype for p in model.parameters())
    wide = quick(model.float(), (x.float(), y.float()), loss=square_loss)
    torch.testing.assert_close(found.variance, wide.variance)


class Sequential(nn.Module):
    """A model whose code reads numbers out of tensors, which vmap does not take."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        if float(x.abs().max()) > 1e6:
            raise ValueError("out of range")
        y: Tensor = self.head(x)
        return y


def test_what_vmap_does_not_take_is_asked_one_sample_at_a_time() -> None:
    """Another route: the same numbers as for the linear layer alone, and it is said."""
    model = randomised(Sequential())
    batch = regression()
    found = quick(model, batch, loss=square_loss)
    assert any("one at a time" in note for note in found.notes)
    plain = quick(model.get_submodule("head"), batch, loss=square_loss)
    assert not plain.notes
    torch.testing.assert_close(found.variance, plain.variance, rtol=1e-9, atol=1e-15)


def test_losses_of_single_samples() -> None:
    """Another route: a loss that returns one number per sample gives the numbers of its mean."""
    model = randomised(Regularised(0.0, norm=False))
    batch = regression()

    def each(module: nn.Module, given: Any) -> Tensor:
        result: Tensor = module(given[0])[:, 0].sub(given[1]).square()
        return result

    single, mean = quick(model, batch, loss=each), quick(model, batch, loss=square_loss)
    torch.testing.assert_close(single.variance, mean.variance, rtol=1e-12, atol=0)
    threes = quick(model, batch, loss=each, micro_batch=3)
    torch.testing.assert_close(threes.gradient, mean.gradient, rtol=0, atol=1e-14)


REFUSED = [
    ("no samples", torch.ones(0, 3), {}, "one row per sample"),
    ("one sample", torch.ones(1, 3), {}, "at least 2"),
    ("unequal parts", (torch.ones(4, 3), torch.ones(5)), {}, "common first axis"),
    ("no batch", 3, {}, "iterable of batches"),
    ("too few blocks", torch.eye(5, 3), {}, "give more samples"),
    ("micro-batch", torch.eye(20, 3), {"micro_batch": 0}, "micro_batch is 0"),
    ("curvature", torch.eye(20, 3), {"curvature": "all"}, "'groups' is wanted"),
    ("chunk", torch.eye(20, 3), {"chunk": 0}, "chunk is 0"),
    ("epsilon", torch.eye(20, 3), {"epsilon": -1.0}, "epsilon is -1"),
    ("groups", torch.eye(20, 3), {"groups": {"a": ["b"]}}, "no measured parameter"),
    ("NaN", torch.full((20, 3), torch.nan), {}, "check the data"),
]


@pytest.mark.parametrize(("batches", "options", "words"), [r[1:] for r in REFUSED], ids=str)
def test_wrong_use_is_one_clear_line(batches: Any, options: dict[str, Any], words: str) -> None:
    """Closed form: a table of wrong uses and what their refusal says."""
    with pytest.raises(UsageError, match=words) as caught:
        quick(linear_loss, batches, parameters={"theta": torch.ones(3)}, **options)
    assert "\n" not in str(caught.value)


def test_wrong_targets_are_refused() -> None:
    """Closed form: a model without a loss, a loss without parameters, both."""
    model = randomised(Untied())
    with pytest.raises(UsageError, match="pass loss="):
        quick(model, token_batch(20)[0])
    with pytest.raises(UsageError, match="pass parameters="):
        quick(linear_loss, torch.eye(20, 3))
    with pytest.raises(UsageError, match="two losses"):
        quick(linear_loss, torch.eye(20, 3), loss=square_loss, parameters={"theta": torch.ones(3)})


def test_endless_batches_and_masks_that_weigh() -> None:
    """Closed form: `samples` ends an endless stream; `weights` weighs as the loss does."""

    def endless() -> Any:
        rng = torch.Generator().manual_seed(0)
        while True:
            yield torch.randn(6, 3, generator=rng, dtype=torch.float64)

    theta = {"theta": torch.ones(3, dtype=torch.float64)}
    assert quick(linear_loss, endless(), parameters=theta, samples=50).samples == 50

    def masked(parameters: Mapping[str, Tensor], batch: Any) -> Tensor:
        x, mask = batch
        result: Tensor = ((x @ parameters["theta"]) * mask).sum() / mask.sum()
        return result

    rng = torch.Generator().manual_seed(1)
    x = torch.randn(30, 3, generator=rng, dtype=torch.float64)
    mask = torch.rand(30, generator=rng, dtype=torch.float64) + 0.1
    found = quick(masked, (x, mask), parameters=theta, weights=lambda batch: batch[1])
    exact = (mask[:, None] * x).sum(0) / mask.sum()
    torch.testing.assert_close(found.gradient, exact, rtol=0, atol=1e-14)
    with pytest.raises(UsageError, match="pass weights="):
        quick(masked, (x, mask), parameters=theta)
