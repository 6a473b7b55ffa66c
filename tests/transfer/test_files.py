"""Statistics and laws on disk: what is written is read, and what is broken is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from empirical.errors import UsageError
from empirical.law_files import read_law, write_law
from empirical.statistics_files import (
    NUMBERS,
    VECTORS,
    Vectors,
    read_statistics,
    read_vectors,
    write_statistics,
)
from scaling_theory.errors import InputError
from scaling_theory.fitted_law import LAW_FORMS, FittedLaw
from scaling_theory.units import UnitError, parse_batch_size
from tests.transfer.surfaces import checkpoint, saved

LAW = FittedLaw(
    form="canonical",
    parameters={"eta_infinity": 2e-3, "noise_batch": 50.0, "saturation_batch": 300.0},
    covariance=np.diag([1e-8, 25.0, 900.0]),
    held_fixed="tokens",
    smallest=4.0,
    largest=1024.0,
    unit="seq",
    sequence_length=128,
    data_sha256="0" * 64,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    statistics, _ = checkpoint()
    vectors = Vectors(statistics.gradient.astype(np.float32), np.sqrt(statistics.variance))
    write_statistics(tmp_path / "stats", saved(), vectors)
    return tmp_path / "stats"


def test_statistics_come_back_unchanged(directory: Path) -> None:
    """Closed form: floats survive JSON to the last bit, infinity as a word."""
    read, written = read_statistics(directory), saved()
    assert read.scalars == written.scalars
    assert read.provenance == written.provenance
    for name in ("batch_sizes", "epsilons"):
        np.testing.assert_array_equal(getattr(read.surface, name), getattr(written.surface, name))
    for name in ("descent", "signal", "noise_correlated", "noise_independent"):
        for part in ("value", "standard_error"):
            np.testing.assert_array_equal(
                getattr(getattr(read.surface, name), part),
                getattr(getattr(written.surface, name), part),
            )
    assert read.surface.epsilons[-1] == inf


def test_vectors_come_back_unchanged(directory: Path) -> None:
    """Closed form: dtype and values are kept."""
    vectors = read_vectors(directory)
    assert vectors.gradient.dtype == np.float32
    np.testing.assert_array_equal(vectors.sigma, np.sqrt(checkpoint()[0].variance))


def test_existing_statistics_are_not_overwritten(directory: Path) -> None:
    """Closed form: a second write is refused and the first stays."""
    before = (directory / NUMBERS).read_bytes()
    with pytest.raises(UsageError, match="already holds statistics"):
        write_statistics(directory, saved())
    assert (directory / NUMBERS).read_bytes() == before


def test_unwritable_places_are_refused(tmp_path: Path) -> None:
    """Closed form: below a regular file there is no directory."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_statistics(tmp_path / "file" / "stats", saved())
    with pytest.raises(UsageError, match="cannot be written"):
        write_law(tmp_path / "file" / "law.json", LAW)


def _edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


BREAKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another version": lambda r: r.update(schema_version=2),
    "another schema": lambda r: r.update(schema="something else"),
    "no surface": lambda r: r.pop("surface"),
    "no descent": lambda r: r["surface"].pop("descent"),
    "a short grid": lambda r: r["surface"]["descent"]["value"].pop(),
    "a word for a number": lambda r: r["scalars"].update(pool_sequences="many"),
    "an unknown scalar": lambda r: r["scalars"].update(colour=1),
    "a negative error": lambda r: r["scalars"]["trace_covariance"].update(standard_error=-1),
    "a list": lambda r: r.update(surface=[]),
    "not a number": lambda r: r["surface"].update(rms_sigma=float("nan")),
}


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS)
def test_broken_statistics_are_refused_in_one_line(
    directory: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    """Closed form: path, what is wrong and what to do, on one line."""
    _edit(directory / NUMBERS, change)
    with pytest.raises(UsageError, match=NUMBERS) as caught:
        read_statistics(directory)
    assert "\n" not in str(caught.value)
    assert "measure" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_torn_statistics_are_refused(directory: Path, content: bytes) -> None:
    """Closed form: what is no JSON object is no statistics."""
    (directory / NUMBERS).write_bytes(content)
    with pytest.raises(UsageError):
        read_statistics(directory)


def test_missing_files_are_named(directory: Path, tmp_path: Path) -> None:
    """Closed form: numbers and vectors are missed separately."""
    (directory / VECTORS).unlink()
    assert read_statistics(directory).scalars.parameters > 0
    with pytest.raises(UsageError, match=f"no {VECTORS}"):
        read_vectors(directory)
    with pytest.raises(UsageError, match="does not exist"):
        read_statistics(tmp_path / "nowhere")


@pytest.mark.parametrize("size", [0, 10, 200])
def test_torn_vectors_are_refused(directory: Path, size: int) -> None:
    """Closed form: a cut safetensors file does not load."""
    path = directory / VECTORS
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UsageError, match=VECTORS):
        read_vectors(directory)


def test_a_law_without_limits_is_read(tmp_path: Path) -> None:
    """Closed form: files of earlier versions do not say which coefficients ended at a limit."""
    write_law(tmp_path / "law.json", replace(LAW, at_bound=tuple(LAW.parameters)[:1]))
    assert read_law(tmp_path / "law.json").at_bound == tuple(LAW.parameters)[:1]
    _edit(tmp_path / "law.json", lambda record: record.pop("at_bound"))
    assert read_law(tmp_path / "law.json").at_bound == ()


def test_law_comes_back_unchanged(tmp_path: Path) -> None:
    """Closed form: every field of the law survives."""
    write_law(tmp_path / "law.json", LAW)
    read = read_law(tmp_path / "law.json")
    np.testing.assert_array_equal(read.covariance, LAW.covariance)
    assert replace(read, covariance=LAW.covariance) == LAW


LAW_BREAKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "unknown law": lambda r: r.update(name="magic"),
    "limit of no parameter": lambda r: r.update(at_bound=["magic"]),
    "missing parameter": lambda r: r["parameters"].pop("noise_batch"),
    "wrong order": lambda r: r.update(parameters=dict(reversed(r["parameters"].items()))),
    "small covariance": lambda r: r.update(covariance=[[1.0]]),
    "negative variance": lambda r: r["covariance"][0].__setitem__(0, -1.0),
    "unknown view": lambda r: r.update(held_fixed="nothing"),
    "no domain": lambda r: r.pop("domain"),
    "domain upside down": lambda r: r["domain"].update(batch_size=[10, 1]),
    "unknown unit": lambda r: r["domain"].update(unit="kg"),
    "no scatter": lambda r: r.pop("scatter"),
    "negative scatter": lambda r: r.update(scatter=-1.0),
    "covariate without a span": lambda r: r.update(covariates={"tokens": {"reference": 1e9}}),
    "no numbers by name": lambda r: r.update(parameters=[2e-3, 50.0, 300.0]),
    "covariates without names": lambda r: r.update(covariates=[1e9]),
    "a scale of 0": lambda r: r["parameters"].update(noise_batch=0),
    "lopsided covariance": lambda r: r["covariance"][0].__setitem__(1, 1e-4),
    "length in words": lambda r: r["domain"].update(sequence_length="long"),
    "half a token": lambda r: r["domain"].update(sequence_length=1.5),
    "span upside down": lambda r: r.update(
        covariates={"tokens": {"reference": 1e9, "span": [2e9, 1e9]}}
    ),
    "power of nothing": lambda r: r["parameters"].update({"noise_batch tokens": 0.5}),
}


@pytest.mark.parametrize("change", LAW_BREAKS.values(), ids=LAW_BREAKS)
def test_broken_laws_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    """Closed form: path, what is wrong and what to do."""
    write_law(tmp_path / "law.json", LAW)
    _edit(tmp_path / "law.json", change)
    with pytest.raises(UsageError, match=r"law\.json"):
        read_law(tmp_path / "law.json")


@pytest.mark.parametrize("form", LAW_FORMS.values(), ids=LAW_FORMS)
def test_error_of_a_law_is_that_of_its_parameters(form: Any) -> None:
    """Monte Carlo: the spread of the law over parameters drawn from their covariance."""
    middle = {
        "power": [1e-3, 0.4],
        "linear saturating": [2e-3, 60.0],
        "surge": [2e-3, 80.0],
        "canonical": [2e-3, 50.0, 300.0],
        "constant": [1e-3],
        "linear": [1e-5],
        "square root": [1e-4],
        "square root saturating": [2e-3, 100.0],
        "saturating": [2e-3, 60.0, 0.7],
        "canonical epsilon": [2e-3, 50.0, 300.0, 1e-4],
        "two groups": [2e-3, 0.3, 20.0, 100.0, 0.5],
        "two slopes": [2e-3, 100.0, 0.8, 0.3],
        "noise and curvature": [2e-5, 2e-3, 100.0],
    }[form.name]
    mixing = np.eye(len(middle)) + 0.4 * np.eye(len(middle), k=-1)
    root = 0.01 * np.diag(middle) @ mixing
    law = replace(
        LAW,
        form=form.name,
        parameters=dict(zip(form.parameters, middle, strict=True)),
        covariance=root @ root.T,
    )
    rng = np.random.default_rng(11)
    draws = np.array(middle) + rng.standard_normal((20_000, len(middle))) @ root.T
    at = {"epsilon": 2e-4} if form.epsilon else {}
    values = form.learning_rate(32.0, *draws.T, *at.values())
    # The error of a standard deviation of n draws is 1/sqrt(2n) = 0.5 %; curvature of the laws
    # over 1 % steps adds of the order of 1e-4. Four standard errors.
    assert law.learning_rate(32.0, at).standard_error == pytest.approx(np.std(values), rel=0.021)


def test_law_speaks_in_its_own_unit() -> None:
    """Closed form: tokens turn into sequences, bare numbers and examples into nothing."""
    assert LAW.in_unit(parse_batch_size("8192tok", 128)) == 64
    with pytest.raises(UnitError):
        LAW.in_unit(parse_batch_size("64"))
    assert LAW.outside(64.0) == ""
    assert "outside the fitted 4 to 1024" in LAW.outside(2048.0)


def test_law_refuses_a_covariance_that_is_none() -> None:
    """Closed form: an indefinite covariance gives no error bar."""
    indefinite = np.array([[1e-8, 1.0, 0], [1.0, 25.0, 0], [0, 0, 900.0]])
    with pytest.raises(InputError, match="positive semidefinite"):
        replace(LAW, covariance=indefinite)


@pytest.mark.parametrize("scatter", [1e3, 1e300])
def test_law_that_knows_nothing_gives_no_interval(scatter: float) -> None:
    """Closed form: e^2000 to either side is no number, and no overflow."""
    with pytest.raises(InputError, match="does not identify the learning rate at batch size 32"):
        replace(LAW, scatter=scatter).interval(32.0)
