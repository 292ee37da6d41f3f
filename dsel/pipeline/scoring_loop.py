"""Passes over a run's shards: pictures read ahead, scored in batches of one shape, written behind.

What is scored together depends on the shard and the rows per call alone, never on what an earlier
try had done, so that a run that was interrupted ends with the bytes of one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from dsel.data.prefetch import PrefetchedImage, Prefetcher
from dsel.runs import Run
from dsel.runs.schema import ShardRow
from dsel.types import Event, ImageRef, Notice, Progress, Skipped, Started

if TYPE_CHECKING:
    from dsel.priors.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Work:
    """What a pass works with."""

    run: Run
    refs: Sequence[ImageRef]
    reader: Prefetcher
    scorer: Scorer

    def shards(self) -> list[Sequence[ImageRef]]:
        """The images of each shard, in dataset order."""
        size = self.run.identity.settings.shard_size
        return [self.refs[start : start + size] for start in range(0, len(self.refs), size)]


def first_pass(work: Work, draws: range) -> Iterator[Event]:
    """Score every image with these draws; shards that are there stay as they are."""
    finished = set(work.run.finished_shards())
    shards = work.shards()
    done = sum(len(shards[number]) for number in finished)
    yield Started("score", len(work.refs), "images", done)
    with _Behind() as behind:
        for number, refs in enumerate(shards):
            if number not in finished:
                rows = yield from _score_shard(work, refs, draws)
                behind.do(work.run.write_shard, number, rows)


def second_pass(work: Work, chosen: Collection[str], draws: range) -> Iterator[Event]:
    """Score the chosen images with further draws, and write every shard anew with their means."""
    finished = set(work.run.finished_shards("refined"))
    shards = [[ref for ref in refs if ref.id in chosen] for refs in work.shards()]
    done = sum(len(shards[number]) for number in finished)
    yield Started("refine", len(chosen), "images", done)
    with _Behind() as behind:
        for number, refs in enumerate(shards):
            if number not in finished:
                rows = yield from _score_shard(work, refs, draws, again=True)
                behind.do(work.run.write_refined, number, rows)


@dataclass(slots=True)
class _Batch:
    """Pictures of one shape that wait for one another: their places in the shard, and they."""

    places: list[int] = field(default_factory=list)
    pictures: list[PrefetchedImage] = field(default_factory=list)


def _score_shard(
    work: Work, refs: Sequence[ImageRef], draws: range, *, again: bool = False
) -> Generator[Event, None, list[ShardRow]]:
    """Score one shard's images, together where they have one shape; rows come in their order."""
    rows: dict[int, ShardRow] = {}
    waiting: dict[tuple[int, ...], _Batch] = {}
    for place, picture in enumerate(work.reader.read(refs)):
        if isinstance(picture, str):
            rows[place] = ShardRow(refs[place], picture)
            yield from _refused(refs[place], picture, again)
            continue
        shape = picture.proxy.pixels.shape
        batch = waiting.setdefault(shape, _Batch())
        batch.places.append(place)
        batch.pictures.append(picture)
        if len(batch.places) >= work.scorer.images_per_call(len(draws)):
            rows |= yield from _score_batch(work, refs, waiting.pop(shape), draws, again)
    for batch in waiting.values():
        rows |= yield from _score_batch(work, refs, batch, draws, again)
    return [rows[place] for place in range(len(refs))]


def _score_batch(
    work: Work, refs: Sequence[ImageRef], batch: _Batch, draws: range, again: bool
) -> Generator[Event, None, dict[int, ShardRow]]:
    from dsel.priors.scorer import NOT_FINITE

    pixels = np.stack([picture.proxy.pixels for picture in batch.pictures])
    scores = work.scorer.score([refs[place] for place in batch.places], pixels, draws)
    rows = {}
    for place, picture, score in zip(batch.places, batch.pictures, scores, strict=True):
        ref = refs[place]
        if score is None:
            rows[place] = ShardRow(ref, NOT_FINITE)
            yield from _refused(ref, NOT_FINITE, again)
            continue
        frame, shown, small = picture.proxy.frame, picture.proxy_bytes, picture.thumbnail_bytes
        rows[place] = ShardRow(ref, "", frame, shown, small, score)
        yield Progress()
    return rows


def _refused(ref: ImageRef, reason: str, again: bool) -> Iterator[Event]:
    """Say what becomes of a picture that gave no score; one that had a score before keeps it."""
    yield Notice(f"{ref.id} keeps its first draws: it {reason}") if again else Skipped(ref, reason)
    yield Progress()


class _Behind:
    """Does one thing at a time in a thread, while the next is made; its errors come back here."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._waiting: Future[Any] | None = None

    def __enter__(self) -> _Behind:
        return self

    def do(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Begin this once the one before has ended well."""
        self._settle()
        self._waiting = self._pool.submit(call, *arguments)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._pool.shutdown()
        if error is None:
            self._settle()

    def _settle(self) -> None:
        if self._waiting is not None:
            self._waiting.result()
