"""Numbers of a report as text, in the style of the page."""

from __future__ import annotations

import math
from typing import Any, Final

MINUS: Final = "−"
UNKNOWN: Final = "–"


def number_text(value: float | None, digits: int = 3) -> str:
    """Write a number to three significant digits, with a true minus sign; a dash means none."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    size = abs(value)
    if size and not 1e-4 <= size < 1e6:
        text = f"{value:.{digits - 1}e}"
    elif size >= 1:
        text = f"{value:.{max(0, digits - len(str(int(size))))}f}"
    else:
        text = f"{value:.{digits}g}"
    return text.replace("-", MINUS)


def percent_text(share: float | None, digits: int = 3) -> str:
    """Write a share of 1 in per cent."""
    if share is None or not math.isfinite(share):
        return UNKNOWN
    return f"{number_text(100 * share, digits)} %"


def share_text(share: float | None, error: float | None) -> str:
    """Write a share in per cent with its standard error, of which two digits are shown."""
    if share is None or not math.isfinite(share):
        return UNKNOWN
    if not error or not math.isfinite(error):
        return percent_text(share)
    size = 100 * error
    decimals = min(max(0, 1 - math.floor(math.log10(size))), 6)
    return f"{100 * share:.{decimals}f} ± {size:.{decimals}f} %".replace("-", MINUS)


def value_text(value: Any) -> str:
    """Write the value of a setting."""
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return " ".join(map(str, value)) or UNKNOWN
    return str(value)


def count_text(value: int) -> str:
    """Write a whole number with thousands separators."""
    return f"{value:,}"
