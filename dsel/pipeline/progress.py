"""Count the events of a stage: units done, rate, time left, notices and skipped images."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from dsel.types import Done, Event, Notice, Progress, Skipped, Started

WINDOW_S: Final = 30.0
"""The rate is the mean over this many last seconds: the speed of a stage may change."""

SAMPLE_EVERY_S: Final = 0.25
LEAST_S: Final = 0.5
"""Seconds from the start of a stage after which there is a rate."""

MOST_SKIPS: Final = 100
MOST_NOTICES: Final = 50


@dataclass(frozen=True, slots=True)
class SkippedImage:
    """An image that could not be used."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Count:
    """Totals of a stage's events; `skips` lists the first of the `skipped` images."""

    stage: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    note: str = ""
    notices: tuple[str, ...] = ()
    skipped: int = 0
    skips: tuple[SkippedImage, ...] = ()
    figures: Mapping[str, float | int | str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return values for JSON."""
        return asdict(self)

    @classmethod
    def restored(cls, plain: Mapping[str, Any]) -> Count:
        """Undo `plain`."""
        skips = tuple(SkippedImage(**skip) for skip in plain["skips"])
        return cls(**{**plain, "notices": tuple(plain["notices"]), "skips": skips})


class ProgressCounter:
    """Counts events; each comes with the time in seconds of a monotonic clock.

    before: the count of an earlier try that this one resumes. Its skipped images stay counted, and
    one that is skipped again counts once, as far as its name was stored.
    """

    def __init__(self, before: Count | None = None) -> None:
        before = before or Count()
        self._started = Started(before.stage, before.total, before.unit)
        self._done, self._note, self._figures = before.done, "", dict(before.figures)
        self._notices: dict[str, None] = dict.fromkeys(before.notices)
        self._skips = {skip.id: skip for skip in before.skips}
        self._skipped = before.skipped
        self._samples: deque[_Sample] = deque()

    def take(self, event: Event, now: float) -> None:
        """Count one event."""
        match event:
            case Started():
                self._started, self._done, self._note = event, event.done, ""
                self._samples = deque([_Sample(now, event.done)])
            case Progress():
                self._done, self._note = self._done + event.count, event.note
                self._sample(now)
            case Skipped():
                self._skip(SkippedImage(event.ref.id, event.reason))
            case Notice():
                if len(self._notices) < MOST_NOTICES:
                    self._notices[event.text] = None
            case Done():
                self._figures = dict(event.figures)
                # The figure of the whole run is right also after a crash.
                self._skipped = int(self._figures.get("skipped", self._skipped))

    @property
    def count(self) -> Count:
        """The totals so far."""
        return Count(
            stage=self._started.stage,
            done=self._done,
            total=self._started.total,
            unit=self._started.unit,
            note=self._note,
            notices=tuple(self._notices),
            skipped=self._skipped,
            skips=tuple(self._skips.values()),
            figures=dict(self._figures),
        )

    def per_second(self, now: float) -> float | None:
        """Return the units done per second lately; None before anything was done."""
        if not self._samples:
            return None
        before = bisect_right(self._samples, now - WINDOW_S, key=lambda sample: sample.time)
        since = self._samples[max(before - 1, 0)]
        if self._done == since.done or now - since.time < LEAST_S:
            return None
        return (self._done - since.done) / (now - since.time)

    def left_s(self, now: float) -> float | None:
        """Return the seconds until the stage ends at the present rate; None without a rate."""
        rate = self.per_second(now)
        return None if rate is None else max(self._started.total - self._done, 0) / rate

    def _sample(self, now: float) -> None:
        if not self._samples or now - self._samples[-1].time >= SAMPLE_EVERY_S:
            self._samples.append(_Sample(now, self._done))
        while len(self._samples) > 1 and self._samples[1].time < now - WINDOW_S:
            self._samples.popleft()

    def _skip(self, skip: SkippedImage) -> None:
        if skip.id not in self._skips:
            self._skipped += 1
            if len(self._skips) < MOST_SKIPS:
                self._skips[skip.id] = skip


@dataclass(frozen=True, slots=True)
class _Sample:
    """The units that were done at a time."""

    time: float
    done: int
