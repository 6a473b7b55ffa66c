"""Every claim that is judged, in the order in which it is shown."""

from __future__ import annotations

from empirical.judge.claims.claim import Claim
from empirical.judge.claims.coverage import coverage_claim
from empirical.judge.claims.epsilons import epsilon_claim
from empirical.judge.claims.falls import falls_claim
from empirical.judge.claims.fitted import fitted_claim
from empirical.judge.claims.followed import following_claims
from empirical.judge.claims.nearer import nearer_claim
from empirical.judge.claims.neighbours import neighbour_claims
from empirical.judge.claims.saturating import saturating_claim
from empirical.judge.claims.surges import surge_claims

CLAIMS: tuple[Claim, ...] = (
    *following_claims(),
    nearer_claim(),
    *surge_claims(),
    epsilon_claim(),
    falls_claim(),
    *neighbour_claims(),
    saturating_claim(),
    coverage_claim(),
    fitted_claim(),
)
