"""The one gate from sympy to numbers: writes numpy functions from the derivations' expressions.

What predicts must start fast, so it may not import sympy. This module therefore turns expressions
into source code once: named keyword arguments, float64, broadcasting, formula and source in the
docstring: `closed_forms.py` for laws, `closed_averages.py` for moments and averages. A test
generates the files again and compares them byte for byte.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

__all__ = ["ClosedForm", "render"]

_WIDTH = 100
_HEADER = '''"""{title}, as numpy functions. Generated; do not edit.

`python -m empirical.cli.derive` writes it again from the derivations. Arguments are keywords,
converted to float64 and broadcast; the result is a float64 array (0-dimensional for numbers).
Nothing is checked here: outside the domain of a formula the result is NaN, infinite or a warning
of numpy. Batch sizes carry the unit of the noise they came with.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Real = ArrayLike


def _array(value: Real) -> Array:
    return np.asarray(value, dtype=np.float64)


def _arrays(*values: Real) -> list[Array]:
    return [_array(value) for value in values]
'''
# The formatter hugs powers of plain names and numbers: x**2, but (a + b) ** 2.
_PLAIN_POWER = re.compile(r"(?<![\w.)\]])([A-Za-z_]\w*|\d+) \*\* ([A-Za-z_]\w*|\d+)(?![\w.(\[])")


@dataclass(frozen=True)
class ClosedForm:
    """A function to write: its name, what it is, the expression, keyword -> symbol, the source.

    Raises ValueError unless the keywords and the symbols of the expression match one to one.
    """

    name: str
    meaning: str
    expression: sp.Expr
    arguments: Mapping[str, sp.Symbol]
    source: str

    def __post_init__(self) -> None:
        used, named = self.expression.free_symbols, list(self.arguments.values())
        if used != set(named) or len(set(named)) != len(named):
            raise ValueError(
                f"{self.name} uses {sorted(map(str, used))} and names {sorted(map(str, named))}; "
                "give one keyword to every symbol"
            )


def render(title: str, forms: tuple[ClosedForm, ...]) -> str:
    """A whole module as text, formatted as the project's formatter leaves it."""
    return "\n\n".join([_HEADER.format(title=title), *(_function(form) for form in forms)])


def _function(form: ClosedForm) -> str:
    names = list(form.arguments)
    locals_ = {s: s.name + "_" * (s.name in names) for s in form.arguments.values()}
    arrays = list(locals_.values())
    targets = f"({arrays[0]},)" if len(arrays) == 1 else ", ".join(arrays)
    local = form.expression.subs({s: sp.Symbol(name) for s, name in locals_.items()})
    lines = [
        *_signature(form.name, names),
        f'    """{form.meaning}. {form.source.split(" (")[0]}.',
        "",
        *_wrapped(_spaced(sp.pycode(_renamed(form)).replace("math.", ""))),
        '    """',
        *_statement(targets, "_arrays", names),
        *_result(local),
    ]
    return "\n".join(lines) + "\n"


def _renamed(form: ClosedForm) -> sp.Expr:
    return form.expression.subs({s: sp.Symbol(name) for name, s in form.arguments.items()})


def _signature(name: str, names: list[str]) -> list[str]:
    parameters = ["*", *(f"{argument}: Real" for argument in names)]
    return _bracketed(f"def {name}(", parameters, ") -> Array:", "")


def _statement(targets: str, function: str, arguments: list[str]) -> list[str]:
    return _bracketed(f"    {targets} = {function}(", arguments, ")", "    ")


def _bracketed(opening: str, items: list[str], closing: str, indent: str) -> list[str]:
    """On one line, or on one inner line, or one item a line: the first that fits."""
    line = f"{opening}{', '.join(items)}{closing}"
    inner = f"{indent}    {', '.join(items)}"
    if len(line) <= _WIDTH:
        return [line]
    if len(inner) <= _WIDTH:
        return [opening, inner, f"{indent}{closing}"]
    return [opening, *(f"{indent}    {item}," for item in items), f"{indent}{closing}"]


def _wrapped(formula: str) -> list[str]:
    lines, current = [], "   "
    for word in formula.split(" "):
        if len(current) + len(word) + 1 > _WIDTH:
            lines.append(current)
            current = "       "
        current += f" {word}"
    return [*lines, current]


def _result(local: sp.Expr) -> list[str]:
    """The return statement; a long expression is first taken apart at common parts."""
    line = _return(local)
    if len(line) <= _WIDTH:
        return [line]
    parts, (whole,) = sp.cse(local, symbols=sp.numbered_symbols("part"))
    return [*(f"    {symbol} = {_code(value)}" for symbol, value in parts), _return(whole)]


def _return(expression: sp.Expr) -> str:
    return f"    return _array({_code(expression)})"


def _code(expression: sp.Expr) -> str:
    return _spaced(sp.pycode(expression).replace("math.", "np."))


def _spaced(code: str) -> str:
    """Spaces around operators, as the formatter puts them."""
    return _PLAIN_POWER.sub(r"\1**\2", ast.unparse(ast.parse(code, mode="eval")))
