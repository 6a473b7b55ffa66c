"""The laws that compete: each form with a stated way to go from group to group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from empirical.judge.fit_data import Optima
from empirical.judge.fit_ties import PER_GROUP, SHARED, Tie, Ties
from scaling_theory.laws.form import LawForm
from scaling_theory.laws.run_limits import CURVATURE_POWERS, NOISE_POWERS, SATURATION_POWERS
from scaling_theory.laws.table import LAW_FORMS

Horizon = Literal["per group", "shared", "tokens", "steps", "given", "part given"]
HORIZONS: tuple[Horizon, ...] = get_args(Horizon)
"""How a law goes from group to group.

per group: learning rates free in each group, everything else shared; says nothing of new groups.
shared: one curve for all. tokens, steps: learning rates as powers of the parameters and of that
horizon, batch scales as powers of the horizon, powers fitted. given: powers (and for Step Law the
values) as stated where the law comes from; part given: some of them fitted.
"""

STEP_LAW = Tie(fixed_powers={"n_params": -0.713, "tokens": 0.307}, value=1.79)
"""eta = 1.79 N^-0.713 D^0.307 (N without embeddings, D tokens): arXiv 2503.04715, equation 1."""

FEWEST, WIDEST_SAME = 3, 1.5
"""Different values of a covariate, and the ratio of largest to smallest, for a power of it."""

LEAST_APART = 0.02
"""Root mean square of ln covariate that batch size and other covariates leave, for a power of its
own. Below it the table holds one power where two are asked for: tokens of 20 per parameter, or the
steps of runs that share their tokens. The difference of the two would be noise without an error."""


@dataclass(frozen=True)
class Entry:
    """A law in the league. name: of the form, or of a published law; horizon: see HORIZONS."""

    name: str
    form: LawForm
    horizon: Horizon
    ties: Ties

    @property
    def label(self) -> str:
        """Unique in a league."""
        return f"{self.name} [{self.horizon}]"

    @property
    def predicts_new_groups(self) -> bool:
        """Whether nothing in it is free per group."""
        return not any(tie.per_group for tie in self.ties.values())


def entries_for(data: Optima, names: Sequence[str] | None = None) -> list[Entry]:
    """All laws that `data` can hold: horizons only where their covariates differ.

    names: of the forms wanted, all by default. Laws of epsilon need several epsilons.
    """
    several = len(np.unique(data.group)) > 1
    powers = {name: _powers(data, name) for name in ("tokens", "steps")}
    found: list[Entry] = []
    for form in LAW_FORMS.values():
        if names is not None and form.name not in names:
            continue
        if form.epsilon and not _varies(data, "epsilon"):
            continue
        found.append(Entry(form.name, form, "shared", {}))
        if several:
            rates = {t.name: PER_GROUP for t in form.terms if t.kind == "learning rate"}
            found.append(Entry(form.name, form, "per group", rates))
        for horizon in ("tokens", "steps"):
            if powers[horizon]:
                found.append(Entry(form.name, form, horizon, _scaled(form, powers[horizon])))
    if {"n_params", "tokens"} <= set(data.covariates):
        given = _given(_varied(data, "tokens"))
        found += [entry for entry in given if names is None or entry.name in names]
    return found


def _scaled(form: LawForm, covariates: tuple[str, ...]) -> dict[str, Tie]:
    horizon = covariates[-1]
    kinds = {"learning rate": Tie(powers=covariates), "batch size": Tie(powers=(horizon,))}
    return {term.name: kinds.get(term.kind, SHARED) for term in form.terms}


def _given(fitted: tuple[str, ...]) -> list[Entry]:
    """Laws with powers from elsewhere. fitted: covariates that vary enough to fit their powers."""
    run = LAW_FORMS["noise and curvature"]
    noise = Tie(fixed_powers=NOISE_POWERS)
    given = {
        "eta_one": noise,
        "eta_infinity": Tie(fixed_powers=CURVATURE_POWERS),
        "saturation_batch": Tie(fixed_powers=SATURATION_POWERS),
    }
    part = dict(given)
    if "n_params" in fitted:
        part["eta_infinity"] = Tie(powers=("n_params",))
    if "tokens" in fitted:
        part["saturation_batch"] = Tie(powers=("tokens",))
    entries = [
        Entry("Step Law", LAW_FORMS["constant"], "given", {"eta_constant": STEP_LAW}),
        Entry(run.name, run, "given", given),
        Entry(run.name, run, "part given", part),
    ]
    return entries if part != given else entries[:2]


def _powers(data: Optima, horizon: str) -> tuple[str, ...]:
    """The covariates of learning rates for this horizon; none where it says nothing of its own."""
    varied = _varied(data, horizon)
    choices = (varied, varied[-1:]) if varied else ()
    return next((names for names in choices if _apart(data, names)), ())


def _varied(data: Optima, horizon: str) -> tuple[str, ...]:
    """n_params and this horizon as far as they vary; none where the horizon hardly does."""
    if not _varies(data, horizon):
        return ()
    return ("n_params", horizon) if _varies(data, "n_params") else (horizon,)


def _apart(data: Optima, names: Sequence[str]) -> bool:
    """Whether the last of `names` is no product of powers of the batch size and the others."""
    logs = [np.log(data.covariates[name]) for name in names]
    others = np.column_stack([np.ones(len(data)), data.log_batch, *logs[:-1]])
    left = logs[-1] - others @ np.linalg.lstsq(others, logs[-1], rcond=None)[0]
    return float(np.sqrt(np.mean(left**2))) > LEAST_APART


def _varies(data: Optima, name: str) -> bool:
    if name not in data.covariates:
        return False
    values = np.unique(data.covariates[name])
    return len(values) >= FEWEST and bool(values[-1] > WIDEST_SAME * values[0])
