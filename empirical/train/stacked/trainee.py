"""R replicas of the built-in network as one Trainee."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from empirical.errors import UsageError
from empirical.train.configuration import NetworkConfig
from empirical.train.evaluation import EVALUATION_BATCH
from empirical.train.optimizer_configuration import OptimizerConfig
from empirical.train.stacked.compiled_gradient import CompiledGradient
from empirical.train.stacked.gradient import DifferentiatedGradient, Gradient, StackedLosses
from empirical.train.stacked.kernels.build import library
from empirical.train.stacked.layout import Layout, network_layout
from empirical.train.stacked.network import stacked_losses
from empirical.train.stacked.optimizers import StackedOptimizer

StackedPath = Literal["stacked", "stacked-compiled"]


def stacked_paths(device: torch.device) -> tuple[StackedPath, ...]:
    """The paths that this machine can compute."""
    return ("stacked",) if compiled_path_missing(device) else ("stacked", "stacked-compiled")


def compiled_path_missing(device: torch.device) -> str | None:
    """Why "stacked-compiled" cannot be had, in one line; None where it can.

    On the CPU the kernels are built to find out, unless they are there already.
    """
    if device.type != "cpu":
        return None if find_spec("triton") else "torch.compile wants triton, which is not installed"
    try:
        library(False)
    except UsageError as error:
        return str(error)
    return None


class StackedTrainee:
    """Replicas that differ in their weights, batches, learning rates and optimizer's numbers.

    network: of all of them. weights: of each, by the plain network's names. optimizers: one each,
    of one name. path "stacked": torch's own operations; "stacked-compiled": on the CPU
    kernels built by the machine's C compiler, elsewhere torch.compile.
    tokens_per_step: makes decays of half-lives. dtype: float32 or float64.

    Between replicas nothing is added or compared: one that diverges leaves the others as they
    are. On the CPU the results are fixed by the arguments and the number of threads.
    """

    def __init__(
        self,
        network: NetworkConfig,
        weights: Sequence[Mapping[str, Tensor]],
        optimizers: Sequence[OptimizerConfig],
        *,
        path: StackedPath = "stacked",
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
        tokens_per_step: float | None = None,
    ) -> None:
        if dtype not in (torch.float32, torch.float64):
            raise UsageError(f"got {dtype} for a stack, wanted float32 or float64; train alone")
        self.replicas = len(weights)
        self._layout = network_layout(network)
        like = torch.empty(0, dtype=dtype, device=device or torch.device("cpu"))
        self._weights_RxP = self._layout.rows(weights, like)
        self._gradients_RxP = torch.zeros_like(self._weights_RxP)
        self._optimizer = StackedOptimizer(
            optimizers, self._weights_RxP, tokens_per_step=tokens_per_step
        )
        self._make = partial(_gradient, path, network, self._layout)
        self._gradient = self._make(self._weights_RxP, self._gradients_RxP)

    def step(
        self, inputs_RxBxT: Tensor, targets_RxBxT: Tensor, learning_rates: Sequence[float]
    ) -> Tensor:
        """See Trainee."""
        losses_R = self._gradient(inputs_RxBxT, targets_RxBxT)
        self._optimizer.step(self._gradients_RxP, learning_rates)
        return losses_R

    @torch.no_grad()
    def heldout_losses(self, inputs_NxT: Tensor, targets_NxT: Tensor) -> NDArray[np.float64]:
        """See Trainee."""
        gradient, replicas, rows = self._gradient, self.replicas, self._weights_RxP
        if replicas > 1 and (rows == rows[:1]).all():
            # As before the first step: what is the same for all is computed once.
            gradient, replicas = self._make(rows[:1], self._gradients_RxP[:1]), 1
        at_once = max(1, EVALUATION_BATCH // replicas)
        losses = [
            gradient.sequence_losses(
                inputs.expand(replicas, -1, -1), targets.expand(replicas, -1, -1)
            )
            for inputs, targets in zip(
                torch.split(inputs_NxT, at_once), torch.split(targets_NxT, at_once), strict=True
            )
        ]
        values: NDArray[np.float64] = torch.cat(losses, dim=1).cpu().double().numpy()
        return np.repeat(values, self.replicas // replicas, axis=0)

    def finite_weights(self) -> Tensor:
        """See Trainee."""
        # Both extremes of a row are NaN where an entry is; ten times faster than entry by entry.
        rows = self._weights_RxP
        return rows.amax(dim=1).isfinite() & rows.amin(dim=1).isfinite()

    def state(self) -> dict[str, Tensor]:
        """See Trainee: `weights` and the optimizer's buffers, a row per replica."""
        found = {"weights": self._weights_RxP, **self._optimizer.state}
        return {name: rows.to("cpu", copy=True) for name, rows in found.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """See Trainee; UsageError for a state of something else."""
        mine = {"weights": self._weights_RxP, **self._optimizer.state}
        if {n: t.shape for n, t in state.items()} != {n: t.shape for n, t in mine.items()}:
            raise UsageError(
                f"got a state of {sorted(state)}, wanted {sorted(mine)} of {self.replicas} "
                "replicas; give the state of this stack"
            )
        for name, rows in mine.items():
            rows.copy_(state[name])

    def weights(self, replica: int) -> dict[str, Tensor]:
        """See Trainee."""
        views = self._layout.views(self._weights_RxP[replica : replica + 1])
        return {name: view[0].to("cpu", copy=True) for name, view in views.items()}


def _gradient(
    path: StackedPath,
    network: NetworkConfig,
    layout: Layout,
    weights_RxP: Tensor,
    gradients_RxP: Tensor,
) -> Gradient:
    if path == "stacked-compiled" and weights_RxP.device.type == "cpu":
        return CompiledGradient(network, layout, weights_RxP, gradients_RxP)
    losses: StackedLosses = stacked_losses
    if path == "stacked-compiled":
        losses = torch.compile(stacked_losses)
    return DifferentiatedGradient(network, layout, weights_RxP, gradients_RxP, losses)
