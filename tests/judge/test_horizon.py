"""Rules for whole runs on trial: cells from tables, planted rules found, wrong ones refuted."""

from __future__ import annotations

from math import exp, log
from pathlib import Path

import numpy as np
import pytest

from empirical.errors import UsageError
from empirical.judge.horizon_candidates import CANDIDATES
from empirical.judge.horizon_cells import HorizonCell, horizon_cells
from empirical.judge.horizon_trial import SCOPES, SPLITS, predictions, prepare, try_candidates
from empirical.judge.optimum_record import Optimum, Status
from empirical.judge.run_table import read_run_table
from empirical.spectra_files import SavedSpectra, read_spectra, write_spectra
from scaling_theory.branch_point import BranchPoint
from scaling_theory.estimate import Estimate
from scaling_theory.spectral_measure import SpectralMeasure

NAMES = {candidate.name: candidate for candidate in CANDIDATES}


def point_at(batch_size: int, ratio: float) -> BranchPoint:
    """Noise falls as 1/B; the sharp direction has 50 times the curvature of the flat ones."""
    gain = 1 / (0.1 + ratio)
    signal = SpectralMeasure(gain * np.array([0.02, 1.0]), gain * np.array([1.0, 0.5]))
    noise = SpectralMeasure(gain * np.array([0.1, 1.0]), gain * np.array([3.0, 1.0]) / batch_size)
    return BranchPoint(
        "softsign", batch_size, ratio, signal.moment(0), signal.moment(1), signal, noise
    )


def measured(ln_eta: float) -> Optimum:
    return Optimum(
        Status.IDENTIFIED, "", Estimate(ln_eta, 0.03, 10), (ln_eta - 0.06, ln_eta + 0.06), None,
        Estimate(0.03, 0.003, 10), (), exp(ln_eta), None, 5, 10, 0, "quadratic",
    )  # fmt: skip


def planted(rule: str, number: float, *, seed: int, scatter: float = 0.05) -> list[HorizonCell]:
    """Cells of two starts whose optima follow a rule but for a scatter of ln eta."""
    rng = np.random.default_rng(seed)
    cells = []
    for start in ("early", "late"):
        for ratio in (0.0, 1.0, 30.0):
            for batch_size in (1, 4, 16, 64, 256):
                for steps in (2, 8, 32, 128):
                    empty = HorizonCell(
                        start, "softsignsgd", ratio, batch_size, steps,
                        np.linspace(1, 0.1, steps), point_at(batch_size, ratio), measured(0.0),
                    )  # fmt: skip
                    truth = float(NAMES[rule].ln_rates(empty, (exp(number),))[0])
                    if NAMES[rule].fitted == "factor":
                        truth += number
                    here = measured(truth + scatter * float(rng.normal()))
                    cells.append(
                        HorizonCell(
                            start,
                            "softsignsgd",
                            ratio,
                            batch_size,
                            steps,
                            empty.multiples,
                            empty.point,
                            here,
                        )
                    )
    return cells


@pytest.mark.parametrize(
    "rule, number",
    [("one-step shape", log(2.2)), ("square root", -5.0), ("saturating quadratic", log(0.1))],
)
def test_the_planted_rule_wins_and_wrong_ones_are_refuted(rule: str, number: float) -> None:
    """Simulation: error of the true rule = the planted scatter, 0.05 within a third of it."""
    cells = planted(rule, number, seed=0)
    ready = [prepare(candidate, cells) for candidate in CANDIDATES]
    for split in SPLITS:
        verdicts = try_candidates(
            ready, cells, split, scope="everything", rng=np.random.default_rng(1)
        )
        by_name = {verdict.candidate: verdict for verdict in verdicts}
        assert not by_name[rule].refuted, split
        # one cell alone hands its own scatter, three times 0.05, on to all others
        assert by_name[rule].rms < (0.2 if split == "one tuned run" else 0.1), split
        assert by_name["linear"].refuted, split
        assert by_name["linear"].regret > 10 * by_name[rule].regret


def test_a_rule_is_not_judged_on_what_it_was_fitted_to() -> None:
    """Planted error: one cell moved far off changes no prediction of that cell itself."""
    cells = planted("one-step shape", 1.0, seed=2, scatter=0.0)
    moved = list(cells)
    at = 7
    odd = moved[at]
    moved[at] = HorizonCell(
        odd.start, odd.optimizer, odd.epsilon_ratio, odd.batch_size, odd.steps, odd.multiples,
        odd.point, measured(odd.ln_eta + 3),
    )  # fmt: skip
    ready = prepare(NAMES["one-step shape"], moved)
    for split in ("batch size", "steps", "epsilon", "start"):
        found = predictions(ready, moved, split, "everything")
        assert found[at] == pytest.approx(cells[at].ln_eta, abs=1e-9), split


def test_one_tuned_run_is_one_cell_in_the_middle() -> None:
    """Closed form: with a scatter of 0 one cell fixes the factor of all others exactly."""
    cells = planted("one-step shape", 0.7, seed=3, scatter=0.0)
    for scope in SCOPES:
        found = predictions(prepare(NAMES["one-step shape"], cells), cells, "one tuned run", scope)
        judged = np.isfinite(found)
        tuned = [cell for cell, used in zip(cells, judged, strict=True) if not used]
        assert len(tuned) == dict(zip(SCOPES, (1, 2, 6), strict=True))[scope]
        assert all(cell.batch_size == 16 for cell in tuned)
        errors = found[judged] - np.array([c.ln_eta for c in cells])[judged]
        assert np.abs(errors).max() < 1e-9


def test_cells_of_a_table(tmp_path: Path) -> None:
    """Inspection: a small table of runs with one identified cell, one without spectra."""
    lines = ["optimizer,group,batch_size,batch_unit,seq_len,steps,lr,eps,loss,seed"]
    for batch_size in (4, 8):
        for k, rate in enumerate((0.01, 0.02, 0.04, 0.08, 0.16)):
            for seed in (0, 1):
                loss = 2 + 0.02 * (k - 2) ** 2 + 0.001 * seed + 1e-4 * (-1) ** (k + seed)
                lines.append(f"softsignsgd,g,{batch_size},sequences,64,32,{rate},0.5,{loss},{seed}")
    table = tmp_path / "runs.csv"
    table.write_text("\n".join(lines) + "\n")
    spectra = SavedSpectra((point_at(4, 0.5),))
    found = horizon_cells("start", read_run_table(table), spectra, 0.25, lambda s: np.ones(s))
    (cell,) = found.identified
    assert (cell.batch_size, cell.steps, cell.epsilon_ratio) == (4, 32, 2.0)
    assert abs(cell.ln_eta - log(0.04)) < 0.05
    assert cell.over_one_step == pytest.approx(cell.ln_eta - log(cell.point.one_step))
    assert "no spectra" in found.others[0]


def test_spectra_outlive_the_process(tmp_path: Path) -> None:
    """Round trip to eight digits; an infinite epsilon too."""
    points = [point_at(4, 0.5), point_at(16, 30.0)]
    write_spectra(tmp_path, points, {"seed": 0})
    read = read_spectra(tmp_path)
    assert read.provenance == {"seed": 0}
    again = read.at("softsign", 16, 30.0)
    assert again is not None
    assert again.one_step == pytest.approx(points[1].one_step, rel=1e-7)
    assert read.at("softsign", 16, 29.0) is None
    assert read.at("adam", 16, 30.0) is None


@pytest.mark.parametrize(
    "content, said",
    [
        (None, "does not exist"),
        ("{", "torn"),
        ('{"schema": "scaling-theory/spectra", "schema_version": 9}', "version"),
        ('{"schema": "scaling-theory/spectra", "schema_version": 1}', "does not hold"),
    ],
)
def test_spectra_of_no_use_are_refused(tmp_path: Path, content: str | None, said: str) -> None:
    """Caller's mistakes, each in one line that says what to do."""
    if content is not None:
        (tmp_path / "spectra.json").write_text(content)
    with pytest.raises(UsageError, match=said) as caught:
        read_spectra(tmp_path)
    assert "measure again" in str(caught.value) and "\n" not in str(caught.value)
