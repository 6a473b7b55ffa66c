"""Every cell of one model: predicted from what `measure` found, and measured by real batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter, process_time
from typing import Any

from empirical.measure import Measurement, measure
from empirical.measure.adam import adam_next_step
from empirical.measure.adam_state import read_adam
from empirical.measure.lr_finder import lr_find
from empirical.measure.measured_step import Rule, measure_steps, softsign_rule
from empirical.measure.measurement import DEFAULT_MEMORY
from empirical.measure.surface_terms import GridEffort, measure_grid
from empirical.measure.truth import OneStepTruth
from examples.three_models.records import Row, Summary, line_of
from examples.three_models.subjects import Plan, Subject
from scaling_theory.estimate import Estimate
from scaling_theory.law import NoOptimalStep
from scaling_theory.surface import Closure, SurfaceStatistics

PROBES, SUBSET = 8, 8
"""Random sign vectors of the diagonal, and samples per directional curvature."""

ADAM_DRAWS = 24
"""Simulated next steps of AdamW, and real ones for its ratio."""

Say = Callable[[str], None]


def compare(
    make: Callable[[], Subject], plan: Plan, seed: int, say: Say
) -> tuple[list[Row], Summary]:
    """Train one model, predict and measure; `say` is told what is going on."""
    wall, core = perf_counter(), process_time()
    subject = make()
    say(f"{subject.name}: trained, loss {subject.first_loss:.3f} to {subject.last_loss:.3f}")
    found = looked_at(subject, subject.pool, plan, seed)
    say(f"{subject.name}: {found.parameters} parameters; {found.status}")
    softsign = list(softsign_rows(subject.name, found, plan, seed, say))
    searched, *others = adam_rows(subject, plan, seed)
    say(f"{subject.name}: AdamW's next step")
    offs = [abs(row.off) for row in softsign if row.off is not None]
    independent = [abs(row.independent_off) for row in softsign if row.independent_off is not None]
    simple = found.whole.simple.estimate
    summary = Summary(
        model=subject.name,
        parameters=found.parameters,
        samples=found.samples,
        steps=plan.steps,
        first_loss=subject.first_loss,
        last_loss=subject.last_loss,
        noise_batch=None if simple is None else simple.value,
        excess_kurtosis=found.tails.excess_kurtosis,
        median=median(offs) if offs else None,
        worst=max(offs, default=None),
        independent_median=median(independent) if independent else None,
        unanswered=len(softsign) - len(offs),
        adamw=searched.off,
        wall_seconds=perf_counter() - wall,
        core_seconds=process_time() - core,
        notes=found.notes,
    )
    return [*softsign, searched, *others], summary


def softsign_rows(name: str, found: Measurement, plan: Plan, seed: int, say: Say) -> Iterator[Row]:
    """SoftSignSGD on the grid: statistics from `measure`, exact moments, no fit."""
    sigma = found.whole.rms_sigma
    epsilons = [ratio * sigma for ratio in plan.epsilon_ratios]
    effort = GridEffort(plan.deviations, PROBES, SUBSET)
    surface = measure_grid(found, plan.batch_sizes, epsilons, effort=effort, seed=seed)
    say(f"{name}: predicted {len(plan.batch_sizes) * len(epsilons)} cells")
    for batch_size, batches in zip(plan.batch_sizes, plan.batches, strict=True):
        truths = measure_steps(
            found.point,
            batch_size,
            [softsign_rule(epsilon) for epsilon in epsilons],
            batches=batches,
            subset=SUBSET,
            max_memory=DEFAULT_MEMORY,
            seed=seed,
        )
        for ratio, truth in zip(plan.epsilon_ratios, truths, strict=True):
            rate = truth.learning_rate
            predicted = _predicted(surface, truth, "correlated")
            independent = _predicted(surface, truth, "independent")
            row = Row(
                model=name,
                rule="softsign",
                batch_size=batch_size,
                epsilon_ratio=ratio,
                epsilon=truth.epsilon,
                measured=None if rate is None else rate.value,
                interval=truth.interval,
                measured_status=truth.status,
                correlated=None if predicted is None else predicted.value,
                correlated_error=None if predicted is None else predicted.standard_error,
                independent=None if independent is None else independent.value,
                tails=found.tails.verdict(batch_size),
            )
            say(line_of(row))
            yield row


def looked_at(subject: Subject, pool: Any, plan: Plan, seed: int) -> Measurement:
    """What `measure` finds on one of the pools."""
    return measure(
        subject.model,
        pool,
        loss=subject.loss,
        curvature="none",
        micro_batch=plan.micro_batch,
        blocks=plan.deviations,
        seed=seed,
    )


def adam_rows(subject: Subject, plan: Plan, seed: int) -> Iterator[Row]:
    """AdamW's real next step from its own m and v: against the line search, then the ratio."""
    found = looked_at(subject, subject.wide_pool, plan, seed)
    state = read_adam(subject.optimizer, subject.model, found.point.problem)
    size = plan.train_batch
    # the line search judges on samples that made no update, the ratio on those that did
    apart, within = (
        adam_next_step(
            found, state, size, draws=ADAM_DRAWS, subset=2 * SUBSET, unseen=unseen, seed=seed
        ).learning_rate
        for unseen in (True, False)
    )
    line = lr_find(
        subject.model,
        subject.wide_pool,
        subject.optimizer,
        batch_size=size,
        loss=subject.loss,
        updates=plan.searches,
        subset=plan.search_samples,
        seed=seed,
    )
    rule = Rule(state.epsilon, lambda gradient: state.update(gradient, found.point.problem.point))
    ratio = measure_steps(
        found.point, size, [rule], batches=ADAM_DRAWS, subset=2 * SUBSET,
        max_memory=DEFAULT_MEMORY, seed=seed,
    )[0]  # fmt: skip
    rate = ratio.learning_rate
    value = None if rate is None else rate.value
    for name, predicted, measured, interval, status in (
        ("adamw: line search", apart, line.learning_rate, line.interval, line.status),
        ("adamw: ratio", within, value, ratio.interval, ratio.status),
    ):
        yield Row(
            model=subject.name,
            rule=name,
            batch_size=size,
            epsilon_ratio=None,
            epsilon=state.epsilon,
            measured=measured,
            interval=interval,
            measured_status=status,
            correlated=None if predicted is None else predicted.value,
            correlated_error=None if predicted is None else predicted.standard_error,
            independent=None,
            tails=found.tails.verdict(size),
        )


def _predicted(
    surface: SurfaceStatistics, truth: OneStepTruth, closure: Closure
) -> Estimate | None:
    """eta* of a closure on the grid itself: nothing is interpolated."""
    try:
        found = surface.eta1(truth.batch_size, truth.epsilon, closure)
    except NoOptimalStep:
        return None
    return found.step.learning_rate
