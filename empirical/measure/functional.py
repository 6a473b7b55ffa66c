"""A torch module as a pure function of its parameters, as it would be at evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parameter import UninitializedParameter

from empirical.errors import UsageError

BatchLoss = Callable[[Mapping[str, Tensor], Any], Tensor]
"""(parameters by name, batch) -> mean loss of the batch [], or the loss of each sample [n]."""

ModelLoss = Callable[[nn.Module, Any], Tensor]
"""(model, batch) -> mean loss of the batch [], or the loss of each sample [n]."""

HALF = (torch.float16, torch.bfloat16)
DROPOUT = (nn.modules.dropout._DropoutNd, nn.RReLU, nn.MultiheadAttention)
BATCH_NORM = nn.modules.batchnorm._BatchNorm


def own_loss(model: nn.Module, batch: Any) -> Tensor:
    """The loss that a model computes itself: `.loss`, ["loss"], or a scalar among its outputs.

    Dicts are passed by keyword (transformers), tuples and lists by position (nanoGPT).
    """
    if isinstance(batch, Mapping):
        output = model(**batch)
    elif isinstance(batch, (tuple, list)):
        output = model(*batch)
    else:
        output = model(batch)
    if isinstance(output, Mapping):
        found = [output.get("loss")]
    elif isinstance(output, (tuple, list)):
        found = [x for x in output if isinstance(x, Tensor) and x.dim() == 0]
    else:
        found = [output if isinstance(output, Tensor) else getattr(output, "loss", None)]
    if not found or not isinstance(found[0], Tensor) or found[0].dim() > 1:
        raise UsageError(
            f"{type(model).__name__} returns no loss; one loss, or one per sample, is wanted: "
            "pass loss=lambda model, batch: ... that returns it"
        )
    return found[0]


def functional_model(
    model: nn.Module, loss: ModelLoss | None, names: Iterable[str] | None
) -> tuple[BatchLoss, dict[str, Tensor], tuple[str, ...]]:
    """The loss as a function of the trainable parameters, these parameters, and what was changed.

    The model itself stays as it is: where modules have to be switched to evaluation, or half
    precision has to be widened, a copy is measured. Tied parameters appear once; frozen ones and
    those not in `names` stay where they are.

    Raises UsageError where nothing is trainable, or a name is unknown.
    """
    _check_model(model)
    notes = []
    training = {type(m).__name__ for m in model.modules() if m.training and _acts(m)}
    half = any(p.dtype in HALF for p in model.parameters())
    if half:
        model = _copied(model, {})
    if model.training or training or half:
        # other modules, the same parameters: a copy of them would be another vector in memory
        model = _copied(model, {id(p): p for p in model.parameters()}).eval()
    if training:
        notes.append(
            f"{', '.join(sorted(training))} switched to evaluation: what is measured is the loss "
            "without dropout, with batch-norm's running statistics"
        )
    if half:
        model = model.float()
        notes.append("half-precision parameters measured in a float32 copy")
    trainable = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    frozen = sum(not p.requires_grad for p in model.parameters())
    if frozen:
        notes.append(f"{frozen} frozen parameter tensors left out")
    if names is not None:
        wanted = list(names)
        unknown = [name for name in wanted if name not in trainable]
        if unknown:
            raise UsageError(
                f"{unknown[0]!r} is no trainable parameter of {type(model).__name__}; names as in "
                "model.named_parameters() are wanted"
            )
        trainable = {name: trainable[name] for name in wanted}
    if not trainable:
        raise UsageError(
            f"{type(model).__name__} has no trainable parameter; at least one with requires_grad "
            "is wanted"
        )
    rest = {n: p.detach() for n, p in model.named_parameters() if n not in trainable}
    return _bound(model, loss or own_loss, rest), trainable, tuple(notes)


def _check_model(model: nn.Module) -> None:
    """Refuse what has no numbers, or sees the other samples of a batch at evaluation too."""
    if not all(map(_has_numbers, model.parameters())):
        raise UsageError(
            f"{type(model).__name__} has parameters without numbers (lazy, or on the meta device): "
            "call it once on a batch, or load its weights"
        )
    for name, module in model.named_modules():
        if isinstance(module, BATCH_NORM) and module.running_mean is None:
            raise UsageError(
                f"{name or type(module).__name__} normalises by the batch at evaluation too: "
                "samples see each other and have no gradient of their own; a batch-norm with "
                "running statistics, or a norm of each sample, is wanted"
            )


def _has_numbers(parameter: nn.Parameter) -> bool:
    if isinstance(parameter, UninitializedParameter):
        return False
    try:
        return not parameter.is_meta or bool(parameter.detach().sum().isfinite().item() >= 0)
    except (RuntimeError, NotImplementedError):  # what a meta tensor answers when it is read
        return False


def _copied(model: nn.Module, shared: dict[int, Any]) -> nn.Module:
    try:
        return deepcopy(model, shared)
    except (RuntimeError, TypeError) as error:
        raise UsageError(
            f"{type(model).__name__} cannot be copied to switch it to evaluation "
            f"({str(error).splitlines()[0][:80]}); remove an old torch.nn.utils.weight_norm or a "
            "tensor that it keeps from a forward pass"
        ) from error


def _acts(module: nn.Module) -> bool:
    """Whether the module does something else in training than at evaluation."""
    if isinstance(module, nn.MultiheadAttention):
        return bool(module.dropout > 0)
    if not isinstance(module, (*DROPOUT, BATCH_NORM)):
        return False
    return bool(getattr(module, "p", 1.0) > 0)


def _bound(model: nn.Module, loss: ModelLoss, rest: Mapping[str, Tensor]) -> BatchLoss:
    class Bound(nn.Module):
        """The loss as a module, so that functional_call swaps the parameters inside it."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, batch: Any) -> Tensor:
            return loss(self.model, batch)

    bound = Bound().eval()

    def batch_loss(parameters: Mapping[str, Tensor], batch: Any) -> Tensor:
        everything = {**rest, **parameters}
        named = {f"model.{name}": value for name, value in everything.items()}
        result: Tensor = functional_call(bound, named, (batch,), tie_weights=True)
        return result

    return batch_loss


def widened(leaf: Any) -> Any:
    """A half-precision tensor in float32, anything else as it is."""
    return leaf.float() if isinstance(leaf, Tensor) and leaf.dtype in HALF else leaf
