"""Maps of some images under their own name and under wrong ones, to measure the label AUC with.

knowledge/00000.safetensors   of one group of classes, whose images are scored under all their names
  gap/{h}x{w}                 (n, K, T, h, w) float16 of the n images whose maps have h x w cells,
                              under the names of the K classes
  difference/{h}x{w}          (n, K, T, h, w) float16

The metadata are the checksum and the fields of `NameMapsHeader`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import with_config

from dsel.checksums import FIELD, damaged
from dsel.files import STORED, Tensors, opened_tensors, tensor_bytes, validated, write_atomically
from dsel.runs import remedies
from dsel.runs.knowledge import KnowledgePlan
from dsel.runs.shard_checks import is_finite
from dsel.runs.shards import Shape, check_owner, shape_of
from dsel.types import Score

if TYPE_CHECKING:
    from dsel.runs.run import Run

FOLDER: Final = "knowledge"
KINDS: Final = ("gap", "difference")


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class NameMapsHeader:
    """The metadata: the run, what was measured, the indices of K classes, and ids by shape."""

    fingerprint: str
    plan: KnowledgePlan
    classes: tuple[int, ...]
    ids: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class AlikeMaps:
    """Maps of n images of one shape under the names of K classes, (n, K, T, h, w) each."""

    ids: tuple[str, ...]
    gap: NDArray[np.float16]
    difference: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class NameMaps:
    """The maps of the images of a group of classes, by their shapes; classes: K indices."""

    classes: tuple[int, ...]
    buckets: tuple[AlikeMaps, ...]


def write_name_maps(
    run: Run,
    plan: KnowledgePlan,
    number: int,
    classes: Sequence[int],
    scores: Mapping[str, Sequence[Score]],
) -> None:
    """Store the scores of the images of a group under its names, by their ids."""
    by_shape: dict[Shape, list[str]] = {}
    for image_id, (first, *_) in scores.items():
        by_shape.setdefault(shape_of(first), []).append(image_id)
    tensors = {
        f"{kind}/{_shape(shape)}": np.array(
            [[getattr(one, kind) for one in scores[image_id]] for image_id in ids], np.float16
        )
        for shape, ids in sorted(by_shape.items())
        for kind in KINDS
    }
    ids = {_shape(shape): tuple(found) for shape, found in sorted(by_shape.items())}
    header = NameMapsHeader(run.identity.fingerprint, plan, tuple(classes), ids)
    write_atomically(_file(run.path, number), tensor_bytes(tensors, asdict(header)))


def read_name_maps(run: Run, plan: KnowledgePlan) -> Iterator[NameMaps]:
    """Read the maps of each group of classes, one at a time; none where a plan has no maps.

    Raises `DamageError` for a file that is missing, damaged or of another plan.
    """
    for number in range(plan.maps):
        with _opened(run, plan, number) as (file, header):
            buckets = [
                AlikeMaps(ids, *(file.all(f"{kind}/{shape}") for kind in KINDS))
                for shape, ids in header.ids.items()
            ]
        yield NameMaps(header.classes, tuple(buckets))


def check_name_maps(run: Run, plan: KnowledgePlan, number: int) -> None:
    """Raise `DamageError` unless a file is there, undamaged, and holds finite numbers."""
    with _opened(run, plan, number) as (file, _):
        for name in sorted(file.names):
            if not is_finite(file.all(name)):
                problem = f"its {name} has values that are not finite numbers"
                raise damaged(_file(run.path, number), problem, remedies.SCORE)


@contextmanager
def _opened(run: Run, plan: KnowledgePlan, number: int) -> Iterator[tuple[Tensors, NameMapsHeader]]:
    path = _file(run.path, number)
    with opened_tensors(path, remedies.SCORE) as file:
        record = {key: value for key, value in file.record.items() if key != FIELD}
        header = validated(record, NameMapsHeader, path, remedies.SCORE)
        check_owner(path, header.fingerprint, run.identity.fingerprint)
        if header.plan != plan:
            raise damaged(path, "it belongs to another measurement", remedies.SCORE)
        yield file, header


def _file(folder: Path, number: int) -> Path:
    return folder / FOLDER / f"{number:05d}.safetensors"


def _shape(of: Shape) -> str:
    return "x".join(map(str, of))
