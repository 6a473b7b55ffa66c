"""What is known when a learning rate is carried to another batch size or epsilon."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot, sqrt
from typing import Literal, get_args

from scaling_theory.errors import (
    InputError,
    require_decay,
    require_not_negative,
    require_positive,
)
from scaling_theory.estimate import Estimate
from scaling_theory.schedule import Schedule
from scaling_theory.surface import SurfaceStatistics

Hold = Literal["one-step", "tokens", "steps"]
HOLDS: tuple[Hold, ...] = get_args(Hold)
"""What is kept: the state of the network (one step), or the tokens or the steps of a whole run."""

Optimizer = Literal["adamw", "sgd", "signsgd", "softsignsgd"]
OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)


@dataclass(frozen=True)
class Recipe:
    """The tuned run's other settings; None is unstated.

    epsilon: unit of a gradient. weight_decay: decoupled (theta <- theta - eta lambda theta).
    steps: how long it was. schedule: of its learning rate; unstated, it is taken as constant.
    """

    optimizer: Optimizer = "adamw"
    beta1: float | None = None
    beta2: float | None = None
    epsilon: float | None = None
    weight_decay: float | None = None
    warmup_steps: float | None = None
    steps: float | None = None
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            known = ", ".join(OPTIMIZERS)
            raise InputError(f"optimizer is '{self.optimizer}'; one of {known} is wanted")
        for name, beta in (("beta1", self.beta1), ("beta2", self.beta2)):
            if beta is not None:
                require_decay(beta, name)
        for name, value in (
            ("epsilon", self.epsilon),
            ("weight decay", self.weight_decay),
            ("warm-up steps", self.warmup_steps),
        ):
            if value is not None:
                require_not_negative(value, name, "leave it out if it is not used")
        if self.steps is not None:
            require_positive(self.steps, "number of steps", "give that of the tuned run")


@dataclass(frozen=True)
class Facts:
    """Measured quantities the rules rest on; None is unmeasured. Batches in the situation's unit.

    noise_batch: B_noise = Tr(H Sigma)/(g^T H g). simple_batch: B_simple = Tr(Sigma)/|g|^2.
    peak_batch: B at the peak of the Surge curve. curvature_ratio: sign(g)^T H sign(g) / Tr H.
    rms_gradient, rms_sigma: root mean square per coordinate, sigma per one unit of batch.
    excess_kurtosis: of one unit of batch. pool_batch: size of the pool all of it was measured on.
    """

    noise_batch: Estimate | None = None
    simple_batch: Estimate | None = None
    peak_batch: Estimate | None = None
    curvature_ratio: Estimate | None = None
    rms_gradient: float | None = None
    rms_sigma: float | None = None
    excess_kurtosis: float | None = None
    pool_batch: float | None = None

    def __post_init__(self) -> None:
        for name in ("noise_batch", "simple_batch", "peak_batch"):
            estimate: Estimate | None = getattr(self, name)
            if estimate is not None:
                require_positive(estimate.value, name.replace("_", " "), "measure it again")
        if self.curvature_ratio is not None and not self.curvature_ratio.value > 0:
            raise InputError(
                f"curvature ratio Q/T is {self.curvature_ratio.value:g}; above 0 is wanted: "
                "there is no minimum along this direction, measure the curvature again"
            )


@dataclass(frozen=True)
class Situation:
    """From a tuned point at batch0 to batch, under one view.

    learning_rate: the tuned one, at batch0. batch0, batch: in `unit`. wanted_epsilon: None leaves
    epsilon to the rule. tokens_per_unit: tokens in one unit of batch, None where unknown.
    surface: statistics whose batch sizes are in `unit`, or None.
    """

    learning_rate: float
    batch0: float
    batch: float
    hold: Hold
    recipe: Recipe = field(default_factory=Recipe)
    wanted_epsilon: float | None = None
    facts: Facts = field(default_factory=Facts)
    surface: SurfaceStatistics | None = None
    unit: str = "seq"
    tokens_per_unit: float | None = None

    def __post_init__(self) -> None:
        require_positive(self.learning_rate, "learning rate", "give the tuned one, such as 3e-4")
        require_positive(self.batch0, "tuned batch size", "give it with its unit, such as 64seq")
        require_positive(self.batch, "wanted batch size", "give it with its unit, such as 512seq")
        if self.hold not in HOLDS:
            raise InputError(f"hold is '{self.hold}'; one of {', '.join(HOLDS)} is wanted")
        if self.wanted_epsilon is not None:
            require_not_negative(self.wanted_epsilon, "wanted epsilon", "0 means sign")

    @property
    def ratio(self) -> float:
        """kappa = batch / batch0."""
        return self.batch / self.batch0

    @property
    def epsilon(self) -> float | None:
        """Epsilon at the new batch: the wanted one, else the tuned run's."""
        return self.recipe.epsilon if self.wanted_epsilon is None else self.wanted_epsilon

    @property
    def same(self) -> bool:
        """True where neither batch size nor epsilon changes."""
        return self.batch == self.batch0 and self.epsilon == self.recipe.epsilon

    @property
    def steps(self) -> float | None:
        """Steps of the new run: the tuned run's, or as many tokens' worth."""
        if self.recipe.steps is None or self.hold != "tokens":
            return self.recipe.steps
        return self.recipe.steps / self.ratio

    def root_v(self, batch: float) -> float | None:
        """sqrt(rms(g)^2 + rms(sigma)^2 / batch), where Adam's sqrt(v) settles; None: unknown."""
        gradient, sigma = self.facts.rms_gradient, self.facts.rms_sigma
        if gradient is None or sigma is None:
            return None
        return hypot(gradient, sigma / sqrt(batch))
