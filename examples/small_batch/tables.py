"""The exported tables of this folder's sweeps, with names for people."""

from __future__ import annotations

from pathlib import Path

from empirical.sweep.sweep_file import read_sweep
from examples.small_batch.cells import Cell, cells_of
from examples.small_batch.robustness import Off, off_the_optimum

HERE = Path(__file__).parent
TEXTS = ("python", "prose")
SMALL, LARGE = 1, 64
"""The batch sizes whose robustness is compared."""

NAMES = {
    "sgd": "momentum SGD",
    "sgd-1": "SGD",
    "sgd-2": "momentum SGD",
    "adam-1": "Adam, fixed",
    "adam-2": "Adam, half-life",
    "adafactor": "Adafactor",
    "muon": "Muon",
    "adamw": "AdamW",
    "sgd-sai": "SGD-SaI",
    "sqrt-numel-sgd": "√numel-SGD",
}
"""What the sweeps call their entries, and what people call them."""

BELOW_THE_CENTRE = 8.0
"""Centre of the learning rates of a robustness sweep over the lowest of them."""


def against_batch(data: Path, text: str) -> dict[tuple[str, int], Cell]:
    """Every optimizer at every batch size."""
    return _cells(data, f"entrywise_{text}") | _cells(data, f"matrixwise_{text}")


def per_tensor(data: Path, text: str) -> dict[tuple[str, int], Cell]:
    """SGD-SaI and what it is set against."""
    return _cells(data, f"per_tensor_{text}")


def digits(data: Path) -> dict[tuple[str, int], Cell]:
    """The same on images."""
    return cells_of(data / "small_batch_vit_digits.csv")


def robustness(data: Path, text: str, batch: int) -> tuple[Off, ...]:
    """Adam off its optimum at one batch size; the optimum is the one in the sweep's file."""
    name = f"robustness_{text}_{batch}"
    (lowest, half_life) = _optimum(HERE / f"{name}.toml")
    return off_the_optimum(data / f"small_batch_{name}.csv", lowest * BELOW_THE_CENTRE, half_life)


def _optimum(path: Path) -> tuple[float, float]:
    first = read_sweep(path).optimizers[0]
    assert first.grid is not None  # written so in every one of these files
    return first.grid.low, float(first.settings["second_half_life_tokens"])


def _cells(data: Path, sweep: str) -> dict[tuple[str, int], Cell]:
    found = cells_of(data / f"small_batch_{sweep}.csv")
    return {(NAMES[name], batch): cell for (name, batch), cell in found.items()}
