"""Figures of all classes of a run under one selection, for a table that compares them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.image_columns import ImageColumns

Floats = NDArray[np.float32]


def figures_of_classes(columns: ImageColumns) -> Mapping[str, Floats]:
    """Return figures of the C classes, (C,) each, NaN where unknown.

    score and margin: means over images with a patch; error: the mean standard error of one score.
    negative: the share of images whose score is below 0. kept: images in the distilled set. hit:
    the hit rate. coverage: the mean distance to the nearest kept patch. clusters_covered and
    clusters: of the class. duplicates: images with a near-duplicate. nearer: images whose patch is
    nearer to another class.
    """
    known = np.isfinite(columns.score)
    figures = {
        name: _means(getattr(columns, name), columns) for name in ("score", "margin", "error")
    }
    figures["negative"] = _means(np.where(known, columns.score < 0, np.nan), columns)
    hit = np.where(columns.hit >= 0, columns.hit, np.nan)
    figures["hit"] = _means(hit, columns)
    figures["kept"] = _counts(columns.kept, columns)
    figures["duplicates"] = _counts(columns.twin >= 0, columns)
    for name, attribute in _QUALITY.items():
        values = [np.nan if one is None else getattr(one, attribute) for one in columns.figures]
        figures[name] = np.array(values, np.float32)
    nearer = columns.likeness.lead > 0 if columns.complete else None
    figures["nearer"] = (
        np.full(len(columns.ready), np.nan, np.float32)
        if nearer is None else _counts(nearer, columns)
    )  # fmt: skip
    return figures


_QUALITY = {
    "coverage": "coverage_distance",
    "clusters_covered": "clusters_covered",
    "clusters": "clusters",
}


def _means(values: NDArray[np.floating], columns: ImageColumns) -> Floats:
    """Return the mean of the known values of each class."""
    of_class = columns.images.class_index
    known, classes = np.isfinite(values), len(columns.ready)
    sums = np.bincount(of_class[known], values[known].astype(np.float64), classes)
    counts = np.bincount(of_class[known], minlength=classes)
    means = np.divide(sums, counts, out=np.full(classes, np.nan), where=counts > 0)
    return np.asarray(means, np.float32)


def _counts(flags: NDArray[np.bool_], columns: ImageColumns) -> Floats:
    classes = len(columns.ready)
    found = np.bincount(columns.images.class_index[flags], minlength=classes)
    return np.asarray(np.where(columns.ready, found, np.nan), np.float32)
