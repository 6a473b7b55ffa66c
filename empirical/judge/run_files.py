"""Rows of a file of runs as text: CSV by the standard library, Parquet where pyarrow is there."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from empirical.errors import UsageError


@dataclass(frozen=True)
class RawRows:
    """Columns in their order, rows as text ("" for nothing), and the hash of the file.

    lines: where each row ends in the file; empty where rows follow one line of names.
    """

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    sha256: str
    lines: tuple[int, ...] = ()


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
        # Spreadsheets leave lines of nothing, or of separators alone, above and between the rows.
        filled = ((lines.line_num, cells) for cells in lines if any(map(str.strip, cells)))
        heading = [name.strip() for name in next(filled, (0, []))[1]]
        _check_separator(path, heading)
        numbered = [(line, _cells(path, heading, cells, line)) for line, cells in filled]
    except csv.Error as error:
        raise UsageError(f"{path}, line {lines.line_num}: {error}: repair the file") from error
    # A column without a name that holds nothing comes of separators at the ends of lines.
    kept = [
        place
        for place, name in enumerate(heading)
        if name or any(cells[place] for _, cells in numbered)
    ]
    names = tuple(heading[place] for place in kept)
    if not names:
        raise UsageError(
            f"{path} has no line of column names; one name per column is wanted in the first line"
        )
    _refuse_twice(path, names)
    rows = tuple({heading[at]: cells[at] for at in kept} for _, cells in numbered)
    return RawRows(names, rows, sha256, tuple(line for line, _ in numbered))


def _refuse_twice(path: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"{path} has two columns {twice[0]!r}; one name per column is wanted: rename one"
        )


def _check_separator(path: Path, heading: list[str]) -> None:
    found = next((mark for mark in (";", "\t", "|") if mark in "".join(heading)), None)
    if found is not None and len(heading) == 1:
        name = "tabs" if found == "\t" else f"'{found}'"
        raise UsageError(
            f"{path} separates its columns by {name}: save it with commas, and points in decimals"
            + (", or name it .tsv" if found == "\t" else "")
        )


def _cells(path: Path, heading: list[str], cells: list[str], line: int) -> list[str]:
    if len(cells) != len(heading):
        raise UsageError(
            f"{path}, line {line} has {len(cells)} cells under {len(heading)} column names: "
            "quote cells that hold a comma"
        )
    return [cell.strip() for cell in cells]


def _parquet(path: Path, content: bytes, sha256: str) -> RawRows:
    try:
        parquet = import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{path} is Parquet, which needs pyarrow: pip install 'scaling-theory[parquet]', "
            "or save it as CSV"
        ) from error
    try:
        # Asked first: a table with two columns of a name is not read at all.
        _refuse_twice(path, parquet.read_schema(io.BytesIO(content)).names)
        table = parquet.read_table(io.BytesIO(content))
    except UsageError:
        raise
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is not a Parquet file ({error}): write it again") from error
    rows = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in table.to_pylist()
    ]
    return RawRows(tuple(table.column_names), tuple(rows), sha256)
