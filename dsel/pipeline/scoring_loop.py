"""Passes over a run's shards: what is finished is checked, and the rest is handed to workers.

What a shard's file holds depends only on its images and the rows per call, never on who scores it
or on what an earlier try had finished, so that an interrupted run ends with the same bytes as an
uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

from dsel.errors import DamageError
from dsel.pipeline.tasks import NamesTask, Notes, Runner, ShardTask
from dsel.runs import Run, made_again
from dsel.runs.rounds import Further
from dsel.types import Event, Notice, Progress, Started


def first_pass(run: Run, runner: Runner, part: tuple[int, int] = (1, 1)) -> Iterator[Event]:
    """Score every image with the first draws; finished shards stay as they are if undamaged.

    part: its number, from 1, and how many there are: each has every so many-th shard.
    """
    mine = range(part[0] - 1, run.identity.shards, part[1])
    finished = yield from _whole_shards(run, mine)
    images = {number: run.identity.images_in(number) for number in mine}
    done = sum(images[number] for number in finished)
    yield Started("score", sum(images.values()), "images", done)
    tasks = [ShardTask(number) for number in mine if number not in finished]
    yield from _notices((yield from runner.run(tasks)))


def named_pass(run: Run, runner: Runner) -> Iterator[Event]:
    """Score one picture under the names of all classes, on the same noise.

    The run has the picture once per class, in the order of the classes.
    """
    every = range(run.identity.shards)
    finished = yield from _whole_shards(run, every)
    done = sum(map(run.identity.images_in, finished))
    yield Started("score", run.identity.images, "names", done)
    if missing := [number for number in every if number not in finished]:
        yield from _notices((yield from runner.run([NamesTask(missing)])))


def round_pass(
    run: Run, runner: Runner, number: int, chosen: Mapping[str, Further]
) -> Generator[Event, None, tuple[int, ...]]:
    """Give chosen images their further draws, as a round; returns the shards that have any.

    Its finished files stay as they are if they are undamaged, and of the same images and draws.
    """
    tasks = _tasks_of(run, number, chosen)
    finished = yield from _whole_files(run, tasks)
    done = sum(len(tasks[shard].chosen) for shard in finished)
    yield Started("round", len(chosen), "images", done)
    yield from runner.run([task for shard, task in tasks.items() if shard not in finished])
    return tuple(tasks)


def _tasks_of(run: Run, number: int, chosen: Mapping[str, Further]) -> dict[int, ShardTask]:
    """Return the work on each shard that has chosen images, by rising shard."""
    ids: dict[int, list[tuple[str, str]]] = {}
    for row in run.images:
        if row.id in chosen:
            ids.setdefault(row.shard, []).append((row.id, row.checksum))
    return {
        shard: ShardTask(shard, number, {id_: chosen[id_] for id_, _ in of_shard}, dict(of_shard))
        for shard, of_shard in sorted(ids.items())
    }


def _notices(results: Iterable[Notes]) -> Iterator[Notice]:
    """Yield what decoding has to say of some images, one line of each kind."""
    images: dict[str, list[str]] = {}
    for notes in results:
        for note, ids in notes.items():
            images.setdefault(note, []).extend(ids)
    for note, ids in images.items():
        hold = "1 image holds" if len(ids) == 1 else f"{len(ids):,} images hold"
        yield Notice(f"{hold} {note} (such as {ids[0]})")


def _whole_shards(run: Run, mine: Sequence[int]) -> Generator[Event, None, set[int]]:
    """Read the finished shards of a part; a notice names each that is damaged or missing.

    These are scored again, and the run is an unfinished one until then.
    """
    numbers = [number for number in run.expected_shards() if number in mine]
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


def _whole_files(run: Run, tasks: Mapping[int, ShardTask]) -> Generator[Event, None, set[int]]:
    """Read the finished files of a round; a notice names each that is made again."""
    whole = {n for n, task in tasks.items() if run.round_files.file(task.round, n).exists()}
    if whole:
        yield Started("verify", len(whole), "shards")
    for shard in sorted(whole):
        try:
            header = run.round_files.check(tasks[shard].round, shard)
        except DamageError as error:
            whole.discard(shard)
            yield Notice(made_again(error))
        else:
            if not header.fits(tasks[shard].chosen):
                whole.discard(shard)
                path = run.round_files.file(tasks[shard].round, shard)
                yield Notice(f"{path} is made again: it has draws of other images")
        yield Progress()
    return whole
