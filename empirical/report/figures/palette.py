"""How each quantity looks in every figure: Okabe-Ito colour, marker, line and its plain name.

Colour is never the only difference, so the figures survive grey printing and colour blindness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#6B6B6B"
PAPER = "#FFFFFF"


Line = Literal["", "-", "--", "-.", ":"]


@dataclass(frozen=True)
class Look:
    """Colour, marker ("" for none), line style ("" for none) and legend text of one quantity."""

    colour: str
    marker: str
    line: Line
    label: str


MEASURED = Look(BLACK, "o", "", "measured on the network (batches of real text)")
LINE_SEARCH = Look(PURPLE, "D", "", "measured again: line search on the true loss")
CORRELATED = Look(BLUE, ".", "-", "predicted: exact moments, correlated noise (no fit)")
INDEPENDENT = Look(VERMILLION, ".", "--", "predicted: exact moments, independent noise")
MEAN_FIELD = Look(GREEN, ".", "-.", "predicted: article's mean field (2.8)")
SIMULATED = Look(SKY, ".", ":", "predicted: simulated Gaussian noise")
SIGNAL = Look(ORANGE, "s", "", "signal, measured: curvature along the mean update")
NOT_GAUSSIAN = "hollow: batch gradient not Gaussian"

EARLIER = (
    Look(ORANGE, "s", "--", ""),
    Look(GREEN, "^", "-.", ""),
    Look(PURPLE, "D", ":", ""),
    Look(SKY, "v", "--", ""),
)
LATE = Look(BLUE, "o", "-", "")
