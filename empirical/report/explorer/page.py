"""The page to explore as HTML text: one file, no network, everything escaped.

What was measured travels as one block of JSON, in which every character that could end it is
escaped; the script writes it into the page as text only. The page's content security policy
allows this one script, by its hash, and no connection.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from empirical.report.explorer.league import LeagueView
from empirical.report.explorer.scenes import Scene
from empirical.report.explorer.sliders import Slider
from empirical.report.figures import palette
from empirical.report.numerals import plain

TITLE = "Learning rate, batch size and ε: explore"

FORMULA_SCRIPTS = (
    "explorer_interpolation.js",
    "explorer_surface.js",
    "explorer_run_law.js",
    "explorer_laws.js",
    "explorer_formulas.js",
)
"""The scripts that compute and touch no page: they also run outside a browser."""

SCRIPTS = (
    *FORMULA_SCRIPTS,
    "explorer_text.js",
    "explorer_axes.js",
    "explorer_curves.js",
    "explorer_surfaces.js",
    "explorer_truth.js",
    "explorer_controls.js",
    "explorer_whatif.js",
    "explorer_start.js",
)

LEVELS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3)
"""Nats above the best at which the colour changes; the script has them as LEVELS too."""

LOOKS = (
    ("look-measured", "", "circle", palette.MEASURED.label),
    ("look-line_search", "", "diamond", palette.LINE_SEARCH.label),
    ("look-correlated", "", "line", palette.CORRELATED.label),
    ("look-independent", "8 4", "line", palette.INDEPENDENT.label),
    ("look-mean_field", "8 3 2 3", "line", palette.MEAN_FIELD.label),
    ("look-gaussian_simulated", "2 3", "line", palette.SIMULATED.label),
)


@dataclass(frozen=True)
class Explorer:
    """What the page shows; a part that there is nothing for is None or empty.

    surfaces, truth: plain JSON values. notes: what a reader should know first.
    provenance: (name, text) of every input.
    """

    surfaces: Mapping[str, Any] | None = None
    league: LeagueView | None = None
    truth: Sequence[Mapping[str, Any]] = ()
    scenes: tuple[Scene, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()

    @property
    def panels(self) -> tuple[str, ...]:
        """What there is something for, by name."""
        there = {
            "surfaces": self.surfaces is not None,
            "league": self.league is not None,
            "truth": bool(self.truth),
        }
        return (*(name for name in there if there[name]), *(scene.name for scene in self.scenes))


def render_explorer(shown: Explorer) -> str:
    """The whole page."""
    environment = Environment(
        loader=PackageLoader("empirical.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The order of a law's parameters counts, and JSON has no infinity.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False}
    script = script_of(environment, SCRIPTS)
    digest = hashlib.sha256(script.encode()).digest()
    return environment.get_template("explorer.html").render(
        title=TITLE,
        chapters=_chapters(shown),
        notes=shown.notes,
        surfaces=shown.surfaces,
        levels=_level_texts(),
        league=shown.league,
        truth=shown.truth,
        looks=_looks(shown.truth),
        scenes=shown.scenes,
        provenance=shown.provenance,
        palette=_palette(),
        contents=contents_of(shown),
        script=Markup(script),
        script_hash=f"sha256-{base64.b64encode(digest).decode('ascii')}",
    )


def script_of(environment: Environment, names: Sequence[str]) -> str:
    """The scripts as one, in a scope of their own."""
    assert environment.loader is not None
    parts = [environment.loader.get_source(environment, name)[0] for name in names]
    return "\n".join(['(() => {\n"use strict";', *parts, "})();\n"])


def contents_of(shown: Explorer) -> dict[str, Any]:
    """What the script works with, as plain JSON values."""
    return {
        "surfaces": shown.surfaces,
        "truth": list(shown.truth),
        "scenes": [
            {
                "name": scene.name,
                "batch_unit": scene.batch_unit,
                "sliders": [_slider(slider) for slider in scene.sliders],
                "tuned": [_slider(slider) for slider in scene.tuned],
                "keeps": list(scene.keeps),
                "domain": list(scene.domain),
                "methods": [vars(method) for method in scene.methods],
                "sources": dict(scene.sources),
            }
            for scene in shown.scenes
        ],
    }


def _slider(slider: Slider) -> dict[str, Any]:
    return {
        "name": slider.name,
        "values": [stop.value for stop in slider.stops],
        "texts": [stop.text for stop in slider.stops],
    }


def _chapters(shown: Explorer) -> list[tuple[str, str]]:
    titles = {"surfaces": "Loss surfaces", "league": "League of laws", "truth": "One step"}
    titles |= {scene.name: scene.title for scene in shown.scenes}
    return [*((name, titles[name]) for name in shown.panels), ("provenance", "Sources")]


def _looks(truth: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Those that some chart shows."""
    names = {name for each in truth for panel in each["panels"] for name in panel["series"]}
    return [look for look in LOOKS if look[0].removeprefix("look-") in names]


def _level_texts() -> list[str]:
    millinats = [plain(1000 * level) for level in LEVELS]
    between = [f"{low}–{high}" for low, high in pairwise(millinats)]
    return [f"< {millinats[0]} mnat", *between, f"> {millinats[-1]}"]


def _palette() -> dict[str, str]:
    return {
        "measured": palette.MEASURED.colour,
        "line_search": palette.LINE_SEARCH.colour,
        "correlated": palette.CORRELATED.colour,
        "independent": palette.INDEPENDENT.colour,
        "mean_field": palette.MEAN_FIELD.colour,
        "simulated": palette.SIMULATED.colour,
        "rule": palette.GREY,
    }
