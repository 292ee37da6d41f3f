"""A cache of computed values that evicts the least recently used, limited in bytes.

Small values, such as figures, have a limit of their own: a scan over all classes of a run reads
more scores than fit, which must not evict the figures that it was made for.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from threading import Lock
from time import monotonic
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from pydantic import BaseModel

T = TypeVar("T")
_Key: TypeAlias = tuple[Hashable, Hashable]

LIMIT_BYTES: Final = 1 << 30
SMALL_SHARE: Final = 4
"""Small values may take one part in so many of the limit."""

OBJECT_BYTES: Final = 48
"""Estimated size of a small Python object."""

NAME_BYTES: Final = 4096
"""Size of a name that is not counted; longer names contain lists that a user made."""


def bytes_of(value: Any) -> int:
    """Estimate the memory of a value: its arrays and texts, and those of its parts."""
    if isinstance(value, np.ndarray):
        return OBJECT_BYTES + value.nbytes
    if isinstance(value, bytes | str):
        return OBJECT_BYTES + len(value)
    if isinstance(value, tuple | list):
        return OBJECT_BYTES + sum(8 + bytes_of(part) for part in value)
    if isinstance(value, Mapping):
        return OBJECT_BYTES + sum(bytes_of(key) + bytes_of(part) for key, part in value.items())
    if isinstance(value, BaseModel):
        return OBJECT_BYTES + sum(bytes_of(part) for _, part in value)
    if is_dataclass(value):
        return OBJECT_BYTES + sum(bytes_of(getattr(value, one.name)) for one in fields(value))
    return OBJECT_BYTES


@dataclass(slots=True)
class _CacheEntry:
    """A value, its size in bytes, and when it was last used, in seconds of the clock."""

    value: Any
    size: int
    used: float


class _Shelf:
    """Entries in the order of their last use, and the bytes that they take."""

    def __init__(self) -> None:
        self.entries: OrderedDict[_Key, _CacheEntry] = OrderedDict()
        self.bytes = 0

    def put(self, key: _Key, entry: _CacheEntry) -> None:
        self.entries[key] = entry
        self.bytes += entry.size

    def evict(self, key: _Key) -> None:
        self.bytes -= self.entries.pop(key).size

    def shrink(self, limit_bytes: int) -> None:
        """Evict the entries that were least recently used until the others fit."""
        while self.bytes > limit_bytes:
            self.evict(next(iter(self.entries)))

    def evict_unused(self, before: float) -> None:
        """Evict the entries that were last used before that time."""
        while self.entries and next(iter(self.entries.values())).used <= before:
            self.evict(next(iter(self.entries)))


@dataclass(slots=True)
class _Pending:
    """The threads that request a missing value: one computes it, the others wait."""

    lock: Lock = field(default_factory=Lock)
    waiting: int = 0


class Cache:
    """A thread-safe cache of at most `limit_bytes`.

    A key is an owner and a name. The least recently used values are evicted first, small ones only
    where they take more than their share; a value larger than the limit is returned and not stored.
    """

    def __init__(
        self, limit_bytes: int = LIMIT_BYTES, clock: Callable[[], float] = monotonic
    ) -> None:
        self.limit_bytes = limit_bytes
        self._clock = clock
        self._lock = Lock()
        self._large, self._small = _Shelf(), _Shelf()
        self._shelves = self._large, self._small
        self._pending: dict[_Key, _Pending] = {}
        self._gone: deque[Hashable] = deque()

    @property
    def bytes(self) -> int:
        """Estimated memory of the stored values."""
        with self._lock:
            self._sweep()
            return sum(shelf.bytes for shelf in self._shelves)

    def get(
        self,
        owner: Hashable,
        name: Hashable,
        compute: Callable[[], T],
        size_of: Callable[[T], int] = bytes_of,
        small: bool = False,
    ) -> T:
        """Return the stored value of that name, or compute it and store it.

        While one thread computes a value, others that request it wait. `size_of` estimates the
        bytes of a value. small: whether it is stored apart from large arrays.
        """
        key, shelf = (owner, name), self._small if small else self._large
        with self._lock:
            self._sweep()
            if key in shelf.entries:
                found: T = self._used(shelf, key)
                return found
            pending = self._pending.setdefault(key, _Pending())
            pending.waiting += 1
        try:
            with pending.lock:
                return self._computed(shelf, key, compute, size_of)
        finally:
            with self._lock:
                pending.waiting -= 1
                if not pending.waiting:
                    del self._pending[key]

    def holds(self, owner: Hashable, name: Hashable) -> bool:
        """Return whether a value of that name is stored."""
        with self._lock:
            return any((owner, name) in shelf.entries for shelf in self._shelves)

    def drop(self, owner: Hashable, name: Hashable) -> None:
        """Evict the value of that name, if it is stored."""
        with self._lock:
            for shelf in self._shelves:
                if (owner, name) in shelf.entries:
                    shelf.evict((owner, name))

    def evict_unused(self, unused_s: float) -> None:
        """Evict the values that were not used for so many seconds."""
        with self._lock:
            self._sweep()
            for shelf in self._shelves:
                shelf.evict_unused(self._clock() - unused_s)

    def forget(self, owner: Hashable) -> None:
        """Evict all values of an owner when the cache is next used.

        It takes no lock, because a finalizer may call it at any moment, even during `get`.
        """
        self._gone.append(owner)

    def _computed(
        self,
        shelf: _Shelf,
        key: _Key,
        compute: Callable[[], T],
        size_of: Callable[[T], int],
    ) -> T:
        with self._lock:
            if key in shelf.entries:
                found: T = self._used(shelf, key)
                return found
        value = compute()
        size = size_of(value) + max(0, bytes_of(key[1]) - NAME_BYTES)
        with self._lock:
            most = self.limit_bytes // (SMALL_SHARE if shelf is self._small else 1)
            if size <= most:
                shelf.put(key, _CacheEntry(value, size, self._clock()))
            self._small.shrink(self.limit_bytes // SMALL_SHARE)
            self._large.shrink(self.limit_bytes - self._small.bytes)
        return value

    def _used(self, shelf: _Shelf, key: _Key) -> Any:
        shelf.entries.move_to_end(key)
        found = shelf.entries[key]
        found.used = self._clock()
        return found.value

    def _sweep(self) -> None:
        """Evict the values of forgotten owners."""
        if self._gone:
            gone = {self._gone.popleft() for _ in range(len(self._gone))}
            for shelf in self._shelves:
                for key in [key for key in shelf.entries if key[0] in gone]:
                    shelf.evict(key)


SHARED: Final = Cache()
"""The cache that all explorers of a process share."""
