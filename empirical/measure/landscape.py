"""A loss landscape at one point: a per-sequence loss, its parameters, and the pool it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from empirical.measure.parameter_vector import unflatten

SequenceLoss = Callable[[Mapping[str, Tensor], Tensor, Tensor], Tensor]
"""(parameters by name, inputs[n, ...], targets[n, ...]) -> mean loss of each sequence, [n]."""


@dataclass(frozen=True)
class Landscape:
    """The loss of a network around a fixed point, over a pool of N sequences.

    Everything that is measured refers to this pool: g, Sigma, H and both truths.

    Attributes:
        loss: per-sequence loss, in nats per token; must be a pure function of its arguments.
        names: parameter names, in the order in which they are laid into one vector.
        shapes: parameter shapes, in the same order.
        point: the parameters theta as one vector, [P].
        inputs: pool inputs, [N, ...].
        targets: pool targets, [N, ...].
        chunk: sequences per forward pass.
    """

    loss: SequenceLoss
    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    point: Tensor
    inputs: Tensor
    targets: Tensor
    chunk: int = 64

    @property
    def sequences(self) -> int:
        """N, the number of sequences in the pool."""
        return int(self.inputs.shape[0])

    @property
    def parameters(self) -> int:
        """P, the number of trainable coordinates."""
        return int(self.point.numel())


class _LossModule(nn.Module):
    """A loss as a module, so that functional_call swaps the parameters of the model inside it."""

    def __init__(self, model: nn.Module, loss: Callable[[nn.Module, Tensor, Tensor], Tensor]):
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.loss(self.model, x, y)


def landscape_of(
    model: nn.Module,
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
    *,
    chunk: int = 64,
) -> Landscape:
    """The landscape of a torch module at its present parameters.

    Tied parameters appear once; frozen ones (requires_grad False) stay where they are. The module
    is put into evaluation mode and is not changed afterwards.

    Args:
        model: the module; its trainable parameters become theta.
        loss: (model, inputs[n, ...], targets[n, ...]) -> loss of each sequence, [n].
        inputs: pool inputs, [N, ...].
        targets: pool targets, [N, ...].
        chunk: sequences per forward pass.

    Raises:
        ValueError: no trainable parameter, or inputs and targets of unequal length.
    """
    trainable = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    if not trainable:
        raise ValueError("got a model without trainable parameters; wanted at least one")
    if inputs.shape[0] != targets.shape[0]:
        raise ValueError(
            f"got {inputs.shape[0]} inputs and {targets.shape[0]} targets; wanted as many of each"
        )
    model.eval()

    bound = _LossModule(model, loss)

    def sequence_loss(parameters: Mapping[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        named = {f"model.{name}": value for name, value in parameters.items()}
        result: Tensor = functional_call(bound, named, (x, y), tie_weights=True)
        return result

    return Landscape(
        loss=sequence_loss,
        names=tuple(trainable),
        shapes=tuple(p.shape for p in trainable.values()),
        point=torch.cat([p.reshape(-1) for p in trainable.values()]),
        inputs=inputs,
        targets=targets,
        chunk=chunk,
    )


def chunks(landscape: Landscape, indices: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets of the given sequences (None: the whole pool), a chunk at a time."""
    x, y = landscape.inputs, landscape.targets
    if indices is not None:
        x, y = x[indices], y[indices]
    for start in range(0, x.shape[0], landscape.chunk):
        yield x[start : start + landscape.chunk], y[start : start + landscape.chunk]


@torch.no_grad()
def losses_at(landscape: Landscape, point: Tensor, indices: Tensor | None = None) -> Tensor:
    """Loss of each sequence at the given point theta [P], in nats per token, [n]."""
    named = unflatten(landscape, point)
    parts = [landscape.loss(named, x, y) for x, y in chunks(landscape, indices)]
    return torch.cat(parts)
