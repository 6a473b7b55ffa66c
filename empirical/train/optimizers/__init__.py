"""All update rules in torch, and the table from a configuration to an optimizer."""

from empirical.train.optimizers.build import Parameters, build_optimizer
from empirical.train.optimizers.muon import MuonWithAdamW
from empirical.train.optimizers.rounding import StochasticallyRounded, round_stochastically
from empirical.train.optimizers.sgd_sai import SGDSaI
from empirical.train.optimizers.sign import SignSGD
from empirical.train.optimizers.softsign import SoftSignSGD, softsign

__all__ = [
    "MuonWithAdamW",
    "Parameters",
    "SGDSaI",
    "SignSGD",
    "SoftSignSGD",
    "StochasticallyRounded",
    "build_optimizer",
    "round_stochastically",
    "softsign",
]
