"""Verdicts on claims: planted tables whose verdicts are known, and the tables in the repository."""

from __future__ import annotations

import csv
import subprocess
import sys
from math import log2
from pathlib import Path

import numpy as np
import pytest

from empirical.errors import UsageError
from empirical.judge.seed_spread import Interval, Spread, difference, pooled_spread
from empirical.judge.verdict import Outcome, alike, together
from examples.small_batch.cells import Cell, cells_of, width
from examples.small_batch.claims import batch_claims, scale_claims
from examples.small_batch.comparison import rate_exponent
from examples.small_batch.robustness import off_by_four, off_the_optimum

ROOT = Path(__file__).parents[2]
DATA = ROOT / "notebooks" / "data"
YES, NO, OPEN = Outcome.AGREES, Outcome.DISAGREES, Outcome.CANNOT_TELL
SIZES = (1, 4, 16, 64, 256)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(-1.0, 0.0, YES), (-1.0, 0.1, OPEN), (0.1, 0.2, NO), (0.0, 0.0, YES)],
)
def test_an_interval_against_a_limit(low: float, high: float, outcome: Outcome) -> None:
    """Closed form: the whole interval on one side of 0, or not; `above` is its mirror."""
    number = Interval((low + high) / 2, low, high)
    assert number.below(0.0) is outcome
    assert Interval(-number.value, -high, -low).above(0.0) is outcome or low == high == 0


def test_verdicts_are_put_together() -> None:
    """Closed form: one part that fails is enough; texts that differ settle nothing."""
    assert together([YES, YES]) is YES and together([YES, NO]) is NO and together([OPEN, NO]) is NO
    assert together([YES, OPEN]) is OPEN
    assert alike([YES, YES]) is YES and alike([NO, NO]) is NO
    assert alike([YES, NO]) is OPEN and alike([YES, OPEN]) is OPEN


def test_the_pooled_spread_by_hand() -> None:
    """Closed form: differences of 2 and 4 between two seeds, s² = (2²/2 + 4²/2) / 2 = 5."""
    spread = pooled_spread([(1.0, 3.0), (10.0, 14.0), (7.0,)])
    assert spread.standard_deviation == pytest.approx(5**0.5)
    assert spread.degrees_of_freedom == 2
    with pytest.raises(UsageError, match="no repetition"):
        pooled_spread([(1.0,), (2.0,)])


def test_intervals_of_differences_cover() -> None:
    """Planted: 2,000 differences of 0.3 from five cells of two seeds; 95 % within 3 s.e. (1.5 %).

    Negative control: the normal 1.96 in place of Student's t would cover 89 %.
    """
    rng = np.random.default_rng(0)
    held = short = 0
    for _ in range(2000):
        cells = rng.normal(size=(5, 2)) + np.array([[0.3], [0.0], [1.0], [2.0], [3.0]])
        spread = pooled_spread(cells.tolist())
        found = difference(cells[0].tolist(), cells[1].tolist(), spread)
        held += found.low <= 0.3 <= found.high
        short += abs(found.value - 0.3) <= 1.96 * spread.standard_deviation
    assert abs(held / 2000 - 0.95) < 0.015
    assert short / 2000 < 0.93


def planted(
    path: Path,
    levels: dict[tuple[str, int], float],
    noise: float = 0.002,
    octaves: int = 3,
    centres: dict[tuple[str, int], float] | None = None,
) -> Path:
    """A table of parabolas of 0.02 nats per squared octave around 2^centre; diverging far above."""
    rng = np.random.default_rng(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["group", "batch_size", "batch_unit", "lr", "seed", "loss", "diverged"])
        for (name, batch), level in levels.items():
            centre = (centres or {}).get((name, batch), -7.0)
            for seed in (0, 1):
                shift = noise * rng.normal()
                for octave in range(-octaves, octaves + 2):
                    loss = level + 0.02 * (octave - 0.3) ** 2 + shift + noise / 4 * rng.normal()
                    lost = octave > octaves
                    rate = 2 ** (centre - 0.3 + octave)
                    writer.writerow(
                        [f"{name} tokens=1", batch, "seq", rate, seed, "" if lost else loss, lost]
                    )
    return path


def test_planted_cells_are_found(tmp_path: Path) -> None:
    """Planted: levels to three standard errors of a mean of two seeds, eta* to 0.1 octave."""
    levels = {("a", 1): 2.0, ("a", 16): 2.5, ("b", 16): 3.0}
    cells = cells_of(planted(tmp_path / "t.csv", levels))
    for key, level in levels.items():
        assert cells[key].interior
        # seeds 0.002 / sqrt(2), the fit below half of that
        assert np.mean(cells[key].losses) == pytest.approx(level, abs=0.005)
        rate = cells[key].optimum.learning_rate
        assert rate is not None and abs(log2(rate) + 7.0) < 0.1


def test_the_width_of_a_parabola(tmp_path: Path) -> None:
    """Closed form: 0.02 x² reaches 0.08 at ±2 octaves; lines between points are wider by < 0.13."""
    cells = cells_of(planted(tmp_path / "t.csv", {("a", 1): 2.0}, noise=1e-6))
    # the lowest point tried is 0.3 octaves off the minimum and lies 0.0018 above it
    assert width(cells["a", 1], "0", 0.08) == pytest.approx(4.0, abs=0.13)
    # beyond the grid nothing is claimed: three octaves either way are all there is
    assert width(cells["a", 1], "0", 5.0) == pytest.approx(6.0)


def batch_levels(adam: float, fixed: float, sgd: float) -> dict[tuple[str, int], float]:
    """Adam with a half-life level at `adam` up to B = 4, everything worse beyond."""
    worse = {1: 0.0, 4: 0.0, 16: 0.1, 64: 0.3, 256: 0.6}
    levels = {}
    for batch in SIZES:
        for name in ("Adam, half-life", "Adafactor", "Muon"):
            levels[name, batch] = adam + worse[batch]
        levels["Adam, fixed", batch] = adam + worse[batch] + (fixed if batch == 1 else 0)
        for name in ("SGD", "momentum SGD"):
            levels[name, batch] = adam + sgd + 2 * worse[batch]
    return levels


def plain(cells: dict[tuple[str, int], Cell]) -> dict[str, Outcome]:
    return {found.claim: found.outcome for found in batch_claims(cells)}


def test_planted_claims_get_their_verdicts(tmp_path: Path) -> None:
    """Planted: gaps of 0.1 nats at a noise of 0.002; and the mirror image, which must fail.

    The learning rate moves by half an octave per factor of four: exponent 1/4.
    """
    move = {
        (name, batch): -7.0 + 0.5 * place
        for place, batch in enumerate(SIZES)
        for name, _ in batch_levels(2.0, 0.1, 0.05)
    }
    good = cells_of(planted(tmp_path / "good.csv", batch_levels(2.0, 0.1, 0.05), centres=move))
    assert set(plain(good).values()) == {YES}
    slope = rate_exponent(good, "Adam, half-life", SIZES)
    assert slope.low < 0.25 < slope.high and slope.high - slope.low < 0.1
    bad = cells_of(planted(tmp_path / "bad.csv", batch_levels(2.0, -0.1, 0.3)))
    verdicts = plain(bad)
    failed = [claim for claim, verdict in verdicts.items() if verdict is NO]
    assert len(failed) == 2 and "fixed beta2" in failed[0] and "competitive" in failed[1]


def test_noise_leaves_a_claim_open(tmp_path: Path) -> None:
    """Planted: a gap of 0.1 nats at a noise of 0.2 nats settles nothing."""
    cells = cells_of(planted(tmp_path / "t.csv", batch_levels(2.0, 0.1, 0.05), noise=0.2))
    (fixed,) = (found for found in batch_claims(cells) if "fixed beta2" in found.claim)
    assert fixed.outcome is OPEN


def test_scale_claims(tmp_path: Path) -> None:
    """Planted: SGD-SaI level with AdamW and √numel-SGD, 0.1 below momentum SGD, equally wide."""
    levels = {
        ("SGD-SaI", 16): 2.0,
        ("AdamW", 16): 2.0,
        ("√numel-SGD", 16): 2.0,
        ("momentum SGD", 16): 2.1,
    }
    match, better, root, wider = scale_claims(
        cells_of(planted(tmp_path / "t.csv", levels, noise=0.001)), 16
    )
    assert (match.outcome, better.outcome, root.outcome) == (YES, YES, YES)
    assert wider.outcome is not YES


def test_rises_off_the_optimum(tmp_path: Path) -> None:
    """Planted: 0.1 and 0.2 nats off by four in each of three settings, one run diverged."""
    path = tmp_path / "t.csv"
    rows = [("lr", 1.0, 1.0, 1.0, 2.0)]
    for factor, rise in ((0.25, 0.1), (4.0, 0.2), (8.0, 0.5)):
        rows += [
            ("lr", factor, 1.0, 1.0, 2.0 + rise),
            ("beta1", 1.0, factor, 1.0, 2.0 + rise),
            ("beta2", 1.0, 1.0, factor, 2.0 + rise),
        ]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["group", "batch_size", "batch_unit", "tokens", "steps", "lr", "seed", "beta1", "beta2",
             "loss", "start_loss", "diverged"]
        )  # fmt: skip
        for setting, rate, first, second, loss in rows:
            for seed in (0, 1):
                lost = setting == "beta2" and second == 4.0 and seed == 1
                writer.writerow(
                    [f"adam {setting} {rate} {first} {second}", 1, "seq", 6400, 100,
                     0.001 * rate, seed, 0.9 ** (1 / first), 0.5 ** (64 / (13838 * second)), 
                     "" if lost else loss, 5.5, lost]
                )  # fmt: skip
    found = off_the_optimum(path, 0.001, 13838)
    assert len(found) == 3 * 4
    usual, diverging = off_by_four(found)
    assert usual == pytest.approx(0.15)
    assert diverging == pytest.approx((3 * 0.1 + 2 * 0.2 + 3.5) / 6)


def test_the_verdicts_in_the_repository_follow_from_its_tables(tmp_path: Path) -> None:
    """Another run of the program: the same verdicts and numbers, letter by letter."""
    copies = [path for path in DATA.glob("small_batch_*.csv")]
    for path in copies:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "examples.small_batch", "--data", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for name in ("best", "robustness", "verdicts"):
        kept = DATA / f"small_batch_{name}.csv"
        assert (tmp_path / kept.name).read_text() == kept.read_text()


def test_seeds_stand_for_themselves() -> None:
    """Closed form: the standard error of a mean of two."""
    assert Spread(0.2, 5).of_mean(2) == pytest.approx(0.2 / 2**0.5)
