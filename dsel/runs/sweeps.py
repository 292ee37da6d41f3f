"""Sweeps of a run: one table of figures by settings for each.

sweeps/<fingerprint>.parquet    one row per combination of settings (`SWEEP`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from dsel.files import table_bytes, write_atomically

FOLDER: Final = "sweeps"

SWEEP = pa.schema(
    [
        ("cut", pa.string()),
        ("patch_px", pa.int32()),
        ("timesteps", pa.list_(pa.int32())),
        ("locate", pa.string()),
        ("smooth", pa.float64()),
        ("rank_by", pa.string()),
        ("clusters", pa.int32()),
        ("within", pa.string()),
        ("across", pa.string()),
        ("drop_lowest", pa.float64()),
        ("factor", pa.int32()),
        ("ipc", pa.int32()),
        ("images", pa.int32()),
        ("coverage_distance", pa.float64()),
        ("clusters_covered", pa.float64()),
        ("near_duplicates", pa.int32()),
        ("stability", pa.float64()),
        ("hit_rate", pa.float64()),
        ("label_auc", pa.float64()),
        ("accuracy", pa.float64()),
        ("accuracy_sd", pa.float64()),
        ("difference", pa.float64()),
    ]
)
"""One combination of settings.

cut to ipc are select settings; an empty list of timesteps is all of them. images: distilled images.
coverage_distance: mean distance of all patches to the nearest kept one. clusters_covered: share of
the clusters with a kept patch. near_duplicates: pairs of kept patches. stability: share of the kept
images that every other timestep alone keeps too, and those between alone. hit_rate: share of the
images whose patch hits its object. label_auc: share of pairs in which an image has a higher score
that ranks than one that is wrongly labelled with its class. accuracy: of students on the validation
images, their mean and standard deviation, in 0 to 1; difference: to random whole images. Null where
a figure is not known.
"""

NEWER: Final = ("locate", "smooth", "drop_lowest", "label_auc")
"""Columns that sweeps of earlier versions may lack."""


def write_sweep(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Store the rows of a sweep in a run; returns the file."""
    path = folder / FOLDER / f"{name}.parquet"
    write_atomically(path, table_bytes(rows, SWEEP))
    return path
