"""A cache that forgets the oldest, and many threads that ask it at once."""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pytest

from dsel.cache import LIMIT_BYTES, OBJECT_BYTES, SHARED, Cache, bytes_of


@dataclass(frozen=True, slots=True)
class Pair:
    name: str
    values: np.ndarray


def test_bytes_of__arrays_texts_and_records() -> None:
    array = np.zeros((3, 4), np.float32)
    assert bytes_of(array) == OBJECT_BYTES + 48
    assert bytes_of(b"abc") == bytes_of("abc") == OBJECT_BYTES + 3
    assert bytes_of(7) == bytes_of(None) == OBJECT_BYTES
    assert bytes_of((array, array)) == OBJECT_BYTES + 2 * (8 + bytes_of(array))
    assert bytes_of(Pair("ab", array)) == OBJECT_BYTES + bytes_of("ab") + bytes_of(array)
    assert bytes_of(MappingProxyType({"a": array})) == OBJECT_BYTES + bytes_of("a") + bytes_of(
        array
    )


def test_get__makes_a_thing_once() -> None:
    cache, made = Cache(), []
    for _ in range(3):
        assert cache.get("me", "x", lambda: made.append(1) or [7]) == [7]
    assert made == [1]
    assert cache.get("me", "x", list) is cache.get("me", "x", list)


def test_get__owners_and_names_are_apart() -> None:
    cache = Cache()
    assert cache.get("me", "x", lambda: 1) == 1
    assert cache.get("you", "x", lambda: 2) == 2
    assert cache.get("me", "y", lambda: 3) == 3


def test_get__the_longest_unused_goes_first() -> None:
    cache = Cache(30)
    for name in "abc":
        cache.get("me", name, lambda: 0, lambda _: 10)
    cache.get("me", "a", lambda: 1)  # used again
    cache.get("me", "d", lambda: 0, lambda _: 10)
    kept = [cache.get("me", name, lambda: 1, lambda _: 0) for name in "acdb"]
    assert kept == [0, 0, 0, 1]
    assert cache.bytes == 30


def test_get__stays_below_the_limit_by_the_slow_definition() -> None:
    """Against a list that is searched through, over a thousand random askings."""
    rng = np.random.default_rng(0)
    cache, kept = Cache(100), []
    sizes = {name: int(rng.integers(0, 130)) for name in range(12)}
    for name in rng.integers(0, 12, 1000).tolist():
        made = []
        cache.get("me", name, lambda made=made: made.append(1), lambda _, n=name: sizes[n])
        assert bool(made) == (name not in kept)
        kept = [other for other in kept if other != name]
        if not made or sizes[name] <= 100:
            kept.append(name)
        while sum(sizes[other] for other in kept) > 100:
            kept.pop(0)
        assert cache.bytes == sum(sizes[other] for other in kept)


def test_get__small_values_are_apart_from_large_ones() -> None:
    """A scan over large values evicts no small one, and small ones have a limit of their own."""
    cache = Cache(400)
    for name in range(10):
        cache.get("me", name, lambda: "figure", lambda _: 10, small=True)
    for name in range(10):
        cache.get("me", f"scores {name}", lambda: "scores", lambda _: 150)
    assert [cache.holds("me", name) for name in range(10)] == [True] * 10
    assert [cache.holds("me", f"scores {name}") for name in range(10)] == [False] * 8 + [True] * 2
    cache.get("me", 10, lambda: "figure", lambda _: 10, small=True)  # a fourth of the limit
    assert [cache.holds("me", name) for name in range(11)] == [False] + [True] * 10
    assert cache.bytes == 2 * 150 + 10 * 10
    cache.forget("me")
    assert cache.bytes == 0


def test_get__larger_than_the_limit_is_not_kept() -> None:
    cache = Cache(100)
    cache.get("me", "small", lambda: 1, lambda _: 60)
    assert cache.get("me", "large", lambda: 5, lambda _: 101) == 5
    assert cache.get("me", "large", lambda: 6, lambda _: 101) == 6
    assert cache.get("me", "small", lambda: 2) == 1


def test_get__a_failure_is_not_kept() -> None:
    cache = Cache()

    def fail() -> int:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            cache.get("me", "x", fail)
    assert cache.get("me", "x", lambda: 4) == 4


def test_forget__takes_all_of_an_owner() -> None:
    cache = Cache()
    for owner in ("me", "you"):
        for name in "ab":
            cache.get(owner, name, lambda: 0, lambda _: 10)
    cache.forget("me")
    assert cache.bytes == 20
    assert cache.get("me", "a", lambda: 1) == 1
    assert cache.get("you", "a", lambda: 1) == 0


def test_forget__in_the_midst_of_making() -> None:
    """An owner may end at any moment, as when the garbage collector runs."""
    cache = Cache()
    assert cache.get("me", "x", lambda: cache.forget("you") or gc.collect() >= 0) is True


def test_threads__one_makes_it_and_all_get_it() -> None:
    cache, made, together = Cache(), [], threading.Barrier(8)

    def ask(_: int) -> object:
        together.wait()

        def make() -> object:
            time.sleep(0.05)
            made.append(1)
            return object()

        return cache.get("me", "x", make)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert made == [1]
    assert len(set(map(id, found))) == 1


def test_threads__others_need_not_wait_for_a_slow_one() -> None:
    cache, slow, release = Cache(), threading.Event(), threading.Event()

    def make() -> int:
        slow.set()
        assert release.wait(10)
        return 1

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cache.get, "me", "slow", make)
        assert slow.wait(10)
        assert cache.get("me", "quick", lambda: 2) == 2
        release.set()
        assert waiting.result() == 1


def test_threads__after_a_failure_the_next_one_tries() -> None:
    cache, tries, together = Cache(), [], threading.Barrier(4)

    def ask(_: int) -> str:
        def make() -> str:
            tries.append(1)
            time.sleep(0.01)
            if len(tries) == 1:
                raise ValueError("first")
            return "made"

        together.wait()
        try:
            return cache.get("me", "x", make)
        except ValueError:
            return "failed"

    with ThreadPoolExecutor(4) as pool:
        found = sorted(pool.map(ask, range(4)))
    assert found == ["failed", "made", "made", "made"]
    assert len(tries) == 2


def test_threads__counts_stay_true_under_load() -> None:
    cache = Cache(500)

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for name in rng.integers(0, 40, 400).tolist():
            value = cache.get(name % 3, name, lambda n=name: n, lambda _: 30)
            assert value == name
            if rng.random() < 0.02:
                cache.forget(name % 3)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert cache.bytes == 30 * sum(len(shelf.entries) for shelf in cache._shelves) <= 500
    assert not cache._pending


def test_shared__is_one_of_a_gibibyte() -> None:
    assert SHARED.limit_bytes == LIMIT_BYTES == 2**30


def test_holds__what_is_kept() -> None:
    cache = Cache()
    assert not cache.holds("owner", "name")
    cache.get("owner", "name", lambda: 1)
    assert cache.holds("owner", "name")
    assert not cache.holds("owner", "other")


def test_evict_unused__of_what_was_not_used_for_long() -> None:
    now = [0.0]
    cache = Cache(1000, clock=lambda: now[0])
    for second, name in enumerate("abc"):
        now[0] = second
        cache.get("run", name, lambda one=name: one, lambda _: 10)
    now[0] = 10
    cache.get("run", "a", lambda: pytest.fail("it is kept"), lambda _: 10)
    cache.evict_unused(9)
    assert [cache.holds("run", name) for name in "abc"] == [True, False, True]
    assert cache.bytes == 20
    cache.evict_unused(0)
    assert cache.bytes == 0
