"""A stand-in for the commands of Slurm: jobs are processes of this machine, or wait for ever."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

COMMANDS = {
    # Says the number of the job; it waits while there is a file `hold`.
    "sbatch": """
        if [ -e "$jobs/refuse" ]; then
            echo "sbatch: error: Invalid partition" | tee -a "$jobs/refuse" >&2
            exit 1
        fi
        export SLURM_JOB_ID=$(( 1000 + $(ls "$jobs" | grep -c '^[0-9]') ))
        echo PENDING > "$jobs/$SLURM_JOB_ID"
        if [ ! -e "$jobs/hold" ]; then
            setsid bash "$1" > /dev/null 2>&1 &
            echo $! > "$jobs/$SLURM_JOB_ID"
        fi
        echo "Submitted batch job $SLURM_JOB_ID"
    """,
    # Runs what follows its options, into the file that they name.
    "srun": """
        while [[ $1 == -* ]]; do
            [[ $1 == --output ]] && { into=${2//%j/$SLURM_JOB_ID}; into=${into//%t/0}; shift; }
            shift
        done
        exec "$@" >> "$into" 2>&1
    """,
    "sacct": """
        echo "JobID|State|NodeList"
        for path in "$jobs"/[0-9]*; do
            state=$(cat "$path")
            if [[ $state == [0-9]* ]]; then
                kill -0 "$state" 2> /dev/null && state=RUNNING || state=NODE_FAIL
            fi
            echo "$(basename "$path")|$state|"
        done
    """,
    "scancel": """
        state=$(cat "$jobs/$1")
        echo "CANCELLED by 1" > "$jobs/$1"
        [[ $state == [0-9]* ]] && kill -9 -- "-$state"
        exit 0
    """,
}


class ImaginedSlurm:
    """The commands, first in the PATH, and what they know."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.jobs = place / "jobs"
        self.jobs.mkdir(parents=True)
        for name, text in COMMANDS.items():
            script = place / name
            script.write_text(f"#!/bin/bash\njobs={self.jobs}\n{text}")
            script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")

    def states(self) -> list[str]:
        """Of the jobs in their order: a word, or the process that computes it."""
        return [path.read_text().strip() for path in sorted(self.jobs.glob("[0-9]*"))]

    def start(self, number: str, script: Path) -> None:
        """Begin a job that has waited."""
        with subprocess.Popen(
            ["bash", str(script)], env=os.environ | {"SLURM_JOB_ID": number}, start_new_session=True
        ) as process:
            (self.jobs / number).write_text(str(process.pid))

    def end(self) -> None:
        """Kill what still runs."""
        for state in self.states():
            if state.isdigit():
                with suppress(ProcessLookupError):
                    os.killpg(int(state), signal.SIGKILL)
