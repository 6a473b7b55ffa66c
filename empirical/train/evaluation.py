"""The loss on sequences that are not trained on."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from empirical.train.network import sequence_losses

EVALUATION_BATCH = 256
"""Sequences per forward pass: it bounds memory, the result does not depend on it."""


@torch.no_grad()
def evaluate_losses(
    model: Callable[[Tensor], Tensor], inputs_BxT: Tensor, targets_BxT: Tensor
) -> NDArray[np.float64]:
    """Loss of each sequence in nats per token, [B]; not finite where the model gives that.

    One number per sequence, so that a mean over them weighs a ragged last batch rightly.
    """
    batches = zip(
        torch.split(inputs_BxT, EVALUATION_BATCH),
        torch.split(targets_BxT, EVALUATION_BATCH),
        strict=True,
    )
    losses = [sequence_losses(model, inputs, targets) for inputs, targets in batches]
    # Two moves: mps has no float64.
    values: NDArray[np.float64] = torch.cat(losses).cpu().double().numpy()
    return values
