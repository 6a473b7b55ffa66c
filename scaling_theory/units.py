"""Batch sizes that carry their unit, so that sequences and tokens cannot be confused.

"512seq", "0.5Mtok", "2ktok", "256ex" and "4x8x16seq" (micro-batch x accumulation x ranks) are
read; prefixes are k, M, G (1000s) and Ki, Mi, Gi (1024s). Sequences and tokens are converted
only through a stated sequence length. A bare number has the unit "bare": two bare numbers have a
ratio, but a bare number is never taken for sequences or tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import isfinite, prod
from typing import Literal, get_args

from scaling_theory.errors import InputError

Unit = Literal["seq", "tok", "ex", "bare"]
UNITS: tuple[Unit, ...] = get_args(Unit)
PREFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}

_WORDS: dict[str, Unit] = {
    **dict.fromkeys(("seq", "seqs", "sequence", "sequences"), "seq"),
    **dict.fromkeys(("tok", "toks", "token", "tokens"), "tok"),
    **dict.fromkeys(("ex", "example", "examples"), "ex"),
    "": "bare",
}
_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_WRITTEN = re.compile(
    rf"(?P<numbers>{_NUMBER}(?:[xX*×]{_NUMBER})*)\s*(?P<prefix>[KMG]i|[kKMG])?(?P<unit>[a-z]*)"
)
_HOW = "write it as 512seq, 0.5Mtok, 256ex or 4x8x16seq (micro-batch x accumulation x ranks)"

EXTREME = 1e30
"""Beyond it, or below its inverse, a batch size is a slip; ratios of two of them stay numbers."""


class UnitError(InputError):
    """Batch sizes whose units are missing, unknown or do not fit each other."""


@dataclass(frozen=True)
class BatchSize:
    """A number of sequences, tokens or examples per optimizer step, with its unit.

    amount: in `unit`, > 0, not necessarily whole (0.5Mtok is 488.3 sequences of 1024).
    sequence_length: tokens per sequence, or None where unstated.
    factors: (micro-batch, accumulation, ranks) where it was written as a product, else empty.
    """

    amount: float
    unit: Unit
    sequence_length: int | None = None
    factors: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not (isfinite(self.amount) and self.amount > 0):
            raise UnitError(f"batch size is {self.amount:g}; a finite number above 0 is wanted")
        if not 1 / EXTREME <= self.amount <= EXTREME:
            raise UnitError(
                f"batch size is {self.amount:g}; {1 / EXTREME:g} to {EXTREME:g} is wanted: {_HOW}"
            )
        if self.sequence_length is not None and self.sequence_length < 1:
            raise UnitError(
                f"sequence length is {self.sequence_length}; at least 1 token is wanted"
            )

    def to(self, unit: Unit) -> float:
        """The amount in `unit`; `UnitError` where no conversion exists or its length is unknown."""
        if unit == self.unit:
            return self.amount
        if {unit, self.unit} != {"seq", "tok"}:
            raise UnitError(
                f"batch size {self} has the unit '{self.unit}' where '{unit}' was wanted: {_HOW}"
            )
        if self.sequence_length is None:
            raise UnitError(
                f"batch size {self} cannot be turned into '{unit}' without a sequence length: "
                "state it (--seq-len 1024) or write every batch size in one unit"
            )
        length = self.sequence_length
        return self.amount * length if unit == "tok" else self.amount / length

    @property
    def sequences(self) -> float:
        """Sequences per step, not necessarily whole."""
        return self.to("seq")

    @property
    def tokens(self) -> float:
        """Tokens per step."""
        return self.to("tok")

    def over(self, other: BatchSize) -> float:
        """self / other, a pure number; `UnitError` if the two units have no common measure."""
        if self.unit != other.unit and "bare" in (self.unit, other.unit):
            bare, united = (self, other) if self.unit == "bare" else (other, self)
            raise UnitError(
                f"batch size {bare} has no unit beside {united}: "
                f"write {bare}{united.unit} if that is what is meant"
            )
        if self.unit == other.unit:
            lengths = {self.sequence_length, other.sequence_length} - {None}
            if self.unit == "seq" and len(lengths) == 2:
                raise UnitError(
                    f"batch sizes {self} and {other} count sequences of different lengths "
                    f"({self.sequence_length} and {other.sequence_length}): write both in tokens"
                )
            return self.amount / other.amount
        if {self.unit, other.unit} != {"seq", "tok"}:
            self.to(other.unit)  # raises, and names this one: the other may never have been typed
        sequences, tokens = (self, other) if self.unit == "seq" else (other, self)
        if sequences.sequence_length is None:
            sequences = replace(sequences, sequence_length=tokens.sequence_length)
        ratio = sequences.to(tokens.unit) / tokens.amount
        return ratio if self.unit == "seq" else 1 / ratio

    def __str__(self) -> str:
        unit = "" if self.unit == "bare" else self.unit
        if self.factors:
            return "x".join(map(str, self.factors)) + unit
        for prefix in ("G", "M", "k") if self.unit == "tok" else ():
            if self.amount >= 10 * PREFIXES[prefix]:
                return f"{self.amount / PREFIXES[prefix]:.6g}{prefix}{unit}"
        return f"{self.amount:.10g}{unit}"

    def describe(self) -> str:
        """All that is known of it in one line, such as "512 sequences of 1024 = 524288 tokens"."""
        parts = []
        if self.factors:
            names = ("micro-batch", "accumulation", "ranks")
            parts.append(" x ".join(f"{n} {f}" for n, f in zip(names, self.factors, strict=False)))
        if self.unit in ("seq", "tok") and self.sequence_length is not None:
            sequences = self.sequences
            text = (
                f"{sequences:.6g} sequences of {self.sequence_length} = {self.tokens:.10g} tokens"
            )
            if abs(sequences - round(sequences)) > 1e-9 * sequences:
                text += f" (not whole: {max(1, round(sequences))} sequences are nearest)"
            parts.append(text)
        else:
            names_of = {"seq": "sequences", "tok": "tokens", "ex": "examples", "bare": "(no unit)"}
            parts.append(f"{self.amount:.10g} {names_of[self.unit]}")
        return " = ".join(parts)


def parse_batch_size(text: str, sequence_length: int | None = None) -> BatchSize:
    """Read "512seq", "0.5Mtok", "4x8x16seq" or a bare "512"; raise `UnitError` otherwise.

    sequence_length: tokens per sequence, needed only for conversions between the two.
    """
    match = _WRITTEN.fullmatch(text.strip().replace("_", ""))
    unit = _WORDS.get(match["unit"]) if match else None
    if match is None or unit is None:
        raise UnitError(f"batch size '{text}' was not understood: {_HOW}")
    numbers = [float(number) for number in re.split(r"[xX*×]", match["numbers"])]
    prefix = match["prefix"] or ""
    if unit == "bare" and prefix:
        raise UnitError(f"batch size '{text}' has a prefix but no unit: {_HOW}")
    if len(numbers) > 3 or (len(numbers) > 1 and any(number % 1 for number in numbers)):
        raise UnitError(
            f"batch size '{text}' is not a product of up to three whole numbers: {_HOW}"
        )
    factors = tuple(int(number) for number in numbers) if len(numbers) > 1 else ()
    scale = PREFIXES["k" if prefix == "K" else prefix]
    if not min(numbers) > 0:
        raise UnitError(f"batch size '{text}' is not above 0: {_HOW}")
    return BatchSize(prod(numbers) * scale, unit, sequence_length, factors if scale == 1 else ())
