"""Intervals of the optimum hold it as often as they promise: a sample of the full run."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from empirical.judge import calibration
from empirical.judge.calibration import Tally, cases, report, run, total
from empirical.judge.noise_level import NoiseLevel, known_noise

# The full run is `python -m empirical.judge.calibration`; its result stands in docs/results.md.
REPEATS, SEED = 1, 11


@pytest.fixture(scope="module")
def sample() -> dict[calibration.Case, Tally]:
    return run(REPEATS, SEED)


def test_nominal_95_percent_covers_93_to_97(sample: dict[calibration.Case, Tally]) -> None:
    """Rung: planted parameters. Pooled coverage in [93 %, 97 %] up to three binomial sigma.

    About 740 of 840 grids give a number: sigma = sqrt(0.95 * 0.05 / 740) = 0.8 %.
    """
    pooled = total(sample)
    assert pooled.identified > 650
    slack = 3 * sqrt(0.95 * 0.05 / pooled.identified)
    assert 0.93 - slack < pooled.coverage < 0.97 + slack


def test_one_sided_answers_are_on_the_right_side(sample: dict[calibration.Case, Tally]) -> None:
    """Rung: planted parameters. 97.5 % are promised; 93 % less three sigma of about 90 wanted."""
    pooled = total(sample)
    assert pooled.bounded > 40
    slack = 3 * sqrt(0.93 * 0.07 / pooled.bounded)
    assert pooled.right / pooled.bounded > 0.93 - slack


def test_half_the_noise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rung: negative control (the noise level planted at half of what it is)."""

    def halved(standard_deviation: float) -> NoiseLevel:
        return known_noise(standard_deviation / 2)

    monkeypatch.setattr(calibration, "known_noise", halved)
    given = [case for case in cases() if case.knowledge == "given"][::2]
    rng = np.random.default_rng(12)
    pooled = Tally()
    for case in given:
        pooled = pooled + calibration.simulate(case, rng)
    assert pooled.identified > 150
    assert pooled.coverage < 0.90


def test_the_shape_free_intervals_are_never_too_narrow() -> None:
    """Rung: planted parameters (their promise is at least 95 %, less three sigma)."""
    pooled = total(run(1, 13, "convex", every=8))
    assert pooled.identified > 60
    assert pooled.coverage > 0.95 - 3 * sqrt(0.95 * 0.05 / pooled.identified)


def test_the_report_adds_up(sample: dict[calibration.Case, Tally]) -> None:
    """Rung: closed form (every way to part the cases has the same sum)."""
    assert sum(total(sample, seeds=n).grids for n in (1, 2, 3)) == total(sample).grids
    assert total(sample).grids == REPEATS * len(sample)
    lines = report(sample).splitlines()
    assert lines[0].startswith("pooled")
    assert len(lines) == 1 + 4 + 8 + 5 + 3 + 3


def test_the_full_run_starts_from_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    """Rung: closed form (the command itself, on few cases)."""
    calibration.main(["--repeats", "1", "--every", "60", "--seed", "3"])
    printed = capsys.readouterr().out
    assert "pooled" in printed and "apart: kinked" in printed
