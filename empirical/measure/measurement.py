"""Measure any PyTorch model or loss: gradient, noise, noise scales, tails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from empirical.errors import UsageError
from empirical.measure.block_store import room_for_rows
from empirical.measure.curvature_scale import CurvatureNoise, curvature_noise
from empirical.measure.functional import BatchLoss, ModelLoss
from empirical.measure.groups import WHOLE, Grouping, by_module, groups_of
from empirical.measure.noise_report import GroupNoise, noise_of
from empirical.measure.point import Point
from empirical.measure.posing import pose_problem
from empirical.measure.problem import Problem
from empirical.measure.request_checks import BLOCKS, check_adam, check_micro_batch, check_whole
from empirical.measure.spread import Spread, measure_spread
from empirical.measure.tails import HEAVY, Tails, tails_of
from empirical.measure.weighting import Weighing
from empirical.train.randomness import private_generator

SUBSET = 16
MICRO_BATCHES = 256
"""Gradients that sigma^2 and the kurtosis rest on where nothing else is asked for."""
LARGEST_MICRO_BATCH = 16
SMALL = 2048
"""Parameters below which every sample has a gradient of its own: it costs next to nothing."""
DEFAULT_MEMORY = 2**31


@dataclass(frozen=True, eq=False)
class Measurement:
    """What was measured at one point, over a pool of N samples (rows of the batches).

    Gradients are of the mean loss in the loss's own unit; Sigma and sigma are of one sample: a
    batch of B has Sigma / B. Noise scales are in samples, and in tokens by their `tokens`.

    Attributes:
        parameters: P. samples: N. tokens_per_sample: 1 where there are no tokens.
        gradient: g, [P]. variance: sigma^2 without bias, [P].
        deviations: K block means less g, scaled to covariance Sigma / block_size, on the CPU.
        block_size: samples behind one deviation.
        noise: by group name; "all" is the whole model.
        curvature: the SGD noise scale by group name, as far as it was asked for.
        tails: how far from Gaussian a sample's gradient is.
        status: "ok", or what is doubtful.
        notes: what was switched, left out, or kept elsewhere, one sentence each.
        point: what further measurements at this point start from.
    """

    parameters: int
    samples: int
    tokens_per_sample: float
    gradient: Tensor
    variance: Tensor
    deviations: Tensor
    block_size: float
    noise: Mapping[str, GroupNoise]
    curvature: Mapping[str, CurvatureNoise]
    tails: Tails
    status: str
    notes: tuple[str, ...]
    point: Point

    @property
    def whole(self) -> GroupNoise:
        """The noise of the whole model."""
        return self.noise[WHOLE]


def measure(
    target: nn.Module | BatchLoss,
    batches: Any,
    *,
    loss: ModelLoss | None = None,
    parameters: Mapping[str, Tensor] | Iterable[str] | None = None,
    weights: Weighing | None = None,
    tokens: int | None = None,
    samples: int | None = None,
    groups: Grouping = by_module,
    curvature: str = "whole",
    second_moment: Tensor | None = None,
    epsilon: float = 0.0,
    micro_batch: int | None = None,
    blocks: int = BLOCKS,
    subset: int = SUBSET,
    chunk: int = 32,
    keep_rows: bool = False,
    max_memory: int | None = DEFAULT_MEMORY,
    seed: int = 0,
    one_pass: Callable[..., Spread] = measure_spread,
) -> Measurement:
    """Measure a model, or a loss, at its present parameters.

    Example: measure(model, loader, loss=lambda model, batch: F.cross_entropy(model(batch[0]),
    batch[1])); a transformers model and a nanoGPT need no loss, they return it.

    The model is not changed: dropout and batch-norm are switched to evaluation in a copy, half
    precision is measured in a float32 copy, and `notes` says so.

    Args:
        target: a module, or a loss (parameters by name, batch) -> mean loss.
        batches: one batch (tensor, dict or tuple) or an iterable of them, such as a DataLoader.
        loss: (model, batch) -> mean loss of the batch [] or loss per sample [n]; None: the
            model's own.
        parameters: names of a module's parameters to measure; the parameters of a loss.
        weights: batch -> weight of each sample, for losses that weigh samples unequally; None:
            found out by asking the loss (equal, or by the tokens that count).
        tokens: per sample; None: from the weights or targets.
        samples: read at most so many.
        groups: parameter groups, see `groups.Grouping`.
        curvature: "none", "whole" or "groups": where to measure the SGD noise scale.
        second_moment: Adam's v, [P], for the scale `adam`; None: g^2 + sigma^2.
        epsilon: Adam's, for the same.
        micro_batch: samples per gradient: sigma^2 of a coordinate is known to sqrt(2 / M) from
            M of them, and the more samples in each, the cheaper; None: `MICRO_BATCHES` of them.
        blocks: K, how many deviations; every interval rests on them.
        subset: samples per directional curvature.
        chunk: samples per forward pass.
        keep_rows: keep the gradient of every sample, N P numbers: real batches then cost no
            backward pass. Wants micro_batch 1.
        max_memory: bytes for the deviations, and as many for the rows, before they go to disk.
        seed: of every random choice.
        one_pass: how the pass over the pool is made; `distributed` shares it among processes.

    Raises:
        UsageError: see `posing.pose_problem`; too few samples; options out of range.
    """
    if curvature not in ("none", "whole", "groups"):
        raise UsageError(f"curvature is {curvature!r}; 'none', 'whole' or 'groups' is wanted")
    check_whole(micro_batch=micro_batch, blocks=blocks, subset=subset)
    if subset < 1:
        raise UsageError(f"subset is {subset}; at least 1 is wanted")
    if micro_batch is not None:
        check_micro_batch(micro_batch)
    problem = pose_problem(
        target,
        batches,
        loss=loss,
        parameters=parameters,
        weights=weights,
        tokens=tokens,
        samples=samples,
        chunk=chunk,
    )
    check_adam(problem, second_moment, epsilon)
    if micro_batch is None:
        micro_batch = default_micro_batch(problem)
    check_micro_batch(micro_batch, problem.samples, blocks)
    if keep_rows and micro_batch != 1:
        raise UsageError(f"keep_rows came with micro-batches of {micro_batch}; 1 is wanted")
    rows = room_for_rows(problem.samples, problem.point, max_memory) if keep_rows else None
    found = groups_of(problem, groups)
    spread = one_pass(
        problem,
        found,
        blocks=blocks,
        micro_batch=micro_batch,
        max_memory=max_memory,
        rng=private_generator(seed, "order of the pool"),
        keep=rows,
    )
    if not bool(spread.gradient.isfinite().all()) or not bool(spread.variance.isfinite().all()):
        raise UsageError("a gradient is not finite; check the loss of every sample of the pool")
    tokens_each = problem.tokens_per_sample
    noise = noise_of(
        spread, found, second_moment=second_moment, epsilon=epsilon, tokens=tokens_each
    )
    at = Point(problem, spread, rows)
    looked_at = {"none": (), "whole": found[:1], "groups": found}[curvature]
    curved = {
        group.name: curvature_noise(
            at, group, subset=subset, rng=private_generator(seed, f"curvature of {group.name}")
        )
        for group in looked_at
    }
    tails = tails_of(spread)
    return Measurement(
        parameters=problem.parameters,
        samples=problem.samples,
        tokens_per_sample=tokens_each,
        gradient=spread.gradient,
        variance=spread.variance,
        deviations=spread.blocks,
        block_size=spread.block_size,
        noise=noise,
        curvature=curved,
        tails=tails,
        status=_status(noise[WHOLE], tails, bool((spread.gradient != 0).any())),
        notes=(*problem.notes, *spread.notes),
        point=at,
    )


def default_micro_batch(problem: Problem) -> int:
    """Samples per gradient: as many as leave `MICRO_BATCHES` of them, 1 for small models."""
    if problem.parameters < SMALL:
        return 1
    return max(1, min(problem.samples // MICRO_BATCHES, LARGEST_MICRO_BATCH))


def _status(whole: GroupNoise, tails: Tails, moves: bool) -> str:
    doubts = []
    if not moves and whole.trace_covariance.value == 0:
        doubts.append(
            "every sample's gradient is 0: does the loss depend on the parameters, undetached?"
        )
    if whole.simple.estimate is None:
        doubts.append(whole.simple.status)
    if tails.gaussian_from > 1:
        doubts.append(
            f"a batch gradient is not Gaussian below B = {tails.gaussian_from} (excess kurtosis "
            f"{tails.excess_kurtosis:.3g} of one sample, more than {HEAVY:g} in a batch)"
        )
    return "; ".join(doubts) or "ok"
