"""`scaling-theory derive`: a derivation, step by step, each step checked as it is printed."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Annotated

import typer

from empirical.errors import UsageError

HELP = """Derive a formula: assumptions, equations, and what was checked, step by step.

Every step is evaluated before it is printed. Without a name, or with --list, lists the
derivations. With --all, every one of them; --all --markdown is the document docs/theory.md.

\b
Examples:
  scaling-theory derive --list
  scaling-theory derive canonical-surge
  scaling-theory derive correlated-noise --latex > correlated.tex
  scaling-theory derive --all --markdown > theory.md
"""

FORMATS = ("text", "markdown", "latex", "json")
SCHEMA = "scaling-theory/derive"
VERSION = 1


def run_derive(name: str | None, *, output_format: str) -> str:
    """One derivation (None: all of them) in one of FORMATS, every step checked.

    Raises UsageError for an unknown name or format, IdentityError if a step does not hold.
    """
    from scaling_theory.derivations import document
    from scaling_theory.derivations.catalogue import DERIVATIONS
    from scaling_theory.derivations.theory_page import theory_page

    if output_format not in FORMATS:
        raise UsageError(
            f"format '{output_format}' came; one of {', '.join(FORMATS)} is wanted: pick one"
        )
    if name is None and output_format == "markdown":
        return theory_page()
    names = list(DERIVATIONS) if name is None else [_known(name, list(DERIVATIONS))]
    derived = {each: DERIVATIONS[each]() for each in names}
    for steps in derived.values():
        for step in steps:
            step.check()
    if output_format == "json":
        found = [document.as_json(each, steps) for each, steps in derived.items()]
        record = {"schema": SCHEMA, "schema_version": VERSION, "derivations": found}
        return json.dumps(record, ensure_ascii=False, indent=2)
    write = {
        "text": document.as_text,
        "markdown": document.as_markdown,
        "latex": document.as_latex,
    }[output_format]
    return "\n".join(write(each, steps) for each, steps in derived.items())


def list_derivations(output_format: str) -> str:
    """Names and summaries, for the terminal or as JSON."""
    from scaling_theory.derivations.catalogue import DERIVATIONS
    from scaling_theory.derivations.document import summary

    if output_format == "json":
        record = {
            "schema": SCHEMA,
            "schema_version": VERSION,
            "names": {name: summary(name) for name in DERIVATIONS},
        }
        return json.dumps(record, ensure_ascii=False, indent=2)
    width = max(map(len, DERIVATIONS))
    return "\n".join(f"{name:<{width}}  {summary(name)}" for name in DERIVATIONS)


def _known(name: str, names: list[str]) -> str:
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "`scaling-theory derive` lists the names"
    raise UsageError(f"there is no derivation '{name}'; one of {len(names)} is wanted: {hint}")


def derive(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="of a derivation")] = None,
    everything: Annotated[bool, typer.Option("--all", help="every derivation")] = False,
    names: Annotated[bool, typer.Option("--list", help="names and what they derive")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="print Markdown")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="print LaTeX")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    asked = [
        form
        for form, chosen in (("markdown", markdown), ("latex", latex), ("json", as_json))
        if chosen
    ]
    if len(asked) > 1:
        raise UsageError(f"--{asked[0]} and --{asked[1]} came; one format is wanted: leave one out")
    wanted = [f"'{name}'"] * (name is not None) + ["--all"] * everything + ["--list"] * names
    if len(wanted) > 1:
        raise UsageError(f"{' and '.join(wanted)} came; one of them is wanted: leave one out")
    output_format = asked[0] if asked else "text"
    if name is None and not everything:
        if output_format in ("markdown", "latex"):
            raise UsageError(f"--{output_format} came without a derivation: name one, or add --all")
        typer.echo(list_derivations(output_format))
        return
    text = run_derive(name, output_format=output_format)
    typer.echo(text, nl=not text.endswith("\n"))


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(name="derive", help=HELP)(derive)


def write_generated(root: Path) -> list[Path]:
    """Write every file that is generated from the derivations below `root`; returns the paths."""
    from scaling_theory.derivations.generated import generated_files

    written = []
    for name, text in generated_files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for file in write_generated(Path(__file__).parents[2]):
        print(f"wrote {file}")
