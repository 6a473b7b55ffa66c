"""Text as bytes: the corpus, its hash and its held-out part."""

import hashlib
import platform
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from empirical.errors import UsageError

DEFAULT_TEXT_LIMIT = 16_000_000
"""Bytes of the default text that are kept at most."""

HELDOUT_ONE_IN = 10
"""Of this many consecutive blocks of text, the last is held out."""

_SMALLEST_COMFORTABLE_BLOCK = 4096
_BLOCKS = 500
_SKIPPED_DIRECTORIES = frozenset(
    {"__pycache__", "dist-packages", "idlelib", "site-packages", "test", "tests"}
)
# Written by whoever built or packaged this Python, with paths of that machine inside.
_SKIPPED_PREFIXES = ("_sysconfigdata", "sitecustomize", "usercustomize")

# The first bytes of files whose bytes are no text, whatever the file is called.
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_BZIP2_BLOCK = b"1AY&SY"


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text of `byte_count` bytes, split in two parts that share no byte.

    train, heldout: uint8 [n] on the CPU, one entry per byte of text.
    sha256: hexadecimal hash of the whole text, before the split.
    name: what a reader calls this text.
    """

    train: Tensor
    heldout: Tensor
    sha256: str
    name: str
    byte_count: int


def load_text(paths: Sequence[str | Path] | None = None, *, context: int = 1) -> Corpus:
    """Read files, joined in the order given, or else the Python standard library's source.

    `context` is only checked: the text must hold at least one held-out window of context + 1
    bytes. Raises UsageError for a file that is missing, a directory, unreadable, empty or
    compressed, and for a text too short for the context.
    """
    if paths is None:
        text, name = _standard_library(), f"Python {platform.python_version()} standard library"
    else:
        files = [Path(path) for path in paths]
        if not files:
            raise UsageError("got an empty list of text files, wanted at least one; name a file")
        text, name = b"".join(map(_read, files)), " + ".join(file.name for file in files)
    return corpus_from_bytes(text, name=name, context=context)


def corpus_from_bytes(text: bytes, *, name: str, context: int = 1) -> Corpus:
    """Split a text into training and held-out parts.

    The text is cut into equal contiguous blocks (about 500, of 4 KiB or more; ten if the text
    is short) and every tenth block is held out, so that both parts have the same distribution;
    holding out the end would hold out whatever happens to come last. Each part is its blocks
    joined: no window of one part shares a byte with the other, and a window may straddle a
    seam between two blocks as it may straddle two files. The split ignores the context.

    Raises UsageError if the held-out part is shorter than one window of context + 1 bytes.
    """
    wanted = HELDOUT_ONE_IN * (context + 1)
    if len(text) < wanted:
        raise UsageError(
            f"the text {name!r} has {len(text)} bytes, a context of {context} wants at least "
            f"{wanted}; give a longer text or a shorter context"
        )
    block = min(max(len(text) // _BLOCKS, _SMALLEST_COMFORTABLE_BLOCK), len(text) // HELDOUT_ONE_IN)
    data = np.frombuffer(text, dtype=np.uint8)
    blocks = [data[start : start + block] for start in range(0, len(data), block)]
    is_heldout = [index % HELDOUT_ONE_IN == HELDOUT_ONE_IN - 1 for index in range(len(blocks))]
    train = np.concatenate([b for b, held in zip(blocks, is_heldout, strict=True) if not held])
    heldout = np.concatenate([b for b, held in zip(blocks, is_heldout, strict=True) if held])
    return Corpus(
        train=torch.from_numpy(train),
        heldout=torch.from_numpy(heldout),
        sha256=hashlib.sha256(text).hexdigest(),
        name=name,
        byte_count=len(text),
    )


def _standard_library() -> bytes:
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(
        (path.relative_to(root).as_posix(), path)
        for path in root.rglob("*.py")
        if not _SKIPPED_DIRECTORIES.intersection(path.relative_to(root).parts)
        and not path.name.startswith(_SKIPPED_PREFIXES)
    )
    pieces: list[bytes] = []
    size = 0
    for _, path in files:
        if size >= DEFAULT_TEXT_LIMIT:
            break
        pieces.append(_read(path) if path.stat().st_size else b"")
        size += len(pieces[-1])
    if not size:
        raise UsageError(
            f"got no Python source under {root}, wanted the standard library as the default "
            "text; name a text of your own"
        )
    return b"".join(pieces)[:DEFAULT_TEXT_LIMIT]


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise UsageError(f"got the directory {path} as a text; name the files in it")
        if path.is_char_device():  # /dev/zero never ends
            raise UsageError(f"got the device {path} as a text; name a file")
        text = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"the text {path} does not exist; name a file that can be read") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"cannot read the text {path} ({reason}); name another file") from None
    if not text:
        raise UsageError(f"the text {path} is empty, wanted some bytes; name another file")
    packed = _packing(text)
    if packed is not None:
        raise UsageError(
            f"the text {path} is compressed ({packed}), wanted the text itself; unpack it first"
        )
    return text


def _packing(text: bytes) -> str | None:
    """The program that packed these bytes, None where they look like none's."""
    found = next((name for magic, name in _PACKED.items() if text.startswith(magic)), None)
    # Three letters and a digit may begin a text; what follows them in bzip2 does not.
    return None if found == "bzip2" and text[4:10] != _BZIP2_BLOCK else found
