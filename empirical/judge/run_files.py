"""Rows of a file of runs as text: CSV by the standard library, Parquet where pyarrow is there."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from empirical.errors import UsageError


@dataclass(frozen=True)
class RawRows:
    """Columns in their order, rows as text ("" for nothing), and the hash of the file."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    sha256: str


def read_rows(path: Path) -> RawRows:
    """Read a .csv, .tsv or .parquet file.

    Raises:
        UsageError: the file is missing, has no heading, another ending, or pyarrow is missing.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}): name a table of runs"
        ) from error
    sha256 = hashlib.sha256(content).hexdigest()
    if path.suffix.lower() in (".parquet", ".pq"):
        return _parquet(path, content, sha256)
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise UsageError(f"{path} ends in '{path.suffix}'; a .csv, .tsv or .parquet is wanted")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8: save it as UTF-8 or Parquet") from error
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        heading = tuple(name.strip() for name in next(lines, []))
        rows = [_row(path, heading, cells, lines.line_num) for cells in lines if any(cells)]
    except csv.Error as error:
        raise UsageError(f"{path}, line {lines.line_num}: {error}: repair the file") from error
    if not heading or len(set(heading)) < len(heading):
        twice = sorted({name for name in heading if heading.count(name) > 1})
        raise UsageError(
            f"{path} has {'two columns ' + repr(twice[0]) if twice else 'no line of column names'}"
            "; one name per column is wanted in the first line"
        )
    return RawRows(heading, tuple(rows), sha256)


def _row(path: Path, heading: tuple[str, ...], cells: list[str], line: int) -> dict[str, str]:
    if len(cells) != len(heading):
        raise UsageError(
            f"{path}, line {line} has {len(cells)} cells under {len(heading)} column names: "
            "quote cells that hold a comma"
        )
    return {name: cell.strip() for name, cell in zip(heading, cells, strict=True)}


def _parquet(path: Path, content: bytes, sha256: str) -> RawRows:
    try:
        parquet = import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{path} is Parquet, which needs pyarrow: pip install 'scaling-theory[parquet]', "
            "or save it as CSV"
        ) from error
    try:
        table = parquet.read_table(io.BytesIO(content))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is not a Parquet file ({error}): write it again") from error
    rows = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in table.to_pylist()
    ]
    return RawRows(tuple(table.column_names), tuple(rows), sha256)
