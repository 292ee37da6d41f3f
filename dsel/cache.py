"""What was computed, kept for the next time: the last used stays, up to so many bytes."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from threading import Lock
from time import monotonic
from typing import Any, Final, TypeVar

import numpy as np
from pydantic import BaseModel

T = TypeVar("T")

LIMIT_BYTES: Final = 1 << 30
OBJECT_BYTES: Final = 48
"""What a Python object of no great content takes."""


NAME_BYTES: Final = 4096
"""What a name may take before it counts; longer ones hold lists that somebody made."""


def bytes_of(value: Any) -> int:
    """About how much memory a value takes: its arrays and texts, and those inside its records."""
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
class _Kept:
    """A value, what it weighs, and when it was used last (seconds of a clock)."""

    value: Any
    size: int
    used: float


@dataclass(slots=True)
class _Turn:
    """Those who ask for one thing that is not there yet: one makes it, the others wait."""

    lock: Lock = field(default_factory=Lock)
    asking: int = 0


class Cache:
    """Keeps values up to `limit_bytes` in all; any number of threads may ask it.

    A key is an owner and a name. What is used longest ago goes first; a value that is larger than
    the limit is handed out and not kept.
    """

    def __init__(
        self, limit_bytes: int = LIMIT_BYTES, clock: Callable[[], float] = monotonic
    ) -> None:
        self.limit_bytes = limit_bytes
        self._clock = clock
        self._lock = Lock()
        self._kept: OrderedDict[tuple[Hashable, Hashable], _Kept] = OrderedDict()
        self._turns: dict[tuple[Hashable, Hashable], _Turn] = {}
        self._gone: deque[Hashable] = deque()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """About how much memory the kept values take."""
        with self._lock:
            self._sweep()
            return self._bytes

    def get(
        self,
        owner: Hashable,
        name: Hashable,
        make: Callable[[], T],
        weigh: Callable[[T], int] = bytes_of,
    ) -> T:
        """The kept value of that name, or what `make` gives, which weighs so many bytes.

        While one thread makes it, others that ask for the same wait.
        """
        key = owner, name
        with self._lock:
            self._sweep()
            if key in self._kept:
                found: T = self._used(key)
                return found
            turn = self._turns.setdefault(key, _Turn())
            turn.asking += 1
        try:
            with turn.lock:
                return self._made(key, make, weigh)
        finally:
            with self._lock:
                turn.asking -= 1
                if not turn.asking:
                    del self._turns[key]

    def holds(self, owner: Hashable, name: Hashable) -> bool:
        """Whether a value of that name is kept now."""
        with self._lock:
            return (owner, name) in self._kept

    def let_go(self, unused_s: float) -> None:
        """Let go of all that was not used for so many seconds."""
        with self._lock:
            self._sweep()
            before = self._clock() - unused_s
            # They lie in the order of their last use.
            while self._kept and next(iter(self._kept.values())).used <= before:
                self._bytes -= self._kept.popitem(last=False)[1].size

    def forget(self, owner: Hashable) -> None:
        """Let go of all that is kept for an owner, when the cache is used next.

        It takes no lock, since an owner's end may come at any moment, in the midst of `get` too.
        """
        self._gone.append(owner)

    def _made(
        self,
        key: tuple[Hashable, Hashable],
        make: Callable[[], T],
        weigh: Callable[[T], int],
    ) -> T:
        with self._lock:
            if key in self._kept:
                found: T = self._used(key)
                return found
        value = make()
        size = weigh(value) + max(0, bytes_of(key[1]) - NAME_BYTES)
        with self._lock:
            if size <= self.limit_bytes:
                self._kept[key] = _Kept(value, size, self._clock())
                self._bytes += size
            while self._bytes > self.limit_bytes:
                self._bytes -= self._kept.popitem(last=False)[1].size
        return value

    def _used(self, key: tuple[Hashable, Hashable]) -> Any:
        self._kept.move_to_end(key)
        found = self._kept[key]
        found.used = self._clock()
        return found.value

    def _sweep(self) -> None:
        """Drop what belongs to owners that are gone."""
        if self._gone:
            gone = {self._gone.popleft() for _ in range(len(self._gone))}
            for key in [key for key in self._kept if key[0] in gone]:
                self._bytes -= self._kept.pop(key).size


SHARED: Final = Cache()
"""The one that all explorers of a process share."""
