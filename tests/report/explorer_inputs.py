"""Small inputs of the page to explore, made without training: runs, a law, statistics, a demo."""

from __future__ import annotations

import csv
import json
from math import exp, log
from pathlib import Path

import numpy as np

from empirical.law_files import write_law
from empirical.statistics_files import write_statistics
from scaling_theory.fitted_law import FittedLaw
from tests.report.synthetic import synthetic_report
from tests.transfer.surfaces import saved

HOSTILE = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 2'>"
BATCHES = (4, 16, 64, 256)
EPSILONS = (0.0, 0.01)


def write_runs(path: Path, group: str = "small network") -> Path:
    """Parabolas in ln eta of known minimum; one batch size whose minimum lies beyond its grid."""
    rng = np.random.default_rng(5)
    lines = []
    for epsilon in EPSILONS:
        for batch in BATCHES:
            best = 1e-3 * (1 + 30 * epsilon) * batch**0.4
            shift = 6 if (batch, epsilon) == (256, 0.0) else 0
            for octave in np.arange(-3.0, 3.5, 0.5):
                rate = best * 2.0 ** (octave - shift)
                for seed in (0, 1):
                    loss = 2 + 0.02 * log(rate / best) ** 2 + 0.002 * rng.standard_normal()
                    gone = octave > 2.6
                    lines.append([batch, rate, "" if gone else loss, epsilon, seed, gone, group])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        heads = ("batch_size", "lr", "loss", "eps", "seed", "diverged", "group")
        writer.writerow([*heads, "batch_unit", "tokens"])
        writer.writerows([*line, "sequences", 2**20] for line in lines)
    return path


def law(form: str = "power") -> FittedLaw:
    """A power law of B whose level goes with tokens."""
    return FittedLaw(
        form=form,
        parameters={"eta_one": 2e-4, "exponent": 0.4, "eta_one tokens": -0.3},
        covariance=np.diag([4e-10, 1e-3, 1e-3]),
        held_fixed="tokens",
        smallest=4.0,
        largest=256.0,
        unit="seq",
        sequence_length=64,
        data_sha256="1" * 64,
        references={"tokens": exp(20.0)},
        spans={"tokens": (1e8, 2e9)},
        scatter=0.05,
    )


def write_inputs(folder: Path, group: str = "small network") -> dict[str, str]:
    """Options of `report` and the files that they name, written into `folder`."""
    write_runs(folder / "runs.csv", group)
    write_law(folder / "law.json", law())
    write_statistics(folder / "stats", saved())
    (folder / "report.json").write_text(json.dumps(synthetic_report()), encoding="utf-8")
    return {
        "--runs": str(folder / "runs.csv"),
        "--law": str(folder / "law.json"),
        "--stats": str(folder / "stats"),
        "--demo": str(folder / "report.json"),
    }
