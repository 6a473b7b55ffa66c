"""Errors of `empirical` that carry their meaning in their type."""

from __future__ import annotations


class UsageError(ValueError):
    """The user asked for something that cannot be done.

    The message is one line: what came, what was wanted, what to do. The command line prints it
    after "error: " and exits with code 2.
    """
