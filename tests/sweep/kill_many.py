"""Kill a sweep with SIGKILL again and again and check that nothing is lost, doubled or changed.

    python -m tests.sweep.kill_many [--kills 200] [--seed 0] [--log FILE]

Targets are drawn at random moments: the driver, a worker, any process of the sweep, or all of them
at once. After every kill all results that were there before have to be there unchanged, the wall
time of each included: nothing is computed again. Whenever a sweep comes to its end, its exported
table has to be that of a sweep that nobody disturbed, byte for byte, and the next one begins.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TextIO

from empirical.sweep.contents import read_contents
from empirical.sweep.folder import SweepFolder
from tests.sweep.tiny_sweep import command, drive_many, table, text_file

ROOT = Path(__file__).parents[2]
TARGETS = ("driver", *("worker",) * 5, "any", "group")
"""A driver takes some seconds to start, a worker none: most kills are of workers."""

LONGEST_WORK = 0.5
"""Processor time of the workers from one kill to the next, in seconds, at most."""

SHARE_OF_EARLY_KILLS = 0.1
"""The others wait for some work to be done, however busy the machine; these need not meet any."""


@dataclass
class History:
    """What happened so far."""

    kills: Counter[str] = field(default_factory=Counter)
    sweeps: int = 0
    runs: int = 0
    resumed: int = 0
    mended: int = 0
    problems: list[str] = field(default_factory=list)


def processes_of(session: int) -> dict[int, int]:
    """Process id -> parent of every process of a session."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found[int(entry.name)] = int(fields[1])
    return found


def workers_of(session: int) -> list[int]:
    """Those that a child of the driver, the server of processes, has forked."""
    parents = processes_of(session)
    return sorted(p for p, parent in parents.items() if parents.get(parent) == session)


def seconds_of_work(session: int) -> float:
    """Processor time of the workers that live."""
    ticks = 0
    for worker in workers_of(session):
        try:
            fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def wait_for_work(driver: subprocess.Popen[bytes], random: Random) -> None:
    """Until the moment of the next kill, or the end of the driver."""
    wanted = random.uniform(0, LONGEST_WORK)
    if random.random() < SHARE_OF_EARLY_KILLS:
        time.sleep(wanted)
        return
    before = seconds_of_work(driver.pid)
    while driver.poll() is None and seconds_of_work(driver.pid) < before + wanted:
        time.sleep(0.05)


def finished(root: Path) -> Mapping[str, str]:
    """Run key -> the result as JSON, wall time included."""
    rows = read_contents(SweepFolder(root)).runs
    return {key: row.result for key, row in rows.items() if row.result}


def kill(target: str, driver: subprocess.Popen[bytes], random: Random) -> str:
    """Send SIGKILL; what was hit."""
    session = driver.pid
    workers = workers_of(session)
    if target == "group":
        os.killpg(session, signal.SIGKILL)
        return "group"
    if target == "worker" and workers:
        chosen = random.choice(workers)
    elif target == "any":
        chosen = random.choice(sorted(processes_of(session)) or [session])
    else:
        chosen = session
    try:
        os.kill(chosen, signal.SIGKILL)
    except ProcessLookupError:
        return "nobody"
    return "driver" if chosen == session else "worker" if chosen in workers else "server"


def disturb(
    root: Path,
    text: Path,
    size: tuple[int, int],
    kills: int,
    random: Random,
    seen: History,
    log: TextIO,
) -> None:
    """Drive one sweep to its end, or until all kills are spent and then to its end."""
    known: Mapping[str, str] = {}
    while True:
        states = len(list(SweepFolder(root).states.glob("*.safetensors")))
        driver = subprocess.Popen(
            command(root, text, *size), cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE
        )
        while driver.poll() is None and sum(seen.kills.values()) < kills:
            wait_for_work(driver, random)
            if driver.poll() is not None:
                break
            hit = kill(random.choice(TARGETS), driver, random)
            if hit == "nobody":
                continue
            seen.kills[hit] += 1
            now = finished(root)
            lost = [key for key, result in known.items() if now.get(key) != result]
            if lost:
                seen.problems.append(f"{len(lost)} results lost or computed again: {lost[:3]}")
            known = now
            total = sum(seen.kills.values())
            print(f"kill {total}: {hit}, {len(now)} runs finished, {states} states", file=log)
            log.flush()
            if hit in ("driver", "group"):
                driver.wait()
        said, _ = driver.communicate()
        seen.mended += len(said.split(b"\n")) - 1 if said.strip() else 0
        seen.resumed += states
        if driver.returncode == 0:
            break
        if driver.returncode != -signal.SIGKILL:
            seen.problems.append(f"a driver ended with {driver.returncode}")
    seen.sweeps += 1
    seen.runs += len(finished(root))


def main() -> int:
    """Exit code 0: all held; 1: something did not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--log", type=Path)
    given = parser.parse_args()
    log = given.log.open("w") if given.log else sys.stdout
    began, seen, random = time.monotonic(), History(), Random(given.seed)
    size = given.cells, given.steps
    with tempfile.TemporaryDirectory() as place:
        text = text_file(Path(place))
        undisturbed = Path(place) / "undisturbed"
        drive_many(undisturbed, text, *size)
        wanted = table(undisturbed)
        while sum(seen.kills.values()) < given.kills:
            root = Path(place) / f"disturbed-{seen.sweeps}"
            disturb(root, text, size, given.kills, random, seen, log)
            contents = read_contents(SweepFolder(root))
            if table(root) != wanted:
                seen.problems.append(f"the table of sweep {seen.sweeps} differs")
            if contents.damage or len(contents.runs) != wanted.count("\n") - 1:
                seen.problems.append(
                    f"sweep {seen.sweeps}: {contents.damage}, {len(contents.runs)}"
                )
    hits = ", ".join(f"{count} {name}" for name, count in sorted(seen.kills.items()))
    print(
        f"{sum(seen.kills.values())} kills ({hits}) over {seen.sweeps} sweeps of "
        f"{wanted.count(chr(10)) - 1} runs, {seen.resumed} states within runs found at a start, "
        f"{seen.mended} repairs, {time.monotonic() - began:.0f} s: "
        + ("; ".join(seen.problems) or "nothing lost, doubled or changed")
    )
    return 1 if seen.problems else 0


if __name__ == "__main__":
    sys.exit(main())
