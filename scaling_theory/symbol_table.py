"""The table of symbols as Markdown, for documents that show it."""

from scaling_theory.symbols import SYMBOLS


def symbol_table() -> str:
    """Markdown table of every symbol: LaTeX, meaning, unit, one row each, in declared order."""
    rows = [
        f"| ${_escaped(entry.latex)}$ | {_escaped(entry.meaning)} | {_escaped(entry.unit)} |"
        for entry in SYMBOLS.values()
    ]
    return "\n".join(["| symbol | meaning | unit |", "|---|---|---|", *rows]) + "\n"


def _escaped(text: str) -> str:
    """A bar would end the cell."""
    return text.replace("|", r"\|")
