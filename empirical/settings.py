"""From settings as they were typed to a checked model, or to one line that says what is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from empirical.errors import UsageError

Model = TypeVar("Model", bound=BaseModel)

# Beyond this, products with a gradient leave float32 and torch raises an error of its own.
LARGEST = 1e30

PositiveInt = Annotated[int, Field(ge=1)]
NonNegativeInt = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
DecayRate = Annotated[float, Field(ge=0, lt=1)]


class FrozenModel(BaseModel):
    """The base of every configuration: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def checked(
    model: type[Model], settings: Mapping[str, object], sources: Mapping[str, str]
) -> Model:
    """`settings` as an instance of `model`.

    Args:
        model: a pydantic model.
        settings: values by field name.
        sources: how the user knows a field, such as "--seed" or "seed in run.toml"; a field that
            is not here goes by its own name.

    Raises:
        UsageError: the first thing that does not fit.
    """
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise UsageError(first_problem(error, sources)) from None


def first_problem(error: ValidationError, sources: Mapping[str, str] | None = None) -> str:
    """The first of the problems in one line: what came, what was wanted, what to do."""
    problems = error.errors()
    first, others = problems[0], len({problem["loc"][:1] for problem in problems}) - 1
    more = f" ({others} more after this one)" if others else ""
    wanted = first["msg"].removeprefix("Value error, ").replace("Input should be", "wanted")
    if not first["loc"]:
        # The model's own check of fields against each other: its message is complete.
        return wanted + more
    field = str(first["loc"][0])
    source = (sources or {}).get(field, field)
    return f"got {_shown(first['input'])} for {source}, {wanted}; change {source}{more}"


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def read_toml(path: Path, what: str) -> dict[str, object]:
    """The tables of a TOML file that holds `what`.

    Raises:
        UsageError: it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"cannot read the {what} {path} ({error.strerror}); name a TOML file"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        verb = "are" if what.endswith("s") else "is"
        raise UsageError(
            f"the {what} {path} {verb} not TOML ({error}); correct that place in the file"
        ) from None


def read_settings(path: Path, model: type[BaseModel]) -> dict[str, object]:
    """The settings of a TOML file; a hyphen in a key counts as an underscore.

    Raises:
        UsageError: the file cannot be read, is not TOML, or has a key that `model` does not have.
    """
    found = read_toml(path, "settings")
    known = tuple(model.model_fields)
    settings: dict[str, object] = {}
    for key, value in found.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UsageError(f"unknown key {key!r} in {path}, {_nearest(name, known)}")
        if name in settings:
            raise UsageError(f"{path} has {name} twice, with - and with _; keep one")
        settings[name] = value
    return settings


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1)
    guess = f"perhaps {near[0]!r} was meant; " if near else ""
    return f"{guess}wanted one of {', '.join(known)}"
