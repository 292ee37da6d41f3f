"""The run folder: one scored dataset, stored in immutable shards.

Every file is written atomically, so it is complete or absent, and a stage resumes with the files
that are absent. Each has a checksum, which is verified when it is read (see `dsel.checksums`).

run.json                    format, dsel's version, fingerprint, and the fields of `Identity`:
                            classes in order; fingerprint, origin and number of images of the
                            dataset; name, origin and fingerprint of the prior; resolution_px,
                            cell_px, precision, threads, backend; the settings that change scores
scores/00000.safetensors    scores of one shard (see `dsel.runs.shards`): maps per timestep and
                            cell, and features; written last of its shard
proxies/00000.parquet       one row per image of the shard (`PROXIES`): what images.parquet holds,
                            and the proxy and thumbnail as WebP bytes
rounds/01/00000.safetensors further draws of the shard's images that a round chose (see
                            `dsel.runs.rounds`), which readers average in
images.parquet              one row per image of the run (`IMAGES`): id, class_index, status,
                            reason, checksum, source size and orientation, view, proxy size, shard,
                            row, map_row
draws/                      of a run of very few images, every draw (see `dsel.runs.draws`)
slices/                     named slices of its images (see `dsel.runs.slices`)
knowledge.json              what the prior knows of the classes (see `dsel.runs.knowledge`)
knowledge/                  the maps that this was measured on (see `dsel.runs.name_maps`)
summary.json                written when scoring has finished (see `Summary`): counts, the shards
                            of each round, and losses, the mean loss of each timestep
layouts/00000.safetensors   one file per class: positions (N, 2) float32 of its images in the plane
layouts/all.safetensors     the map of all images (see `dsel.runs.image_map`)
features/<fingerprint>/     one file per class, 00000.safetensors: features (P, d) of patches that
                            another model described (written by `dsel.pipeline.feature_cache`)
teachers/<fingerprint>/     teacher.json, its name; per class and question, log odds (M,) of M
                            boxes (written by `dsel.pipeline.confidences`)
selections/<fingerprint>/   patches.parquet, one row per patch (`PATCHES`); settings.json, with the
                            select settings, and with `images`: per class and distilled image, the
                            ranks of its patches
selections/current.json     the fingerprint of the last selection
evaluations/                what students scored that were trained on the run's sets (see
                            `dsel.runs.evaluations`)
kept/, workers/             while it is scored, see `dsel.runs.kept` and `dsel.runs.workers`
boxes.json                  optional, added by the user: true boxes of the images in COCO format
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dsel.checksums import check_file, damaged
from dsel.config import SelectSettings
from dsel.config.base import fingerprint
from dsel.core.gap_maps import image_losses, mean_losses
from dsel.errors import RunError, storage_errors
from dsel.files import (
    opened_tensors,
    read_record,
    read_table,
    record_bytes,
    table_bytes,
    tensor_bytes,
    write_atomically,
)
from dsel.locks import holder_of
from dsel.runs import remedies
from dsel.runs.copies import copies_of
from dsel.runs.evaluations import Evaluation, list_evaluations
from dsel.runs.images import FrameOf, Images
from dsel.runs.knowledge import Knowledge, read_knowledge
from dsel.runs.manifest import Identity, Summary
from dsel.runs.rounds import RoundFolder, Rounds, add_further
from dsel.runs.schema import IMAGES, PROXIES, ImageRow, ShardRow, proxy_row
from dsel.runs.selections import current_selection, read_selection, write_selection
from dsel.runs.shard_checks import check_content, check_listed
from dsel.runs.shards import (
    Header,
    StoredScores,
    check_owner,
    largest_gap,
    map_rows,
    read_header,
    read_scores,
    score_indices,
    shape_of,
    shard_bytes,
)
from dsel.types import ClassImages, ClassScores, ClassSelection, Frame, Geometry, Score

TABLE = "images.parquet"
SUMMARY = "summary.json"
NUMBER = re.compile("[0-9]{5,9}")
SHARDS_KEPT = 4  # shards whose proxies or thumbnails stay in memory


class Run:
    """A run folder. Opening reads `run.json`; nothing is written before a stage has a result."""

    def __init__(self, path: Path, identity: Identity, notices: Sequence[str] = ()) -> None:
        """notices: what opening the run has repaired."""
        self.path = path
        self.identity = identity
        self.notices = tuple(notices)
        # Images are requested one after another, and a file holds a whole shard of them.
        self._shard_images = lru_cache(SHARDS_KEPT)(self._read_images)

    @cached_property
    def summary(self) -> Summary:
        """The summary; raises `RunError` for a run whose scoring has not finished."""
        path = self.path / SUMMARY
        if not path.exists():
            done, writer = len(self.finished_shards()), holder_of(self.path)
            raise RunError(
                f"{self.path} is not finished: {done} of {self.identity.shards} shards are scored; "
                + (f"wait for {writer}" if writer else "run dsel score again with its settings"),
                path=str(self.path),
                shards_done=done,
                shards=self.identity.shards,
            )
        return read_record(path, Summary, remedies.SCORE)

    @property
    def round_files(self) -> RoundFolder:
        """The files of further draws."""
        return RoundFolder(self.path, self.identity.fingerprint)

    @property
    def knowledge(self) -> Knowledge | None:
        """What the prior knows of the classes; None where it was not asked for."""
        return read_knowledge(self.path)

    @property
    def objects_path(self) -> Path:
        """The optional file of the images' true boxes in COCO format, which the user adds."""
        return self.path / "boxes.json"

    @property
    def geometry(self) -> Geometry:
        """Geometry of the final maps; raises `RunError` unless scoring has finished."""
        return self._geometry(self.summary.losses)

    @property
    def first_geometry(self) -> Geometry:
        """The same geometry before scoring has finished, once all shards are written."""
        return self._geometry(self.first_losses)

    def _geometry(self, losses: Sequence[float]) -> Geometry:
        return Geometry(
            timesteps=self.identity.settings.timesteps,
            losses=np.asarray(losses, np.float32),
            cell_px=self.identity.cell_px,
            resolution_px=self.identity.resolution_px,
        )

    @cached_property
    def images(self) -> Images:
        """All images in dataset order."""
        return Images(read_table(self.path / TABLE, IMAGES, remedy=remedies.SCORE))

    @property
    def frames(self) -> Mapping[str, Frame | None]:
        """The frame of each image by its id, None for a skipped one."""
        return FrameOf(self.images)

    @cached_property
    def _of_class(self) -> dict[int, Images]:
        """The scored images of the classes that were asked for."""
        return {}

    @cached_property
    def _class_images(self) -> dict[int, ClassImages]:
        return {}

    @cached_property
    def copies(self) -> Mapping[str, str]:
        """Images that are left out, with the image that is used in their place."""
        images = self.images.sharing_pixels()
        classes = images.class_index.tolist()
        return copies_of(zip(images.ids, classes, images.checksums, strict=True))

    def class_rows(self, class_index: int) -> Images:
        """The scored images of a class, in dataset order."""
        if class_index not in self._of_class:
            self._of_class[class_index] = self.images.of_class(class_index)
        return self._of_class[class_index]

    def class_images(self, class_index: int) -> ClassImages:
        """The ids and frames of a class's scored images, in dataset order."""
        if class_index not in self._class_images:
            rows = self.class_rows(class_index)
            self._class_images[class_index] = ClassImages(rows.ids, rows.frames)
        return self._class_images[class_index]

    def finished_shards(self) -> tuple[int, ...]:
        """Numbers of the shards whose files exist."""
        found = [path.stem for path in (self.path / "scores").glob("*.safetensors")]
        numbers = sorted(int(name) for name in found if NUMBER.fullmatch(name))
        return tuple(number for number in numbers if number < self.identity.shards)

    def expected_shards(self) -> Sequence[int]:
        """Numbers of the shards whose files must exist: all of a finished run."""
        finished = (self.path / SUMMARY).exists()
        return range(self.identity.shards) if finished else self.finished_shards()

    def check_shard(self, number: int) -> None:
        """Read a shard: raises `DamageError` if its scores or its proxies are damaged or missing.

        Raises `RunError` for a shard of another run.
        """
        check_file(self._proxies(number), remedies.SCORE)
        check_content(self._scores(number), self._proxies(number), self._header(number))

    def check_listed(self) -> None:
        """Raise `DamageError` unless the table of all images has the rows of all shards."""
        check_listed(self.path / TABLE, map(self._proxies, range(self.identity.shards)))

    def reopen(self) -> None:
        """Make the run an unfinished one again, until shards that were damaged are scored."""
        with storage_errors(self.path):
            (self.path / SUMMARY).unlink(missing_ok=True)
        self._forget()

    def write_shard(self, number: int, rows: Sequence[ShardRow]) -> None:
        """Write one shard; its scores come last, because their presence marks it as complete."""
        scores = {row.ref.id: row.score for row in rows if row.score is not None}
        indices = enumerate(map_rows([shape_of(score) for score in scores.values()]))
        lines = [
            proxy_row(row, number, *((-1, -1) if row.score is None else next(indices)))
            for row in rows
        ]
        write_atomically(self._proxies(number), table_bytes(lines, PROXIES))
        self._write_scores(number, scores)

    def gather_images(self) -> None:
        """Collect the first pass's shards in `images.parquet`."""
        tables = [
            read_table(self._proxies(number), PROXIES, IMAGES.names, remedies.SCORE)
            for number in range(self.identity.shards)
        ]
        table = pa.concat_tables([IMAGES.empty_table(), *tables]).combine_chunks()
        self._write(TABLE, table_bytes(table, IMAGES))
        self._forget()

    def _forget(self) -> None:
        for cached in ("summary", "images", "copies", "_of_class", "_class_images"):
            self.__dict__.pop(cached, None)
        self._shard_images.cache_clear()

    def finish(self, rounds: Rounds = ()) -> None:
        """Write `summary.json`, once all shards are written and `images.parquet` is too."""
        settings = self.identity.settings
        scored = int(self.images.is_scored.sum())
        headers = list(self.round_files.headers(rounds))
        further = sum(stop - start for header in headers for start, stop in header.draws)
        summary = Summary(
            scored=scored,
            skipped=len(self.images) - scored,
            further=len({image_id for header in headers for image_id in header.ids}),
            evaluations=2 * len(settings.timesteps) * (settings.draws * scored + further),
            losses=self.first_losses,
            rounds=rounds,
        )
        self._write(SUMMARY, record_bytes(asdict(summary)))
        self.__dict__.pop("summary", None)

    def class_scores(self, class_index: int, rounds: Rounds | None = None) -> ClassScores:
        """Read all scores of one class; rounds: whose draws count, by default all of the run."""
        rows, settings = self.class_rows(class_index), self.identity.settings
        indices = score_indices(rows, self._scores, self.identity.cell_px)
        found = read_scores(indices) if len(indices) else self._no_scores()
        parts = self.round_files.read(self.summary.rounds if rounds is None else rounds, rows)
        first = np.full(len(indices), settings.draws)
        draws = add_further(found.buckets, first, parts, settings.antithetic)
        return ClassScores(
            name=self.identity.classes[class_index],
            index=class_index,
            ids=rows.ids,
            frames=rows.frames,
            buckets=found.buckets,
            features=found.features,
            draws=draws,
        )

    def image_bytes(
        self, rows: Sequence[ImageRow], kind: Literal["proxy", "thumbnail"]
    ) -> list[bytes]:
        """Read the WebP bytes of images, in the order of `rows`."""
        return [self._image(row, kind) for row in rows]

    def _image(self, row: ImageRow, kind: str) -> bytes:
        images = self._shard_images(row.shard, kind)
        if row.id not in images:
            raise damaged(self._proxies(row.shard), f"it lacks {row.id}", remedies.SCORE)
        return bytes(images[row.id].as_py())

    def _read_images(self, shard: int, kind: str) -> Mapping[str, pa.BinaryScalar]:
        table = read_table(self._proxies(shard), PROXIES, ["id", kind], remedies.SCORE)
        return dict(zip(table["id"].to_pylist(), table[kind], strict=True))

    def write_layout(self, class_index: int, positions: NDArray[np.float32]) -> None:
        """Store the positions (N, 2) of a class's scored images in the projection."""
        write_atomically(self._layout(class_index), tensor_bytes({"positions": positions}, {}))

    def read_layout(self, class_index: int) -> NDArray[np.float32] | None:
        """Read the positions (N, 2) of a class's scored images; None before they are fitted."""
        path = self._layout(class_index)
        if not path.exists():
            return None
        with opened_tensors(path, remedies.SCORE) as file:
            positions = file.all("positions")
        if len(positions) != len(self.class_rows(class_index)):
            raise damaged(path, "it has positions of other images", remedies.SCORE)
        return positions

    def selection_name(self, settings: SelectSettings) -> str:
        """Return the fingerprint of the selection with these settings."""
        return fingerprint(self.identity.fingerprint, settings)

    def write_selection(self, settings: SelectSettings, classes: Sequence[ClassSelection]) -> Path:
        """Store a selection, make it the current one, and return its folder."""
        return write_selection(self.path, self.selection_name(settings), settings, classes)

    def read_selection(self, name: str = "") -> tuple[SelectSettings, tuple[ClassSelection, ...]]:
        """Read a selection by its fingerprint, the current one by default.

        Raises `RunError` for an unknown one (fields: selection, known), a damaged one, and one of
        another version of dsel.
        """
        settings, selections = read_selection(self.path, name, self.identity.classes)
        stored = name or current_selection(self.path)
        if stored != self.selection_name(settings):
            folder = self.path / "selections" / stored
            raise damaged(folder, "it is the selection of another run", remedies.SELECT)
        return settings, selections

    def evaluations(self) -> tuple[Evaluation, ...]:
        """All stored evaluations of sets from this run, the oldest first."""
        return list_evaluations(self.path)

    def _no_scores(self) -> StoredScores:
        grid, dim = self.identity.settings.feature_grid, self.identity.settings.feature_dim
        return StoredScores(np.zeros((0, grid, grid, dim), np.float16), ())

    def _write_scores(self, number: int, scores: Mapping[str, Score]) -> None:
        losses = [image_losses(score.conditional[None])[0] for score in scores.values()]
        header = Header(
            fingerprint=self.identity.fingerprint,
            ids=tuple(scores),
            losses=tuple(sum(losses, start=self._no_losses()).tolist()),
            largest_gap=max((largest_gap(score.gap) for score in scores.values()), default=0.0),
        )
        write_atomically(self._scores(number), shard_bytes(list(scores.values()), header))

    @property
    def largest_gap(self) -> float:
        """The largest absolute gap of the first draws, once all shards are written."""
        headers = (self._header(number) for number in range(self.identity.shards))
        return max((header.largest_gap for header in headers), default=0.0)

    @property
    def first_losses(self) -> tuple[float, ...]:
        """The mean losses (T,) of the first draws, once all shards are written.

        Further draws do not change them: the scores of images without any stay as they are.
        """
        headers = [self._header(number) for number in range(self.identity.shards)]
        sums = sum((np.array(header.losses) for header in headers), start=self._no_losses())
        return tuple(mean_losses(sums, sum(len(header.ids) for header in headers)).tolist())

    def _no_losses(self) -> NDArray[np.float64]:
        return np.zeros(len(self.identity.settings.timesteps))

    def _header(self, shard: int) -> Header:
        path = self._scores(shard)
        header = read_header(path)
        check_owner(path, header.fingerprint, self.identity.fingerprint)
        return header

    def _scores(self, shard: int) -> Path:
        return self.path / "scores" / f"{shard:05d}.safetensors"

    def _proxies(self, shard: int) -> Path:
        return self.path / "proxies" / f"{shard:05d}.parquet"

    def _layout(self, class_index: int) -> Path:
        return self.path / "layouts" / f"{class_index:05d}.safetensors"

    def _write(self, name: str | Path, content: bytes) -> None:
        write_atomically(self.path / name, content)
