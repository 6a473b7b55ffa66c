"""A whole checkpoint: independent of threads and of the device."""

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from empirical.demo.rows import agreement
from empirical.measure.effort import Effort
from empirical.measure.line_search import search_line
from empirical.measure.measured_step import settled_steps, softsign_rule
from empirical.measure.prediction import predict_mean_field, predictions_of
from empirical.measure.saving import scalars_of, trace_of
from empirical.measure.study import Grid, study_checkpoint
from empirical.measure.surface_terms import GridEffort, Terms
from empirical.train.network import build_network
from tests.device_mode import META, MixedDevicesError, RefuseMixedDevices
from tests.measure.conftest import TINY, each_loss, measure_rows_of, tiny_network, tiny_pool

SMALL = Effort(24, 0.2, 8, 4, 6, largest_error=1.0, deviations=8, probes=4)


def test_the_number_of_workers_changes_nothing() -> None:
    """Two routes: one thread and three give the same cells bit for bit."""
    shares: list[float] = []
    runs = [
        study_checkpoint(
            tiny_network,
            tiny_pool(),
            each_loss,
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
    assert runs[0].scalars == runs[1].scalars
    for name in ("descent", "signal", "noise_correlated", "noise_independent"):
        one, three = (getattr(run.surface, name) for run in runs)
        np.testing.assert_array_equal(one.value, three.value)
        np.testing.assert_array_equal(one.standard_error, three.standard_error)
    assert np.isinf(runs[0].surface.epsilons[-1])
    assert max(shares) == pytest.approx(1.0)


@pytest.mark.parametrize("default", [META, None], ids=["default-meta", "default-cpu"])
def test_measuring_runs_on_another_device(default: torch.device | None) -> None:
    """Another library: torch's dispatcher sees every operation of a whole measurement."""
    with default or nullcontext(), RefuseMixedDevices():
        measure_everything(each_loss)


def test_a_forgotten_device_in_the_loss_is_caught() -> None:
    """Negative control: a loss that makes a tensor of its own on the CPU is refused."""

    def forgetful(model: nn.Module, batch: Any) -> Tensor:
        return each_loss(model, batch) * torch.ones(len(batch[0]))

    with RefuseMixedDevices(), pytest.raises(MixedDevicesError):
        measure_everything(forgetful)


def measure_everything(loss: Any) -> None:
    """All of a study on a device that answers 1 wherever a number is asked for.

    In this thread: a mode does not reach into others.
    """
    tokens = torch.zeros((24, TINY.context), dtype=torch.int64, device=META)
    options = {"loss": loss, "blocks": SMALL.deviations, "groups": {}, "curvature": "whole"}
    found = measure_rows_of(build_network(TINY, 0, device=META), (tokens, tokens), options)
    rules = [softsign_rule(epsilon) for epsilon in (0.0, 1.0)]
    for rule, truth in zip(rules, settled_steps(found.point, 4, rules, SMALL, 0), strict=True):
        search_line(found.point, truth, rule, SMALL, 0)
    settled_steps(found.point, 100, rules[:1], SMALL, 0)
    each = GridEffort(SMALL.deviations, SMALL.probes, SMALL.subset)
    predictions_of(Terms(found, each, 0).cell(4, 0.1))
    trace = trace_of(found, each, 0)
    predict_mean_field(found, trace, (1, 4), 0.1)
    scalars_of(found, trace)


def test_measuring_leaves_the_network_alone() -> None:
    """Two routes: measuring moves no parameter and no mode."""
    model = tiny_network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure_rows_of(model, tiny_pool(), {"loss": each_loss, "blocks": 8})
    assert model.training
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
