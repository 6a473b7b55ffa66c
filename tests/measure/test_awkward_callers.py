"""Parameters, arguments and surroundings that `measure` and `lr_find` did not expect."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from empirical.errors import UsageError
from empirical.measure.lr_finder import lr_find
from empirical.measure.measurement import Measurement, measure
from tests.measure.plain import linear_loss, randomised, sample_gradients


def samples(count: int = 40) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(count, 3, generator=rng, dtype=torch.float64)
    return x, x[:, 0] + torch.randn(count, generator=rng, dtype=torch.float64)


def square_loss(model: nn.Module, batch: Any) -> Tensor:
    result: Tensor = (model(batch[0]) - batch[1]).square().mean()
    return result


class Scaled(nn.Module):
    """A direction and its length, which is one number without an axis."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))
        self.weight = nn.Parameter(torch.ones(3, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * (x @ self.weight)


def quick(model: Any, batches: Any, **options: Any) -> Measurement:
    return measure(model, batches, **{"curvature": "none", "blocks": 8, **options})


def plain_rows(model: nn.Module, loss: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
    parts = [tuple(t[i : i + 1] for t in batch) for i in range(len(batch[0]))]
    return sample_gradients(model, [partial(loss, model, part) for part in parts])


@pytest.mark.parametrize("micro_batch", [1, 4])
def test_a_parameter_without_an_axis(micro_batch: int) -> None:
    """Slow brute force: a single number, such as a temperature, is one coordinate."""
    model, batch = Scaled(), samples()
    found = quick(model, batch, loss=square_loss, micro_batch=micro_batch)
    rows = plain_rows(model, square_loss, batch)
    torch.testing.assert_close(found.gradient, rows.mean(0), rtol=0, atol=1e-13)
    if micro_batch == 1:
        torch.testing.assert_close(found.variance, rows.var(0), rtol=1e-9, atol=0)


def test_sparse_gradients_of_an_embedding() -> None:
    """Another route: the same numbers as from an embedding whose gradients are dense."""
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randint(7, (40, 5), generator=rng)

    def loss(model: nn.Module, batch: Any) -> Tensor:
        result: Tensor = model(batch).tanh().square().mean()
        return result

    found = []
    for sparse in (False, True):
        model = randomised(nn.Embedding(7, 4, sparse=sparse))
        found.append(quick(model, tokens, loss=loss, micro_batch=2))
    torch.testing.assert_close(found[1].gradient, found[0].gradient, rtol=0, atol=1e-15)
    torch.testing.assert_close(found[1].variance, found[0].variance, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("micro_batch", [1, 4])
def test_a_caller_that_switched_gradients_off(micro_batch: int) -> None:
    """Another route: under no_grad the same is measured, curvature too."""
    options: dict[str, Any] = {"loss": square_loss, "micro_batch": micro_batch}
    plain = measure(Scaled(), samples(), **options)
    with torch.no_grad():
        found = measure(Scaled(), samples(), **options)
    torch.testing.assert_close(found.gradient, plain.gradient, rtol=0, atol=0)
    assert found.curvature["all"].sgd == plain.curvature["all"].sgd


def test_surroundings_that_spoil_a_measurement_are_refused() -> None:
    """Closed form: inference mode keeps no gradient, autocast rounds to half precision."""
    batch = samples()
    with torch.inference_mode(), pytest.raises(UsageError, match="inference mode"):
        quick(Scaled(), batch, loss=square_loss)
    with (
        torch.autocast("cpu", dtype=torch.bfloat16),
        pytest.raises(UsageError, match="autocast is on"),
    ):
        quick(Scaled(), batch, loss=square_loss)


@pytest.mark.parametrize("micro_batch", [1, 4])
def test_a_loss_that_no_parameter_reaches(micro_batch: int) -> None:
    """Closed form: every gradient is 0, which is said, by `lr_find` too."""

    def detached(model: nn.Module, batch: Any) -> Tensor:
        return square_loss(model, batch).detach()

    found = quick(Scaled(), samples(), loss=detached, micro_batch=micro_batch)
    assert "every sample's gradient is 0" in found.status
    model = Scaled()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    rate = lr_find(model, samples(), optimizer, batch_size=4, loss=detached)
    assert rate.learning_rate is None
    assert "not identified" in rate.status


def test_a_layer_without_a_batching_rule_says_nothing() -> None:
    """Slow brute force: an LSTM is taken sample by sample inside vmap, without a warning."""
    model = randomised(nn.LSTM(3, 2, batch_first=True)).float()
    rng = torch.Generator().manual_seed(2)
    x, y = torch.randn(20, 4, 3, generator=rng), torch.randn(20, 2, generator=rng)

    def loss(module: nn.Module, batch: Any) -> Tensor:
        result: Tensor = (module(batch[0])[0][:, -1] - batch[1]).square().mean()
        return result

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = quick(model, (x, y), loss=loss)
    assert not said
    rows = plain_rows(model, loss, (x, y))
    torch.testing.assert_close(found.variance, rows.var(0))


THREE = torch.ones(3)
REFUSED = [
    ("half a sample", {"samples": 10.5}, "samples is 10.5; a whole number is wanted"),
    ("half a micro-batch", {"micro_batch": 1.5}, "micro_batch is 1.5; a whole number is wanted"),
    ("half a chunk", {"chunk": 2.5}, "chunk is 2.5; a whole number"),
    ("half a block", {"blocks": 8.0}, "blocks is 8.0; a whole number"),
    ("tokens", {"tokens": 0}, "tokens is 0"),
    ("samples", {"samples": -3}, "samples is -3"),
    ("epsilon", {"epsilon": float("inf")}, "epsilon is inf"),
    ("negative v", {"second_moment": -THREE}, "negative or not finite"),
    ("v of NaN", {"second_moment": THREE * torch.nan}, "negative or not finite"),
    ("weights", {"weights": lambda batch: None}, "weights came as NoneType"),
    ("parameters", {"parameters": {"theta": [1.0, 2.0, 3.0]}}, "'theta' is a list"),
]


@pytest.mark.parametrize(
    ("options", "words"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_wrong_arguments_are_one_clear_line(options: dict[str, Any], words: str) -> None:
    """Closed form: a table of wrong arguments and what their refusal says."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(20, 3, generator=rng)
    with pytest.raises(UsageError, match=words) as caught:
        quick(linear_loss, x, **{"parameters": {"theta": THREE}, **options})
    assert "\n" not in str(caught.value)


def kept_from_a_pass() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 3), nn.Flatten(0))
    model.kept = model(torch.ones(1, 3))  # as a hook, or the old weight_norm, leaves it
    return model


MODELS = [
    ("batch statistics", lambda: nn.BatchNorm1d(3, track_running_stats=False), "by the batch"),
    ("lazy", lambda: nn.LazyLinear(1), "without numbers"),
    ("meta", lambda: nn.Linear(3, 1, device="meta"), "without numbers"),
    ("no copy", kept_from_a_pass, "cannot be copied"),
]


@pytest.mark.parametrize(("build", "words"), [m[1:] for m in MODELS], ids=[m[0] for m in MODELS])
def test_models_of_no_use_are_refused(build: Any, words: str) -> None:
    """Closed form: a table of models and what their refusal says."""
    x, y = (part.float() for part in samples())
    with pytest.raises(UsageError, match=words) as caught:
        quick(build(), (x, y), loss=square_loss)
    assert "\n" not in str(caught.value)


def test_types_that_do_not_meet_are_named() -> None:
    """Closed form: a loss that casts to half precision meets the float32 copy that is measured."""
    model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)).bfloat16()

    def casting(module: nn.Module, batch: Any) -> Tensor:
        return square_loss(module, (batch[0].bfloat16(), batch[1]))

    with pytest.raises(UsageError, match=r"measured as torch\.float32"):
        quick(model, samples(), loss=casting)


def test_a_dataset_is_no_batch() -> None:
    """Closed form: its rows would be taken for samples, and its labels for shared settings."""
    with pytest.raises(UsageError, match="pass DataLoader"):
        quick(Scaled(), TensorDataset(*samples()), loss=square_loss)


@pytest.mark.parametrize("empty", [0, 17])
def test_a_sample_without_a_token_that_counts_is_named(empty: int) -> None:
    """Closed form: the mean over no token is NaN, whichever sample has none."""
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, 9, (40, 6), generator=rng)
    targets = tokens.clone()
    targets[empty] = -100

    def loss(module: nn.Module, batch: Any) -> Tensor:
        return nn.functional.cross_entropy(module(batch[0]).flatten(0, 1), batch[1].flatten())

    with pytest.raises(UsageError, match=rf"^sample {empty} has the loss nan; .*drop it"):
        quick(nn.Embedding(9, 9), (tokens, targets), loss=loss)
    # Of unequal lengths, samples are counted among those of one shape.
    longer = (tokens.repeat(1, 2), tokens.repeat(1, 2))
    with pytest.raises(UsageError, match=rf"sample {empty} of those with tensors of shape \(6,\)"):
        quick(nn.Embedding(9, 9), iter([(tokens, targets), longer]), loss=loss)


def test_one_batch_as_a_list_gets_a_hint() -> None:
    """Closed form: what a DataLoader gives is read as two batches, and the refusal says so."""
    x, y = samples()
    with pytest.raises(UsageError, match=r"IndexError.*pass \(X, Y\) as a tuple for one batch"):
        quick(Scaled(), [x, y], loss=square_loss)
    # Two batches of one kind are two batches: what the loss raises is told as it is.
    with pytest.raises(IndexError):
        quick(Scaled(), [x, x], loss=square_loss)
    whole, halves = (
        quick(Scaled(), batches, loss=square_loss)
        for batches in ((x, y), [(x[:20], y[:20]), (x[20:], y[20:])])
    )
    assert whole.samples == halves.samples == 40
