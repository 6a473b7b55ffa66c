"""Vectors shared by the page's script and the toolkit: what every formula gives at many places.

The sources are made up, awkward on purpose: one batch size, gaps of a factor of 40, cells that
are negative, sign and SGD columns, every form of law with and without powers of covariates. The
toolkit computes the answers; the script has to find the same to nine digits.

    python -m tests.report.explorer_vectors tests/report/explorer_vectors.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import product
from math import cos, inf, isfinite, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from empirical.report.explorer.formulas import FORMULAS, law_source
from empirical.statistics_files import SavedStatistics, to_json
from scaling_theory.checkpoint import CheckpointScalars
from scaling_theory.estimate import exact_estimate
from scaling_theory.fitted_law import LAW_FORMS, FittedLaw
from scaling_theory.grid_quantity import GridQuantity
from scaling_theory.surface import SurfaceStatistics

GRADIENT, SIGMA = 0.002, 0.012
GRIDS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "fine": ((1.0, 4.0, 16.0, 64.0, 256.0), (0.0, 0.00012, 0.0012, 0.004, 0.012, 0.12, inf)),
    "coarse": ((2.0, 80.0, 160.0), (0.0005, 0.03)),
    "pair": ((8.0, 32.0), (0.001, 0.003, 0.01)),
    "single": ((16.0,), (0.0, 0.012)),
    "no minimum": ((1.0, 8.0, 64.0), (0.0, 0.012, 0.05)),
}
EPSILONS = (0.0, 0.00003, 0.0012, 0.002, 0.05, 0.5)
BATCHES = (0.5, 3.0, 16.0, 100.0, 3000.0)
TUNED = {"learning_rate": 0.0007, "batch_size": 24.0, "epsilon": 0.002}
KINDS = {"learning rate": 3e-3, "batch size": 90.0, "epsilon": 4e-4, "ratio": 1.7, "exponent": 0.4}
RUN = {"n_params": 3e8, "tokens": 2e10}
NINE_STEPS = {"steps": 9.0, "beta1": 0.9, "final_share": 0.1}

Plain = dict[str, Any]


def shared_vectors() -> Plain:
    """sources by name, and vectors: formula, way, source, at, answer."""
    sources = {f"surface, {name}": made_up_statistics(name) for name in GRIDS}
    laws = {f"law, {form}": made_up_law(form, ()) for form in LAW_FORMS}
    laws |= {
        f"law of n_params and tokens, {form}": made_up_law(form, tuple(RUN)) for form in LAW_FORMS
    }
    laws["law of steps, power"] = made_up_law("power", ("steps",))
    vectors = [*_on_surfaces(sources), *_on_runs(sources), *_on_laws(laws), *_of_rules()]
    sources |= {name: law_source(law) for name, law in laws.items()}
    return {"sources": sources, "vectors": [_answered(vector, sources) for vector in vectors]}


def _answered(vector: Plain, sources: Plain) -> Plain:
    evaluate = getattr(FORMULAS[vector["formula"]], vector["way"])
    return vector | {"answer": evaluate(sources.get(vector["source"]), vector["at"])}


def _on_surfaces(sources: Plain) -> Iterator[Plain]:
    names = ("one step, correlated noise", "one step, independent noise")
    for source, batch, epsilon in product(sources, BATCHES, EPSILONS):
        at = _at(batch, epsilon, "one-step")
        # Both closures and both ways at every place would only make the file longer.
        turn = BATCHES.index(batch) + EPSILONS.index(epsilon)
        yield {"formula": names[turn % 2], "way": "alone", "source": source, "at": at}
        if turn % 3 == 0:
            yield {"formula": names[turn % 2], "way": "carried", "source": source, "at": at}
    same = _at(16.0, 0.0012, "one-step") | {"tuned": TUNED | {"batch_size": 16.0}}
    same["tuned"]["epsilon"] = 0.0012
    along = _at(100.0, 0.002, "one-step")
    for at in (same, along):
        here = {"way": "carried", "source": "surface, fine", "at": at}
        yield here | {"formula": names[0]}
        yield here | {"formula": "run law", "at": at | {"covariates": NINE_STEPS}}


def _on_runs(sources: Plain) -> Iterator[Plain]:
    runs = (
        {"steps": 3.0, "beta1": 0.9, "final_share": 0.5},
        {"steps": 2000.0, "beta1": 0.95, "final_share": 1.0},
        {"steps": 64.0, "beta1": 0.0, "final_share": 0.0},
        {"steps": 1.0, "beta1": 0.8, "final_share": 0.0},
    )
    for source, batch, run in product(sources, (3.0, 100.0), runs):
        for epsilon, keep in ((0.0012, "steps"), (0.05, "tokens")):
            at = _at(batch, epsilon, keep) | {"covariates": run}
            yield {"formula": "run law", "way": "carried", "source": source, "at": at}


def _on_laws(laws: dict[str, FittedLaw]) -> Iterator[Plain]:
    for source, law in laws.items():
        covariates = {name: 1.3 * law.references[name] for name in law.references}
        ways = (("tokens", "alone"), ("tokens", "carried"), ("steps", "carried"))
        for batch, (keep, way) in product((3.0, 100.0), ways):
            at = _at(batch, 0.0004, keep) | {"covariates": covariates}
            yield {"formula": "fitted law", "way": way, "source": source, "at": at}


def _of_rules() -> Iterator[Plain]:
    for formula, keep in product(
        ("keep", "square root", "linear"), ("one-step", "tokens", "steps")
    ):
        yield {"formula": formula, "way": "carried", "source": "", "at": _at(100.0, 0.0, keep)}


def _at(batch: float, epsilon: float, keep: str) -> Plain:
    return {
        "batch_size": batch,
        "epsilon": epsilon,
        "covariates": {},
        "keep": keep,
        "tuned": dict(TUNED),
    }


def made_up_statistics(name: str) -> Plain:
    """A record of statistics whose cells go as a softsign's would, bent a little."""
    batches, epsilons = (np.array(axis) for axis in GRIDS[name])
    rows = [(b, GRADIENT**2 + SIGMA**2 / b) for b in batches]
    shapes = np.array([[e**2 + v if isfinite(e) else 1.0 for e in epsilons] for _, v in rows])
    bend = np.array(
        [[1 + 0.1 * cos(i + 2 * j) for j in range(epsilons.size)] for i, _ in enumerate(rows)]
    )

    def quantity(cells: np.ndarray, error: float) -> GridQuantity:
        values = np.array([[float(f"{cell:.7g}") for cell in row] for row in cells])
        return GridQuantity(values, np.abs(values) * error)

    noise = 40 * SIGMA**2 / shapes / bend / batches[:, None]
    if name == "no minimum":
        noise[0, -1] *= -6
    surface = SurfaceStatistics(
        batch_sizes=batches,
        epsilons=epsilons,
        descent=quantity(0.3 * bend / np.sqrt(shapes), 0.01),
        signal=quantity(8 * GRADIENT * sqrt(GRADIENT) * bend / shapes, 0.02),
        noise_correlated=quantity(noise, 0.04),
        noise_independent=quantity(np.abs(noise) / 15, 0.03),
        rms_gradient=GRADIENT,
        rms_sigma=SIGMA,
        samples=64,
        moments="exact",
    )
    nothing = exact_estimate(1.0)
    scalars = CheckpointScalars(1, 1, 1, gradient_norm_squared=nothing, trace_covariance=nothing)
    return to_json(SavedStatistics(scalars, surface))


def made_up_law(form: str, covariates: tuple[str, ...]) -> FittedLaw:
    """Parameters of ordinary size, all correlated; rates and batch scales with powers."""
    terms = LAW_FORMS[form].terms
    values = {term.name: KINDS[term.kind] * (1 + 0.3 * i) for i, term in enumerate(terms)}
    for place, covariate in enumerate(covariates):
        for term in terms:
            if term.kind in ("learning rate", "exponent") or (term.kind, place) == (
                "batch size",
                1,
            ):
                values[f"{term.name} {covariate}"] = 0.1 * (place + 1) - 0.25
    spread = 0.1 * np.abs(np.array(list(values.values())))
    correlation = np.full((spread.size, spread.size), 0.3) + 0.7 * np.eye(spread.size)
    known = {"steps": 3e4} | RUN
    return FittedLaw(
        form=form,
        parameters=values,
        covariance=np.outer(spread, spread) * correlation,
        held_fixed="tokens",
        smallest=8.0,
        largest=2048.0,
        unit="seq",
        sequence_length=1024,
        data_sha256="0" * 64,
        references={name: known[name] for name in covariates},
        spans={name: (known[name] / 4, known[name] * 4) for name in covariates},
        scatter=0.1,
    )


def vectors_text() -> str:
    """The file: one source or vector a line."""
    found = shared_vectors()
    sources = [f"{_compact(name)}:{_compact(s)}" for name, s in found["sources"].items()]
    vectors = map(_compact, found["vectors"])
    return (
        '{"sources":{\n'
        + ",\n".join(sources)
        + '\n},\n"vectors":[\n'
        + ",\n".join(vectors)
        + "\n]}\n"
    )


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(vectors_text(), encoding="utf-8")
