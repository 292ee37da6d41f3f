"""Score one picture under the names of all classes, on the same noise."""

from __future__ import annotations

from collections.abc import Generator

from dsel.data.prefetch import PrefetchedImage
from dsel.pipeline.score_shard import ScoringInputs
from dsel.pipeline.tasks import NamesTask, Notes
from dsel.runs.schema import ShardRow
from dsel.types import Event, Progress, Skipped


def score_names(inputs: ScoringInputs, task: NamesTask) -> Generator[Event, None, Notes]:
    """Score the first image, of which all others are copies, and write the shards of a task."""
    image = next(iter(inputs.prefetcher.read(inputs.refs[:1])))
    rows, size = _rows(inputs, image), inputs.run.identity.settings.shard_size
    for shard in task.shards:
        mine = rows[shard * size : (shard + 1) * size]
        inputs.run.write_shard(shard, mine)
        for row in mine:
            if row.reason:
                yield Skipped(row.ref, row.reason)
        yield Progress(len(mine))
    note = "" if isinstance(image, str) else image.note
    return {note: [inputs.refs[0].id]} if note else {}


def _rows(inputs: ScoringInputs, image: PrefetchedImage | str) -> list[ShardRow]:
    from dsel.priors.scorer import NOT_FINITE

    refs = inputs.refs
    if isinstance(image, str):
        return [ShardRow(ref, image) for ref in refs]
    draws = inputs.run.identity.settings.first
    scores = inputs.scorer.score_names(refs, image.proxy.pixels, draws)
    frame, proxy, thumbnail = image.proxy.frame, image.proxy_bytes, image.thumbnail_bytes
    return [
        ShardRow(ref, NOT_FINITE)
        if score is None
        else ShardRow(ref, "", frame, proxy, thumbnail, score, image.checksum, image.orientation)
        for ref, score in zip(refs, scores, strict=True)
    ]
