"""What a sweep costs: runs, tokens, floating-point operations, and hours on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from empirical.sweep.cells import Cell
from empirical.sweep.parameter_count import VOCABULARY, parameter_count
from empirical.sweep.planned import PlannedSweep
from empirical.train.configuration import NetworkConfig

RATES_EXPECTED = 5.2
"""Learning rates per cell and seed that the adaptive bracket is made to need on average."""


@dataclass(frozen=True)
class Cost:
    """runs: number of them. tokens: trained on. flops: of training and held-out evaluation.

    core_seconds: of processes of one thread each, or of the device; None where a speed is not
    known.
    """

    runs: int
    tokens: int
    flops: float
    core_seconds: float | None

    def __add__(self, other: Cost) -> Cost:
        known = self.core_seconds is not None and other.core_seconds is not None
        return Cost(
            self.runs + other.runs,
            self.tokens + other.tokens,
            self.flops + other.flops,
            (self.core_seconds or 0.0) + (other.core_seconds or 0.0) if known else None,
        )


@dataclass(frozen=True)
class CostRange:
    """least, expected, most: alike for a grid, which is known beforehand."""

    least: Cost
    expected: Cost
    most: Cost


def forward_flops_per_token(network: NetworkConfig) -> float:
    """2 P + 4 L T W: P the parameters that multiply (no look-up tables), attention by its T x T.

    The count of arXiv 2001.08361 (table 1) with the unembedding; causal masking is not deducted.
    """
    lookups = network.context + (0 if network.tied else VOCABULARY)
    multiplying = parameter_count(network) - lookups * network.width
    return 2.0 * multiplying + 4.0 * network.depth * network.context * network.width


def sweep_cost(planned: PlannedSweep) -> CostRange:
    """The cost of all cells; of an adaptive sweep with fewest, expected and most runs per cell."""
    adaptive = planned.config.learning_rates.adaptive
    seeds = len(planned.config.seeds)
    nothing = Cost(0, 0, 0.0, 0.0)
    least, expected, most = nothing, nothing, nothing
    for cell in planned.cells:
        if adaptive is None:
            counts = (len(cell.grid) * seeds,) * 3
        else:
            counts = (
                3 * seeds,
                round(RATES_EXPECTED * seeds),
                adaptive.most * adaptive.most_seeds,
            )
        least += cell_cost(planned, cell, counts[0])
        expected += cell_cost(planned, cell, counts[1])
        most += cell_cost(planned, cell, counts[2])
    return CostRange(least, expected, most)


def cell_cost(planned: PlannedSweep, cell: Cell, runs: int) -> Cost:
    """The cost of `runs` runs of one cell, none of which diverges."""
    network = planned.network
    tokens = cell.steps * cell.batch_size * network.context
    # Held-out sequences are evaluated before the first and after the last step.
    evaluated = 2 * planned.config.heldout_sequences * network.context
    flops = forward_flops_per_token(network) * (3 * tokens + evaluated)
    speed = planned.computing[cell.group]
    seconds = None
    if speed.seconds is not None and speed.evaluation is not None:
        seconds = runs * (cell.steps * speed.seconds + 2 * speed.evaluation)
    return Cost(runs, runs * tokens, runs * flops, seconds)
