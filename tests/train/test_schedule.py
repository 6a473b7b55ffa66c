"""Learning-rate schedules against their formulas written out by hand."""

import math

import pytest

from empirical.train.schedule import ScheduleConfig
from scaling_theory.errors import InputError
from scaling_theory.schedule import SHAPES, Schedule, schedule_multiples


def multiples(steps: int, **settings: object) -> list[float]:
    shape = ScheduleConfig.model_validate(settings).shape
    return [float(multiple) for multiple in schedule_multiples(steps, shape)]


def test_warm_up_rises_linearly_to_the_peak() -> None:
    """Closed form: step / w until w, for every shape; 25 % of 8 steps are 2."""
    for name in SHAPES:
        assert multiples(8, name=name, warmup_share=0.25)[:2] == [0.5, 1.0]


def test_shapes_by_hand() -> None:
    """Closed form of each shape at 4 steps without warm-up; tolerance is float64 rounding."""
    assert multiples(4, name="constant") == [1.0, 1.0, 1.0, 1.0]
    assert multiples(4, name="linear") == [0.75, 0.5, 0.25, 0.0]
    expected = [(1 + math.cos(math.pi * x)) / 2 for x in (0.25, 0.5, 0.75, 1.0)]
    assert multiples(4, name="cosine") == pytest.approx(expected, abs=1e-15)
    found = multiples(4, name="warmup_stable_decay", decay_share=0.5)
    assert found == pytest.approx([1.0, 1.0, 0.5, 0.0], abs=1e-15)


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "constant"])
def test_the_last_step_has_the_final_share(name: str) -> None:
    """Closed form: the last multiple is the share asked for, whatever the number of steps."""
    for steps in (1, 2, 7, 1000):
        assert multiples(steps, name=name, final_share=0.1)[-1] == pytest.approx(0.1, abs=1e-12)


def test_a_schedule_without_decay_stays() -> None:
    """Edge: a decay share of 0 divides by nothing."""
    assert multiples(5, name="warmup_stable_decay", decay_share=0.0) == [1.0] * 5


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"name": "exponential"}, "one of constant"),
        ({"final_share": 1.5}, "final share"),
        ({"warmup_share": 1.0}, "warm-up share"),
    ],
)
def test_a_schedule_that_is_none_is_refused(settings: dict[str, object], said: str) -> None:
    """Caller's mistakes, each in one line."""
    with pytest.raises(InputError, match=said):
        Schedule(**settings)  # type: ignore[arg-type]  # wrong on purpose
