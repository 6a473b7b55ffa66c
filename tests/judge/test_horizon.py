"""Rules for whole runs on trial: cells from tables, planted rules found, wrong ones refuted."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from pathlib import Path

import numpy as np
import pytest

from empirical.errors import UsageError
from empirical.judge.horizon_candidates import CANDIDATES, candidates_for
from empirical.judge.horizon_cells import HorizonCell, horizon_cells
from empirical.judge.horizon_league import Start, judge_starts
from empirical.judge.horizon_trial import (
    SCOPES,
    SPLITS,
    Score,
    predictions,
    prepare,
    try_candidates,
)
from empirical.judge.optimum_record import Optimum, Status
from empirical.judge.run_table import read_run_table
from empirical.spectra_files import SavedSpectra, read_spectra, write_spectra
from scaling_theory.branch_point import BranchPoint
from scaling_theory.estimate import Estimate
from scaling_theory.run_law import run_factors
from scaling_theory.schedule import Schedule
from scaling_theory.spectral_measure import SpectralMeasure
from tests.transfer.surfaces import surface

FALLING = Schedule("linear", final_share=0.1)
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


def cell_at(
    start: str, optimizer: str, ratio: float, batch_size: int, steps: int, ln_eta: float
) -> HorizonCell:
    point, beta1 = point_at(batch_size, ratio), 0.9 if optimizer == "adamw" else 0.0
    return HorizonCell(
        start, optimizer, ratio, batch_size, steps, beta1, FALLING, point.descent,
        point.curvature, point.noise.moment(1), point, measured(ln_eta),
    )  # fmt: skip


def planted(
    rule: str, number: float, *, seed: int, scatter: float = 0.05, optimizer: str = "softsignsgd"
) -> list[HorizonCell]:
    """Cells of two starts whose optima follow a rule but for a scatter of ln eta."""
    rng = np.random.default_rng(seed)
    cells = []
    for start in ("early", "late"):
        for ratio in (0.0, 1.0, 30.0):
            for batch_size in (1, 4, 16, 64, 256):
                for steps in (2, 8, 32, 128):
                    place = start, optimizer, ratio, batch_size, steps
                    truth = float(NAMES[rule].ln_rates(cell_at(*place, 0.0), (exp(number),))[0])
                    truth += number if NAMES[rule].fitted == "factor" else 0.0
                    cells.append(cell_at(*place, truth + scatter * float(rng.normal())))
    return cells


@pytest.mark.parametrize(
    "rule, optimizer, number",
    [
        ("one-step shape", "softsignsgd", log(2.2)),
        ("run law", "adamw", log(0.6)),
        ("square root", "softsignsgd", -5.0),
        ("saturating quadratic", "softsignsgd", log(0.1)),
    ],
)
def test_the_planted_rule_wins_and_wrong_ones_are_refuted(
    rule: str, optimizer: str, number: float
) -> None:
    """Simulation: error of the true rule = the planted scatter, 0.05 within a third of it."""
    cells = planted(rule, number, seed=0, optimizer=optimizer)
    ready = [prepare(candidate, cells) for candidate in CANDIDATES]
    for split in SPLITS:
        scores = try_candidates(
            ready, cells, split, scope="everything", rng=np.random.default_rng(1)
        )
        by_name = {score.candidate: score for score in scores}
        assert not by_name[rule].refuted, split
        # one cell alone hands its own scatter, three times 0.05, on to all others
        assert by_name[rule].rms < (0.2 if split == "one tuned run" else 0.1), split
        assert by_name["linear"].refuted, split
        assert by_name["linear"].regret > 10 * by_name[rule].regret


def test_a_rule_is_not_judged_on_what_it_was_fitted_to() -> None:
    """Planted error: one cell moved far off changes no prediction of that cell itself."""
    cells = planted("one-step shape", 1.0, seed=2, scatter=0.0)
    moved, at = list(cells), 7
    moved[at] = replace(cells[at], optimum=measured(cells[at].ln_eta + 3))
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
    """Inspection: a small table of runs at two batch sizes, one of them with spectra."""
    at = surface()
    epsilon = float(at.epsilons[2])
    lines = ["optimizer,group,batch_size,batch_unit,seq_len,steps,lr,eps,beta1,loss,seed"]
    for batch_size in (4, 16):
        for k, rate in enumerate((0.01, 0.02, 0.04, 0.08, 0.16)):
            for seed in (0, 1):
                loss = 2 + 0.02 * (k - 2) ** 2 + 0.001 * seed + 1e-4 * (-1) ** (k + seed)
                row = (
                    "adamw",
                    "g",
                    batch_size,
                    "sequences",
                    64,
                    32,
                    rate,
                    epsilon,
                    0.9,
                    loss,
                    seed,
                )
                lines.append(",".join(map(str, row)))
    table = tmp_path / "runs.csv"
    table.write_text("\n".join(lines) + "\n")
    spectra = SavedSpectra((replace(point_at(4, epsilon), rule="adam"),))
    runs = read_run_table(table)
    found = horizon_cells("start", runs, at, Schedule(), spectra)
    cell, other = found.identified
    assert (cell.batch_size, cell.steps, cell.epsilon_ratio, cell.beta1) == (4, 32, 0.1, 0.9)
    assert abs(cell.ln_eta - log(0.04)) < 0.05
    one = at.eta1(4, epsilon, "correlated").step.learning_rate.value
    assert cell.one_step == pytest.approx(one)
    assert cell.factors == run_factors(0.9, 32, Schedule())
    bend = cell.factors.curvature * cell.signal + cell.factors.noise * cell.noise
    assert cell.run_law == pytest.approx(cell.descent / bend)
    assert cell.point is not None and other.point is None
    assert all(not c.spectral for c in candidates_for(found.identified))
    assert candidates_for((cell,)) == CANDIDATES


def test_a_start_that_curves_downwards_predicts_nothing(tmp_path: Path) -> None:
    """Edge: negative curvature, as at initialisation: the cell is named among the others."""
    at = surface()
    downwards = replace(at.signal, value=-np.abs(at.signal.value) * 1e6)
    table = tmp_path / "runs.csv"
    rows = [
        f"softsignsgd,g,4,sequences,64,8,{rate},{at.epsilons[2]},"
        f"{2 + 0.02 * (k - 2) ** 2 + 0.001 * seed + 1e-4 * (-1) ** (k + seed)},{seed}"
        for k, rate in enumerate((0.01, 0.02, 0.04, 0.08, 0.16))
        for seed in (0, 1)
    ]
    heading = "optimizer,group,batch_size,batch_unit,seq_len,steps,lr,eps,loss,seed"
    table.write_text("\n".join([heading, *rows]) + "\n")
    runs = read_run_table(table)
    found = horizon_cells("start", runs, replace(at, signal=downwards), Schedule())
    assert not found.identified
    assert "curvature is not positive" in found.others[0]


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


ROOT = Path(__file__).parents[2]


def test_the_repository_s_own_runs_tell_the_run_law_from_the_others() -> None:
    """Other data: 1,127 real runs at a constant learning rate, statistics of their start."""
    data = ROOT / "notebooks" / "data"
    starts = [
        Start(name, data / f"branch_{name}.csv", data / "branch_statistics", Schedule())
        for name in ("steps", "tokens")
    ]
    league = judge_starts(starts)
    assert len(league.cells.identified) == 80
    scores = {v.candidate: v for v in league.scores["everything", "one tuned run"]}
    # recorded 0.52; a change of the optimum's finding may move it a little
    assert scores["run law"].rms == pytest.approx(0.52, abs=0.05)
    for other in ("one-step shape", "momentum on the noise", "square root", "keep", "linear"):
        assert scores[other].refuted, other


def test_under_a_falling_rate_the_law_holds_where_it_is_settled_and_fails_early() -> None:
    """Other data: runs of 2 to 128 steps from two checkpoints; recorded 0.29, and 1.4 early."""
    data = ROOT / "notebooks" / "data" / "horizon"

    def scores(place: str) -> dict[str, Score]:
        start = Start(place, data / place / "runs.csv", data / place, FALLING)
        league = judge_starts([start], largest_epsilon=1.0)
        return {score.candidate: score for score in league.scores["everything", "one tuned run"]}

    settled, early = scores("step1000"), scores("step100")
    assert settled["run law itself"].rms == pytest.approx(0.29, abs=0.05)
    assert settled["run law itself"].cells == 67
    for other in ("one-step shape", "settled momentum", "square root", "keep", "linear"):
        assert settled[other].refuted, other
    assert early["run law itself"].refuted and early["run law itself"].rms > 1


def test_on_another_text_network_and_schedule_it_stays_within_the_limit_set_before() -> None:
    """Other data: 373 runs made after examples/horizon/prose.toml named the limit, 0.35."""
    folder = ROOT / "notebooks" / "data" / "horizon" / "prose"
    schedule = Schedule("cosine", warmup_share=0.1)
    league = judge_starts([Start("prose", folder / "runs.csv", folder, schedule)])
    scores = {score.candidate: score for score in league.scores["everything", "one tuned run"]}
    assert scores["run law itself"].cells == 45
    assert scores["run law itself"].rms < 0.35
    for other in ("one-step shape", "greedy", "square root", "keep", "linear"):
        assert scores[other].refuted, other
