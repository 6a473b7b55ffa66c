"""Writing a report: whole or not at all, and never over something that is not ours."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from empirical.errors import UsageError
from empirical.report import output
from empirical.report.figures.canvas import Images
from empirical.report.output import prepare_output, write_report
from empirical.report.schema import ReportError, parse_report, read_report
from tests.report.synthetic import synthetic_report


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-in figures: what is tested here is the writing."""
    image = Images(b"<svg/>", b"png", b"<svg/>")
    names = ["learning_rate", "surge", "curvature", "drift"]
    monkeypatch.setattr(output, "draw_figures", lambda _: dict.fromkeys(names, image))


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_everything_is_written(tmp_path: Path) -> None:
    """Closed form: the files by name, real figures in them, the record read back."""
    report = synthetic_report((4, 16), (0.0, 1.0))
    page = write_report(report, tmp_path / "deep" / "demo")
    assert page == tmp_path / "deep" / "demo" / "report.html"
    names = {
        "report.json",
        "report.html",
        *(
            f"figures/{figure}.{form}"
            for figure in ("learning_rate", "surge", "curvature", "drift")
            for form in ("png", "svg")
        ),
    }
    written = contents(page.parent)
    assert set(written) == names
    assert min(len(data) for data in written.values()) > 5_000
    assert read_report(page.parent / "report.json") == parse_report(report)
    # Nothing is left beside it.
    assert [path.name for path in page.parent.parent.iterdir()] == ["demo"]


@pytest.mark.usefixtures("quick")
def test_a_new_report_replaces_the_old_one_whole(tmp_path: Path) -> None:
    """Closed form: files of the old report that the new one lacks are gone."""
    out = tmp_path / "demo"
    write_report(synthetic_report(), out)
    (out / "figures" / "stale.png").write_bytes(b"old")
    write_report(synthetic_report(seed=5), out)
    assert not (out / "figures" / "stale.png").exists()
    assert read_report(out / "report.json") == parse_report(synthetic_report(seed=5))


def _break_page(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def broken(*_: object) -> str:
        raise error

    monkeypatch.setattr(output, "render_page", broken)


def _break_last_rename(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    rename = Path.rename

    def broken(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", broken)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=["full", "^C"])
@pytest.mark.parametrize("breaking", [_break_page, _break_last_rename])
@pytest.mark.parametrize("earlier", [True, False], ids=["over an old one", "fresh"])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    breaking: object,
    error: BaseException,
    earlier: bool,
) -> None:
    """Brute force: fail in the middle and at the last rename; compare every byte."""
    out = tmp_path / "demo"
    if earlier:
        write_report(synthetic_report(), out)
    before = contents(tmp_path)
    assert callable(breaking)
    breaking(monkeypatch, error)
    with pytest.raises(type(error)):
        write_report(synthetic_report(seed=5), out)
    assert contents(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == (["demo"] if earlier else [])


@pytest.mark.usefixtures("quick")
def test_an_invalid_record_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """Closed form: NaN planted in a row; not even a directory appears."""
    report = synthetic_report()
    report["rows"][2]["lr_correlated"] = float("nan")
    with pytest.raises(ReportError, match=r"rows\.2\.lr_correlated"):
        write_report(report, tmp_path / "deep" / "demo")
    assert not list(tmp_path.iterdir())


def _old_report(out: Path) -> None:
    (out / "figures").mkdir(parents=True)
    (out / "figures" / "surge.png").write_bytes(b"png")
    (out / "report.json").write_text(json.dumps({"kind": "first_light"}))


def _with_notes(out: Path) -> None:
    _old_report(out)
    (out / "notes.txt").write_text("mine")


def _with_own_figure(out: Path) -> None:
    _old_report(out)
    (out / "figures" / "slides.pptx").write_text("mine")


def _foreign(out: Path) -> None:
    out.mkdir()
    (out / "thesis.tex").write_text("mine")


def _other_kind(out: Path) -> None:
    out.mkdir()
    (out / "report.json").write_text(json.dumps({"kind": "sweep"}))


def _broken_json(out: Path) -> None:
    out.mkdir()
    (out / "report.json").write_text("{")


def _as_file(out: Path) -> None:
    out.write_text("mine")


@pytest.mark.parametrize(
    ("lay", "overwrite", "words"),
    [
        (_old_report, False, "exists already; add --overwrite"),
        (Path.mkdir, False, "exists already; add --overwrite"),
        (_as_file, False, "is a file; a directory is wanted"),
        (_as_file, True, "is a file; a directory is wanted"),
        (_foreign, True, "not a report of this program"),
        (_other_kind, True, "not a report of this program"),
        (_broken_json, True, "not a report of this program"),
        (_with_notes, True, "also notes.txt, which overwriting would delete"),
        (_with_own_figure, True, "also slides.pptx, which overwriting would delete"),
    ],
)
def test_places_that_are_refused(tmp_path: Path, lay: object, overwrite: bool, words: str) -> None:
    """Closed form: one line with the reason; what was there stays."""
    out = tmp_path / "demo"
    assert callable(lay)
    lay(out)
    before = contents(tmp_path)
    with pytest.raises(UsageError) as caught:
        prepare_output(out, overwrite)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("lay", [None, Path.mkdir, _old_report], ids=["absent", "empty", "ours"])
def test_places_that_are_accepted(tmp_path: Path, lay: object) -> None:
    """Closed form: absent, empty or ours (with leave to overwrite); nothing is created."""
    out = tmp_path / "demo"
    if callable(lay):
        lay(out)
    before = sorted(tmp_path.rglob("*"))
    assert prepare_output(out, overwrite=lay is not None) == out.resolve()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("below", ["report", "deep/er/report"])
def test_a_place_below_a_file_is_refused(tmp_path: Path, below: str) -> None:
    """Closed form: the file is named."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="file is a file; a directory is wanted there"):
        prepare_output(tmp_path / "file" / below, overwrite=True)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"], ids=["too long", "null byte"])
def test_a_name_no_file_system_takes_is_refused(tmp_path: Path, name: str) -> None:
    """Closed form: the operating system's reason in one line."""
    with pytest.raises(UsageError, match="cannot be written"):
        prepare_output(tmp_path / name, overwrite=False)


def test_a_place_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Brute force: the probe itself fails, as it does below a read-only directory."""

    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", denied)
    with pytest.raises(UsageError, match=r"cannot be written \(Permission denied\)"):
        prepare_output(tmp_path / "demo", overwrite=False)


@pytest.mark.usefixtures("quick")
def test_a_link_keeps_pointing_to_the_report(tmp_path: Path) -> None:
    """Closed form: the directory behind the link is replaced, not the link."""
    out, link = tmp_path / "demo", tmp_path / "latest"
    write_report(synthetic_report(), out)
    link.symlink_to(out)
    write_report(synthetic_report(seed=5), prepare_output(link, overwrite=True))
    assert link.is_symlink()
    assert read_report(link / "report.json") == parse_report(synthetic_report(seed=5))
