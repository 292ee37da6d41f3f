"""Means, deviations and tests of students' accuracies; pure functions of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev


def mean(values: Sequence[float]) -> float | None:
    """Return the mean; None without values."""
    return fmean(values) if values else None


def deviation(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation, which divides by n - 1; None below two values."""
    return stdev(values) if len(values) > 1 else None


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of the mean; None below two values."""
    sd = deviation(values)
    return None if sd is None else sd / math.sqrt(len(values))


def welch_p(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Return the two-sided p-value of Welch's t test that both have the same mean.

    None below two values on a side. Where neither side varies, 1 for equal means and else 0.
    """
    if min(len(ours), len(theirs)) < 2:
        return None
    variances = [stdev(values) ** 2 / len(values) for values in (ours, theirs)]
    difference, variance = fmean(ours) - fmean(theirs), sum(variances)
    if variance == 0.0:
        return float(difference == 0.0)
    # Welch-Satterthwaite degrees of freedom
    degrees = variance**2 / sum(
        v**2 / (len(values) - 1) for v, values in zip(variances, (ours, theirs), strict=True)
    )
    from scipy.stats import t

    return float(2 * t.sf(abs(difference) / math.sqrt(variance), degrees))
