"""What a call gives, in a form that can be sent: its value, or its error with where it arose.

Engines have errors of their own for a call that raised, which hide what it raised; a call that
answers leaves those errors to what befell the machine.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

Answer = tuple[bool, Any]
"""Whether the call returned; what it returned or raised."""


def answered(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Answer:
    """Make the call; its errors are answers too. What asks the process to end passes through."""
    try:
        return True, fn(*args, **kwargs)
    except Exception as error:
        return False, _portable(error)


def give(answer: Answer, future: Future[Any]) -> None:
    """Hand the answer to whoever waits for the future."""
    returned, value = answer
    if returned:
        future.set_result(value)
    else:
        future.set_exception(value)


def _portable(error: Exception) -> Exception:
    """The error with its traceback as a note, or its text where it cannot be sent."""
    error.add_note(traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
    return error
