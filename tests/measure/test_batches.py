"""Gradients of samples and of batches, against plain backward passes."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from empirical.errors import UsageError
from empirical.measure.batches import batches_of, draw_batches
from empirical.measure.measurement import Measurement, measure
from empirical.measure.rows import gradient_of
from tests.measure.conftest import each_loss, measure_rows_of, tiny_network, tiny_pool
from tests.measure.plain import (
    TiedModel,
    next_token_loss,
    randomised,
    sample_gradients,
    token_batch,
)


def padded() -> Measurement:
    """A pool with unequal weights: the gradient of a batch is a ratio of sums."""
    inputs, targets = token_batch(24)
    targets = targets.clone()
    targets[::3, 3:] = -100
    options = {"loss": next_token_loss, "blocks": 8}
    return measure_rows_of(randomised(TiedModel()), (inputs, targets), options)


def test_rows_are_gradients_of_single_sequences(network: Measurement) -> None:
    """Slow brute force: one backward pass per sequence, default attention kernel."""
    model, (x, y) = tiny_network(), tiny_pool()
    losses = [
        partial(lambda k: each_loss(model, (x[k : k + 1], y[k : k + 1])).sum(), k)
        for k in range(len(x))
    ]
    assert network.point.rows is not None
    plain = sample_gradients(model, losses)
    torch.testing.assert_close(network.point.rows, plain, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 5, 63, 64, 200])
@pytest.mark.parametrize("weights", ["even", "uneven"])
def test_batch_gradient_is_that_of_the_mean_loss(
    network: Measurement, batch_size: int, weights: str
) -> None:
    """Slow brute force: repeated sequences count as often as they were drawn."""
    at = network.point if weights == "even" else padded().point
    indices = draw_batches(24, 3, batch_size, torch.Generator().manual_seed(batch_size))
    drawn = torch.stack(list(batches_of(at, indices).gradients()))
    for row, batch in zip(drawn, indices, strict=True):
        plain = gradient_of(at.problem, batch)
        torch.testing.assert_close(row, plain, rtol=1e-9, atol=1e-12)


def test_what_no_sequence_of_a_batch_touches_is_zero(network: Measurement) -> None:
    """Closed form: embeddings of letters that are not there have no gradient, not even rounding.

    The sign of rounding would be an update as large as any.
    """
    inputs, _ = tiny_pool()
    indices = torch.tensor([[0, 3, 3]])
    (gradient,) = batches_of(network.point, indices).gradients()
    names, shapes = network.point.problem.names, network.point.problem.shapes
    start = sum(s.numel() for s in shapes[: names.index("token_embedding.weight")])
    table = gradient[start : start + 256 * 8].view(256, 8)
    there = torch.zeros(256, dtype=torch.bool)
    there[inputs[[0, 3]]] = True
    assert not bool(table[~there].any())
    assert bool(table[there].all())


def test_draws_are_uniform_with_replacement() -> None:
    """Closed form: counts of a multinomial; chi-square within 5 standard deviations."""
    indices = draw_batches(10, 2000, 50, torch.Generator().manual_seed(1))
    counts = torch.bincount(indices.flatten(), minlength=10).double()
    chi_square = ((counts - 10_000) ** 2 / 10_000).sum()
    assert abs(chi_square - 9) < 5 * 18**0.5


def test_gradients_in_a_file_equal_those_in_memory(
    network: Measurement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two routes: a memory limit moves them into a file, which leaves no trace behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    options = {"loss": each_loss, "blocks": 8, "chunk": 7, "max_memory": 1}
    on_disk = measure_rows_of(tiny_network(), tiny_pool(), options)
    assert network.point.rows is not None and on_disk.point.rows is not None
    torch.testing.assert_close(on_disk.point.rows, network.point.rows, rtol=0, atol=0)
    assert list(tmp_path.iterdir()) == []


def test_gradients_that_fit_nowhere_are_refused(
    network: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Awkward case: a disk with one free byte, and memory for ten of 24, or for none."""
    usage = SimpleNamespace(total=1, used=0, free=1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    for memory, words in (
        (10 * network.gradient.nbytes, "24 samples .* smaller pool"),
        (1, "TMPD"),
    ):
        with pytest.raises(UsageError, match=words):
            measure_rows_of(tiny_network(), tiny_pool(), {"loss": each_loss, "max_memory": memory})


def test_rows_are_of_single_samples() -> None:
    """Closed form: micro-batches of two have no gradient of each sample."""
    with pytest.raises(UsageError, match="micro-batches of 2"):
        measure(tiny_network(), tiny_pool(), loss=each_loss, micro_batch=2, keep_rows=True)
