"""The corpus: what is read, how it is split, what is refused."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from empirical.errors import UsageError
from empirical.train import text
from empirical.train.text import corpus_from_bytes, load_text

ALPHABET = bytes(range(256))


def test_files_are_joined_in_the_order_given(tmp_path: Path) -> None:
    """Closed form: hash, name and size of two known files, in both orders."""
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_bytes(b"a" * 500)
    second.write_bytes(b"b" * 700)
    corpus = load_text([first, str(second)], context=16)
    assert corpus.sha256 == hashlib.sha256(b"a" * 500 + b"b" * 700).hexdigest()
    assert (corpus.name, corpus.byte_count) == ("first.txt + second.txt", 1200)
    assert load_text([second, first]).sha256 != corpus.sha256


@pytest.mark.parametrize(
    ("size", "block"),
    [
        pytest.param(20, 2, id="smallest-for-context-1"),
        pytest.param(1234, 123, id="short-ragged"),
        pytest.param(40_960, 4096, id="ten-blocks-of-4-KiB"),
        pytest.param(100_000, 4096, id="many-blocks-of-4-KiB"),
        pytest.param(4_000_123, 8000, id="five-hundred-blocks"),
    ],
)
def test_every_tenth_block_is_held_out(size: int, block: int) -> None:
    """Brute force: each byte is assigned by the number of its block, one at a time."""
    data = bytes((7 * n * n + n // 251) % 256 for n in range(size))
    corpus = corpus_from_bytes(data, name="polynomial")
    heldout = bytes(byte for n, byte in enumerate(data) if n // block % 10 == 9)
    train = bytes(byte for n, byte in enumerate(data) if n // block % 10 != 9)
    assert bytes(corpus.heldout.tolist()) == heldout
    assert bytes(corpus.train.tolist()) == train


def test_the_held_out_part_has_the_same_distribution() -> None:
    """Planted parameter: a text that is half "a" and then half "b" is so in both parts."""
    corpus = corpus_from_bytes(b"a" * 1_000_000 + b"b" * 1_000_000, name="halves")
    for part in (corpus.train, corpus.heldout):
        # 489 blocks of 4096 bytes: one block more or less of a letter is 2 % of the held-out.
        assert abs((part == ord("a")).float().mean().item() - 0.5) < 0.02


def test_the_default_is_the_standard_library() -> None:
    """Closed form: known modules are in it, whole, and nothing that was excluded."""
    corpus, again = load_text(), load_text()
    assert corpus.sha256 == again.sha256
    assert 1_000_000 < corpus.byte_count <= text.DEFAULT_TEXT_LIMIT
    assert "standard library" in corpus.name
    everything = text._standard_library()
    root = Path(sysconfig.get_path("stdlib"))
    assert (root / "argparse.py").read_bytes() in everything
    assert (root / "json" / "decoder.py").read_bytes() in everything
    assert (root / "site.py").read_bytes() in everything
    assert Path(pytest.__file__).read_bytes() not in everything
    # Written by the builder of this Python: the hash would be a private matter.
    assert all(path.read_bytes() not in everything for path in root.glob("_sysconfigdata*.py"))


def test_the_default_is_cut_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed form: the cut text is the beginning of the whole."""
    whole = text._standard_library()
    monkeypatch.setattr(text, "DEFAULT_TEXT_LIMIT", 123_456)
    assert text._standard_library() == whole[:123_456]


def _missing(folder: Path) -> list[Path]:
    return [folder / "missing.txt"]


def _below_a_file(folder: Path) -> list[Path]:
    (folder / "file").write_bytes(ALPHABET)
    return [folder / "file" / "text"]


def _directory(folder: Path) -> list[Path]:
    return [folder]


def _loop(folder: Path) -> list[Path]:
    (folder / "loop").symlink_to(folder / "loop")
    return [folder / "loop"]


def _empty(folder: Path) -> list[Path]:
    (folder / "full").write_bytes(ALPHABET)
    (folder / "empty").touch()
    return [folder / "full", folder / "empty"]


def _endless(folder: Path) -> list[Path]:
    return [Path("/dev/zero")]


def _nothing(folder: Path) -> list[Path]:
    return []


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (_missing, "missing.txt does not exist"),
        (_below_a_file, "cannot read the text .*file/text"),
        (_directory, "got the directory"),
        (_loop, "cannot read the text .*loop"),
        (_empty, "empty is empty"),
        (_endless, "got the device /dev/zero"),
        (_nothing, "empty list of text files"),
    ],
)
def test_unreadable_texts_are_refused(
    tmp_path: Path, paths: Callable[[Path], list[Path]], words: str
) -> None:
    """Closed form: each mistake has one line that names the file and what to do."""
    with pytest.raises(UsageError, match=words) as error:
        load_text(paths(tmp_path))
    assert "\n" not in str(error.value)
    assert "; name " in str(error.value)


def _zipped(data: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("text", data)
    return held.getvalue()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("gzip", gzip.compress),
        ("zip", _zipped),
        ("bzip2", bz2.compress),
        ("xz", lzma.compress),
    ],
)
def test_compressed_texts_are_refused(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    """Another library packs a text; its bytes would train in silence, whatever it is called."""
    (tmp_path / "novel.txt").write_bytes(pack(ALPHABET * 100))
    with pytest.raises(UsageError, match=rf"novel.txt is compressed \({name}\).*unpack it"):
        load_text([tmp_path / "novel.txt"])


def test_a_text_that_begins_like_an_archive_is_read(tmp_path: Path) -> None:
    """Closed form: letters alone do not make an archive."""
    (tmp_path / "letters.txt").write_bytes(b"BZh9 is how a file of bzip2 begins. " * 10)
    assert load_text([tmp_path / "letters.txt"]).byte_count == 360


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_text_is_refused(tmp_path: Path) -> None:
    """Closed form: a file without the right to read it is named."""
    (tmp_path / "secret").write_bytes(ALPHABET)
    (tmp_path / "secret").chmod(0)
    with pytest.raises(UsageError, match=r"cannot read the text .*secret"):
        load_text([tmp_path / "secret"])


@pytest.mark.parametrize("context", [1, 64, 1000])
def test_a_text_too_short_for_the_context_is_refused(context: int) -> None:
    """Closed form: the shortest text is ten windows of context + 1 bytes, one fewer is refused."""
    wanted = 10 * (context + 1)
    assert len(corpus_from_bytes(b"x" * wanted, name="x", context=context).heldout) == context + 1
    with pytest.raises(UsageError, match=f"has {wanted - 1} bytes.*at least {wanted}; give"):
        corpus_from_bytes(b"x" * (wanted - 1), name="x", context=context)
