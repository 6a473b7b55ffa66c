"""What was asked of `predict`, checked once: batch sizes in one unit, facts, statistics, law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from empirical.cli.predict_half_life import with_half_lives
from empirical.errors import UsageError
from empirical.law_files import read_law
from empirical.statistics_files import SavedStatistics, read_statistics
from scaling_theory.checkpoint import facts_of
from scaling_theory.errors import require_positive
from scaling_theory.estimate import Estimate, exact_estimate
from scaling_theory.fitted_law import FittedLaw
from scaling_theory.stand_ins import softsign_epsilon
from scaling_theory.transfer.situation import HOLDS, Facts, Hold, Recipe, Situation
from scaling_theory.units import EXTREME, BatchSize, Unit, parse_batch_size


@dataclass(frozen=True)
class Question:
    """`predict`'s options as they were typed; batch sizes still as text."""

    batch_sizes: Sequence[str]
    from_lr: float | None = None
    from_batch_size: str | None = None
    sequence_length: int | None = None
    statistics: Path | None = None
    law: Path | None = None
    at: Sequence[str] = ()
    epsilon: float | None = None
    recipe: Recipe = field(default_factory=Recipe)
    beta1_half_life: str | None = None
    beta2_half_life: str | None = None
    hold: str | None = None
    noise_batch: str | None = None
    simple_batch: str | None = None
    peak_batch: str | None = None
    curvature_ratio: float | None = None
    rms_gradient: float | None = None
    rms_sigma: float | None = None


@dataclass(frozen=True)
class Inputs:
    """The same, checked. unit: the one all numbers of batches are in; views: what is shown."""

    targets: tuple[BatchSize, ...]
    tuned_batch: BatchSize | None
    learning_rate: float | None
    unit: Unit
    sequence_length: int | None
    recipe: Recipe
    wanted_epsilon: float | None
    views: tuple[Hold, ...]
    facts: Facts
    statistics: SavedStatistics | None
    law: FittedLaw | None
    at: Mapping[str, float]

    def amount(self, batch: BatchSize) -> float:
        """`batch` in `unit`; `UnitError` where it has no such measure."""
        return batch.over(BatchSize(1.0, self.unit, self.sequence_length))

    def epsilons(self) -> tuple[float, ...]:
        """Epsilons the statistics are read at: the one asked for, else every measured one."""
        asked = self.wanted_epsilon if self.wanted_epsilon is not None else self.recipe.epsilon
        asked = softsign_epsilon(self.recipe.optimizer, asked)
        if asked is not None:
            return (asked,)
        return () if self.statistics is None else tuple(self.statistics.surface.epsilons.tolist())

    def situation(self, target: BatchSize, hold: Hold) -> Situation | None:
        """The tuned point against one target in one view; None without a tuned point."""
        if self.tuned_batch is None or self.learning_rate is None:
            return None
        per_unit = {"seq": self.sequence_length, "tok": 1}.get(self.unit)
        return Situation(
            learning_rate=self.learning_rate,
            batch0=self.amount(self.tuned_batch),
            batch=self.amount(target),
            hold=hold,
            recipe=self.recipe,
            wanted_epsilon=self.wanted_epsilon,
            facts=self.facts,
            surface=None if self.statistics is None else self.statistics.surface,
            unit=self.unit,
            tokens_per_unit=per_unit,
        )


def check_question(question: Question) -> Inputs:
    """Read files and units; `UsageError` or an error of `scaling_theory` for wrong use."""
    tuned = (question.from_lr is not None, question.from_batch_size is not None)
    if any(tuned) and not all(tuned):
        missing = "--from-batch-size" if tuned[0] else "--from-lr"
        raise UsageError(f"a tuned point is a learning rate and its batch size: add {missing}")
    if not any((*tuned, question.statistics, question.law)):
        raise UsageError(
            "nothing to predict from: give --from-lr with --from-batch-size, --stats DIR, both, "
            "or --law FILE"
        )
    if not question.batch_sizes:
        raise UsageError("no batch size to predict for: add --batch-size 512seq (repeatable)")
    if question.hold is not None and question.hold not in HOLDS:
        raise UsageError(f"--hold is '{question.hold}'; one of {', '.join(HOLDS)} is wanted")
    if question.from_lr is not None:
        require_positive(
            question.from_lr, "--from-lr", "give the tuned learning rate, such as 3e-4"
        )
        if question.from_lr > EXTREME:
            raise UsageError(
                f"--from-lr is {question.from_lr:g}; at most {EXTREME:g} is wanted: give the tuned "
                "learning rate, such as 3e-4"
            )
    saved = None if question.statistics is None else read_statistics(question.statistics)
    law = None if question.law is None else read_law(question.law)
    views: tuple[Hold, ...] = tuple(h for h in HOLDS if question.hold in (None, h))
    if law is not None and law.held_fixed not in views:
        raise UsageError(
            f"{question.law} was fitted with {law.held_fixed} held and --hold is {question.hold}: "
            "leave --hold out, or give a law fitted that way"
        )
    length = _sequence_length(question, saved, law)
    targets = tuple(parse_batch_size(text, length) for text in question.batch_sizes)
    tuned_batch = None
    if question.from_batch_size is not None:
        tuned_batch = parse_batch_size(question.from_batch_size, length)
    unit: Unit = "seq" if saved is not None else (tuned_batch or targets[0]).unit
    recipe, wanted = question.recipe, question.epsilon
    recipe = with_half_lives(
        recipe, question.beta1_half_life, question.beta2_half_life, tuned_batch
    )
    if wanted is not None and recipe.epsilon is None:
        # One epsilon stated is the tuned run's, and it stays unless a rule moves it.
        recipe, wanted = replace(recipe, epsilon=wanted), None
    inputs = Inputs(
        targets=targets,
        tuned_batch=tuned_batch,
        learning_rate=question.from_lr,
        unit=unit,
        sequence_length=length,
        recipe=recipe,
        wanted_epsilon=wanted,
        views=views,
        facts=Facts(),
        statistics=saved,
        law=law,
        at=_run_described(question, law),
    )
    for batch in (*targets, *filter(None, [tuned_batch])):
        if saved is not None and batch.unit == "bare":
            raise UsageError(
                f"batch size {batch} has no unit and the statistics count sequences: "
                f"write {batch}seq if that is what is meant"
            )
        batch.over(tuned_batch or targets[0])
        inputs.amount(batch)
        if law is not None:
            law.in_unit(batch)
    return replace(inputs, facts=_facts(question, inputs))


def _run_described(question: Question, law: FittedLaw | None) -> dict[str, float]:
    """The run's covariates for a fitted law, from --at and --epsilon."""
    if question.at and law is None:
        raise UsageError("--at describes a run to a fitted law: add --law FILE, or leave it out")
    found: dict[str, float] = {}
    for text in question.at:
        name, _, number = text.partition("=")
        if name in found:
            raise UsageError(f"--at {name} came twice; one value of each is wanted: leave one out")
        try:
            found[name] = float(number)
        except ValueError as error:
            raise UsageError(
                f"--at is '{text}'; NAME=VALUE is wanted, such as --at tokens=2e10"
            ) from error
    if law is not None and "epsilon" in law.covariates and question.epsilon is not None:
        found.setdefault("epsilon", question.epsilon)
    return found


def _sequence_length(
    question: Question, saved: SavedStatistics | None, law: FittedLaw | None
) -> int | None:
    stated = question.sequence_length
    for source, length in (
        (question.statistics, None if saved is None else saved.scalars.sequence_length),
        (question.law, None if law is None else law.sequence_length),
    ):
        if length is not None and stated is not None and length != stated:
            raise UsageError(
                f"sequences are of {stated} tokens but of {length} in {source}: "
                "leave --seq-len out, or measure at the other length"
            )
        stated = stated if length is None else length
    return stated


def _facts(question: Question, inputs: Inputs) -> Facts:
    saved = inputs.statistics
    facts = Facts() if saved is None else facts_of(saved.scalars, saved.surface)

    def batch(text: str | None) -> Estimate | None:
        if text is None:
            return None
        found = parse_batch_size(text, inputs.sequence_length)
        # Against a batch that was typed, so that a mismatch names it.
        found.over(inputs.tuned_batch or inputs.targets[0])
        return exact_estimate(inputs.amount(found))

    def positive(value: float | None, option: str) -> float | None:
        return None if value is None else require_positive(value, option, "as measured")

    ratio = question.curvature_ratio
    return replace(
        facts,
        noise_batch=batch(question.noise_batch) or facts.noise_batch,
        simple_batch=batch(question.simple_batch) or facts.simple_batch,
        peak_batch=batch(question.peak_batch) or facts.peak_batch,
        curvature_ratio=facts.curvature_ratio if ratio is None else exact_estimate(ratio),
        rms_gradient=positive(question.rms_gradient, "--rms-gradient") or facts.rms_gradient,
        rms_sigma=positive(question.rms_sigma, "--rms-sigma") or facts.rms_sigma,
    )
