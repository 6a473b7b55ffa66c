"""Computing one unit wherever the executor runs it: train, file the result, return it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from empirical.atomic_files import write_atomically
from empirical.sweep.executors.engine import UnitLostError
from empirical.sweep.folder import SweepFolder
from empirical.sweep.result_files import (
    curve_csv,
    decode_result,
    encode_result,
    keys_of,
    result_of,
)
from empirical.sweep.unit_progress import progress_writer
from empirical.train.run_configuration import WorkUnit


@dataclass(frozen=True)
class UnitTask:
    """A unit and where it is computed: plain values, for any way of sending them.

    unit: as JSON. folder: of the sweep. text, checkpoint: as in `Materials`. threads: of torch.
    """

    unit: str
    folder: Path
    text: tuple[Path, ...] = ()
    checkpoint: Path | None = None
    threads: int = 1
    seconds_between_states: float = 20.0


def compute_unit(task: UnitTask) -> str | None:
    """The text of the unit's result file, or None where the unit was asked to stop.

    Raises UsageError and whatever else is the unit's own fault, UnitLostError where the memory
    of a GPU did not suffice, OSError where the disk refuses.
    """
    # Imported by whoever computes: the driver does without torch.
    import torch

    from empirical.train.run import StoppedError
    from empirical.train.run_execution import Materials, execute_unit

    torch.set_num_threads(task.threads)
    unit, folder = WorkUnit.model_validate_json(task.unit), SweepFolder(task.folder)
    key, run_keys = keys_of(unit)
    filed = _filed(folder, key)
    if filed is not None:
        return filed
    try:
        ended = execute_unit(
            unit,
            Materials(task.text, task.checkpoint),
            state_file=folder.state(key),
            stop=folder.stop.exists,
            on_progress=progress_writer(folder.progress(key), unit),
            seconds_between_states=task.seconds_between_states,
        )
    except StoppedError:
        return None
    except torch.OutOfMemoryError as error:
        raise UnitLostError(f"the GPU had too little memory ({error})") from None
    for run_key, run in zip(run_keys, ended, strict=True):
        write_atomically(folder.curve(run_key), curve_csv(run.curve), durable=False)
    text = encode_result(unit, [result_of(run) for run in ended])
    write_atomically(folder.result(key), text.encode())
    folder.state(key).unlink(missing_ok=True)
    folder.progress(key).unlink(missing_ok=True)
    return text


def _filed(folder: SweepFolder, key: str) -> str | None:
    """What a worker of a driver that died has filed since."""
    with suppress(OSError, ValueError):
        text = folder.result(key).read_text()
        if decode_result(text) is not None:
            return text
    return None
