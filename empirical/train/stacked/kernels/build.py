"""From the C sources beside this file to a shared library, once per machine and type."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from empirical.atomic_files import replacing
from empirical.errors import UsageError

SOURCES = ("pointwise.c", "attention.c")
HEADERS = ("arithmetic.h",)
HERE = Path(__file__).parent

# No fast-math: a replica that diverged must stay NaN.
FLAGS = ("-O3", "-march=native", "-fopenmp-simd", "-fno-math-errno", "-shared", "-fPIC", "-w")
# Processors with vectors of 512 bits, where compilers would stop at 256.
WIDEST = "-mprefer-vector-width=512"


def find_compiler() -> str | None:
    """$CC, else cc, gcc or clang, whichever is there; None where nothing is."""
    named = os.environ.get("CC")
    names = [named] if named else ["cc", "gcc", "clang"]
    return next((found for name in names if (found := shutil.which(name))), None)


@lru_cache(maxsize=2)
def library(wide: bool) -> ctypes.CDLL:
    """The kernels for float64 (wide) or float32, from the cache or built now, in about 2 s.

    The cache is ~/.cache/scaling-theory or under $XDG_CACHE_HOME. Raises UsageError where there is
    no C compiler, where it fails, and where nothing can be kept or loaded.
    """
    folder = _cache()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return ctypes.CDLL(str(library_file(wide, folder)))
    except OSError as error:
        raise UsageError(
            f"the compiled kernels cannot be kept in {folder} or loaded from there "
            f"({error.strerror or error}); set XDG_CACHE_HOME to another folder, or use the path "
            "stacked"
        ) from None


def library_file(wide: bool, folder: Path) -> Path:
    """The library's file in that folder, built if it is not there yet.

    Its name holds the sources, the compiler and the processor, so that machines may share a home.
    Processes that build at the same time replace each other's equal file.
    """
    compiler = find_compiler()
    if compiler is None:
        missing = os.environ.get("CC") or "any of cc, gcc, clang"
        raise UsageError(
            f"the path stacked-compiled wants a C compiler and {missing} is not installed; install "
            "one, or use the path stacked"
        )
    text = b"".join((HERE / name).read_bytes() for name in (*HEADERS, *SOURCES))
    made_of = "\n".join([compiler, _version(compiler), *FLAGS, str(wide), _processor()])
    digest = hashlib.sha256(text + made_of.encode()).hexdigest()[:16]
    path = folder / f"kernels-{digest}.so"
    if not path.exists():
        _build(compiler, path, wide)
    return path


def _build(compiler: str, path: Path, wide: bool) -> None:
    sources = [str(HERE / name) for name in SOURCES]
    with replacing(path) as part:
        command = [
            compiler,
            *FLAGS,
            *(["-DWIDE"] if wide else []),
            *sources,
            "-o",
            str(part),
            "-lm",
        ]
        said = ""
        for extra in ([WIDEST], []):  # not every compiler knows that option
            done = subprocess.run([*command, *extra], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
            said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UsageError(
            f"{compiler} failed to build the kernels of the path stacked-compiled ({said}); set CC "
            "to another compiler, or use the path stacked"
        )


def _version(compiler: str) -> str:
    return subprocess.run(
        [compiler, "--version"], capture_output=True, text=True, check=False
    ).stdout


def _processor() -> str:
    """What -march=native depends on: the machine's type, its abilities where Linux lists them."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    able = [line for line in lines if line.startswith(("flags", "Features", "model name"))]
    return "\n".join([platform.machine(), platform.processor(), *sorted(set(able))])


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "scaling-theory"
