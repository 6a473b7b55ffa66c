"""Planned sweeps without a text or a network, and results from a model of their losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from empirical.sweep.cells import Cell, cells_of
from empirical.sweep.plan_record import Plan, Planner, StoredRun
from empirical.sweep.planned import Computing, PlannedSweep, cells_of_runs
from empirical.sweep.starting_point import started
from empirical.sweep.sweep_file import sweep_from
from empirical.train.configuration import NetworkConfig
from empirical.train.run_configuration import KernelPath, StartConfig
from scaling_theory.estimate import Estimate
from tests.sweep.loss_model import LossModel

NETWORK = NetworkConfig(context=8, width=8, depth=1, heads=2)
ADAPTIVE: dict[str, Any] = {"adaptive": {"start": 2**-8}}


def planned_sweep(replicas: int = 4, **settings: Any) -> PlannedSweep:
    """Five batch sizes and three epsilons, unless told otherwise."""
    plain: dict[str, Any] = {
        "batch_sizes": [1, 2, 4, 8, 16],
        "budget": {"tokens": 1024},
        "optimizers": [{"name": "softsignsgd", "epsilon": [0.0, 1e-3, 1e-2]}],
        "learning_rates": ADAPTIVE,
    }
    config = sweep_from(plain | settings, "sweep.toml")
    cells, said = cells_of(config, NETWORK.context, None)
    cells = started(cells, config, None)
    path: KernelPath = "stacked" if replicas > 1 else "single"
    way = Computing(path=path, replicas=replicas, seconds=0.01, evaluation=0.1)
    return PlannedSweep(
        config=config,
        network=NETWORK,
        text="imagined",
        text_sha256="0" * 64,
        start=StartConfig(),
        cells=cells,
        computing=dict.fromkeys((cell.group for cell in cells), way),
        said=said,
    )


@dataclass(frozen=True)
class Imagined:
    """What the runs of a sweep would give. models: by cell."""

    planned: PlannedSweep
    models: Mapping[str, LossModel]

    def results_of(self, plan: Plan) -> dict[str, StoredRun]:
        """Of every unit of a plan."""
        cell_of = cells_of_runs(self.planned)
        found = {}
        for unit in plan.units:
            for index, run in enumerate(unit.runs):
                cell = cell_of(run)
                assert cell is not None
                loss = self.models[cell.name].loss(run.learning_rate, run.seed)
                found[unit.run_key(index)] = StoredRun(
                    unit=unit.key,
                    index=index,
                    path=unit.path,
                    config=run,
                    diverged_at=20 if loss is None else None,
                    heldout_loss=None if loss is None else Estimate(loss, 0.01, 16),
                    start_loss=Estimate(5.5, 0.01, 16),
                    loss_drop=None if loss is None else Estimate(5.5 - loss, 0.01, 16),
                    seconds=1.0,
                )
        return found


def with_optima(
    planned: PlannedSweep, optimum: Callable[[Cell], float], noise: float = 5e-4
) -> Imagined:
    """A model per cell: ln eta* as told, curvature 0.05 nats, divergence two octaves above."""
    models = {
        cell.name: LossModel(
            optimum=optimum(cell),
            curvature=0.05,
            p=0.2,
            q=1.0,
            cliff=optimum(cell) + 2 * np.log(2),
            seed_spread=0.002,
            noise=noise,
            number=number,
        )
        for number, cell in enumerate(planned.cells)
    }
    return Imagined(planned, models)


def computed(imagined: Imagined, planner: Planner) -> tuple[Plan, dict[str, StoredRun]]:
    """The plan and the results when everything that is wanted has been computed."""
    results: dict[str, StoredRun] = {}
    for _ in range(1000):
        plan = planner(results)
        if plan.complete:
            return plan, results
        more = imagined.results_of(plan)
        assert set(more) > set(results), "the planner wants nothing new and is not complete"
        results = more
    raise AssertionError("the planner never ends")
