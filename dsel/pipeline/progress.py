"""A stage's events, counted as they come: how far it is, how fast, and what it said."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from dsel.types import Done, Event, Notice, Progress, Skipped, Started

RECENT_S: Final = 30.0
"""The rate is that of so many seconds back: what went on before says little about what comes."""

MARKS_EVERY_S: Final = 0.25
LEAST_S: Final = 0.5
SKIPS_KEPT: Final = 100
NOTICES_KEPT: Final = 50


@dataclass(frozen=True, slots=True)
class SkippedImage:
    """An image that could not be used."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Count:
    """What a stage's events came to. `skips` are the first of the `skipped` ones."""

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
        """Values for JSON."""
        return asdict(self)

    @classmethod
    def restored(cls, plain: Mapping[str, Any]) -> Count:
        """Undo `plain`."""
        skips = tuple(SkippedImage(**skip) for skip in plain["skips"])
        return cls(**{**plain, "notices": tuple(plain["notices"]), "skips": skips})


class ProgressCounter:
    """Takes events with the seconds of a clock that never goes back.

    A counter that goes on where an earlier one stopped keeps what that one was told of skipped
    images; one that is told of again counts once, as far as its name was kept.
    """

    def __init__(self, before: Count | None = None) -> None:
        before = before or Count()
        self._started = Started(before.stage, before.total, before.unit)
        self._done, self._note, self._figures = before.done, "", dict(before.figures)
        self._notices: dict[str, None] = dict.fromkeys(before.notices)
        self._skips = {skip.id: skip for skip in before.skips}
        self._skipped = before.skipped
        self._marks: deque[tuple[float, int]] = deque()

    def take(self, event: Event, now: float) -> None:
        """Count one event."""
        match event:
            case Started():
                self._started, self._done, self._note = event, event.done, ""
                self._marks = deque([(now, event.done)])
            case Progress():
                self._done, self._note = self._done + event.count, event.note
                self._mark(now)
            case Skipped():
                self._skip(SkippedImage(event.ref.id, event.reason))
            case Notice():
                if len(self._notices) < NOTICES_KEPT:
                    self._notices[event.text] = None
            case Done():
                self._figures = dict(event.figures)
                # What was counted by the whole run is right also after a crash.
                self._skipped = int(self._figures.get("skipped", self._skipped))

    @property
    def count(self) -> Count:
        """What the events came to so far."""
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
        """Units a second of late; None before anything was done."""
        recent = _recent(self._marks, now)
        if not recent or self._done == recent[1] or now - recent[0] < LEAST_S:
            return None
        return (self._done - recent[1]) / (now - recent[0])

    def left_s(self, now: float) -> float | None:
        """Seconds until the stage ends, if it goes on like this."""
        rate = self.per_second(now)
        return None if rate is None else max(self._started.total - self._done, 0) / rate

    def _mark(self, now: float) -> None:
        if not self._marks or now - self._marks[-1][0] >= MARKS_EVERY_S:
            self._marks.append((now, self._done))
        while len(self._marks) > 1 and self._marks[1][0] < now - RECENT_S:
            self._marks.popleft()

    def _skip(self, skip: SkippedImage) -> None:
        if skip.id not in self._skips:
            self._skipped += 1
            if len(self._skips) < SKIPS_KEPT:
                self._skips[skip.id] = skip


def _recent(marks: Sequence[tuple[float, int]], now: float) -> tuple[float, int] | None:
    """The last mark that lies behind the recent seconds, or the first there is."""
    before = [mark for mark in marks if mark[0] <= now - RECENT_S]
    return before[-1] if before else next(iter(marks), None)
