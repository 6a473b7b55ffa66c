"""Numbers as a reader wants them: few digits, units, uncertainty; plain text, no markup.

Spaces inside a number are unbreakable, so that a line never ends in the middle of one.
"""

from __future__ import annotations

import math

from empirical.report.records import Answer, Estimate

MINUS = "−"
NBSP = "\N{NO-BREAK SPACE}"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def scientific(value: float, digits: int = 3) -> str:
    """5.43 × 10⁻⁴ with `digits` significant digits; trailing zeros are kept (they are known)."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return _signed_minus(mantissa) + _power(int(exponent))


def plain(value: float, digits: int = 3) -> str:
    """`digits` significant digits, in ordinary notation between 0.001 and 10 million."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        rounded = float(f"{value:.{digits - 1}e}")
        decimals = 0 if rounded == 0 else digits - 1 - exponent_of(rounded)
        text = f"{rounded:,.{max(decimals, 0)}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return _signed_minus(text)
    return scientific(value, digits)


def percent(fraction: float) -> str:
    """0.0324 -> 3.2 %; two significant digits below 10 %, whole percents above."""
    hundredths = 100 * fraction
    decimals = 1 if abs(hundredths) < 9.95 else 0
    return f"{_signed_minus(f'{hundredths:.{decimals}f}')}{NBSP}%"


def factor(ratio: float) -> str:
    """2.0 or 21: one decimal below ten, none above."""
    return _signed_minus(f"{ratio:,.1f}" if abs(ratio) < 9.95 else f"{ratio:,.0f}")


def deviation(predicted: float, measured: float) -> str:
    """Prediction against measurement: +3.2 % when close, 4.5 × when more than a factor 2 off."""
    ratio = predicted / measured
    if not 0.5 <= ratio <= 2:
        return f"{factor(ratio) if abs(ratio) >= 0.95 else plain(ratio, 2)}{NBSP}×"
    text = percent(ratio - 1)
    return f"+{text}" if ratio > 1 else text


def miss(relative_error: float) -> str:
    """An absolute relative error in words: "3.2 %", or "a factor of 8.4" from 100 % on."""
    # A positive prediction that is low misses by less than 100 %: from there on it is too high.
    if relative_error < 1:
        return percent(relative_error)
    return f"a factor of {factor(1 + relative_error)}"


def uncertain(estimate: Estimate) -> str:
    """value ± standard error, the value to the decimal place of its error."""
    value, error = estimate.value, estimate.standard_error
    if not error:
        return plain(value)
    power = exponent_of(max(abs(value), error))
    # One digit of the error, two where the first is 1 or 2.
    last = math.floor(math.log10(error / 3))
    if -3 <= power < 5:
        decimals = max(-last, 0)
        return _signed_minus(f"{value:,.{decimals}f} ± {error:,.{decimals}f}").replace(" ", NBSP)
    decimals = max(power - last, 0)
    both = f"({value / 10.0**power:.{decimals}f} ± {error / 10.0**power:.{decimals}f})"
    return _signed_minus(both).replace(" ", NBSP) + _power(power)


def answer_text(answer: Answer) -> str:
    """An estimate as value ± standard error, or the reason why there is none."""
    return uncertain(answer) if isinstance(answer, Estimate) else answer.status


def interval_text(interval: tuple[float, float]) -> str:
    """5.20 × 10⁻⁴ to 5.71 × 10⁻⁴."""
    return f"{scientific(interval[0])} to {scientific(interval[1])}"


def interval_beside(interval: tuple[float, float], value: float) -> str:
    """5.20 to 5.71: the ends in the power of ten that `value` is written with."""
    power = exponent_of(value) if value else 0
    low, high = (_signed_minus(f"{end / 10.0**power:.2f}") for end in interval)
    return f"{low} to {high}".replace(" ", NBSP)


def batch(size: int) -> str:
    """B = 1,024."""
    return f"B{NBSP}={NBSP}{size:,}"


def times_sigma(ratio: float) -> str:
    """Epsilon in units of the rms sigma: ε = 0.1 rms σ."""
    text = "ε = 0" if ratio == 0 else f"ε = {plain(ratio)} rms σ"
    return text.replace(" ", NBSP)


def epsilon_title(ratio: float) -> str:
    """Epsilon with the optimizer it amounts to at the ends of its range."""
    kind = " (sign of the gradient)" if ratio == 0 else " (nearly plain SGD)" if ratio >= 10 else ""
    return times_sigma(ratio) + kind


def duration(seconds: float) -> str:
    """4 min 12 s; 8.3 s; 1 h 02 min."""
    if seconds < 59.5:
        return f"{plain(seconds, 2)} s"
    if seconds < 3599.5:
        return f"{round(seconds) // 60} min {round(seconds) % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: int) -> str:
    """Bytes in binary units: 1.91 GiB."""
    scaled = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if scaled < 1024:
            return f"{plain(scaled)} {unit}"
        scaled /= 1024
    return f"{plain(scaled)} TiB"


def enumerate_words(items: list[str]) -> str:
    """a; a and b; a, b and c."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def exponent_of(value: float) -> int:
    """The power of ten of a nonzero value, as `scientific` writes it with three digits."""
    return int(f"{value:.2e}".split("e")[1])


def _power(exponent: int) -> str:
    return f"{NBSP}×{NBSP}10{str(exponent).translate(_SUPERSCRIPTS)}"


def _signed_minus(text: str) -> str:
    return text.replace("-", MINUS)
