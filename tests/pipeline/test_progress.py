"""Events counted: by hand, with a clock of the test's own."""

from __future__ import annotations

import json

from dsel.pipeline.progress import MOST_NOTICES, MOST_SKIPS, Count, ProgressCounter, SkippedImage
from dsel.types import Done, ImageRef, Notice, Progress, Skipped, Started


def skip(number: int) -> Skipped:
    return Skipped(ImageRef(f"cat/{number}.png", 0), "is empty")


def test_count__of_a_stage() -> None:
    counter = ProgressCounter()
    counter.take(Started("score", 10, "images", 4), 0.0)
    counter.take(Progress(2, "fast"), 1.0)
    counter.take(skip(1), 1.0)
    counter.take(Notice("so"), 1.0)
    counter.take(Notice("so"), 1.0)
    count = counter.count
    assert (count.stage, count.done, count.total, count.unit) == ("score", 6, 10, "images")
    assert (count.note, count.notices) == ("fast", ("so",))
    assert count.skips == (SkippedImage("cat/1.png", "is empty"),)
    counter.take(Started("layout", 2, "classes"), 2.0)
    counter.take(Done("score", {"images": 9, "skipped": 3}), 2.0)
    assert (counter.count.stage, counter.count.done, counter.count.note) == ("layout", 0, "")
    assert (counter.count.figures["images"], counter.count.skipped) == (9, 3)


def test_rate__is_that_of_what_was_done_here() -> None:
    """What an earlier try had done took no time."""
    counter = ProgressCounter()
    counter.take(Started("score", 100, "images", 50), 0.0)
    assert counter.per_second(5.0) is None
    assert counter.left_s(5.0) is None
    counter.take(Progress(10), 5.0)
    assert counter.per_second(5.0) == 2.0
    assert counter.left_s(5.0) == 20.0
    assert counter.per_second(10.0) == 1.0  # nothing came since


def test_rate__forgets_what_is_long_ago() -> None:
    counter = ProgressCounter()
    counter.take(Started("score", 1000, "images"), 0.0)
    for second in range(1, 101):
        counter.take(Progress(1 if second <= 50 else 3), float(second))
    assert counter.per_second(100.0) == 3.0


def test_skips__are_listed_up_to_a_number_and_counted_once() -> None:
    counter = ProgressCounter()
    for number in (*range(MOST_SKIPS + 5), 0, 1):
        counter.take(skip(number), 0.0)
    for number in range(MOST_NOTICES + 5):
        counter.take(Notice(str(number)), 0.0)
    assert counter.count.skipped == MOST_SKIPS + 5
    assert len(counter.count.skips) == MOST_SKIPS
    assert len(counter.count.notices) == MOST_NOTICES


def test_before__goes_on_with_what_an_earlier_try_said() -> None:
    first = ProgressCounter()
    first.take(Started("score", 10, "images"), 0.0)
    first.take(skip(1), 0.0)
    first.take(Notice("so"), 0.0)
    stored = json.loads(json.dumps(first.count.plain()))
    assert Count.restored(stored) == first.count
    again = ProgressCounter(Count.restored(stored))
    assert again.count == first.count
    again.take(skip(1), 1.0)
    again.take(skip(2), 1.0)
    assert again.count.skipped == 2
