"""The derivations by name.

`DERIVATIONS` maps the name a user types to its function, in the order in which one rests on
another. Nothing is derived at import.
"""

from __future__ import annotations

from collections.abc import Callable

from scaling_theory.derivations.adam_surge import adam_surge
from scaling_theory.derivations.canonical_form import canonical_form
from scaling_theory.derivations.canonical_surge import canonical_surge
from scaling_theory.derivations.clip import clip_moments
from scaling_theory.derivations.correlated import correlated_noise
from scaling_theory.derivations.crossover import epsilon_crossover
from scaling_theory.derivations.exact_mean import exact_mean_moments
from scaling_theory.derivations.exact_second import exact_second_moments
from scaling_theory.derivations.groups import multi_group, scalar_criterion
from scaling_theory.derivations.half_life import token_half_life
from scaling_theory.derivations.limits import limits
from scaling_theory.derivations.mean_field import mean_field_moments
from scaling_theory.derivations.mehler import correlated_pair
from scaling_theory.derivations.momentum import adam_average
from scaling_theory.derivations.momentum_run import momentum_run
from scaling_theory.derivations.muon import muon
from scaling_theory.derivations.noise_batches import noise_batches
from scaling_theory.derivations.one_step import one_step_law
from scaling_theory.derivations.peaked import peaked_form
from scaling_theory.derivations.run_schedule import run_schedule
from scaling_theory.derivations.scalar_noise import scalar_noise
from scaling_theory.derivations.sgd import one_step_sgd, steps_and_samples
from scaling_theory.derivations.sign import sign_moments
from scaling_theory.derivations.sign_law import sign_learning_rate
from scaling_theory.derivations.softsign import s_curves
from scaling_theory.derivations.softsign_law import preconditioned, softsign_law
from scaling_theory.derivations.step import Step
from scaling_theory.derivations.surge_paper import surge_paper
from scaling_theory.derivations.update_rms import adam_update_rms
from scaling_theory.derivations.vanishing import surge_vanishes
from scaling_theory.derivations.variance import adam_sde, variance_views
from scaling_theory.derivations.weight_rms import adamw_weight_rms

__all__ = ["DERIVATIONS", "Derivation"]

Derivation = Callable[[], tuple[Step, ...]]

DERIVATIONS: dict[str, Derivation] = {
    "variance-views": variance_views,
    "adam-sde": adam_sde,
    "half-life": token_half_life,
    "one-step-law": one_step_law,
    "sgd": one_step_sgd,
    "steps-and-samples": steps_and_samples,
    "sign-moments": sign_moments,
    "sign-law": sign_learning_rate,
    "s-curves": s_curves,
    "clip-moments": clip_moments,
    "exact-mean": exact_mean_moments,
    "exact-second-moment": exact_second_moments,
    "mean-field": mean_field_moments,
    "softsign-law": softsign_law,
    "preconditioned": preconditioned,
    "peaked-form": peaked_form,
    "canonical-form": canonical_form,
    "canonical-surge": canonical_surge,
    "limits": limits,
    "surge-vanishes": surge_vanishes,
    "surge-paper": surge_paper,
    "noise-batches": noise_batches,
    "correlated-pair": correlated_pair,
    "correlated-noise": correlated_noise,
    "scalar-noise": scalar_noise,
    "multi-group": multi_group,
    "scalar-criterion": scalar_criterion,
    "epsilon-crossover": epsilon_crossover,
    "momentum": adam_average,
    "momentum-run": momentum_run,
    "run-schedule": run_schedule,
    "adam-surge": adam_surge,
    "update-rms": adam_update_rms,
    "weight-rms": adamw_weight_rms,
    "muon": muon,
}
