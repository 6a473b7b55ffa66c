"""What disks do: torn files, flipped bytes, no space, no permission. Nothing recorded is lost."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from empirical.atomic_files import write_atomically
from empirical.sweep.contents import read_contents
from empirical.sweep.folder import SweepFolder
from empirical.sweep.recovery import open_sweep
from empirical.sweep.storage import StorageError
from tests.sweep.tiny_sweep import (
    Here,
    drive_here,
    fixed_planner,
    single,
    table,
    text_file,
    tiny_run,
    two_rounds,
)

DOCUMENTS = {"sweep.toml": "cells = 2  # grün\n", "plan.json": '{"cells": 2}\n'}
PLANNER = two_rounds(2)
UNITS = tuple(single(tiny_run(0.01 * k)) for k in range(1, 13))

Damage = Callable[[bytes, Random], bytes]


def torn(data: bytes, random: Random) -> bytes:
    """All before some byte."""
    return data[: random.randrange(len(data))] if data else data


def flipped(data: bytes, random: Random) -> bytes:
    """One bit of one byte the other way round."""
    place = random.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]


def emptied(data: bytes, random: Random) -> bytes:
    """Nothing left."""
    return b""


def untouched(data: bytes, random: Random) -> bytes:
    """As it was left."""
    return data


DAMAGES = [
    *(pytest.param(torn, seed, id=f"torn-{seed}") for seed in range(10)),
    *(pytest.param(flipped, seed, id=f"flipped-{seed}") for seed in range(10)),
    pytest.param(emptied, 0, id="emptied"),
]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return text_file(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, text: Path) -> Path:
    """A sweep that ended undisturbed, with the files that stand beside a store."""
    root = tmp_path_factory.mktemp("sound")
    with open_sweep(root, DOCUMENTS):
        pass
    drive_here(root, text, PLANNER)
    (root / "state" / "of-no-unit.safetensors").write_bytes(b"a state of a unit no longer wanted")
    return root


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(sound, tmp_path / "sweep"))


def check(root: Path, sound: Path, text: Path, executor: Here | None = None) -> tuple[str, ...]:
    """Reading, mending and going on all give the table of the sound sweep; what was mended."""
    wanted = table(sound)
    assert table(root) == wanted, "read without mending"
    mended = drive_here(root, text, PLANNER, executor)
    assert table(root) == wanted, "mended"
    contents = read_contents(SweepFolder(root))
    assert contents.sound and not contents.damage and not contents.unfiled
    assert contents.documents == DOCUMENTS
    assert {row.key for row in contents.runs.values()} == set(contents.finished())
    return mended


@pytest.mark.parametrize(("damage", "seed"), DAMAGES)
@pytest.mark.parametrize(
    "name", ["store.sqlite", "results", "curves", "state", "lock", "sweep.toml", "plan.json"]
)
def test_a_damaged_file_changes_nothing(
    name: str, damage: Damage, seed: int, root: Path, sound: Path, text: Path
) -> None:
    """Rung: another route to the same bytes (never damaged); nothing is computed again."""
    random = Random(f"{name} {seed}")
    path = root / name
    if path.is_dir():
        path = random.choice(sorted(path.iterdir()))
    path.write_bytes(damage(path.read_bytes(), random))
    executor = Here()
    mended = check(root, sound, text, executor)
    assert executor.calls == 0
    if name in ("results", "sweep.toml", "plan.json"):
        assert len(mended) == 1 and str(path) in mended[0]


@pytest.mark.parametrize("seed", range(40))
def test_any_byte_of_the_store_may_flip(seed: int, root: Path, sound: Path, text: Path) -> None:
    """Rung: as above, at more places; a flip in unused space may well go unseen."""
    path = root / "store.sqlite"
    path.write_bytes(flipped(path.read_bytes(), Random(seed)))
    check(root, sound, text)


@pytest.mark.parametrize("name", ["store.sqlite", "results", "curves", "sweep.toml", "lock"])
def test_a_missing_file_changes_nothing(name: str, root: Path, sound: Path, text: Path) -> None:
    """Rung: as above."""
    path = root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    executor = Here()
    check(root, sound, text, executor)
    assert executor.calls == 0


def test_both_copies_of_one_result_damaged_it_is_computed_again(
    root: Path, sound: Path, text: Path
) -> None:
    """Rung: negative control (one run has to be computed: the damage above did reach the data)."""
    damaged = sorted((root / "results").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:-40])
    with sqlite3.connect(root / "store.sqlite") as connection:
        connection.execute("DELETE FROM runs WHERE unit = ?", (damaged.stem,))
    connection.close()
    assert table(root) != table(sound)
    executor = Here()
    mended = drive_here(root, text, PLANNER, executor)
    assert executor.calls == 1
    assert table(root) == table(sound)
    assert any(str(damaged) in sentence for sentence in mended)


def left_journal(root: Path) -> Path:
    """The journal of a transaction that was killed while it wrote to the store."""
    script = (
        "import os, signal, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"  # pages go to the file before the commit
        "connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute('UPDATE runs SET result = upper(result), config = upper(config)')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    store = root / "store.sqlite"
    done = subprocess.run([sys.executable, "-c", script, str(store)], check=False)
    assert done.returncode == -signal.SIGKILL
    return root / "store.sqlite-journal"


@pytest.mark.parametrize(
    ("damage", "seed"), [*DAMAGES[:6], *DAMAGES[10:16], pytest.param(untouched, 0, id="untouched")]
)
def test_a_journal_left_by_a_kill_may_be_damaged(
    damage: Damage, seed: int, root: Path, sound: Path, text: Path
) -> None:
    """Rung: as above; the journal is that of a transaction which SQLite had begun to write."""
    journal = left_journal(root)
    assert (root / "store.sqlite").read_bytes() != (sound / "store.sqlite").read_bytes()
    journal.write_bytes(damage(journal.read_bytes(), Random(seed)))
    check(root, sound, text)


def record_until_full(root: Path, text: Path) -> None:
    drive_here(root, text, fixed_planner(*UNITS))


@contextmanager
def tiny_disk(place: Path, kilobytes: int) -> Iterator[None]:
    """A file system of its own, which only root can mount."""
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
    done = subprocess.run(["mount", *options], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


@pytest.mark.parametrize("kilobytes", [60, 100, 140])
def test_a_full_disk_is_said_and_loses_nothing(kilobytes: int, tmp_path: Path, text: Path) -> None:
    """Rung: the real thing (a small file system), then more room on it."""
    undisturbed = tmp_path / "undisturbed"
    record_until_full(undisturbed, text)
    disk = tmp_path / "disk"
    with tiny_disk(disk, kilobytes):
        with pytest.raises(StorageError, match="free some space and resume") as refusal:
            record_until_full(disk / "sweep", text)
        assert "\n" not in str(refusal.value)
        kept = read_contents(SweepFolder(disk / "sweep")).finished()
        with pytest.raises(StorageError):
            record_until_full(disk / "sweep", text)
        remount(disk, "size=10m")
        again = read_contents(SweepFolder(disk / "sweep")).finished()
        assert kept.items() <= again.items()
        record_until_full(disk / "sweep", text)
        assert table(disk / "sweep") == table(undisturbed)
        after = read_contents(SweepFolder(disk / "sweep")).finished()
        assert kept.items() <= after.items(), "nothing was computed again"


def limited(root: Path, text: Path, limit: int) -> str:
    """The same under a limit on the size of every file, which asks for no rights."""
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from tests.sweep.test_faults import record_until_full\n"
        "from empirical.sweep.storage import StorageError\n"
        "import empirical.train.run_execution\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))\n"
        "try:\n"
        "    record_until_full(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except StorageError as error:\n"
        "    print(error)\n"
    )
    place = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(root), str(text), str(limit)],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_store_that_may_not_grow_is_said_and_loses_nothing(tmp_path: Path, text: Path) -> None:
    """Rung: the real thing (a limit that the kernel enforces)."""
    root = tmp_path / "sweep"
    # 12 planned runs are 40 KiB, 12 finished ones 52.
    said = limited(root, text, 47_000)
    assert "cannot be written" in said and said.count("\n") == 1
    kept = read_contents(SweepFolder(root)).finished()
    assert kept
    record_until_full(root, text)
    after = read_contents(SweepFolder(root)).finished()
    assert kept.items() <= after.items()
    assert len(after) == len(UNITS)


@pytest.mark.parametrize("journal", [False, True], ids=["at rest", "within a transaction"])
def test_a_read_only_folder_is_said_and_can_be_read(
    journal: bool, sound: Path, tmp_path: Path
) -> None:
    """Rung: the real thing (a file system that is mounted so)."""
    disk = tmp_path / "disk"
    with tiny_disk(disk, 10_000):
        shutil.copytree(sound, disk / "sweep")
        if journal:
            left_journal(disk / "sweep")
        remount(disk, "ro")
        with (
            pytest.raises(StorageError, match="make it writable and resume"),
            open_sweep(disk / "sweep"),
        ):
            pass
        assert table(disk / "sweep") == table(sound)


def test_a_folder_that_is_not_ours_to_write_is_said(tmp_path: Path) -> None:
    """Rung: closed form (a file where a folder would have to be made)."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="taken"), open_sweep(tmp_path / "taken" / "sweep"):
        pass


def test_half_a_file_is_never_seen(tmp_path: Path) -> None:
    """Rung: the real thing: a write that fails leaves the old file and no other."""
    path = tmp_path / "file"
    write_atomically(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_atomically(path, b"new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]
