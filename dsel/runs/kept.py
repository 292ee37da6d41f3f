"""Finished images of a shard that is being scored, so that an interruption does not lose them.

kept/00003/00000.safetensors holds images of shard 3, kept/01-00003/... those of its further draws
in round 1; the file is named by the first position in the shard that it has. Tensors are float32,
so that the shard's final file has the same bytes as without an interruption:

    4/gap, 4/conditional, ...   the maps of the image at position 4 (see `dsel.types.Score`)
    4/features                  its features; further draws have none
    4/proxy, 4/thumbnail        WebP bytes

The metadata is the checksum, `work`, and a row per image (`KeptRow`). Files of other `work` (other
images, draws, threads or backend), or with damage, are removed and their images scored again. The
folder goes once the shard is written, and `kept` with the run's summary.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import with_config

from dsel.errors import DamageError
from dsel.files import STORED, Tensors, opened_tensors, tensor_bytes, validated, write_atomically
from dsel.patches import Frame
from dsel.runs import remedies
from dsel.runs.schema import ShardRow
from dsel.runs.shards import KINDS
from dsel.types import ImageRef, Score

FOLDER: Final = "kept"


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class KeptRow:
    """One image: its position in the shard, and the fields of `ShardRow` that are no tensors."""

    position: int
    id: str
    class_index: int
    reason: str
    frame: Frame | None
    checksum: str
    orientation: int
    note: str = ""


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class _Record:
    work: str
    rows: tuple[KeptRow, ...]


@dataclass(frozen=True, slots=True)
class KeptImages:
    """The finished images of one shard. work: a name of what is computed, see above."""

    run: Path
    round: int
    shard: int
    work: str

    @property
    def folder(self) -> Path:
        """Where they are stored."""
        name = f"{self.round:02d}-{self.shard:05d}" if self.round else f"{self.shard:05d}"
        return self.run / FOLDER / name

    def read(self) -> dict[int, ShardRow]:
        """Return the images by their position; files that cannot be used are removed."""
        found: dict[int, ShardRow] = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            try:
                found |= self._read(path)
            except DamageError:
                path.unlink(missing_ok=True)
        return found

    def add(self, rows: Mapping[int, ShardRow]) -> None:
        """Store images by their position."""
        record = _Record(self.work, tuple(_kept(at, row) for at, row in sorted(rows.items())))
        tensors: dict[str, NDArray[Any]] = {}
        for at, row in rows.items():
            tensors |= {f"{at}/{name}": array for name, array in _arrays(row).items()}
        path = self.folder / f"{min(rows):05d}.safetensors"
        write_atomically(path, tensor_bytes(tensors, asdict(record)))

    def remove(self) -> None:
        """Remove all of them: the shard is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, path: Path) -> dict[int, ShardRow]:
        with opened_tensors(path, remedies.SCORE) as file:
            stored = {name: file.record.get(name) for name in ("work", "rows")}
            record = validated(stored, _Record, path, remedies.SCORE)
            if record.work != self.work:
                raise DamageError(f"{path} is of other work")
            return {row.position: _row(file, row) for row in record.rows}


def remove_kept(run: Path) -> None:
    """Remove all finished images of shards: the run is complete."""
    shutil.rmtree(run / FOLDER, ignore_errors=True)


def _kept(position: int, row: ShardRow) -> KeptRow:
    ref = row.ref
    return KeptRow(
        position, ref.id, ref.class_index, row.reason, row.frame, row.checksum, row.orientation,
        row.note,
    )  # fmt: skip


def _arrays(row: ShardRow) -> dict[str, NDArray[Any]]:
    if row.score is None:
        return {}
    maps: dict[str, NDArray[Any]] = {kind: getattr(row.score, kind) for kind in KINDS}
    if row.score.features is not None:
        maps["features"] = row.score.features
    pictures = {"proxy": row.proxy, "thumbnail": row.thumbnail}
    return maps | {name: np.frombuffer(held, np.uint8) for name, held in pictures.items()}


def _row(file: Tensors, kept: KeptRow) -> ShardRow:
    ref = ImageRef(kept.id, kept.class_index)
    if kept.reason:
        return ShardRow(ref, kept.reason, note=kept.note)
    at, names = kept.position, file.names
    maps = {kind: file.all(f"{at}/{kind}") for kind in KINDS}
    features = file.all(f"{at}/features") if f"{at}/features" in names else None
    proxy, thumbnail = (file.all(f"{at}/{kind}").tobytes() for kind in ("proxy", "thumbnail"))
    score = Score(**maps, features=features)
    return ShardRow(
        ref, "", kept.frame, proxy, thumbnail, score, kept.checksum, kept.orientation, kept.note
    )
