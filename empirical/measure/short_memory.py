"""Fewer samples at once where memory is short: the same numbers, a little later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from empirical.errors import UsageError

T = TypeVar("T")


def memory_is_short(error: RuntimeError) -> bool:
    """Whether an allocation failed, on the CPU or a device: torch has no one error for both."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def with_less(work: Callable[[int], T], chunk: int) -> tuple[T, int]:
    """work(chunk), or of half as many samples at once, and so on; with the number that fitted.

    Raises UsageError where one sample is too much.
    """
    while True:
        try:
            return work(chunk), chunk
        except RuntimeError as error:
            if not memory_is_short(error):
                raise
        # outside the handler: the failed pass must not hold its tensors while the next one runs
        if chunk == 1:
            raise UsageError(
                "one sample at a time does not fit into memory; a smaller model, shorter samples "
                "or more memory is wanted"
            )
        chunk //= 2
