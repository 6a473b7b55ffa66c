"""How a failure reaches the shell: one line on stderr and an exit code."""

from __future__ import annotations

import sys
from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell is told; 1 is also Python's own code for an unexpected traceback."""

    DONE = 0
    NOT_MET = 1
    WRONG_USE = 2
    INTERRUPTED = 130


def one_line(message: str) -> str:
    """`message` with every run of white space, line breaks included, made one space."""
    return " ".join(message.split())


def report_wrong_use(message: str) -> int:
    """Print "error: message" as one line on stderr; return the exit code of wrong use."""
    print(f"error: {one_line(message)}", file=sys.stderr)
    return int(ExitCode.WRONG_USE)


def report_interrupt() -> int:
    """Say in one line on stderr that the user stopped the program; return its exit code."""
    print("interrupted: stopped before the end", file=sys.stderr)
    return int(ExitCode.INTERRUPTED)
