"""Figures: they show the numbers, mark what is doubtful, and touch no global state."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D

from empirical.report.figures import FIGURES, draw_figures
from empirical.report.figures.canvas import Images, render
from empirical.report.figures.learning_rate import draw_learning_rate
from empirical.report.figures.marks import Point, draw_curve, draw_points, point
from empirical.report.figures.palette import CORRELATED, MEASURED
from empirical.report.figures.surge import draw_surge
from empirical.report.schema import Report, parse_report
from tests.report.synthetic import BATCH_SIZES, Plain, odd_report, synthetic_report


@pytest.fixture(scope="module")
def images() -> dict[str, Images]:
    return draw_figures(parse_report(synthetic_report()))


def drawn_once(name: str, report: Plain) -> Images:
    return render(partial(FIGURES[name], parse_report(report)))


def test_every_figure_is_drawn(images: dict[str, Images]) -> None:
    """Closed form: four names; no drift where there is one checkpoint."""
    assert set(images) == set(FIGURES)
    alone = parse_report(synthetic_report((4, 16), (0.0,), earlier=False))
    assert set(draw_figures(alone)) == set(FIGURES) - {"drift"}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_ink_of_several_colours(images: dict[str, Images], name: str) -> None:
    """Brute force: count the pixels; an empty pair of axes has far below 1 % of saturated ink."""
    pixels = imread(io.BytesIO(images[name].png), format="png")[..., :3]
    saturated = (pixels.max(axis=2) - pixels.min(axis=2)) > 0.3
    assert min(pixels.shape[:2]) > 500
    # Measured on these figures: 0.4 to 3 %; without data the axes, text and grid are grey: 0 %.
    assert saturated.mean() > 0.002
    shades = {tuple(shade) for shade in (pixels[saturated] * 8).astype(int)}
    assert len(shades) >= 3


@pytest.mark.parametrize("name", FIGURES)
def test_a_vector_figure_stands_alone(images: dict[str, Images], name: str) -> None:
    """Closed form: SVG text with no script and no reference out of the file."""
    for svg in (images[name].svg.decode(), images[name].narrow_svg.decode()):
        assert "</svg>" in svg
        assert "<script" not in svg
        references = [part.split('"')[1] for part in svg.split("href=")[1:]]
        assert references
        assert all(reference.startswith("#") for reference in references)


def test_the_same_numbers_give_the_same_files() -> None:
    """Brute force: drawn twice, compared byte by byte; another number changes the bytes."""
    first, second, other = (
        draw_figures(parse_report(synthetic_report((4, 16), (0.0,), seed, earlier=False)))[
            "curvature"
        ]
        for seed in (0, 0, 1)
    )
    assert first == second
    assert first.svg != other.svg


def test_odd_reports_are_drawn() -> None:
    """Closed form: nulls, negative values, one epsilon, no ratio, one batch size: no error."""
    draw_figures(parse_report(odd_report()))
    report = synthetic_report((16,), (0.0,), earlier=False)
    for row in report["rows"]:
        row |= {"lr_measured": -1e-4, "lr_line_search": -1e-4, "lr_correlated": -1e-4}
        row |= {"lr_measured_ci95": None, "lr_line_search_ci95": None}
        row |= {"lr_independent": -1e-4, "lr_mean_field": -1e-4}
    report["surge"] = []
    draw_figures(parse_report(report))


@pytest.fixture
def drawn() -> Callable[[Report], Figure]:
    return lambda report: draw_learning_rate(report, wide=True)


def _lines(figure: Figure, panel: int, colour: str, marker: str) -> Iterator[Line2D]:
    for line in figure.axes[panel].get_lines():
        if to_hex(str(line.get_color())).upper() == colour.upper() and line.get_marker() == marker:
            yield line


def test_measured_points_stand_where_they_were_measured(drawn: Callable[[Report], Figure]) -> None:
    """Closed form: coordinates of the markers are the rows, hollow exactly where not Gaussian."""
    report = parse_report(synthetic_report())
    rows = [row for row in report.rows if row.epsilon_over_rms_sigma == 1.0]
    for hollow in (False, True):
        line = list(_lines(drawn(report), 2, MEASURED.colour, MEASURED.marker))[int(hollow)]
        wanted = [row for row in rows if row.gaussian != hollow]
        assert list(np.asarray(line.get_xdata())) == [row.batch_size for row in wanted]
        assert list(np.asarray(line.get_ydata())) == [row.lr_measured for row in wanted]
        assert (to_hex(str(line.get_markerfacecolor())) == "#ffffff") == hollow


def test_a_curve_passes_through_its_points_without_inventing_a_peak() -> None:
    """Closed form: through the knots; between them within the range of the neighbours."""
    x = np.array(BATCH_SIZES, dtype=float)
    y = np.array([1e-4, 3e-4, 9e-4, 8e-4, 8e-4, 7e-4])
    figure = Figure()
    axes = figure.add_subplot()
    draw_curve(axes, [Point(a, b, b, b) for a, b in zip(x, y, strict=True)], CORRELATED)
    markers, curve = axes.get_lines()
    assert np.array_equal(np.asarray(markers.get_ydata()), y)
    fine_x, fine_y = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
    # The fine grid misses the knots by up to half its step, ln(1024) / 119 / 2 = 3 %.
    nearest = [fine_y[np.abs(np.log(fine_x / knot)).argmin()] for knot in x]
    assert nearest == pytest.approx(y, rel=0.05)
    # Monotone cubic: no overshoot, up to rounding of exp(log(y)).
    assert fine_y.max() <= y.max() * (1 + 1e-12)
    assert fine_y.min() >= y.min() * (1 - 1e-12)


def test_a_curve_is_interrupted_where_there_is_no_value() -> None:
    """Closed form: two stretches give two lines (and two rows of markers), not one bridge."""
    axes = Figure().add_subplot()
    points = [Point(float(x), 1.0, 1.0, 1.0) for x in BATCH_SIZES]
    draw_curve(axes, [*points[:2], None, *points[3:]], CORRELATED)
    stretches = [np.asarray(line.get_xdata()) for line in axes.get_lines() if line.get_linewidth()]
    assert not any(xs.min() < 16 < xs.max() for xs in stretches)


@pytest.mark.parametrize("value", [None, 0.0, -1e-4])
def test_what_a_logarithm_cannot_show_is_left_out(value: float | None) -> None:
    """Closed form: no point, rather than a point somewhere."""
    assert point(4, value, None) is None


def test_an_error_bar_through_zero_keeps_the_point_readable() -> None:
    """Closed form: the bar ends above zero and stretches the axis by at most a factor 3."""
    shown = point(4, 1e-3, (-1e-3, 0.5))
    assert shown is not None
    assert shown.extent == pytest.approx((1e-3 / 3, 3e-3))
    axes = Figure().add_subplot()
    draw_points(axes, [shown], MEASURED)


def test_a_long_grid_keeps_its_ticks_apart() -> None:
    """Closed form: thirteen batch sizes, at most seven ticks, the smallest among them."""
    sizes = [2**power for power in range(13)]
    report = parse_report(synthetic_report(sizes, (0.0,), earlier=False))
    ticks = draw_learning_rate(report, wide=False).axes[0].get_xticks()
    assert len(ticks) <= 7
    assert ticks[0] == 1


def test_undecided_surges_are_hollow() -> None:
    """Closed form: one "cannot tell" among the measured verdicts gives one hollow marker."""
    axes = draw_surge(parse_report(synthetic_report()), wide=True).axes[0]
    hollow = [
        len(np.asarray(line.get_xdata()))
        for line in axes.get_lines()
        if line.get_marker() == MEASURED.marker
        and to_hex(str(line.get_markerfacecolor())) == "#ffffff"
    ]
    assert hollow == [1]


def test_settings_of_the_reader_neither_leak_in_nor_out() -> None:
    """Closed form: unusual settings give the same picture and are there afterwards."""
    report = synthetic_report((4, 16), (0.0,), earlier=False)
    usual = drawn_once("surge", report)
    with mpl.rc_context({"font.size": 31.0, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        assert drawn_once("surge", report).svg == usual.svg
        assert dict(mpl.rcParams) == before


def test_neither_pyplot_nor_torch_is_needed() -> None:
    """Brute force: a fresh interpreter imports and draws; its modules are listed."""
    code = (
        "import sys; import empirical.report.output; "
        "sys.exit(any(name in sys.modules for name in ('matplotlib.pyplot', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
