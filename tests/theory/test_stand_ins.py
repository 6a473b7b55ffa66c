"""Which optimizers the softsign stands for, at which epsilon and with which momentum."""

from __future__ import annotations

from math import inf

import pytest

from scaling_theory.stand_ins import has_softsign, momentum_of, softsign_epsilon


@pytest.mark.parametrize(
    "optimizer, epsilon",
    [("sgd", inf), ("signsgd", 0.0), ("signum", 0.0), ("adamw", 0.3), ("softsignsgd", 0.3)],
)
def test_the_ends_have_an_epsilon_of_their_own(optimizer: str, epsilon: float) -> None:
    """Closed form: sign and SGD whatever is stated, the others what is stated."""
    assert has_softsign(optimizer)
    assert softsign_epsilon(optimizer, 0.3) == epsilon
    assert softsign_epsilon("adamw", None) is None
    assert not has_softsign("muon")


def test_momentum_is_unstated_only_where_there_is_some() -> None:
    """Closed form: 0 stated is not unstated."""
    assert momentum_of("adamw", None) is None and momentum_of("signum", None) is None
    assert momentum_of("adamw", 0.0) == momentum_of("sgd", None) == 0.0
    assert momentum_of("sgd", 0.9) == 0.9
