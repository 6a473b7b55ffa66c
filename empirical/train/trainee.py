"""What the training loop trains: one network, or several replicas of it side by side.

Letters in names: R replicas, B sequences, T tokens, N held-out sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from empirical.train.devices import arithmetic, compiled
from empirical.train.evaluation import evaluate_losses
from empirical.train.network import GPT, sequence_losses


class Trainee(Protocol):
    """R replicas of one network that train side by side, each on batches of its own."""

    replicas: int

    def step(
        self, inputs_RxBxT: Tensor, targets_RxBxT: Tensor, learning_rates: Sequence[float]
    ) -> Tensor:
        """One update of every replica; the mean loss of its batch before the update, [R]."""
        ...

    def heldout_losses(self, inputs_NxT: Tensor, targets_NxT: Tensor) -> NDArray[np.float64]:
        """Loss of each sequence under each replica in nats per token, [R, N]."""
        ...

    def finite_weights(self) -> Tensor:
        """Which replicas have only finite weights, bool [R]."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Copies on the CPU of all that is needed to go on as if nothing had happened."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state`."""
        ...

    def weights(self, replica: int) -> dict[str, Tensor]:
        """The weights of one replica by the network's own names, copies on the CPU."""
        ...


class SingleTrainee:
    """One network and one torch optimizer."""

    replicas = 1

    def __init__(
        self,
        model: GPT,
        optimizer: Optimizer,
        *,
        dtype: torch.dtype = torch.float32,
        compile_backend: str | None = None,
    ) -> None:
        self.model, self._optimizer, self._dtype = model, optimizer, dtype
        self._device = next(model.parameters()).device
        self._forward = compiled(model.train(), compile_backend, self._device)

    def step(
        self, inputs_RxBxT: Tensor, targets_RxBxT: Tensor, learning_rates: Sequence[float]
    ) -> Tensor:
        """See Trainee."""
        with arithmetic(self._dtype, self._device):
            loss = sequence_losses(self._forward, inputs_RxBxT[0], targets_RxBxT[0]).mean()
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rates[0]
        self._optimizer.step()
        return loss.detach()[None]

    def heldout_losses(self, inputs_NxT: Tensor, targets_NxT: Tensor) -> NDArray[np.float64]:
        """See Trainee."""
        self.model.eval()
        with arithmetic(self._dtype, self._device):
            losses = evaluate_losses(self._forward, inputs_NxT, targets_NxT)
        self.model.train()
        return losses[None]

    def finite_weights(self) -> Tensor:
        """See Trainee."""
        return torch.stack([weight.isfinite().all() for weight in self.model.parameters()]).all()[
            None
        ]

    def state(self) -> dict[str, Tensor]:
        """See Trainee; the optimizer's entries are `optimizer.<parameter>.<name>`."""
        found = {f"weights.{name}": weight for name, weight in self.weights(0).items()}
        for index, entries in self._optimizer.state_dict()["state"].items():
            for name, value in entries.items():
                # A plain number has to come back as one: it is kept under a name that says so.
                plain = not isinstance(value, Tensor)
                tensor = torch.tensor(value, dtype=torch.float64) if plain else value
                key = f"optimizer.{index}.{name}" + (".number" if plain else "")
                found[key] = tensor.detach().to("cpu", copy=True).contiguous()
        return found

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """See Trainee."""
        weights = {
            key.removeprefix("weights."): value
            for key, value in state.items()
            if key.startswith("weights.")
        }
        self.model.load_state_dict(weights)
        entries: dict[int, dict[str, Any]] = {}
        for key, value in state.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".", 2)
                plain = name.endswith(".number")
                entries.setdefault(int(index), {})[name.removesuffix(".number")] = (
                    _number(value) if plain else value.clone()
                )
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": entries, "param_groups": groups})

    def weights(self, replica: int) -> dict[str, Tensor]:
        """See Trainee."""
        return {
            name: weight.detach().to("cpu", copy=True)
            for name, weight in self.model.state_dict().items()
        }


def _number(value: Tensor) -> float | int:
    number = float(value)
    return int(number) if number.is_integer() else number
