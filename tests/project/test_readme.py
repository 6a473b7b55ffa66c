"""Everything that the README shows is run, or checked against the program that would run it.

Python blocks run one after another as a reader would paste them. Of shell blocks, `make` lines
are checked against the Makefile; `scaling-theory` lines run, save those that take minutes and
those of a block marked "sketch", whose options are checked. Any other command must be known.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Shell

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TAKES_MINUTES = {"demo"}
NOT_OURS = {"cd", "git", "pip", "python", "python3", "source", "."}
UNCHECKED = {"", "text", "console", "output", "mermaid"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the words after the language, its text."""

    language: str
    marks: frozenset[str]
    text: str


def blocks(markdown: str) -> Iterator[Block]:
    for info, text in re.findall(r"^```([^\n]*)\n(.*?)^```$", markdown, flags=re.M | re.S):
        language, *marks = info.split() or [""]
        yield Block(language, frozenset(marks), text)


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command of a shell block; comments and line continuations resolved."""
    for line in text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line.removeprefix("$ "), comments=True):
            yield words


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {name for line in re.findall(r"^\.PHONY:(.*)$", makefile, re.M) for name in line.split()}


def check_command(words: list[str], *, sketch: bool, shell: Shell) -> None:
    """Fail if a reader who typed `words` would be told that they are wrong."""
    match words:
        case ["make", *arguments]:
            targets = {word for word in arguments if "=" not in word}
            assert targets <= make_targets(), f"the Makefile has no {targets - make_targets()}"
        case ["scaling-theory", *arguments]:
            if sketch or TAKES_MINUTES & set(arguments[:1]):
                arguments.append("--help")
            code, _, error = shell(*arguments)
            assert code == 0, error
        case [known, *_] if known in NOT_OURS or known.endswith("/bin/activate"):
            pass
        case _:
            pytest.fail(f"nothing checks the command {shlex.join(words)!r} of the README")


def check(markdown: str, shell: Shell) -> None:
    """Run or check every block of `markdown`, in order."""
    names: dict[str, object] = {"__name__": "readme"}
    for block in blocks(markdown):
        match block.language:
            case "python":
                exec(compile(block.text, "README.md", "exec"), names)
            case "bash" | "sh" | "shell":
                for words in commands(block.text):
                    check_command(words, sketch="sketch" in block.marks, shell=shell)
            case "toml":
                tomllib.loads(block.text)
            case "json":
                json.loads(block.text)
            case other:
                assert other in UNCHECKED, f"nothing checks a block of {other!r} of the README"


def test_every_block_of_the_readme_works(shell: Shell) -> None:
    """Rung: measurement (the README's own code, in an empty directory)."""
    check(README, shell)


def test_the_readme_begins_with_the_two_commands() -> None:
    """Rung: closed form."""
    first = next(blocks(README))
    assert [words[:2] for words in commands(first.text)] == [["make", "demo"], ["make", "test"]]


def test_links_of_the_readme_lead_somewhere() -> None:
    """Rung: closed form (relative links and images name files of the repository)."""
    links = re.findall(r"\]\(([^)#\s]+)", README) + re.findall(r"src=\"([^\"]+)\"", README)
    assert not [x for x in links if "://" not in x and not (ROOT / x).exists()]


@pytest.mark.parametrize(
    "wrong",
    [
        "```python\nassert 1 + 1 == 3\n```",
        "```python\nx = 1\n```\n\n```python\nassert x == 2\n```",
        "```bash\nmake nothing\n```",
        "```bash\nscaling-theory demo --no-such-option 1\n```",
        "```bash sketch\nscaling-theory nothing\n```",
        "```bash\n# a comment\nrm -rf runs\n```",
        "```toml\n= 1\n```",
        "```json\n{1}\n```",
        "```fortran\nEND\n```",
    ],
)
def test_a_wrong_block_is_caught(wrong: str, shell: Shell) -> None:
    """Rung: negative control."""
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        check(f"text\n\n{wrong}\n", shell)
