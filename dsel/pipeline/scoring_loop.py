"""Passes over a run's shards: images read ahead, scored in batches of one shape, written behind.

Which images are scored together depends only on the shard and the rows per call, never on what an
earlier try had finished, so that an interrupted run ends with the same bytes as an uninterrupted
one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from dsel.data.prefetch import PrefetchedImage, Prefetcher
from dsel.errors import DamageError
from dsel.runs import Run, made_again
from dsel.runs.rounds import Further
from dsel.runs.schema import ShardRow
from dsel.types import Event, ImageRef, Notice, Progress, Skipped, Started

if TYPE_CHECKING:
    from dsel.priors.scorer import Scorer


@dataclass(frozen=True, slots=True)
class ScoringInputs:
    """The run that is written, the images that are read, and the model that scores them."""

    run: Run
    refs: Sequence[ImageRef]
    prefetcher: Prefetcher
    scorer: Scorer

    def shards(self) -> list[Sequence[ImageRef]]:
        """Return the images of each shard, in dataset order."""
        size = self.run.identity.settings.shard_size
        return [self.refs[start : start + size] for start in range(0, len(self.refs), size)]


def first_pass(inputs: ScoringInputs) -> Iterator[Event]:
    """Score every image with the first draws; finished shards stay as they are if undamaged."""
    finished = yield from _whole_shards(inputs.run)
    shards, notes = inputs.shards(), _Notes()
    first = inputs.run.identity.settings.first
    done = sum(len(shards[number]) for number in finished)
    yield Started("score", len(inputs.refs), "images", done)
    with _BackgroundWriter() as writer:
        for number, refs in enumerate(shards):
            if number not in finished:
                draws = dict.fromkeys((ref.id for ref in refs), first)
                rows = yield from _score_shard(inputs, refs, draws, notes)
                writer.submit(inputs.run.write_shard, number, rows)
    yield from notes.events()


def named_pass(inputs: ScoringInputs) -> Iterator[Event]:
    """Score one picture under the names of all classes, on the same noise.

    The run has the picture once per class, in the order of the classes; the first one is read.
    """
    run, refs = inputs.run, inputs.refs
    finished = yield from _whole_shards(run)
    yield Started("score", len(refs), "names")
    if len(finished) < run.identity.shards:
        image = next(iter(inputs.prefetcher.read(refs[:1])))
        rows = {ref.id: row for ref, row in zip(refs, _named_rows(inputs, image), strict=True)}
        for number, shard in enumerate(inputs.shards()):
            if number not in finished:
                run.write_shard(number, [rows[ref.id] for ref in shard])
    yield Progress(len(refs))


def _named_rows(inputs: ScoringInputs, image: PrefetchedImage | str) -> list[ShardRow]:
    from dsel.priors.scorer import NOT_FINITE

    refs = inputs.refs
    if isinstance(image, str):
        return [ShardRow(ref, image) for ref in refs]
    classes, first = [ref.class_index for ref in refs], inputs.run.identity.settings.first
    scores = inputs.scorer.score_names(refs[0], image.proxy.pixels, classes, first)
    frame, proxy, thumbnail = image.proxy.frame, image.proxy_bytes, image.thumbnail_bytes
    return [
        ShardRow(ref, NOT_FINITE)
        if score is None
        else ShardRow(ref, "", frame, proxy, thumbnail, score, image.checksum, image.orientation)
        for ref, score in zip(refs, scores, strict=True)
    ]


def round_pass(
    inputs: ScoringInputs, number: int, chosen: Mapping[str, Further]
) -> Generator[Event, None, tuple[int, ...]]:
    """Give chosen images their further draws, as a round; returns the shards that have any.

    Its finished files stay as they are if they are undamaged, and of the same images and draws.
    """
    run = inputs.run
    before = {row.id: row.checksum for row in run.images}
    by_shard = [[ref for ref in refs if ref.id in chosen] for refs in inputs.shards()]
    shards = {shard: refs for shard, refs in enumerate(by_shard) if refs}
    finished = yield from _whole_files(run, number, shards, chosen)
    done = sum(len(shards[shard]) for shard in finished)
    draws = {image_id: further.draws for image_id, further in chosen.items()}
    yield Started("round", len(chosen), "images", done)
    with _BackgroundWriter() as writer:
        for shard, refs in shards.items():
            if shard not in finished:
                rows = yield from _score_shard(inputs, refs, draws, _Notes(), before)
                writer.submit(run.round_files.write, number, shard, rows, chosen)
    return tuple(shards)


def _whole_shards(run: Run) -> Generator[Event, None, set[int]]:
    """Read the finished shards; a notice names each that is damaged or missing.

    These are scored again, and the run is an unfinished one until then.
    """
    numbers = run.expected_shards()
    whole = set(numbers)
    if numbers:
        yield Started("verify", len(numbers), "shards")
    for number in numbers:
        try:
            run.check_shard(number)
        except DamageError as error:
            whole.discard(number)
            run.reopen()
            yield Notice(f"shard {number} is scored again: {made_again(error)}")
        yield Progress()
    return whole


def _whole_files(
    run: Run, number: int, shards: Mapping[int, Sequence[ImageRef]], chosen: Mapping[str, Further]
) -> Generator[Event, None, set[int]]:
    """Read the finished files of a round; a notice names each that is made again."""
    whole = {shard for shard in shards if run.round_files.file(number, shard).exists()}
    if whole:
        yield Started("verify", len(whole), "shards")
    for shard in sorted(whole):
        try:
            header = run.round_files.check(number, shard)
        except DamageError as error:
            whole.discard(shard)
            yield Notice(made_again(error))
        else:
            if not header.fits({ref.id: chosen[ref.id] for ref in shards[shard]}):
                whole.discard(shard)
                path = run.round_files.file(number, shard)
                yield Notice(f"{path} is made again: it has draws of other images")
        yield Progress()
    return whole


@dataclass(slots=True)
class _Batch:
    """Images of one shape that get the same draws together, and their positions in the shard."""

    positions: list[int] = field(default_factory=list)
    images: list[PrefetchedImage] = field(default_factory=list)


class _Notes:
    """Counts what decoding has to say, so that a run has one line of each kind."""

    def __init__(self) -> None:
        self._images: dict[str, list[str]] = {}

    def add(self, note: str, image_id: str) -> None:
        if note:
            self._images.setdefault(note, []).append(image_id)

    def events(self) -> Iterator[Notice]:
        for note, ids in self._images.items():
            hold = "1 image holds" if len(ids) == 1 else f"{len(ids):,} images hold"
            yield Notice(f"{hold} {note} (such as {ids[0]})")


def _score_shard(
    inputs: ScoringInputs,
    refs: Sequence[ImageRef],
    draws: Mapping[str, range],
    notes: _Notes,
    before: Mapping[str, str] | None = None,
) -> Generator[Event, None, list[ShardRow]]:
    """Score one shard's images, batched by shape and draws; the rows are in the order of `refs`.

    before: in a round, the checksums of all images in the first pass.
    """
    again = before is not None
    rows: dict[int, ShardRow] = {}
    waiting: dict[tuple[tuple[int, ...], range], _Batch] = {}
    for position, found in enumerate(inputs.prefetcher.read(refs)):
        image = _unchanged(found, refs[position], before)
        if isinstance(image, str):
            rows[position] = ShardRow(refs[position], image)
            yield from _not_scored(refs[position], image, again)
            continue
        notes.add(image.note, refs[position].id)
        alike = image.proxy.pixels.shape, draws[refs[position].id]
        batch = waiting.setdefault(alike, _Batch())
        batch.positions.append(position)
        batch.images.append(image)
        if len(batch.positions) >= inputs.scorer.images_per_call(len(alike[1])):
            rows |= yield from _score_batch(inputs, refs, waiting.pop(alike), alike[1], again)
    for (_, of_batch), batch in waiting.items():
        rows |= yield from _score_batch(inputs, refs, batch, of_batch, again)
    return [rows[position] for position in range(len(refs))]


def _unchanged(
    found: PrefetchedImage | str, ref: ImageRef, before: Mapping[str, str] | None
) -> PrefetchedImage | str:
    """Return an image as it was found, or the reason if its pixels were others before."""
    if before is None or isinstance(found, str) or found.checksum == before[ref.id]:
        return found
    return "has changed since the first draws"


def _score_batch(
    inputs: ScoringInputs, refs: Sequence[ImageRef], batch: _Batch, draws: range, again: bool
) -> Generator[Event, None, dict[int, ShardRow]]:
    from dsel.priors.scorer import NOT_FINITE

    pixels = np.stack([image.proxy.pixels for image in batch.images])
    scores = inputs.scorer.score([refs[position] for position in batch.positions], pixels, draws)
    rows = {}
    for position, image, score in zip(batch.positions, batch.images, scores, strict=True):
        ref = refs[position]
        if score is None:
            rows[position] = ShardRow(ref, NOT_FINITE)
            yield from _not_scored(ref, NOT_FINITE, again)
            continue
        frame, proxy, thumbnail = image.proxy.frame, image.proxy_bytes, image.thumbnail_bytes
        stored = image.checksum, image.orientation
        rows[position] = ShardRow(ref, "", frame, proxy, thumbnail, score, *stored)
        yield Progress()
    return rows


def _not_scored(ref: ImageRef, reason: str, again: bool) -> Iterator[Event]:
    """Report an image that gave no score; in a round it keeps the one that it has."""
    from dsel.priors.scorer import NOT_FINITE

    if again:
        why = reason if reason == NOT_FINITE else f"it {reason}"
        yield Notice(f"{ref.id} gets no further draws and keeps its scores, because {why}")
    else:
        yield Skipped(ref, reason)
    yield Progress()


class _BackgroundWriter:
    """Makes one call at a time in a thread; its errors are raised by the next call or at the end.

    The caller waits for the previous call before it submits the next one, so that at most one
    result is waiting in memory.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._pending: Future[Any] | None = None

    def __enter__(self) -> _BackgroundWriter:
        return self

    def submit(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Start this call once the previous one has succeeded."""
        self._wait()
        self._pending = self._pool.submit(call, *arguments)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._pool.shutdown()
        if error is None:
            self._wait()

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()
