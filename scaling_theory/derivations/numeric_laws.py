"""Which expressions become numpy functions: learning rates, loss drops, steps and peaks."""

from __future__ import annotations

from scaling_theory import symbols as sy
from scaling_theory.derivations import (
    canonical_form,
    canonical_surge,
    crossover,
    momentum,
    noise_batches,
    scalar_noise,
    sgd,
    softsign_law,
    sources,
    surge_paper,
)
from scaling_theory.numeric import ClosedForm

__all__ = ["closed_laws"]

_BATCH = {"batch_size": sy.B}
_SGD_NOISE = {"noise_batch": sy.B_noise}
_NOISE_BATCH = {"noise_batch": sy.B_n}
_SATURATION = {"saturation_batch": sy.K}
_INFINITY = {"eta_infinity": sy.eta_infinity}
_FACTOR = {"momentum_factor": sy.rho}
_SCALARS = {"descent": sy.A, "signal_curvature": sy.Q, "trace": sy.T}


def closed_laws() -> tuple[ClosedForm, ...]:
    """Closed forms of the laws, in the order of the derivations."""
    return (*_sgd(), *_mean_field(), *_canonical())


def _sgd() -> tuple[ClosedForm, ...]:
    return (
        ClosedForm(
            "sgd_learning_rate",
            "Optimal learning rate of one step of SGD",
            sgd.sgd_learning_rate(),
            {"eta_max": sy.eta_max} | _SGD_NOISE | _BATCH,
            sources.MCCANDLISH,
        ),
        ClosedForm(
            "sgd_loss_drop",
            "Expected loss drop of one optimal step of SGD",
            sgd.sgd_loss_drop(),
            {"largest_drop": sy.drop_max} | _SGD_NOISE | _BATCH,
            sources.MCCANDLISH,
        ),
        ClosedForm(
            "steps_to_goal",
            "Optimizer steps to a goal",
            sgd.steps(),
            {"fewest_steps": sy.S_min} | _SGD_NOISE | _BATCH,
            sources.MCCANDLISH,
        ),
        ClosedForm(
            "samples_to_goal",
            "Samples to a goal",
            sgd.samples(),
            {"fewest_samples": sy.E_min} | _SGD_NOISE | _BATCH,
            sources.MCCANDLISH,
        ),
    )


def _mean_field() -> tuple[ClosedForm, ...]:
    return (
        ClosedForm(
            "mean_field_learning_rate",
            "Optimal learning rate of SoftSignSGD in the mean field",
            softsign_law.mean_field_rate(),
            _SCALARS | {"beta": sy.attenuation},
            sources.EPSILON,
        ),
        ClosedForm(
            "surge_learning_rate",
            "Learning rate of SignSGD far below saturation",
            surge_paper.surge_learning_rate(),
            {"eta_max": sy.eta_max, "noise_batch": sy.B_surge} | _BATCH,
            sources.SURGE,
        ),
        ClosedForm(
            "noise_curvature_fit",
            "Noise curvature against the batch, a form for fits",
            scalar_noise.noise_fit(),
            {
                "at_small_batch": sy.noise_start,
                "scale_batch": sy.B_N,
                "sharpness": sy.p,
            }
            | _BATCH,
            sources.OWN,
        ),
        ClosedForm(
            "crossover_learning_rate",
            "Learning rate of Adam, sqrt(v) + epsilon times the one-step rate of SGD",
            crossover.crossover_rate(),
            {
                "eta_max": sy.eta_max,
                "gradient": sy.g,
                "sigma": sy.sigma,
                "epsilon": sy.epsilon,
            }
            | _FACTOR
            | _NOISE_BATCH
            | _BATCH,
            sources.OWN,
        ),
        ClosedForm(
            "adam_learning_rate",
            "Learning rate of Adam, stationary averages, one step",
            momentum.adam_rate(),
            _SCALARS | _FACTOR | {"beta": sy.attenuation},
            sources.MOMENTUM,
        ),
    )


def _canonical() -> tuple[ClosedForm, ...]:
    scalars = {"signal_curvature": sy.Q, "trace": sy.T}
    return (
        ClosedForm(
            "efficiency_batch",
            "Batch at which the loss drop is half of its largest",
            noise_batches.efficiency_batch(),
            _SATURATION | scalars,
            sources.OWN,
        ),
        ClosedForm(
            "surge_noise_batch",
            "Noise batch of the Surge paper, one SNR throughout",
            noise_batches.surge_batch(),
            _SATURATION | scalars,
            sources.SURGE,
        ),
        ClosedForm(
            "canonical_learning_rate",
            "Optimal learning rate in the canonical form",
            canonical_form.learning_rate(),
            _INFINITY | _NOISE_BATCH | _SATURATION | _BATCH,
            sources.OWN,
        ),
        ClosedForm(
            "canonical_loss_drop_ratio",
            "Loss drop at the optimum over its value at infinite batch",
            canonical_form.loss_drop() / sy.drop_max,
            _NOISE_BATCH | _BATCH,
            sources.OWN,
        ),
        ClosedForm(
            "canonical_log_slope",
            "Logarithmic slope of the canonical learning rate over the batch",
            canonical_form.log_slope(),
            _NOISE_BATCH | _SATURATION | _BATCH,
            sources.OWN,
        ),
        ClosedForm(
            "canonical_peak_batch",
            "Batch of the largest canonical learning rate; negative without a surge",
            canonical_surge.peak_batch(),
            _NOISE_BATCH | _SATURATION,
            sources.OWN,
        ),
        ClosedForm(
            "canonical_peak_learning_rate",
            "Largest canonical learning rate, where there is a surge",
            canonical_surge.peak_learning_rate(),
            _INFINITY | _NOISE_BATCH | _SATURATION,
            sources.OWN,
        ),
    )
