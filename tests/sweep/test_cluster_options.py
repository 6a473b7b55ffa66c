"""What a sweep file asks of Slurm and Ray is checked before anything runs."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from empirical.errors import UsageError
from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.executors import engine
from empirical.sweep.executors.engine import check_settings
from empirical.sweep.executors.slurm_options import check_slurm_options, sbatch_options


def settings(name: str, **options: Any) -> ExecutorSettings:
    return ExecutorSettings.model_validate({"name": name, "options": options})


GOOD: dict[str, dict[str, Any]] = {
    "of the README": {"partition": "gpu", "time": 120, "mem": "16G", "setup": "module load cuda"},
    "either spelling": {"mail-type": "FAIL", "mail_user": "me@here"},
    "flags": {"requeue": True, "exclusive": False, "contiguous": True},
    "a value or none": {"exclusive": True, "nice": 100},
    "megabytes": {"mem": 16000, "mem_per_gpu": "80GB"},
    "of a plugin": {"--container-image": "image.sqsh"},
    "without Slurm": {"cluster": "local", "srun_args": "--kill-on-bad-exit"},
}


@pytest.mark.parametrize("options", GOOD.values(), ids=GOOD)
def test_options_of_sbatch_pass(options: dict[str, Any]) -> None:
    """Rung: closed form."""
    check_slurm_options(settings("slurm", **options))
    assert not {"cluster", "time", "setup", "srun_args"} & set(sbatch_options(options))


def test_what_goes_to_sbatch() -> None:
    """Rung: closed form: without dashes, without what is false, without what is ours."""
    given: dict[str, Any] = {
        "--container-image": "x",
        "requeue": True,
        "hold": False,
        "time": 5,
        "qos": "low",
    }
    assert sbatch_options(given) == {"container-image": "x", "requeue": True, "qos": "low"}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a slip": ({"partiton": "gpu"}, "no option 'partiton'; perhaps 'partition' was meant"),
    "unknown": ({"fast_please": 1}, "an option of a plugin is written '--fast-please'"),
    "a value that is missing": ({"partition": True}, "got partition = true"),
    "a flag with a value": ({"requeue": "yes"}, "wanted true or false"),
    "no size": ({"mem": "16 gigs"}, "wanted a size such as 16G"),
    "part of a size": ({"mem": 1.5}, "wanted a size such as 16G"),
    "no number": ({"mincpus": "many"}, "wanted a whole number"),
    "a number with a point": ({"nice": 0.5}, "wanted a text in quotes or a whole number"),
    "nothing": ({"account": " "}, "wanted a text"),
    "time as Slurm writes it": ({"time": "1-00:00:00"}, "wanted whole minutes"),
    "no time": ({"time": 0}, "wanted whole minutes"),
    "a truth for a time": ({"time": True}, "wanted whole minutes"),
    "another cluster": ({"cluster": "elsewhere"}, "wanted one of slurm, local"),
    "cpus twice": ({"cpus_per_task": 4}, "give cpus of the executor"),
    "gpus twice": ({"gpus": 1}, "give gpus of the executor"),
    "more nodes": ({"nodes": 2}, "one task on one node"),
    "a number for lines": ({"setup": 3}, "wanted a text in quotes"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_sbatch_would_refuse_is_one_line(name: str) -> None:
    """Rung: closed form: what came, what was wanted, what to do."""
    options, message = BAD[name]
    with pytest.raises(UsageError) as told:
        check_slurm_options(settings("slurm", **options))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_part_of_a_gpu() -> None:
    """Rung: closed form."""
    with pytest.raises(UsageError, match="Slurm gives whole ones"):
        check_slurm_options(ExecutorSettings(name="slurm", gpus=0.5))


def test_the_local_executor_has_no_options_and_no_gpus_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rung: closed form."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    check_settings(ExecutorSettings())
    with pytest.raises(UsageError, match="got the option partition for the executor local"):
        check_settings(settings("local", partition="gpu"))
    with pytest.raises(UsageError, match="this machine has 0"):
        check_settings(ExecutorSettings(gpus=1))


@pytest.mark.parametrize("name", ["slurm", "ray"])
def test_a_package_that_is_missing_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rung: closed form (an import that fails as it does where the extra is not installed)."""

    def missing(module: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name}", name=name)

    monkeypatch.setattr(engine, "import_module", missing)
    with pytest.raises(UsageError, match=rf"install scaling-theory\[{name}\]") as told:
        check_settings(settings(name))
    assert "\n" not in str(told.value)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: an extra")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memroy": 1}, r"Ray refuses memroy = 1 in its options \(Invalid option keyword"),
        ({"memory": "much"}, "Ray refuses memory = 'much' in its options"),
        ({"num_cpus": 2}, "give cpus of the executor"),
        ({"max_retries": 2}, "the driver decides it"),
        ({"address": 6379}, "wanted a text in quotes, HOST:PORT"),
    ],
)
def test_what_ray_would_refuse_is_one_line(options: dict[str, Any], message: str) -> None:
    """Rung: the real thing, Ray's own check, without a cluster."""
    check_settings(settings("ray", address="head:6379", memory=1e9, accelerator_type="A100"))
    with pytest.raises(UsageError, match=message) as told:
        check_settings(settings("ray", **options))
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 250
