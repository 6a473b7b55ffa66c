"""Options of the verbs that look at the built-in network: from a checkpoint, or trained first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Checkpoint = Annotated[
    Path | None, typer.Option(metavar="FILE.safetensors", help="a network of this program")
]
Text = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="repeatable [default: Python's standard library]"),
]
Steps = Annotated[int | None, typer.Option(help="train so many first [default: 1500]")]
Context = Annotated[int | None, typer.Option(help="tokens per sequence [default: 64]")]
Width = Annotated[int | None, typer.Option(help="of a network trained here [64]")]
Depth = Annotated[int | None, typer.Option(help="its blocks [2]")]
Heads = Annotated[int | None, typer.Option(help="its attention heads [4]")]
Seed = Annotated[int, typer.Option(help="of every random choice")]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda|mps")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
