"""Reading sweep.toml: every wrong key and value becomes one line that names its place."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from empirical.errors import UsageError
from empirical.settings import FrozenModel, read_toml
from empirical.sweep.configuration import (
    BudgetSettings,
    ExecutorSettings,
    OptimizerSettings,
    StartSettings,
    SweepConfig,
)
from empirical.sweep.learning_rate_settings import (
    AdaptiveSettings,
    GridSettings,
    LearningRateSettings,
)
from empirical.train.configuration import NetworkConfig
from empirical.train.optimizer_configuration import OPTIMIZERS
from empirical.train.schedule import ScheduleConfig

TABLES: Mapping[type[FrozenModel], Mapping[str, type[FrozenModel]]] = {
    SweepConfig: {
        "network": NetworkConfig,
        "start": StartSettings,
        "budget": BudgetSettings,
        "schedule": ScheduleConfig,
        "learning_rates": LearningRateSettings,
        "executor": ExecutorSettings,
    },
    LearningRateSettings: {"grid": GridSettings, "adaptive": AdaptiveSettings},
}
"""The tables inside a table, by key."""


def read_sweep(path: Path) -> SweepConfig:
    """The sweep in a TOML file; a hyphen in a key counts as an underscore.

    Raises:
        UsageError: the file cannot be read, is not TOML, has an unknown key (the nearest known
            one is named), or a value that does not fit; one line.
    """
    return sweep_from(read_toml(path, "sweep"), str(path))


def sweep_from(found: Mapping[str, Any], source: str) -> SweepConfig:
    """The same from parsed TOML; `source` is what messages call the file."""
    settings = _table(found, SweepConfig, source, "")
    entries = settings.get("optimizers")
    if isinstance(entries, list):
        settings["optimizers"] = [
            _optimizer(entry, source, f"optimizers[{place}]") for place, entry in enumerate(entries)
        ]
    try:
        return SweepConfig.model_validate(settings)
    except ValidationError as error:
        raise UsageError(f"{source}: {_problem(error)}") from None


def _table(
    found: Mapping[str, Any], model: type[FrozenModel], source: str, place: str
) -> dict[str, Any]:
    known = {field.alias or name for name, field in model.model_fields.items()}
    settings = _named(found, known, source, place)
    for name, field in model.model_fields.items():
        _no_truth(settings.get(field.alias or name), field.annotation, source, place + name)
    for name, inner in TABLES.get(model, {}).items():
        if isinstance(settings.get(name), dict):
            settings[name] = _table(settings[name], inner, source, f"{place}{name}.")
    return settings


def _optimizer(entry: object, source: str, place: str) -> object:
    """Keys of the entry itself, and under `settings` those of the optimizer that it names."""
    if not isinstance(entry, dict):
        return entry
    own = set(OptimizerSettings.model_fields) - {"settings"}
    model = OPTIMIZERS.get(str(entry.get("name")))
    if "name" not in entry:
        raise UsageError(f"{source}: {place} has no name, wanted one of {', '.join(OPTIMIZERS)}")
    if model is None:
        name = str(entry["name"])
        raise UsageError(
            f"{source}: unknown optimizer {name!r} in {place}, {_nearest(name, set(OPTIMIZERS))}"
        )
    numbers = set(model.model_fields) - own
    settings = _named(entry, own | numbers, source, f"{place}.")
    for name, value in settings.items():
        wanted = model.model_fields[name].annotation if name in numbers else None
        _no_truth(value, wanted, source, f"{place}.{name}")
    if isinstance(settings.get("grid"), dict):
        settings["grid"] = _table(settings["grid"], GridSettings, source, f"{place}.grid.")
    return {
        **{key: value for key, value in settings.items() if key in own},
        "settings": {key: value for key, value in settings.items() if key in numbers},
    }


def _named(found: Mapping[str, Any], known: set[str], source: str, place: str) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key, value in found.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UsageError(f"{source}: unknown key {place}{key}, {_nearest(name, known)}")
        if name in settings:
            raise UsageError(f"{source} has {place}{name} twice, with - and with _; keep one")
        settings[name] = value
    return settings


def _no_truth(value: object, wanted: object, source: str, place: str) -> None:
    """Where a number is wanted, true would pass as 1."""
    values = value if isinstance(value, list) else [value]
    if wanted is not bool and any(isinstance(each, bool) for each in values):
        raise UsageError(
            f"{source}: got {value} for {place}, wanted no truth value; change {place}"
        )


def _nearest(name: str, known: set[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    guess = f"perhaps {near[0]!r} was meant; " if near else ""
    return f"{guess}wanted one of {', '.join(sorted(known))}"


def _problem(error: ValidationError) -> str:
    """The first of the problems: what came, what was wanted, what to do."""
    first = error.errors()[0]
    wanted = first["msg"].removeprefix("Value error, ").replace("Input should be", "wanted")
    if first["type"] == "too_short":
        wanted = "wanted at least one"
    elif first["type"] == "tuple_type":
        wanted = "wanted a list"
    place = ""
    for part in first["loc"]:
        if "[" in str(part) or str(part).startswith("constrained"):
            break  # which member of a union was tried last
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    if first["type"] in ("model_type", "dict_type"):
        table = f"[{place}]" if "[" not in place else f"[[{place.partition('[')[0]}]]"
        wanted = f"wanted a table, {table} with its settings in the lines below"
    if first["type"] == "missing":
        return f"{place} is missing; add it"
    if first["type"] == "value_error" and isinstance(first["input"], dict | FrozenModel):
        # A check of settings against each other: its message is complete.
        return wanted
    shown = repr(first["input"])
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return f"got {shown} for {place}, {wanted}; change {place}"
