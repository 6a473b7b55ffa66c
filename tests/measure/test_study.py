"""A whole checkpoint: independent of threads and of the device."""

import dataclasses
from contextlib import nullcontext

import pytest
import torch

from empirical.demo.rows import agreement
from empirical.measure.curvature import surroundings_of
from empirical.measure.effort import Effort
from empirical.measure.gradients import sequence_gradients
from empirical.measure.landscape import Landscape, landscape_of
from empirical.measure.line_search import search_line
from empirical.measure.one_step import measure_one_step
from empirical.measure.orientation import orient
from empirical.measure.prediction import (
    gather_statistics,
    predict_cell,
    predict_mean_field,
)
from empirical.measure.statistics import pool_statistics
from empirical.measure.study import Grid, study_checkpoint
from empirical.train.network import build_network, sequence_losses
from tests.device_mode import META, MixedDevicesError, RefuseMixedDevices
from tests.measure.conftest import TINY, tiny_network_landscape

SMALL = Effort(24, 0.2, 8, 4, 6, largest_error=1.0, deviations=8, micro_batch=4, probes=4)


def test_the_number_of_workers_changes_nothing() -> None:
    """Two routes: one thread and three give the same cells bit for bit."""
    shares: list[float] = []
    runs = [
        study_checkpoint(
            tiny_network_landscape,
            Grid((1, 4, 100), (0.0, 1.0)),
            effort=SMALL,
            seed=3,
            workers=workers,
            on_progress=shares.append,
        )
        for workers in (1, 3)
    ]
    for first, second in zip(runs[0].cells, runs[1].cells, strict=True):
        assert first.predictions == second.predictions
        assert first.line_search == second.line_search
        for field in ("learning_rate", "interval", "status", "descent", "signal", "noise"):
            assert getattr(first.truth, field) == getattr(second.truth, field)
    assert runs[0].mean_fields == runs[1].mean_fields
    assert max(shares) == pytest.approx(1.0)


@pytest.mark.parametrize("default", [META, None], ids=["default-meta", "default-cpu"])
def test_measuring_runs_on_another_device(default: torch.device | None) -> None:
    """Another library: torch's dispatcher sees every operation of a whole measurement."""
    with default or nullcontext(), RefuseMixedDevices():
        model = build_network(TINY, 0, device=META)
        tokens = torch.zeros((24, TINY.context), dtype=torch.int64, device=META)
        measure_everything(landscape_of(model, sequence_losses, tokens, tokens))


def test_a_forgotten_device_in_the_loss_is_caught() -> None:
    """Negative control: a loss that makes a tensor of its own on the CPU is refused."""

    def forgetful(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return sequence_losses(model, x, y) * torch.ones(len(x))

    with RefuseMixedDevices(), pytest.raises(MixedDevicesError):
        model = build_network(TINY, 0, device=META)
        tokens = torch.zeros((24, TINY.context), dtype=torch.int64, device=META)
        measure_everything(landscape_of(model, forgetful, tokens, tokens))


def measure_everything(scape: Landscape) -> None:
    around = surroundings_of(scape, sequence_gradients(scape))
    pool = pool_statistics(around.gradients)
    for truth in measure_one_step(around, pool.gradient, 4, [0.0, 1.0], SMALL, 0):
        search_line(around, truth, SMALL, 0)
    measure_one_step(around, pool.gradient, 100, [0.0], SMALL, 0)
    statistics = gather_statistics(around, pool, SMALL, 0)
    scalars = orient(around, pool, statistics, SMALL, 0)
    predict_mean_field(around, statistics, scalars.trace, (1, 4), 0.1)
    predict_cell(around, statistics, 4, 0.1, ("correlated", "independent"), SMALL, 0)


def test_a_landscape_leaves_its_network_alone() -> None:
    """Two routes: measuring does not move the parameters; evaluation mode is set."""
    model = build_network(TINY, 0, dtype=torch.float64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tokens = torch.randint(256, (8, TINY.context), generator=torch.Generator().manual_seed(0))
    scape = landscape_of(model.train(), sequence_losses, tokens, tokens)
    surroundings_of(dataclasses.replace(scape, point=scape.point + 1), sequence_gradients(scape))
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("ratio", "line", "verdict"),
    [
        ((1.0, 1.1), (1.05, 1.2), "yes"),
        ((1.0, 1.1), (1.11, 1.2), "no"),
        ((1.0, 1.1), None, "cannot tell"),
        ((0.5, 2.0), (1.0, 1.1), "cannot tell"),
        ((-1.0, 2.0), (1.0, 1.1), "cannot tell"),
    ],
)
def test_agreement_of_the_two_truths(
    ratio: tuple[float, float], line: tuple[float, float] | None, verdict: str
) -> None:
    """Closed form: overlap, separation, and intervals too wide to say."""
    assert agreement(ratio, line) == verdict
