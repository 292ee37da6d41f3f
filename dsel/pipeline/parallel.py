"""Run several generators at a time, each in a thread, as one stream of what they yield."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from queue import SimpleQueue
from threading import Event
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Stream: TypeAlias = Generator[T, None, None]


def merged(streams: Iterator[Stream[T]], workers: int) -> Iterator[T]:
    """Yield the items of all streams as they come, from at most `workers` streams at a time.

    The next stream is requested in the caller's thread, when a worker is free. The items of one
    stream keep their order. An error in a stream is raised here; it ends the others at their next
    item, and so does closing this generator. One worker needs no thread.
    """
    if workers < 2:
        for stream in streams:
            yield from stream
        return
    queue: SimpleQueue[T | Future[None]] = SimpleQueue()
    stopped, running = Event(), 0
    with ThreadPoolExecutor(workers, "dsel-parallel") as pool:
        try:
            while True:
                for stream in islice(streams, workers - running):
                    pool.submit(_drain, stream, queue, stopped).add_done_callback(queue.put)
                    running += 1
                if not running:
                    return
                item = queue.get()
                if isinstance(item, Future):
                    running -= 1
                    item.result()  # raises the stream's error
                else:
                    yield item
        finally:
            stopped.set()


def _drain(stream: Stream[T], queue: SimpleQueue[T | Future[None]], stopped: Event) -> None:
    with closing(stream):
        for item in stream:
            queue.put(item)
            if stopped.is_set():
                return
