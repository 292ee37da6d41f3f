"""Merged streams: all items, an order within each, errors and an end that reach every thread."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import pytest

from dsel.pipeline.parallel import merged


def letters(name: str, count: int = 3) -> Generator[str, None, None]:
    for number in range(count):
        yield f"{name}{number}"


@pytest.mark.parametrize("workers", [1, 2, 4, 9])
def test_merged__every_item_once_and_each_stream_in_order(workers: int):
    found = list(merged((letters(name) for name in "abcde"), workers))
    assert sorted(found) == [f"{name}{number}" for name in "abcde" for number in range(3)]
    for name in "abcde":
        assert [item for item in found if item[0] == name] == list(letters(name))


@pytest.mark.parametrize("workers", [1, 3])
def test_merged__no_streams(workers: int):
    assert list(merged(iter(()), workers)) == []


def test_merged__runs_streams_at_the_same_time():
    together = threading.Barrier(3, timeout=30)

    def meeting() -> Generator[int, None, None]:
        yield together.wait()  # fails unless three streams run at a time

    assert sorted(merged((meeting() for _ in range(3)), 3)) == [0, 1, 2]


def test_merged__requests_a_stream_only_for_a_free_worker():
    release, begun = threading.Event(), []

    def stream(number: int) -> Generator[int, None, None]:
        yield number
        assert release.wait(30)

    def streams() -> Iterator[Generator[int, None, None]]:
        for number in range(4):
            begun.append((number, threading.current_thread()))
            yield stream(number)

    items = merged(streams(), 2)
    assert {next(items), next(items)} == {0, 1}
    assert [number for number, _ in begun] == [0, 1]
    release.set()
    assert sorted(items) == [2, 3]
    assert {thread for _, thread in begun} == {threading.current_thread()}


def test_merged__an_error_is_raised_and_ends_the_others():
    ended = threading.Event()

    def endless() -> Generator[int, None, None]:
        try:
            while True:
                yield 0
        finally:
            ended.set()

    def broken() -> Generator[int, None, None]:
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        for _ in merged(iter([endless(), broken()]), 2):
            pass
    assert ended.wait(30)


def test_merged__closing_it_ends_the_streams():
    items = merged((letters(name, 10**9) for name in "ab"), 2)
    next(items)
    items.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("dsel-parallel")]
