"""The GPUs of this machine, asked of the system: the driver does without torch."""

from __future__ import annotations

import os
from pathlib import Path


def local_gpus() -> tuple[str, ...]:
    """Numbers or names of the CUDA devices that this process may use."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return tuple(name.strip() for name in allowed.split(",") if name.strip())
    present = Path("/proc/driver/nvidia/gpus")
    count = len(list(present.iterdir())) if present.is_dir() else 0
    return tuple(map(str, range(count)))
