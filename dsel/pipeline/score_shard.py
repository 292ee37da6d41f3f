"""Score one shard: images read ahead, scored in batches of one shape, and stored.

Every launcher ends here, in its own process or in another one. Finished images are kept beside the
run while a shard takes long (see `dsel.runs.kept`).
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dsel.config.base import fingerprint
from dsel.data.prefetch import PrefetchedImage, Prefetcher
from dsel.pipeline.background import BackgroundWriter
from dsel.pipeline.tasks import Notes, ShardTask
from dsel.runs import Run
from dsel.runs.kept import KeptImages
from dsel.runs.schema import ShardRow
from dsel.runs.workers import remove_failed
from dsel.types import Event, ImageRef, Notice, Progress, Skipped

if TYPE_CHECKING:
    from dsel.priors.scorer import Scorer


@dataclass(frozen=True, slots=True)
class ScoringInputs:
    """The run that is written, the images that are read, and the model that scores them."""

    run: Run
    refs: Sequence[ImageRef]
    prefetcher: Prefetcher
    scorer: Scorer

    def images_of(self, task: ShardTask) -> list[ImageRef]:
        """Return the images that a task scores, in dataset order."""
        size = self.run.identity.settings.shard_size
        refs = self.refs[task.shard * size : (task.shard + 1) * size]
        return [ref for ref in refs if ref.id in task.chosen] if task.round else list(refs)


def score_shard(
    inputs: ScoringInputs, task: ShardTask, writer: BackgroundWriter
) -> Generator[Event, None, Notes]:
    """Score a shard's images, batched by shape and draws, and let the writer store them.

    What an earlier try has kept is taken over. Returns the images of each note on decoding.
    """
    shard = _Shard(inputs, task, writer)
    yield from shard.take_kept()
    yield from shard.score()
    writer.submit(shard.store, [shard.rows[at] for at in range(len(shard.refs))])
    return shard.notes


@dataclass(slots=True)
class _Batch:
    """Images of one shape that get the same draws together, and their positions in the shard."""

    positions: list[int] = field(default_factory=list)
    images: list[PrefetchedImage] = field(default_factory=list)


class _Shard:
    """The work on one shard; rows: what is finished, by the position in `refs`."""

    def __init__(self, inputs: ScoringInputs, task: ShardTask, writer: BackgroundWriter) -> None:
        self._inputs, self._task, self._writer = inputs, task, writer
        self.refs = inputs.images_of(task)
        self.rows: dict[int, ShardRow] = {}
        self.notes: dict[str, list[str]] = {}
        first = inputs.run.identity.settings.first
        further = {image_id: one.draws for image_id, one in task.chosen.items()}
        self._draws = {ref.id: further.get(ref.id, first) for ref in self.refs}
        self._kept = KeptImages(inputs.run.path, task.round, task.shard, self._work())
        self._fresh: dict[int, ShardRow] = {}
        self._since = time.monotonic()

    def take_kept(self) -> Iterator[Event]:
        """Take over what an earlier try has kept."""
        self.rows = self._kept.read()
        for row in self.rows.values():
            self._note(row.note, row.ref)
            if row.score is None:
                yield from self._not_scored(row.ref, row.reason)
            else:
                yield Progress()

    def score(self) -> Iterator[Event]:
        """Score the images that are left."""
        waiting: dict[tuple[tuple[int, ...], range], _Batch] = {}
        left = [at for at in range(len(self.refs)) if at not in self.rows]
        images = self._inputs.prefetcher.read([self.refs[at] for at in left])
        for at, found in zip(left, images, strict=True):
            ref = self.refs[at]
            image = _unchanged(found, ref, self._task.before)
            if isinstance(image, str):
                self._finished({at: ShardRow(ref, image)})
                yield from self._not_scored(ref, image)
                continue
            self._note(image.note, ref)
            alike = image.proxy.pixels.shape, self._draws[ref.id]
            batch = waiting.setdefault(alike, _Batch())
            batch.positions.append(at)
            batch.images.append(image)
            if len(batch.positions) >= self._inputs.scorer.images_per_call(len(alike[1])):
                yield from self._score_batch(waiting.pop(alike), alike[1])
        for (_, draws), batch in waiting.items():
            yield from self._score_batch(batch, draws)

    def store(self, rows: Sequence[ShardRow]) -> None:
        """Write the finished shard, in place of what was kept of it."""
        run, task = self._inputs.run, self._task
        if task.round:
            run.round_files.write(task.round, task.shard, rows, task.chosen)
        else:
            run.write_shard(task.shard, rows)
        self._kept.remove()
        remove_failed(run.path, task.round, task.shard)

    def _score_batch(self, batch: _Batch, draws: range) -> Iterator[Event]:
        from dsel.priors.scorer import NOT_FINITE

        refs = [self.refs[at] for at in batch.positions]
        pixels = np.stack([image.proxy.pixels for image in batch.images])
        scores = self._inputs.scorer.score(refs, pixels, draws)
        rows = {}
        for at, ref, image, score in zip(batch.positions, refs, batch.images, scores, strict=True):
            if score is None:
                rows[at] = ShardRow(ref, NOT_FINITE, note=image.note)
                continue
            frame, proxy, thumbnail = image.proxy.frame, image.proxy_bytes, image.thumbnail_bytes
            stored = image.checksum, image.orientation, image.note
            rows[at] = ShardRow(ref, "", frame, proxy, thumbnail, score, *stored)
        self._finished(rows)
        for row in rows.values():
            if row.reason:
                yield from self._not_scored(row.ref, row.reason)
            else:
                yield Progress()

    def _note(self, note: str, ref: ImageRef) -> None:
        if note:
            self.notes.setdefault(note, []).append(ref.id)

    def _finished(self, rows: Mapping[int, ShardRow]) -> None:
        """Take finished images, and keep them once there is enough work in them."""
        self.rows |= rows
        self._fresh |= rows
        now, keep_s = time.monotonic(), self._inputs.run.identity.settings.keep_s
        if now - self._since >= keep_s and len(self.rows) < len(self.refs):
            self._writer.submit(self._kept.add, self._fresh)
            self._fresh, self._since = {}, now

    def _not_scored(self, ref: ImageRef, reason: str) -> Iterator[Event]:
        """Report an image that gave no score; in a round it keeps the one that it has."""
        from dsel.priors.scorer import NOT_FINITE

        if self._task.round:
            why = reason if reason == NOT_FINITE else f"it {reason}"
            yield Notice(f"{ref.id} gets no further draws and keeps its scores, because {why}")
        else:
            yield Skipped(ref, reason)
        yield Progress()

    def _work(self) -> str:
        """Name what is computed."""
        identity = self._inputs.run.identity
        draws = [[image_id, one.start, one.stop] for image_id, one in self._draws.items()]
        return fingerprint(identity.fingerprint, identity.threads, identity.backend, draws)


def _unchanged(
    found: PrefetchedImage | str, ref: ImageRef, before: Mapping[str, str]
) -> PrefetchedImage | str:
    """Return an image as it was found, or the reason if its pixels were others before."""
    if isinstance(found, str) or found.checksum == before.get(ref.id, found.checksum):
        return found
    return "has changed since the first draws"
