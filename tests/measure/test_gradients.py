"""Gradients of sequences and of batches, against plain backward passes."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from empirical.errors import UsageError
from empirical.measure.curvature import Surroundings
from empirical.measure.gradients import batch_gradients, draw_batches, sequence_gradients
from empirical.measure.hessian import gradient_at
from tests.measure.conftest import tiny_network_landscape


def test_rows_are_gradients_of_single_sequences(network: Surroundings) -> None:
    """Slow brute force: one backward pass per sequence, default attention kernel."""
    scape = network.landscape
    for k in (0, 6, 7, 23):  # both sides of a chunk's edge, and the ragged end
        plain = gradient_at(network, scape.point, torch.tensor([k]))
        torch.testing.assert_close(network.gradients[k], plain, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 5, 63, 64, 200])
def test_batch_gradient_is_that_of_the_mean_loss(network: Surroundings, batch_size: int) -> None:
    """Slow brute force: repeated sequences count as often as they were drawn."""
    rng = torch.Generator().manual_seed(batch_size)
    indices = draw_batches(24, 3, batch_size, rng)
    drawn = batch_gradients(network.gradients, indices)
    for row, batch in zip(drawn, indices, strict=True):
        plain = gradient_at(network, network.landscape.point, batch)
        torch.testing.assert_close(row, plain, rtol=1e-9, atol=1e-12)


def test_draws_are_uniform_with_replacement() -> None:
    """Closed form: counts of a multinomial; chi-square within 5 standard deviations."""
    indices = draw_batches(10, 2000, 50, torch.Generator().manual_seed(1))
    counts = torch.bincount(indices.flatten(), minlength=10).double()
    chi_square = ((counts - 10_000) ** 2 / 10_000).sum()
    assert abs(chi_square - 9) < 5 * 18**0.5


def test_gradients_in_a_file_equal_those_in_memory(
    network: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two routes: a memory limit moves them into a file, which leaves no trace behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    on_disk = sequence_gradients(tiny_network_landscape(), max_memory=1)
    torch.testing.assert_close(on_disk, network.gradients, rtol=0, atol=0)
    assert list(tmp_path.iterdir()) == []


def test_gradients_that_fit_nowhere_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Awkward case: a disk with one free byte."""
    usage = SimpleNamespace(total=1, used=0, free=1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(UsageError, match=r"24 sequences .* smaller pool"):
        sequence_gradients(tiny_network_landscape(), max_memory=1)
