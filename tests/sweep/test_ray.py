"""Tasks of a Ray cluster of two nodes on this machine, one of which dies; answers; stopping."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from empirical.errors import UsageError
from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.contents import read_contents
from empirical.sweep.executors.engine import UnitLostError, open_engine
from empirical.sweep.folder import SweepFolder
from empirical.sweep.store import Store
from empirical.train.run_configuration import WorkUnit
from tests.sweep.clustered import SECONDS, drive_clustered, until
from tests.sweep.tiny_sweep import table, text_file

pytestmark = pytest.mark.slow


@dataclass
class Nodes:
    """A cluster: a head and a second node of one CPU each."""

    cluster: Any
    second: Any

    @property
    def settings(self) -> ExecutorSettings:
        """What a sweep file says to use it."""
        return ExecutorSettings(name="ray", options={"address": self.cluster.address})


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        # The processes of Ray import this program as it is tested here, installed or not.
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # On a busy machine they take their time.
        patch.setenv("RAY_agent_register_timeout_ms", str(SECONDS * 1000))
        patch.setenv("RAY_worker_register_timeout_seconds", str(SECONDS))
        settings = {
            "num_cpus": 1,
            "object_store_memory": 80_000_000,
            "include_dashboard": False,
            "include_log_monitor": False,
            "no_monitor": True,
        }
        cluster: Any = Cluster(initialize_head=True, head_node_args=settings)
        try:
            yield Nodes(cluster, cluster.add_node(**settings))
        finally:
            cluster.shutdown()


def test_answers_of_tasks(nodes: Nodes, tmp_path: Path) -> None:
    """Rung: closed form: a value, an error of the unit in its own type, a process that dies."""
    before = signal.getsignal(signal.SIGTERM)
    with open_engine(nodes.settings, SweepFolder(tmp_path)) as engine:
        assert signal.getsignal(signal.SIGTERM) is before
        assert engine.at_once == 4, "two nodes of one CPU, and as many in reserve"
        submit = engine.executor.submit
        value, error = submit(max, 1, 2), submit(int, "seven")
        assert value.result(SECONDS) == 2
        with pytest.raises(ValueError, match="seven"):
            error.result(SECONDS)
        with pytest.raises(UnitLostError, match="WorkerCrashedError"):
            submit(signal.raise_signal, signal.SIGKILL).result(SECONDS)


def test_to_cancel_is_for_those_that_wait(nodes: Nodes, tmp_path: Path) -> None:
    """Rung: closed form; a unit that runs looks for the file `stop`, and shall leave its state."""
    place = tmp_path / "began"
    place.mkdir()
    with open_engine(nodes.settings, SweepFolder(tmp_path)) as engine:
        # Two have room, the others wait.
        futures = [
            engine.executor.submit(os.system, f"touch {place / str(k)}; sleep 5") for k in range(4)
        ]
        until(lambda: len(list(place.iterdir())) >= 2)
        for future in futures:
            future.cancel()
        assert not wait(futures, SECONDS).not_done
        began = {path.name for path in place.iterdir()}
        assert {str(k) for k, future in enumerate(futures) if not future.cancelled()} == began
        assert len(began) < 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gpus": 1}, "got 1 CPUs and 1 GPUs per run, more than a node"),
        ({"options": {"partition": "short"}}, "partition"),
    ],
    ids=["no such node", "option"],
)
def test_what_cannot_be_asked_for_is_told(
    settings: dict[str, Any], message: str, nodes: Nodes, tmp_path: Path
) -> None:
    """Rung: closed form."""
    options = {**nodes.settings.options, **settings.get("options", {})}
    chosen = ExecutorSettings.model_validate({"name": "ray", **settings, "options": options})
    with (
        pytest.raises(UsageError, match=message) as told,
        open_engine(chosen, SweepFolder(tmp_path)),
    ):
        pass
    assert "\n" not in str(told.value)


def test_a_node_dies_amid_a_sweep(nodes: Nodes, tmp_path: Path) -> None:
    """Rung: another route to the same bytes (processes of this machine, undisturbed)."""
    root, text = tmp_path / "ray", text_file(tmp_path)
    states = SweepFolder(root).states

    def kill_one(store: Store, units: tuple[WorkUnit, ...]) -> None:
        # Two units under way: one on each node.
        if nodes.second is not None and len(list(states.glob("*.safetensors"))) == 2:
            nodes.cluster.remove_node(nodes.second, allow_graceful=False)
            nodes.second = None

    assert drive_clustered(root, text, nodes.settings, 2, 1500, kill_one).complete
    assert nodes.second is None, "the node was killed"
    lost = {row.unit for row in read_contents(SweepFolder(root)).runs.values() if row.failures}
    assert len(lost) == 1
    drive_clustered(tmp_path / "local", text, ExecutorSettings(workers=2), 2, 1500)
    assert table(root) == table(tmp_path / "local")
