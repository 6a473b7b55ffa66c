"""B_noise from one-step losses of SGD: planted values, the public data, the way of fitting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from empirical.errors import UsageError
from empirical.judge.fit_one_step import (
    StepCurve,
    noise_batch_fits,
    step_curves,
    step_optimum,
)
from empirical.judge.one_step_report import main
from empirical.judge.run_table import read_run_table

PUBLIC = Path(__file__).parents[2].parent / "shared" / "data" / "mnist_one_step_sgd.csv"
BATCHES = (4, 16, 64, 256, 1024)
RATES = np.geomspace(1e-3, 0.5, 24)
SLOPE, CURVATURE, NOISE_BATCH = 1.0, 7.0, 60.0


def curves(rng: np.random.Generator | None = None, draws: int = 400) -> list[StepCurve]:
    """-a eta + h (1 + B_noise/B) eta^2/2; with `rng` a and h are means over noisy draws."""
    found = []
    for batch in BATCHES:
        h = CURVATURE * (1 + NOISE_BATCH / batch)
        slopes, bends = np.full(draws, SLOPE), np.full(draws, h)
        if rng is not None:
            slopes = slopes + rng.normal(size=draws) * 2 / np.sqrt(batch)
            bends = bends * (1 + rng.normal(size=draws) * 0.5 / np.sqrt(batch))
        losses = -slopes[:, None] * RATES + bends[:, None] * RATES**2 / 2
        error = losses.std(axis=0, ddof=1) / np.sqrt(draws)
        error = np.maximum(error, 1e-6 * RATES)
        found.append(StepCurve(float(batch), RATES, losses.mean(axis=0), error))
    return found


def test_exact_curves_give_the_planted_noise_batch() -> None:
    """Rung: closed form. eta* = a / (h (1 + B_noise/B)); every way of fitting finds 60."""
    for curve in curves():
        found = step_optimum(curve, 1.5, 2)
        assert found is not None
        exact = SLOPE / CURVATURE / (1 + NOISE_BATCH / curve.batch_size)
        assert np.exp(found[0]) == pytest.approx(exact, rel=1e-6)
    for fit in noise_batch_fits(curves()):
        assert fit.noise_batch.natural[0] == pytest.approx(NOISE_BATCH, rel=1e-3), fit.label
        assert fit.eta_max.natural[0] == pytest.approx(SLOPE / CURVATURE, rel=1e-3)


def test_a_cubic_term_is_followed_by_the_cubic_only() -> None:
    """Rung: closed form (negative control). With 30 eta^3 the parabola is off, the cubic is not."""
    exact = (np.sqrt(49 + 4 * 90 * SLOPE) - 7) / (2 * 90)
    curve = StepCurve(1e9, RATES, -RATES + 3.5 * RATES**2 + 30 * RATES**3, 1e-5 * RATES)
    cubic, parabola = step_optimum(curve, 2.0, 3), step_optimum(curve, 2.0, 2)
    assert cubic is not None and parabola is not None
    assert np.exp(cubic[0]) == pytest.approx(exact, rel=1e-6)
    assert abs(parabola[0] - cubic[0]) > 0.02


def test_the_error_of_an_optimum_is_that_of_repetitions() -> None:
    """Rung: Monte Carlo. Spread of ln eta* over 200 repetitions against the stated error.

    The spread of 200 is known to 5 %, the stated error of a curve of 400 draws to 4 %: 25 % is
    four of these together.
    """
    rng = np.random.default_rng(2)
    found = [step_optimum(curves(rng)[2], 1.5, 2) for _ in range(200)]
    values = np.array([each for each in found if each is not None])
    assert len(values) == 200
    assert np.std(values[:, 0]) == pytest.approx(np.median(values[:, 1]), rel=0.25)


def test_intervals_hold_the_planted_noise_batch() -> None:
    """Rung: planted parameters. 24 tables, 95 %: 18 is four and a half standard errors below."""
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(24):
        fit = noise_batch_fits(curves(rng), windows=(1.5,), degrees=(2,))[0]
        inside += fit.noise_batch.covers(float(np.log(NOISE_BATCH)))
    assert inside >= 18


def test_no_minimum_is_no_number() -> None:
    """Rung: closed form. A loss that only falls has no optimum; few batch sizes no B_noise."""
    falling = [StepCurve(b, RATES, -RATES, 1e-3 * RATES) for b in (1.0, 2.0, 4.0)]
    assert step_optimum(falling[0], 1.5, 2) is None
    with pytest.raises(UsageError, match="at least 3 are wanted"):
        noise_batch_fits(falling)
    with pytest.raises(UsageError, match="loss_se"):
        step_curves([])


@pytest.mark.skipif(not PUBLIC.exists(), reason="public one-step measurements are not here")
@pytest.mark.parametrize(
    ("checkpoint", "earlier", "by_errors"),
    [("checkpoint_100", 62.0, (28, 74)), ("checkpoint_500", 136.0, (84, 229))],
)
def test_public_noise_batches(
    checkpoint: str, earlier: float, by_errors: tuple[float, float]
) -> None:
    """Rung: another reading of the same data. 62 and 136 where all optima weigh the same.

    The earlier reading states no interval; ours with equal weights must hold it. With weights from
    the errors every interval lies within `by_errors`, its hull over windows, degrees and batches.
    """
    table = read_run_table(PUBLIC).where(group=checkpoint)
    fits = noise_batch_fits(step_curves(table.runs), smallest=(0.0, 16.0))
    assert len(fits) == 32
    for fit in fits:
        value, low, high = fit.noise_batch.natural
        if fit.weights == "equal" and fit.smallest_batch == 4 and fit.window > 1:
            assert value == pytest.approx(earlier, rel=0.03)
            assert low < earlier < high
        if fit.weights == "errors":
            assert by_errors[0] < low < value < high < by_errors[1]
            # The draws seem to be shared between batch sizes: far less misfit than stated errors.
            assert fit.chi2 < fit.freedom / 3


def test_report_of_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rung: planted parameters. The program prints every fit of a written table, and refuses."""
    rows = [
        f"c,{curve.batch_size:g},examples,{rate:.9g},{change:.12g},{error:.6g},1"
        for curve in curves(np.random.default_rng(0))
        for rate, change, error in zip(curve.rates, curve.change, curve.error, strict=True)
    ]
    path = tmp_path / "steps.csv"
    heading = "group,batch_size,batch_unit,lr,loss,loss_se,steps"
    path.write_text("\n".join([heading, *rows]) + "\n")
    assert main([str(path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("c: eta*(B)") and said[-1].startswith("  over all 32: B_noise ")
    low, high = (float(word.rstrip(",")) for word in said[-1].split()[4:7:2])
    assert 40 < low <= high < 90
    assert main([str(tmp_path / "missing.csv")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
