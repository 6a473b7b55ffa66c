"""Tables of runs: what is kept, censored and rejected, and why."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from empirical.errors import UsageError
from empirical.judge.run_table import RunTable, read_run_table

HEADING = "run_id,group,batch_size,batch_unit,seq_len,lr,loss,diverged,seed"


def table(tmp_path: Path, *rows: str, heading: str = HEADING) -> Path:
    path = tmp_path / "runs.csv"
    path.write_text("\n".join([heading, *rows]) + "\n", encoding="utf-8")
    return path


def reasons(found: RunTable) -> list[str]:
    return [each.reason for each in found.rejected]


def test_a_plain_row_becomes_a_run(tmp_path: Path) -> None:
    """Rung: closed form (the numbers written are the numbers read)."""
    found = read_run_table(table(tmp_path, "a,g,64,sequences,1024,3e-4,2.5,False,7"))
    (run,) = found.runs
    assert (run.run_id, run.group, run.lr, run.loss, run.seed) == ("a", "g", 3e-4, 2.5, "7")
    assert (run.batch_size, run.batch.unit, run.batch.tokens) == (64, "seq", 65536)
    assert not run.diverged
    assert (len(found), found.censored, found.rejected, found.unit) == (1, 0, (), "seq")


@pytest.mark.parametrize("loss", ["nan", "NaN", "inf", "-Infinity", "1e300", "-3.4e38"])
def test_a_loss_that_is_not_finite_is_kept_as_censored(tmp_path: Path, loss: str) -> None:
    """Rung: closed form (NaN is evidence, not an error)."""
    found = read_run_table(table(tmp_path, f"a,g,64,seq,,3e-4,{loss},,"))
    assert [(run.loss, run.diverged) for run in found.runs] == [(None, True)]
    assert not found.rejected


def test_a_diverged_run_keeps_its_last_loss(tmp_path: Path) -> None:
    """Rung: closed form."""
    found = read_run_table(table(tmp_path, "a,g,64,seq,,3e-4,7.1,True,", "b,g,64,seq,,3e-4,,1,"))
    assert [(run.loss, run.diverged) for run in found.runs] == [(7.1, True), (None, True)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,g,64,seq,,0,2.5,,", "lr is '0'; a number above 0 is wanted"),
        ("a,g,64,seq,,-1e-3,2.5,,", "lr is '-1e-3'; a number above 0 is wanted"),
        ("a,g,64,seq,,,2.5,,", "lr is ''; a number above 0 is wanted"),
        ("a,g,64,seq,,fast,2.5,,", "lr is 'fast'; a number is wanted"),
        ("a,g,64,seq,,nan,2.5,,", "lr is 'nan'; a finite number is wanted"),
        ("a,g,0,seq,,1e-3,2.5,,", "batch size '0 seq' is not above 0"),
        ("a,g,-8,seq,,1e-3,2.5,,", "batch size '-8 seq' is not above 0"),
        ("a,g,,seq,,1e-3,2.5,,", "no batch size"),
        ("a,g,64,parsecs,,1e-3,2.5,,", "batch size '64 parsecs' was not understood"),
        ("a,g,64,,,1e-3,2.5,,", "batch size 64 has no unit"),
        ("a,g,64,seq,1.5,1e-3,2.5,,", "seq_len is 1.5; a whole number of tokens is wanted"),
        ("a,g,64,seq,,1e-3,,,", "no loss, and not marked as diverged"),
        ("a,g,64,seq,,1e-3,low,,", "loss is 'low'; a number is wanted"),
        ("a,g,64,seq,,1e-3,2.5,maybe,", "diverged is 'maybe'; true or false is wanted"),
    ],
)
def test_each_rejected_row_has_its_reason(tmp_path: Path, row: str, reason: str) -> None:
    """Rung: closed form (one defect per row; a good row beside it stays)."""
    found = read_run_table(table(tmp_path, "good,g,32,seq,,1e-3,2.4,,", row))
    assert [run.run_id for run in found.runs] == ["good"]
    assert [(each.row, each.run_id) for each in found.rejected] == [(3, "a")]
    assert reasons(found)[0].startswith(reason)


def test_tokens_become_sequences_where_the_length_is_stated(tmp_path: Path) -> None:
    """Rung: closed form (65536 tokens of sequences of 1024 are 64 sequences)."""
    path = table(
        tmp_path,
        "a,g,64,seq,1024,1e-3,2.5,,",
        "b,g,128,seq,1024,1e-3,2.4,,",
        "c,g,65536,tokens,1024,2e-3,2.6,,",
        "d,g,65536,tokens,,2e-3,2.6,,",
    )
    found = read_run_table(path)
    assert [run.batch_size for run in found.runs] == [64, 128, 64]
    assert reasons(found)[0].startswith("mixed units, the other batch sizes count 'seq'")
    stated = read_run_table(path, sequence_length=512)
    assert [run.batch_size for run in stated.runs] == [64, 128, 64, 128]
    in_tokens = read_run_table(path, unit="tok", sequence_length=512)
    assert [run.batch_size for run in in_tokens.runs] == [65536, 131072, 65536, 65536]


def test_examples_never_pass_for_sequences(tmp_path: Path) -> None:
    """Rung: negative control (no length converts examples)."""
    path = table(tmp_path, "a,g,64,seq,1024,1e-3,2.5,,", "b,g,64,examples,1024,1e-3,2.4,,")
    found = read_run_table(path)
    assert len(found) == 1
    assert "mixed units" in reasons(found)[0]


def test_a_stated_unit_serves_rows_without_one(tmp_path: Path) -> None:
    """Rung: closed form."""
    path = table(tmp_path, "a,g,64,,,1e-3,2.5,,", "b,g,2ktok,,16,1e-3,2.4,,")
    found = read_run_table(path, unit="seq")
    assert [run.batch_size for run in found.runs] == [64, 125]


def test_repeated_rows_are_rejected_and_seeds_are_not(tmp_path: Path) -> None:
    """Rung: closed form (the key is run_id in its group, else the whole configuration)."""
    found = read_run_table(
        table(
            tmp_path,
            "a,g,64,seq,,1e-3,2.5,,1",
            "a,g,64,seq,,1e-3,2.5,,1",
            "a,h,64,seq,,1e-3,2.5,,1",
            "a,g,64,seq,,1e-3,2.9,,1",
            ",g,64,seq,,1e-3,2.5,,1",
            ",g,64,seq,,1e-3,2.6,,2",
            ",g,64,seq,,1e-3,2.6,,2",
        )
    )
    assert [run.row for run in found.runs] == [2, 4, 6, 7]
    assert [(each.row, each.reason) for each in found.rejected] == [
        (3, "same run_id as line 2"),
        (5, "same run_id as line 2, with another loss"),
        (8, "same configuration and no seed that differs as line 7"),
    ]


def test_a_setting_beyond_the_known_columns_tells_runs_apart(tmp_path: Path) -> None:
    """Rung: closed form (the key is made from every setting, extras included)."""
    heading = "batch_size,batch_unit,lr,loss,warmup"
    rows = ("64,seq,1e-3,2.5,100", "64,seq,1e-3,2.5,200", "64,seq,1e-3,2.5,200")
    found = read_run_table(table(tmp_path, *rows, heading=heading))
    assert [run.extra("warmup") for run in found.runs] == ["100", "200"]
    assert [each.row for each in found.rejected] == [4]


def test_the_report_counts_every_row(tmp_path: Path) -> None:
    """Rung: closed form (kept + rejected = rows; reasons with their lines)."""
    path = table(
        tmp_path,
        "a,g,64,seq,,1e-3,2.5,,",
        "b,h,64,seq,,1e-3,nan,,",
        "c,g,64,seq,,0,2.5,,",
        "d,g,64,seq,,0,2.5,,",
    )
    lines = read_run_table(path).describe().splitlines()
    assert lines[0].endswith(
        "4 rows, 2 kept in 2 group(s) (1 of them diverged, kept as censored), 2 rejected"
    )
    assert lines[1] == "  2 rejected (line 4, 5): lr is '0'; a number above 0 is wanted"


def test_runs_are_chosen_by_fields_and_extras(tmp_path: Path) -> None:
    """Rung: closed form."""
    heading = "group,batch_size,batch_unit,lr,loss,eps,width"
    rows = ("g,64,seq,1e-3,2.5,1e-8,128", "g,64,seq,1e-3,2.5,1e-6,128", "h,32,seq,1e-3,2,1e-8,64")
    found = read_run_table(table(tmp_path, *rows, heading=heading))
    assert len(found.where(group="g")) == 2
    assert len(found.where(group="g", eps=1e-6)) == 1
    assert [run.group for run in found.where(width="64", batch_size=32).runs] == ["h"]
    with pytest.raises(UsageError, match=r"no run of .* has group=z"):
        found.where(group="z")


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    """Rung: closed form (equal content, equal hash; one digit changed, another)."""
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(UsageError, match="no line of column names"):
        read_run_table(tmp_path / "empty.csv")
    first = read_run_table(table(tmp_path, "a,g,64,seq,,1e-3,2.5,,")).sha256
    second = read_run_table(table(tmp_path, "a,g,64,seq,,1e-3,2.5,,")).sha256
    third = read_run_table(table(tmp_path, "a,g,64,seq,,1e-3,2.6,,")).sha256
    assert first == second != third
    assert len(first) == 64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("lr,loss\n1e-3,2\n", "no column for batch_size: map it"),
        ("batch_size,lr,lr,loss\n1,1,1,1\n", "two columns 'lr'"),
        ("batch_size,lr,loss\n64,1e-3\n", "line 2 has 2 cells under 3 column names"),
        ("batch_size,lr,loss\n64,1e-3,2.5\n", "no row can be used: .*has no unit"),
        ("batch_size;lr;loss\n64;0,001;2,5\n", "separates its columns by ';': save it with com"),
        ("batch_size\tlr\tloss\n64\t1e-3\t2.5\n", "by tabs: save it .* name it .tsv"),
    ],
)
def test_a_table_that_cannot_be_used_says_what_to_do(
    tmp_path: Path, content: str, message: str
) -> None:
    """Rung: closed form (each mistake, one line)."""
    path = tmp_path / "runs.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        read_run_table(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["runs.xlsx", "missing.csv"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    """Rung: closed form."""
    if name.endswith("xlsx"):
        (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"is wanted|name a table of runs"):
        read_run_table(tmp_path / name)


def test_what_the_standard_library_writes_is_read_back(tmp_path: Path) -> None:
    """Rung: another library (csv.DictWriter quotes commas, quotes and line ends)."""
    path = tmp_path / "runs.csv"
    rows = [
        {"group": 'a "b", c', "batch_size": b, "batch_unit": "seq", "lr": lr, "loss": b * lr}
        for b in (1, 3.5, 1024)
        for lr in (1e-5, 0.1234567890123, 3)
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    read = [
        {
            "group": run.group,
            "batch_size": run.batch_size,
            "batch_unit": "seq",
            "lr": run.lr,
            "loss": run.loss,
        }
        for run in read_run_table(path).runs
    ]
    assert read == rows


def test_parquet_is_read_where_pyarrow_is(tmp_path: Path) -> None:
    """Rung: another library (pyarrow writes, the table is that of the CSV)."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    arrow = pytest.importorskip("pyarrow")
    columns = {"batch_size": [64, 64], "lr": [1e-3, 2e-3], "loss": [2.5, float("nan")]}
    parquet.write_table(arrow.table(columns), tmp_path / "runs.parquet")
    found = read_run_table(tmp_path / "runs.parquet", unit="seq")
    assert [(run.lr, run.loss, run.diverged) for run in found.runs] == [
        (1e-3, 2.5, False),
        (2e-3, None, True),
    ]


def test_parquet_with_two_columns_of_a_name_says_so(tmp_path: Path) -> None:
    """Rung: another library (pyarrow writes such a file and does not read it back)."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    arrow = pytest.importorskip("pyarrow")
    values = [arrow.array([64]), arrow.array([1e-3]), arrow.array([2.5]), arrow.array([2.5])]
    table = arrow.Table.from_arrays(values, names=["batch_size", "lr", "loss", "loss"])
    parquet.write_table(table, tmp_path / "runs.parquet")
    with pytest.raises(UsageError, match="has two columns 'loss'; one name per column is wanted"):
        read_run_table(tmp_path / "runs.parquet", unit="seq")


def test_parquet_without_pyarrow_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rung: negative control (the import is made to fail)."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    (tmp_path / "runs.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"pip install 'scaling-theory\[parquet\]'"):
        read_run_table(tmp_path / "runs.parquet")


def test_what_spreadsheets_leave_round_a_table_is_no_row(tmp_path: Path) -> None:
    """Rung: closed form. Empty lines and columns without a name go; lines are those of the file."""
    rows = (
        "",
        ",,,,,,,,,,",
        "a,g,64,seq,,3e-4,2.5,,7,,",
        "",
        "b,g,64,seq,,0,2.5,,8,,",
        ",,,,,,,,,,",
    )
    found = read_run_table(table(tmp_path, *rows, heading=f"\n,,\n{HEADING},,"))
    assert [(run.run_id, run.row) for run in found.runs] == [("a", 6)]
    assert [each.row for each in found.rejected] == [8]
    assert dict(found.runs[0].extras or {}) == {}
