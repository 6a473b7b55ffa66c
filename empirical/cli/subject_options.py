"""Options of the verbs that look at the built-in network: from a checkpoint, or trained first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from empirical.progress import Advance
    from empirical.train.subject import Subject, SubjectConfig

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


def configured(*, text: list[Path] | None, **settings: object) -> SubjectConfig:
    """The options as they were typed, by name, checked; UsageError names the option."""
    from empirical.settings import checked
    from empirical.train.subject import SubjectConfig

    given = {"text": tuple(text or ()), **settings}
    return checked(SubjectConfig, given, {n: "--" + n.replace("_", "-") for n in given})


def prepared(config: SubjectConfig, task: Callable[[str, float], Advance]) -> Subject:
    """The network, read or trained with its progress shown; see `prepare_subject`."""
    from empirical.train.subject import prepare_subject

    if config.checkpoint is not None or config.steps == 0:
        return prepare_subject(config)
    advance = task("training", config.steps or 1500)
    return prepare_subject(
        config, on_step=lambda report: advance(report.step, f"loss {report.loss:.3f}")
    )
