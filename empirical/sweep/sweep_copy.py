"""The copy of the sweep file in the folder of the sweep; its last line is its own checksum."""

from __future__ import annotations

import hashlib
from pathlib import Path

_MARK = "# SHA-256 of the lines above: "


def encode_copy(sweep: str) -> bytes:
    """The sweep file and its checksum, as a comment, so that the copy is a sweep file too."""
    body = sweep if sweep.endswith("\n") else sweep + "\n"
    return f"{body}{_MARK}{_digest(body)}\n".encode()


def decode_copy(path: Path) -> str | None:
    """The sweep file without its checksum, None where it is missing or was changed."""
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None
    body, mark, digest = text.rpartition(_MARK)
    return body if mark and digest == _digest(body) + "\n" else None


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
