"""From a sweep file to a planned sweep: everything is looked up, checked and measured once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from empirical.errors import UsageError
from empirical.statistics_files import read_statistics
from empirical.sweep.cells import Cell, cells_of
from empirical.sweep.configuration import SweepConfig
from empirical.sweep.planned import PLANNER_VERSION, Computing, PlannedSweep, run_of
from empirical.sweep.speed import measure_computing
from empirical.sweep.starting_point import started
from empirical.train.averages import resolve
from empirical.train.checkpoint_files import read_checkpoint
from empirical.train.configuration import NetworkConfig
from empirical.train.devices import resolve_device
from empirical.train.run_configuration import StartConfig, WorkUnit
from empirical.train.run_execution import Materials, checkpoint_hash, start_weights
from empirical.train.text import Corpus, load_text

Say = Callable[[float, str], None]
"""Told how far the measuring is, from 0 to 1, and what is measured."""


def materials_of(config: SweepConfig) -> Materials:
    """Where the text and the checkpoint of a sweep lie."""
    return Materials(text=config.text, checkpoint=config.start.checkpoint)


def prepare(config: SweepConfig, *, say: Say = lambda share, what: None) -> PlannedSweep:
    """Look up text, checkpoint and statistics, build the cells, measure speeds.

    Raises UsageError for the first thing that does not fit: a text that is too short for a batch
    or for the held-out sequences, a checkpoint of another network, tokens that are no whole number
    of steps, statistics that cannot be read, a device that is not there.
    """
    network, start = _start(config)
    corpus = load_text(config.text or None, context=network.context)
    _fits_text(config, network, corpus)
    statistics = read_statistics(config.statistics) if config.statistics else None
    rms_sigma = statistics.surface.rms_sigma if statistics else None
    cells, said = cells_of(config, network.context, rms_sigma)
    cells = started(cells, config, statistics)
    clamped = _clamped(cells, network.context)
    planned = PlannedSweep(
        config=config,
        network=network,
        text=corpus.name,
        text_sha256=corpus.sha256,
        start=start,
        cells=cells,
        computing={},
        said=(*said, *clamped),
        planner_version=PLANNER_VERSION,
    )
    computing = _computing(planned, corpus, say)
    return planned.model_copy(update={"computing": computing})


def _start(config: SweepConfig) -> tuple[NetworkConfig, StartConfig]:
    """The network and what it starts from; a checkpoint brings its own network."""
    path = config.start.checkpoint
    if path is None:
        return config.network or NetworkConfig(), StartConfig(network_seed=config.start.seed or 0)
    held = read_checkpoint(path).model.config
    if config.network is not None and config.network != held:
        raise UsageError(
            f"the checkpoint {path} holds the network {held}, the sweep wants {config.network}; "
            "leave network out, or name another checkpoint"
        )
    return held, StartConfig(checkpoint_sha256=checkpoint_hash(path))


def _fits_text(config: SweepConfig, network: NetworkConfig, corpus: Corpus) -> None:
    largest = max(config.batch_sizes)
    if largest * network.context > len(corpus.train):
        raise UsageError(
            f"got a batch size of {largest} sequences of {network.context} tokens, "
            f"{largest * network.context} in all, from a text with {len(corpus.train)} training "
            "tokens; lower the batch size or give a longer text"
        )
    places = len(corpus.heldout) - network.context
    if config.heldout_sequences > places:
        raise UsageError(
            f"got {config.heldout_sequences} held-out sequences, the text has {max(places, 0)}; "
            "lower heldout_sequences or give a longer text"
        )


def _clamped(cells: tuple[Cell, ...], context: int) -> tuple[str, ...]:
    """What half-lives in tokens had to be bounded at."""
    said: dict[str, None] = {}
    for cell in cells:
        for line in resolve(cell.optimizer, cell.batch_size * context).clamped:
            said[f"{cell.group}: {line}"] = None
    return tuple(said)


def _computing(planned: PlannedSweep, corpus: Corpus, say: Say) -> dict[str, Computing]:
    """How to compute every group; groups that differ in budget only are measured once."""
    config = planned.config
    if config.executor.name != "local":
        # What is measured here says nothing about the machines of a cluster.
        stacked = config.replicas if isinstance(config.replicas, int) else 1
        way = Computing(path="stacked" if stacked > 1 else "single", replicas=stacked)
        return dict.fromkeys(planned.groups, way)
    resolve_device(config.device)
    first = run_of(planned, planned.cells[0], 1e-6, 0)
    (weights,) = start_weights(WorkUnit(runs=(first,)), materials_of(config))
    shapes = {name: (cells[0].place, cells[0].batch_size) for name, cells in planned.groups.items()}
    measured: dict[tuple[int, int], Computing] = {}
    for place, (name, shape) in enumerate(shapes.items()):
        if shape in measured:
            continue
        say(place / len(shapes), f"speed of {name}")
        cells = planned.groups[name]
        measured[shape] = _measured(planned, cells, corpus, weights)
    say(1.0, "speeds measured")
    return {name: measured[shape] for name, shape in shapes.items()}


def _measured(
    planned: PlannedSweep,
    cells: tuple[Cell, ...],
    corpus: Corpus,
    weights: Mapping[str, Tensor],
) -> Computing:
    config = planned.config
    together = len(cells) * (len(cells[0].grid) * len(config.seeds) or 3)
    return measure_computing(
        run_of(planned, cells[0], 1e-6, 0),
        corpus,
        weights,
        replicas=config.replicas,
        together=together,
    )
