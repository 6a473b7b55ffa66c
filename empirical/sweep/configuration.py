"""A sweep as it is written down in a TOML file: one frozen model, closed to unknown keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from empirical.settings import (
    FrozenModel,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    first_problem,
)
from empirical.sweep.learning_rate_settings import (
    GridSettings,
    LearningRateSettings,
    word_or_number,
)
from empirical.train.configuration import NetworkConfig
from empirical.train.optimizer_configuration import (
    ANY_EPSILON,
    OPTIMIZERS,
    needs_epsilon,
    no_epsilon,
)
from empirical.train.schedule import ScheduleConfig

Plain = bool | int | float | str

MOST = 100_000
"""Seeds beyond which their number is taken for a mistyped one."""


def _listed(value: object) -> object:
    """A lone value of a TOML file where a list is expected, as a list."""
    return [value] if isinstance(value, str | int | float) else value


def _no_repeats(name: str, values: tuple[Any, ...]) -> None:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(
            f"got {repeated[0]:g} more than once in {name}, wanted each value once; leave it out"
        )


def _seeds(value: object) -> object:
    """A number of seeds n stands for the seeds 0 to n - 1."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if not 1 <= value <= MOST:
        raise ValueError(f"wanted a number of seeds from 1 to {MOST}, or a list of them")
    return list(range(value))


def _path(value: object) -> object:
    """What a path may not be: nothing, which would name the current folder, or hold a NUL."""
    if isinstance(value, str) and (not value.strip() or "\0" in value):
        raise ValueError("wanted the name of a file or folder")
    return value


Named = Annotated[Path, BeforeValidator(_path)]
Counts = Annotated[tuple[PositiveInt, ...], Field(min_length=1), BeforeValidator(_listed)]
Epsilons = Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1), BeforeValidator(_listed)]
Texts = Annotated[tuple[Named, ...], BeforeValidator(_listed)]
Seeds = Annotated[tuple[NonNegativeInt, ...], Field(min_length=1), BeforeValidator(_seeds)]


class StartSettings(FrozenModel):
    """What every run starts from: a checkpoint of this program, or fresh weights by a seed."""

    checkpoint: Named | None = None
    seed: NonNegativeInt | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.checkpoint is not None and self.seed is not None:
            raise ValueError(
                "got a checkpoint and a seed in start, wanted one of them; a checkpoint has its "
                "weights already"
            )
        return self


class BudgetSettings(FrozenModel):
    """How long a run is: in tokens or in steps, one or several, never both.

    rounding: what becomes of tokens that are no whole number of steps at some batch size.
    """

    tokens: Counts | None = None
    steps: Counts | None = None
    rounding: Literal["refuse", "nearest"] = "refuse"

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.tokens is None) == (self.steps is None):
            both = "tokens and steps" if self.tokens else "neither tokens nor steps"
            raise ValueError(
                f"got {both} in budget, wanted exactly one; what is kept as the batch grows "
                "decides what the optimum is, and the file has to say it"
            )
        _no_repeats("budget", self.tokens or self.steps or ())
        return self


class OptimizerSettings(FrozenModel):
    """An optimizer of the sweep, with one or several epsilons.

    epsilon: in the unit of a gradient; epsilon_ratio: over the rms sigma of one sequence in the
    statistics. start, grid: learning rates of its own. settings: its other numbers by name, as
    they are in the file beside these.
    """

    name: str
    epsilon: Epsilons | None = None
    epsilon_ratio: Epsilons | None = None
    start: PositiveFloat | None = None
    grid: GridSettings | None = None
    settings: dict[str, Plain] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.name not in OPTIMIZERS:
            raise ValueError(
                f"got the optimizer {self.name!r}, wanted one of {', '.join(OPTIMIZERS)}; "
                "change its name"
            )
        if self.epsilon is not None and self.epsilon_ratio is not None:
            raise ValueError(
                f"got epsilon and epsilon_ratio for {self.name}, wanted one of them; leave one out"
            )
        given = self.epsilon if self.epsilon is not None else self.epsilon_ratio
        fields = OPTIMIZERS[self.name].model_fields
        if given is not None and "epsilon" not in fields:
            raise ValueError(no_epsilon(self.name, "an epsilon"))
        if given is None and needs_epsilon(OPTIMIZERS[self.name]):
            raise ValueError(f"got no epsilon for {self.name}, wanted at least one; add epsilon")
        _no_repeats(f"the epsilons of {self.name}", given or ())
        some = {"epsilon": ANY_EPSILON} if given is not None else {}
        try:
            OPTIMIZERS[self.name].model_validate({**self.settings, **some})
        except ValidationError as error:
            raise ValueError(f"{self.name}: {first_problem(error)}") from None
        return self


class ExecutorSettings(FrozenModel):
    """Where units run.

    workers: local: processes, without it one per core (cpus of each counted), or as many as the
    GPUs serve; slurm: jobs in the queue at once, 32 without it; ray: units in flight at once,
    without it twice what the nodes of the cluster have CPUs and GPUs for.
    cpus, gpus: of one unit; a part of a GPU where units share it (local and ray).
    options: of the engine: long options of sbatch, or options of a Ray task and its address.
    """

    name: Literal["local", "slurm", "ray"] = "local"
    workers: PositiveInt | None = None
    cpus: PositiveInt = 1
    gpus: NonNegativeFloat = 0
    options: dict[str, Plain] = Field(default_factory=dict)


class SweepConfig(FrozenModel):
    """One sweep. Batch sizes and held-out sequences count sequences of `network.context` tokens.

    text: files, joined; none: the Python standard library's source. out: folder of plan, store
    and table. statistics: a folder of `measure` or `demo`: the theory's prediction, and the unit
    of epsilon_ratio. seeds: of the order of the batches. replicas: runs trained together at most.
    The rest is as in one run (`RunConfig`).
    """

    text: Texts = ()
    out: Named = Path("runs/sweep")
    network: NetworkConfig | None = None
    start: StartSettings = StartSettings()
    statistics: Named | None = None
    budget: BudgetSettings
    batch_sizes: Counts
    seeds: Seeds = (0, 1)
    optimizers: Annotated[tuple[OptimizerSettings, ...], Field(min_length=1)]
    schedule: ScheduleConfig = ScheduleConfig()
    learning_rates: LearningRateSettings
    heldout_sequences: Annotated[int, Field(ge=2)] = 1024
    heldout_seed: NonNegativeInt = 0
    diverged_above: PositiveFloat = 2.0
    dtype: Literal["float32", "float64", "bfloat16"] = "float32"
    device: Literal["cpu", "cuda", "mps"] = "cpu"
    replicas: Annotated[PositiveInt | Literal["auto", "off"], word_or_number(("auto", "off"))] = (
        "auto"
    )
    executor: ExecutorSettings = ExecutorSettings()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _no_repeats("batch_sizes", self.batch_sizes)
        _no_repeats("seeds", self.seeds)
        adaptive = self.learning_rates.adaptive
        if self.statistics is None:
            if adaptive is not None and adaptive.start == "statistics":
                raise ValueError(
                    'got start = "statistics" and no statistics; name their folder with '
                    "statistics, or start from a learning rate"
                )
            if any(entry.epsilon_ratio is not None for entry in self.optimizers):
                raise ValueError(
                    "got an epsilon_ratio and no statistics to take its unit from; name their "
                    "folder with statistics, or give epsilon itself"
                )
        if adaptive is None and any(entry.start is not None for entry in self.optimizers):
            raise ValueError("got start for an optimizer of a grid; leave it out, or give grid")
        if adaptive is not None and any(entry.grid is not None for entry in self.optimizers):
            raise ValueError("got a grid for an optimizer of an adaptive sweep; leave it out")
        if adaptive is not None and adaptive.most_seeds < len(self.seeds):
            raise ValueError(
                f"got {len(self.seeds)} seeds and most_seeds {adaptive.most_seeds}, wanted at "
                "least as many; raise most_seeds"
            )
        return self
