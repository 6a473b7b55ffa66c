"""The page of a run: one HTML file that needs no network, reads on a phone and prints.

Every value from the record passes through the template's escaping; figures are data URIs. The
page forbids itself to load anything (content security policy).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from empirical.report.answer import THEORIES, answer
from empirical.report.checkpoints import drift_text, statistics_table
from empirical.report.figures.canvas import Images
from empirical.report.grid import by_epsilon, panels
from empirical.report.numerals import (
    answer_text,
    batch,
    duration,
    miss,
    plain,
    size,
    times_sigma,
    uncertain,
)
from empirical.report.records import NoAnswer, Row, SurgeSource
from empirical.report.schema import Report, Setting
from empirical.report.table import groups, headings, mean_field_inputs, shading_legend


def render_page(report: Report, figures: Mapping[str, Images]) -> str:
    """The whole page as HTML text, `figures` inlined by name."""
    environment = Environment(
        loader=PackageLoader("empirical.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    steps, statistics = statistics_table(report)
    return environment.get_template("page.html").render(
        report=report,
        heldout=uncertain(report.checkpoint.heldout_loss),
        answer=answer(report),
        theories=_theories(report),
        figures={name: _inline(images) for name, images in figures.items()},
        one_panel=len(panels(report.rows)) == 1,
        headings=headings(report.rows),
        groups=groups(report.rows),
        shading=shading_legend(),
        mean_field=mean_field_inputs(report.rows),
        missing=_missing(report.rows),
        not_gaussian=_not_gaussian(report.rows),
        surges=_surges(report),
        steps=steps,
        statistics=statistics,
        drift=drift_text(report),
        provenance=_provenance(report),
    )


def _inline(images: Images) -> dict[str, str]:
    def uri(data: bytes) -> str:
        return f"data:image/svg+xml;base64,{base64.b64encode(data).decode('ascii')}"

    return {"wide": uri(images.svg), "narrow": uri(images.narrow_svg)}


def _theories(report: Report) -> list[tuple[str, str, str, int]]:
    """(name, median error, worst error, cells) of every theory that was run."""
    found = []
    for name, words in THEORIES.items():
        error = getattr(report.summary, name)
        if error is None:
            continue
        median, worst = (
            "none" if value is None else miss(value)
            for value in (error.median_abs_rel_error, error.max_abs_rel_error)
        )
        found.append((words, median, worst, error.cells))
    return found


def _surges(report: Report) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Per epsilon: (outcome, ratio, reason) for the measurement and each theory."""
    return [
        (
            times_sigma(surge.epsilon_over_rms_sigma),
            [
                _verdict(source)
                for source in (
                    surge.measured,
                    surge.correlated,
                    surge.independent,
                    surge.mean_field,
                )
            ],
        )
        for surge in by_epsilon(report.surge)
    ]


def _verdict(source: SurgeSource) -> tuple[str, str, str]:
    if isinstance(source.ratio, NoAnswer):
        return source.outcome, source.ratio.status, source.reason
    at = f" at {batch(source.peak_batch_size)}" if source.peak_batch_size else ""
    return source.outcome, f"{answer_text(source.ratio)} ×{at}", source.reason


def _missing(rows: tuple[Row, ...]) -> int:
    """Values that exist but cannot stand on a logarithmic axis."""
    values = [
        value
        for row in rows
        for value in (
            row.lr_measured,
            row.lr_line_search,
            row.lr_correlated,
            row.lr_independent,
            row.lr_mean_field,
            row.lr_gaussian_simulated,
        )
    ]
    return sum(value is not None and value <= 0 for value in values)


def _not_gaussian(rows: tuple[Row, ...]) -> list[int]:
    return sorted({row.batch_size for row in rows if not row.gaussian})


def _provenance(report: Report) -> list[tuple[str, list[tuple[str, str]]]]:
    """(heading, (name, text) pairs) of all that is needed to repeat the run."""
    stages = [(name, duration(value)) for name, value in report.wall_seconds.stages.items()]
    memory = report.peak_memory_bytes
    return [
        (
            "Text",
            [
                ("name", report.corpus.name),
                ("bytes", f"{report.corpus.bytes:,}"),
                ("SHA-256", report.corpus.sha256),
            ],
        ),
        (
            "Network",
            [("parameters", f"{report.model.parameters:,}"), *_settings(report.model.config)],
        ),
        ("Training", _settings(report.training)),
        ("Seeds", _settings(report.seeds)),
        ("Software", _settings(report.versions.model_dump())),
        ("Machine", _settings(report.hardware.model_dump())),
        (
            "Time and memory",
            [
                *stages,
                ("in all", duration(report.wall_seconds.total)),
                ("peak memory", "not recorded" if memory is None else size(memory)),
            ],
        ),
    ]


def _settings(settings: Mapping[str, Setting]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _setting(value)) for name, value in settings.items()]


def _setting(value: Setting) -> str:
    if isinstance(value, tuple):
        return ", ".join(_setting(each) for each in value)
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 100_000 else str(value)
    return plain(value) if isinstance(value, float) else value
