"""`scaling-theory surge`: does the optimal learning rate fall at large batches?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from empirical.errors import UsageError

if TYPE_CHECKING:
    from scaling_theory.surge_map import SurgeMap

HELP = """Does the optimal learning rate fall at large batches (a surge), and until which epsilon?

Draws eta*(B) over its large-batch value at several epsilons, and the map over epsilon and B with
the ridge of the peaks until it vanishes. From a checkpoint's statistics (--stats), or from pure
numbers: signal-to-noise of one sequence, curvature ratio Q/T, noise correlation. The verdict is
about one step; a whole run's best learning rate also moves with the number of steps.

\b
Examples:
  scaling-theory surge --signal-to-noise 0.05 --curvature-ratio 20
  scaling-theory surge --signal-to-noise 0.05 --curvature-ratio 20 --noise-correlation 50 --json
  scaling-theory surge --stats runs/stats --out runs/surge --overwrite
"""

# In units of rms sigma, for the lines; the map spans them.
EPSILONS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
MAP_EPSILONS = 41
BEYOND = 10.0


@dataclass(frozen=True)
class SurgeQuestion:
    """The options as they were typed. epsilons: unit of a gradient with statistics, else sigma."""

    statistics: Path | None = None
    closure: str = "correlated"
    signal_to_noise: float | None = None
    curvature_ratio: float | None = None
    noise_correlation: float = 1.0
    signal_spread: str = "gaussian"
    epsilons: Sequence[float] = ()
    seed: int = 0


def run_surge(question: SurgeQuestion) -> tuple[dict[str, Any], SurgeMap, SurgeMap]:
    """The record as plain JSON values, the map of few epsilons and that of many."""
    from empirical.cli.surge_record import record_of

    lines, phase = _maps(question)
    return record_of(lines, phase), lines, phase


def _maps(question: SurgeQuestion) -> tuple[SurgeMap, SurgeMap]:
    import numpy as np

    rng = np.random.default_rng(question.seed)
    pure = (question.signal_to_noise, question.curvature_ratio)
    asked = sorted(set(question.epsilons))
    if asked and not asked[0] >= 0:
        raise UsageError(f"--epsilon is {asked[0]:g}; at least 0 is wanted: 0 means sign")
    if question.statistics is not None:
        if pure != (None, None):
            raise UsageError(
                "--stats measures what --signal-to-noise and --curvature-ratio assume: "
                "give one or the other"
            )
        return _measured_maps(question, asked, rng)
    if pure[0] is None or pure[1] is None:
        raise UsageError(
            "nothing to draw: give --stats DIR, or --signal-to-noise with --curvature-ratio"
        )
    from scaling_theory.dimensionless import DimensionlessNetwork, Spread
    from scaling_theory.surge_map import map_of_network, vanishing_epsilon

    # Not checked here: the network refuses any other spread.
    network = DimensionlessNetwork(
        pure[0], pure[1], question.noise_correlation, cast(Spread, question.signal_spread)
    )
    if any(not isfinite(epsilon) for epsilon in asked):
        raise UsageError("--epsilon is infinite: give a finite one, in units of sigma")
    low, high = _span(asked, 0.02 * network.signal_to_noise, 30.0)
    phase = map_of_network(network, np.geomspace(low, high, MAP_EPSILONS).tolist(), rng)
    between = phase.vanishes_between
    if between is not None:
        margin = next(curve.verdict.margin for curve in phase.curves if curve.verdict)
        phase = replace(phase, vanishes_at=vanishing_epsilon(network, *between, margin))
    return map_of_network(network, asked or EPSILONS, rng), phase


def _measured_maps(
    question: SurgeQuestion, asked: list[float], rng: Any
) -> tuple[SurgeMap, SurgeMap]:
    import numpy as np

    from empirical.statistics_files import read_statistics
    from scaling_theory.surface import CLOSURES
    from scaling_theory.surge_map import map_of_surface

    if question.closure not in CLOSURES:
        raise UsageError(f"--closure is '{question.closure}'; one of {', '.join(CLOSURES)} wanted")
    assert question.statistics is not None
    surface = read_statistics(question.statistics).surface
    measured = surface.epsilons[np.isfinite(surface.epsilons) & (surface.epsilons > 0)]
    if not measured.size:
        raise UsageError("the statistics hold no positive epsilon: measure at some, for a map")
    # Where sign or SGD was measured too, the surface reaches beyond its positive epsilons.
    least = float(measured[0]) / (BEYOND if surface.epsilons[0] == 0 else 1)
    most = float(measured[-1]) * (1 if isfinite(surface.epsilons[-1]) else BEYOND)
    low, high = _span(asked, least, most)
    lines = map_of_surface(surface, question.closure, asked or surface.epsilons.tolist(), rng)
    if all(curve.verdict is None for curve in lines.curves):
        raise UsageError(f"{lines.curves[0].status}: measure the curvature on more sequences")
    many = np.geomspace(low, high, MAP_EPSILONS).tolist() if high > low else [low]
    return lines, map_of_surface(surface, question.closure, many, rng)


def _span(asked: list[float], low: float, high: float) -> tuple[float, float]:
    """The map's epsilons: those asked for if there are several positive ones."""
    positive = [epsilon for epsilon in asked if epsilon > 0 and isfinite(epsilon)]
    return (positive[0], positive[-1]) if len(positive) > 1 else (low, high)


def surge(
    stats: Annotated[
        Path | None, typer.Option(metavar="DIR", help="measured statistics of a checkpoint")
    ] = None,
    closure: Annotated[
        str, typer.Option(metavar="correlated|independent", help="of the noise, with --stats")
    ] = "correlated",
    signal_to_noise: Annotated[
        float | None, typer.Option(metavar="RATIO", help="rms g / rms sigma of one sequence")
    ] = None,
    curvature_ratio: Annotated[
        float | None, typer.Option(metavar="Q/T", help="sign(g).H sign(g) / Tr H")
    ] = None,
    noise_correlation: Annotated[
        float, typer.Option(metavar="R", help="Tr(H C) / Tr H, C the noise correlations")
    ] = 1.0,
    signal_spread: Annotated[
        str, typer.Option(metavar="uniform|gaussian", help="of g over the coordinates")
    ] = "gaussian",
    epsilon: Annotated[
        list[float] | None,
        typer.Option(metavar="EPS", help="of a gradient; in units of sigma without --stats"),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="of the simulated quantile of the verdict")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="for figures and surge.json [default: runs/surge, none with --json]"
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace the figures of an earlier run in --out")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="print JSON; files only where --out is given")
    ] = False,
) -> None:
    from empirical.cli.surge_record import text_surge

    place = Path("runs/surge") if out is None and not as_json else out
    if place is not None:
        # Before the work, so that a minute of it is not thrown away.
        from empirical.report.surge_files import check_place

        check_place(place, overwrite)
    record, lines, phase = run_surge(
        SurgeQuestion(
            statistics=stats,
            closure=closure,
            signal_to_noise=signal_to_noise,
            curvature_ratio=curvature_ratio,
            noise_correlation=noise_correlation,
            signal_spread=signal_spread,
            epsilons=epsilon or (),
            seed=seed,
        )
    )
    written: list[str] = []
    if place is not None:
        from empirical.report.surge_files import write_files

        written = write_files(place, record, lines, phase)
    if as_json:
        typer.echo(json.dumps(record | {"files": written}, allow_nan=False))
    else:
        typer.echo(text_surge(record))
        typer.echo("\n" + "\n".join(f"written: {path}" for path in written))


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(name="surge", help=HELP)(surge)
