"""Moving averages of an optimizer, set by their decay or by their half-life in tokens."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    BeforeValidator,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from empirical.settings import DecayRate, FrozenModel, PositiveFloat
from scaling_theory.half_life import decay_from_half_life, parse_half_life

HALF_LIVES = MappingProxyType(
    {
        "first_half_life_tokens": "first_decay",
        "second_half_life_tokens": "second_decay",
        "momentum_half_life_tokens": "momentum",
    }
)
"""The field of a half-life in tokens, and the field of the decay that it stands for."""

LARGEST_DECAY = 1 - 1e-6
"""Averages are kept in float32, whose spacing below 1 is 6e-8: here 1 - decay is good to 3 %."""


def _tokens_of_text(value: object) -> object:
    return parse_half_life(value) if isinstance(value, str) else value


HalfLife = Annotated[PositiveFloat, BeforeValidator(_tokens_of_text)]
"""Tokens, as a number or as text such as "10Mtok"."""


class AveragesConfig(FrozenModel):
    """The base of configurations whose averages may be given by a half-life in tokens.

    smallest_decay, largest_decay: bounds of a decay that comes from a half-life.
    """

    smallest_decay: DecayRate = 0.0
    largest_decay: DecayRate = LARGEST_DECAY

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        for half_life, decay in half_lives(self).items():
            if decay in self.model_fields_set:
                raise ValueError(
                    f"got {decay} {getattr(self, decay):g} and {half_life} "
                    f"{getattr(self, half_life):g}, wanted one of the two; leave one out"
                )
        if self.smallest_decay > self.largest_decay:
            raise ValueError(
                f"got smallest_decay {self.smallest_decay:g} above largest_decay "
                f"{self.largest_decay:g}; exchange them"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_defaults_that_do_not_count(
        self, write: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """A decay that a half-life stands for is not written, so that what is read back agrees."""
        unused = half_lives(self).values()
        return {name: value for name, value in write(self).items() if name not in unused}


Config = TypeVar("Config", bound=FrozenModel)


@dataclass(frozen=True)
class Resolved(Generic[Config]):
    """A configuration whose decays are all numbers, and what had to be clamped for that.

    clamped: one line per decay that a bound replaced; empty where none was.
    """

    config: Config
    clamped: tuple[str, ...] = ()


def half_lives(config: FrozenModel) -> dict[str, str]:
    """The half-lives that a configuration sets, each with the decay that it stands for."""
    there = type(config).model_fields
    return {
        half_life: decay
        for half_life, decay in HALF_LIVES.items()
        if half_life in there and getattr(config, half_life) is not None
    }


def resolve(config: Config, tokens_per_step: float) -> Resolved[Config]:
    """Every half-life t as the decay 2^(-tokens_per_step / t) (arXiv 2507.07101, section 3).

    tokens_per_step: tokens in the batch of one update, over all ranks and accumulated
    micro-batches. Raises InputError where it is not above 0.
    """
    given = half_lives(config)
    if not isinstance(config, AveragesConfig) or not given:
        return Resolved(config)
    values = config.model_dump()
    clamped = []
    for half_life, name in given.items():
        tokens = values.pop(half_life)
        decay = decay_from_half_life(
            tokens, tokens_per_step, floor=config.smallest_decay, ceiling=config.largest_decay
        )
        values[name] = decay.beta
        if decay.clamped:
            clamped.append(
                f"{name} clamped to {decay.beta:.7g}: a half-life of {tokens:g} tokens at "
                f"{tokens_per_step:g} tokens per step wants 1 - {decay.complement:.4g}"
            )
    return Resolved(type(config).model_validate(values), tuple(clamped))
