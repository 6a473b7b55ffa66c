"""The options that a sweep file gives to sbatch, checked before anything is submitted.

Known are the long options of sbatch 24.11 (slurm.schedmd.com/sbatch.html). Those of a site's
plugins are written with their dashes, "--container-image" = "...", and go through as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from empirical.errors import UsageError
from empirical.sweep.configuration import ExecutorSettings, Plain

LINES = ("setup", "teardown", "srun_args")
"""Options that submitit wants as lists; here the lines of a text."""


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


CLUSTERS = ("slurm", "local")

FLAGS = _names(
    "contiguous hold ignore-pbs no-requeue overcommit oversubscribe quiet reboot requeue "
    "spread-job stepmgr use-min-nodes verbose"
)
"""Options without a value: true, or false to leave them out."""

EITHER = _names("exclusive get-user-env nice no-kill propagate resv-ports")
"""Options whose value may be left out."""

MEMORY = _names("mem mem-per-cpu mem-per-gpu tmp")
SIZE = re.compile(r"\d+[KMGT]?B?", re.IGNORECASE)

COUNTS = _names(
    "core-spec cores-per-socket delay-boot mincpus ntasks-per-core ntasks-per-socket priority "
    "sockets-per-node thread-spec threads-per-core wait-all-nodes"
)

VALUES = _names(
    "account acctg-freq batch bb bbf begin chdir cluster-constraint clusters comment "
    "consolidate-segments constraint container container-id cpu-freq deadline dependency "
    "distribution exclude export export-file extra extra-node-info gid gpu-bind gpu-freq "
    "gpus-per-socket gpus-per-task gres gres-flags hint input job-name kill-on-invalid-dep "
    "licenses mail-type mail-user mcs-label mem-bind network nodefile nodelist partition power "
    "prefer profile qos reservation segment switches time-min tres-bind tres-per-task uid wckey"
)

OURS: Mapping[str, str] = {
    **dict.fromkeys(("cpus-per-task", "cpus-per-gpu"), "give cpus of the executor"),
    **dict.fromkeys(("gpus", "gpus-per-node"), "give gpus of the executor, or gres"),
    **dict.fromkeys(
        ("nodes", "ntasks", "ntasks-per-node", "ntasks-per-gpu"), "a unit is one task on one node"
    ),
    **dict.fromkeys(
        ("array", "error", "help", "open-mode", "output", "parsable", "signal", "test-only"),
        "leave it out: the jobs could not be followed",
    ),
    **dict.fromkeys(("usage", "version", "wait", "wrap"), "leave it out: it submits nothing"),
}
"""Options that are set for every job, and what to do instead."""

KNOWN = FLAGS | EITHER | MEMORY | COUNTS | VALUES


def check_slurm_options(settings: ExecutorSettings) -> None:
    """UsageError for the first option that sbatch does not know or whose value does not fit."""
    if settings.gpus % 1:
        raise UsageError(f"got {settings.gpus:g} GPUs per run, Slurm gives whole ones; ask for 1")
    for name, value in settings.options.items():
        _check(name, value)


def sbatch_options(options: Mapping[str, Plain]) -> dict[str, Plain]:
    """Those that go to sbatch, by their long names; what is false is left out."""
    own = {"cluster", "time", *LINES}
    return {
        name.removeprefix("--"): value
        for name, value in options.items()
        if name not in own and value is not False
    }


def _check(name: str, value: Plain) -> None:
    if name.startswith("--"):
        return
    long = name.replace("_", "-")
    if name in LINES or name == "cluster":
        _wanted(name, value, isinstance(value, str), "a text in quotes")
        if name == "cluster":
            _wanted(name, value, value in CLUSTERS, f"one of {', '.join(CLUSTERS)}")
    elif name == "time":
        whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
        _wanted(name, value, whole, "whole minutes, 90 for 1:30:00")
    elif long in OURS:
        raise UsageError(f"got {name} in the options of Slurm, which is set already; {OURS[long]}")
    elif long not in KNOWN:
        near = get_close_matches(long, sorted(KNOWN), n=1)
        guess = f"perhaps {near[0]!r} was meant; " if near else ""
        raise UsageError(
            f"sbatch has no option {name!r}; {guess}an option of a plugin is written '--{long}'"
        )
    elif long in FLAGS:
        _wanted(name, value, isinstance(value, bool), "true or false")
    elif value is not False and not (value is True and long in EITHER):
        _check_value(name, long, value)


def _check_value(name: str, long: str, value: Plain) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    text = isinstance(value, str) and value.strip() != ""
    if long in MEMORY:
        fits = value >= 0 if isinstance(value, int) else bool(SIZE.fullmatch(str(value)))
        _wanted(name, value, (whole or text) and fits, "a size such as 16G, or megabytes")
    elif long in COUNTS:
        fits = whole or (isinstance(value, str) and value.isdigit())
        _wanted(name, value, fits, "a whole number")
    else:
        _wanted(name, value, whole or text, "a text in quotes or a whole number")


def _wanted(name: str, value: Plain, fits: bool, wanted: str) -> None:
    if not fits:
        shown = str(value).lower() if isinstance(value, bool) else repr(value)
        raise UsageError(
            f"got {name} = {shown} in the options of Slurm, wanted {wanted}; change it"
        )
