"""What the files of a shard must hold besides their checksums: finite maps, and one order."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dsel.checksums import damaged
from dsel.files import opened_tensors, read_table
from dsel.runs import remedies
from dsel.runs.schema import IMAGES, PROXIES
from dsel.runs.shards import Header

FINITE: Final = ("features", "conditional/", "gap/", "difference/")
"""Names of tensors, or their starts, whose values are numbers; noise may be unknown."""

EXPONENT: Final = np.uint16(0x7C00)
"""The bits of a float16 that are all set in infinite values and in those that are no numbers."""


def check_content(scores: Path, proxies: Path, header: Header) -> None:
    """Raise `DamageError` unless a shard's maps are finite, and its files list the same images."""
    with opened_tensors(scores, remedies.SCORE) as file:
        for name in sorted(file.names):
            if name.startswith(FINITE) and not is_finite(file.all(name)):
                problem = f"its {name} has values that are not finite numbers"
                raise damaged(scores, problem, remedies.SCORE)
    table = read_table(proxies, PROXIES, ["id", "row"], remedies.SCORE)
    pairs = zip(table["row"].to_pylist(), table["id"].to_pylist(), strict=True)
    listed = [(row, image_id) for row, image_id in pairs if row >= 0]
    if listed != list(enumerate(header.ids)):
        raise damaged(proxies, "it lists other images than the scores", remedies.SCORE)


def is_finite(values: NDArray[np.float16]) -> bool:
    """Whether all values of an array of float16 are finite; faster than NumPy's own test."""
    return not bool(((values.view(np.uint16) & EXPONENT) == EXPONENT).any())


def check_listed(table_path: Path, proxies: Iterable[Path]) -> None:
    """Raise `DamageError` unless the table of all images has the rows of all shards, in order."""
    table, start = read_table(table_path, IMAGES, remedy=remedies.SCORE), 0
    for path in proxies:
        own = read_table(path, PROXIES, IMAGES.names, remedies.SCORE)
        if not _is_same(table.slice(start, len(own)), own):
            raise damaged(table_path, f"it differs from {path.name}", remedies.SCORE)
        start += len(own)
    if start != len(table):
        raise damaged(table_path, "it lists images of no shard", remedies.SCORE)


def _is_same(part: pa.Table, own: pa.Table) -> bool:
    return bool(part.equals(own.replace_schema_metadata(part.schema.metadata)))
