"""Exports of other programs, in their own words, and columns mapped by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from empirical.errors import UsageError
from empirical.judge.columns import PRESETS, Preset, resolve_columns
from empirical.judge.run_table import read_run_table

# The same two runs and a broken, a running and a diverged one, as each program writes them.
WANDB_PAGE = """\
"Name","State","Notes","User","Tags","Created","Runtime","Sweep","batch_size","learning_rate",\
"optimizer","seed","val_loss","train/loss"
"drawn-sky-1","finished","-","me","","2024-01-01T00:00:00.000Z","60","","64","0.001","AdamW","1",\
"2.5","2.4"
"wise-sun-2","finished","-","me","","2024-01-01T00:00:00.000Z","60","","64","0.002","AdamW","1",\
"2.75","2.5"
"odd-moon-3","crashed","-","me","","2024-01-01T00:00:00.000Z","6","","64","0.004","AdamW","1",\
"5.0","5.1"
"calm-rain-4","running","-","me","","2024-01-01T00:00:00.000Z","6","","64","0.004","AdamW","1",\
"5.0","5.1"
"hot-wind-5","failed","-","me","","2024-01-01T00:00:00.000Z","6","","64","0.008","AdamW","1",\
"NaN","NaN"
"""
WANDB_API = """\
,summary,config,name
0,"{'val_loss': 2.5, '_step': 9}","{'batch_size': 64, 'learning_rate': 0.001}",drawn-sky-1
1,"{'val_loss': 2.75, '_step': 9}","{'batch_size': 64, 'learning_rate': 0.002}",wise-sun-2
2,"{'val_loss': nan, '_step': 2}","{'batch_size': 64, 'learning_rate': 0.008}",hot-wind-5
"""
WANDB_JSON = """\
summary,config,name
"{""val_loss"": 2.5, ""best"": true}","{""batch_size"": 64, ""lr"": 1e-3, ""resume"": null}",a
"{""val_loss"": 2.75, ""best"": false}","{""batch_size"": 64, ""lr"": 2e-3, ""resume"": null}",b
"{'val_loss': -inf, 'history': [9.1, nan], 'note': 'a: nan'}","{'batch_size': 64, 'lr': 8e-3}",c
"""
MLFLOW = """\
run_id,experiment_id,status,artifact_uri,start_time,end_time,metrics.val_loss,params.batch_size,\
params.lr,tags.mlflow.runName
aa,0,FINISHED,file:a,2024-01-01,2024-01-01,2.5,64,0.001,one
bb,0,FINISHED,file:b,2024-01-01,2024-01-01,2.75,64,0.002,two
cc,0,FAILED,file:c,2024-01-01,2024-01-01,5.0,64,0.004,three
dd,0,RUNNING,file:d,2024-01-01,,5.0,64,0.004,four
ee,0,FAILED,file:e,2024-01-01,2024-01-01,nan,64,0.008,five
"""
TENSORBOARD = """\
batch_size,lr,hparam/loss
64.0,0.001,2.5
64.0,0.002,2.75
64.0,0.008,nan
"""


@pytest.mark.parametrize(
    ("preset", "text"),
    [
        ("wandb", WANDB_PAGE),
        ("wandb", WANDB_API),
        ("wandb", WANDB_JSON),
        ("mlflow", MLFLOW),
        ("tensorboard", TENSORBOARD),
    ],
    ids=["wandb-page", "wandb-api", "wandb-json", "mlflow", "tensorboard"],
)
def test_an_export_is_read_as_it_is(tmp_path: Path, preset: Preset, text: str) -> None:
    """Rung: closed form (the same runs from every program; only the batch's unit is told)."""
    path = tmp_path / "export.csv"
    path.write_text(text, encoding="utf-8")
    found = read_run_table(path, preset=preset, unit="seq")
    assert [(run.batch_size, run.lr, run.loss, run.diverged) for run in found.runs] == [
        (64, 0.001, 2.5, False),
        (64, 0.002, 2.75, False),
        (64, 0.008, None, True),
    ]
    reasons = [each.reason for each in found.rejected]
    if len(reasons) == 2:
        assert "with a finite loss: not known to have diverged" in reasons[0]
        assert "its loss is not final" in reasons[1]
    else:
        assert not reasons


def test_every_preset_has_its_example() -> None:
    """Rung: closed form (a preset that no test reads is a promise nobody keeps)."""
    assert set(PRESETS) == {"wandb", "mlflow", "tensorboard"}


def test_a_mapping_by_hand_wins(tmp_path: Path) -> None:
    """Rung: closed form (val_loss is the preset's choice, train/loss the hand's)."""
    path = tmp_path / "export.csv"
    path.write_text(WANDB_PAGE, encoding="utf-8")
    found = read_run_table(path, {"loss": "train/loss"}, "wandb", "seq")
    assert [run.loss for run in found.runs] == [2.4, 2.5, None]
    assert found.columns["loss"] == "train/loss"
    assert found.runs[0].extra("val_loss") == "2.5"
    assert (found.runs[0].run_id, found.runs[0].optimizer) == ("drawn-sky-1", "AdamW")


def test_any_names_can_be_mapped(tmp_path: Path) -> None:
    """Rung: closed form."""
    path = tmp_path / "runs.csv"
    path.write_text("Größe,Rate,Verlust\n64,1e-3,2.5\n", encoding="utf-8")
    mapping = {"batch_size": "Größe", "lr": "Rate", "loss": "Verlust"}
    (run,) = read_run_table(path, mapping, unit="seq").runs
    assert (run.batch_size, run.lr, run.loss, run.group) == (64, 1e-3, 2.5, "all runs")


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"learning_rate": "lr"}, "'learning_rate' is no column of a table of runs: map one of"),
        ({"lr": "speed"}, "the file has no column 'speed': it has batch_size, lr, loss"),
    ],
)
def test_a_mapping_that_names_nothing_is_refused(mapping: dict[str, str], message: str) -> None:
    """Rung: closed form (wrong on either side)."""
    with pytest.raises(UsageError, match=message):
        resolve_columns(("batch_size", "lr", "loss"), mapping, None)


def test_wrong_words_are_refused(tmp_path: Path) -> None:
    """Rung: closed form."""
    path = tmp_path / "runs.csv"
    path.write_text(TENSORBOARD, encoding="utf-8")
    with pytest.raises(UsageError, match="preset 'comet' is unknown"):
        read_run_table(path, preset="comet")  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(UsageError, match="unit 'dozen' is unknown"):
        read_run_table(path, unit="dozen")  # type: ignore[arg-type]  # the mistake under test


def test_the_batch_of_one_device_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    """Rung: closed form. Eight accumulated batches of 64 are 512: who maps it vouches for it."""
    path = tmp_path / "export.csv"
    names = "per_device_train_batch_size,gradient_accumulation_steps,learning_rate,eval/loss"
    path.write_text(f"{names}\n64,8,1e-3,2.5\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no column for batch_size"):
        read_run_table(path, preset="wandb", unit="seq")
    mapping = {"batch_size": "per_device_train_batch_size"}
    assert read_run_table(path, mapping, "wandb", "seq").runs[0].batch_size == 64


def test_values_beside_their_description_are_read(tmp_path: Path) -> None:
    """Rung: closed form. W&B's config.yaml keeps {desc, value}; other dicts stay what they are."""
    path = tmp_path / "runs.csv"
    path.write_text(
        "summary,config,name\n"
        """{'val_loss': 2.5},"{'lr': {'desc': None, 'value': 3e-4}, """
        """'batch_size': {'value': 64}, 'data': {'name': 'web', 'value': 7}}",a\n""",
        encoding="utf-8",
    )
    (run,) = read_run_table(path, preset="wandb", unit="seq").runs
    assert (run.lr, run.batch_size, run.loss) == (3e-4, 64, 2.5)
    assert run.extra("config.data") == "{'name': 'web', 'value': 7}"


def test_a_missing_column_is_named_with_its_option() -> None:
    """Rung: closed form. What a user types next stands in the refusal."""
    with pytest.raises(UsageError, match="map it with --column lr=THEIR_NAME"):
        resolve_columns(("batch_size", "speed", "loss"), None, None)
