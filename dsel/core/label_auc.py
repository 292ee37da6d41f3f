"""How well losses or scores under several names tell the images of several classes apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Doubles: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelAuc:
    """The AUC of one class against the others of its group; NaN where it is unknown.

    shares: (n,), for each image of the class the share of its pairs that are right.
    """

    pairs: int
    auc: float
    standard_error: float
    shares: Doubles


def label_aucs(losses: Sequence[Doubles]) -> list[LabelAuc]:
    """Return the AUC of each class of a group.

    losses: for each class, its images' losses under the names of all classes, (n, K). For two
    classes c and d an image's score is its loss under d minus that under c; a pair is right if the
    image of c has the higher score. What a name does to all images alike cancels.
    """
    return [
        _of_class([
            (losses[index][:, other] - losses[index][:, index], theirs[:, other] - theirs[:, index])
            for other, theirs in enumerate(losses)
            if other != index
        ])
        for index in range(len(losses))
    ]  # fmt: skip


def score_aucs(scores: Sequence[Sequence[Doubles]]) -> list[LabelAuc]:
    """Return the AUC of each class of a group, from scores as images are ranked by them.

    scores: under the name of each class, those of the images of each class, (n,). A pair is an
    image of the class and a wrongly labelled one, of another class, both under the name of the
    class; it is right if the former has the higher score.
    """
    return [
        _of_class([(named[index], theirs) for at, theirs in enumerate(named) if at != index])
        for index, named in enumerate(scores)
    ]


def overall_auc(classes: Sequence[LabelAuc]) -> tuple[float, float]:
    """Return the mean AUC over the images of all classes, and its standard error.

    Each image is in the pairs of its own class and of the others, so that it counts twice in the
    error.
    """
    shares = np.concatenate([np.zeros(0), *(one.shares for one in classes)])
    if not len(shares):
        return math.nan, math.nan
    error = 2 * shares.std(ddof=1) / math.sqrt(len(shares)) if len(shares) > 1 else math.nan
    return float(shares.mean()), float(error)


def _of_class(pairs: Sequence[tuple[Doubles, Doubles]]) -> LabelAuc:
    """Return the AUC of a class from its values (n,) and those of each other class (m,)."""
    right = [_right(mine, theirs) for mine, theirs in pairs if len(mine) and len(theirs)]  # (n, m)
    if not right:
        return LabelAuc(0, math.nan, math.nan, np.zeros(0))
    shares = np.mean([one.mean(axis=1) for one in right], axis=0)
    # DeLong et al., Biometrics 44, 1988: both samples of a pair add to the variance.
    variance = _variance_of_mean(shares)
    variance += sum(_variance_of_mean(one.mean(axis=0)) for one in right) / len(right) ** 2
    count = sum(one.size for one in right)
    return LabelAuc(count, float(shares.mean()), math.sqrt(variance), shares)


def _right(mine: Doubles, theirs: Doubles) -> Doubles:
    """Return which pairs are right, (n,) and (m,) -> (n, m); half of a tie is."""
    return (np.sign(mine[:, None] - theirs[None, :]) + 1) / 2


def _variance_of_mean(values: Doubles) -> float:
    return float(values.var(ddof=1)) / len(values) if len(values) > 1 else math.nan
