"""A user's own function, by the name PACKAGE.MODULE:FUNCTION."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from empirical.errors import UsageError


def function_named(path: str, returns: str) -> Callable[[], object]:
    """The function of no arguments that `path` names; `returns` is what it should return, in words.

    Modules in the current folder are found, as `python -m` finds them, also by the function itself.

    Raises UsageError for a name that leads nowhere, and when the function ends the program.
    """
    name, _, attribute = path.partition(":")
    if not name or not attribute:
        raise UsageError(
            f"got '{path}', wanted PACKAGE.MODULE:FUNCTION, a function of no arguments that "
            f"returns {returns}; write it so"
        )
    try:
        with _current_folder():
            module = import_module(name)
    except (Exception, SystemExit) as error:  # whatever a user's own module raises
        raise UsageError(
            f"cannot import {name} ({in_one_line(error)}); name a module that Python finds, or "
            "run where it does"
        ) from error
    found = getattr(module, attribute, None)
    if not callable(found):
        raise UsageError(f"{name} has no function {attribute}; name one that returns {returns}")
    function: Callable[[], object] = found

    def call() -> object:
        try:
            with _current_folder():
                return function()
        except SystemExit as error:
            raise UsageError(
                f"{path} ends the program ({in_one_line(error)}); name a function that returns "
                f"{returns}"
            ) from error

    return call


def in_one_line(error: BaseException) -> str:
    """Type and text of an error, cut where a reader would stop."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{': ' * bool(text)}{text}"[:160]


@contextmanager
def _current_folder() -> Iterator[None]:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        with suppress(ValueError):  # whoever was called may have removed it
            sys.path.remove(here)
