"""Draw events on a terminal: bars with rate and time left, and lines for notices and skips."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from dsel import types
from dsel.contents import Contents
from dsel.errors import printable
from dsel.pipeline.contents import contents_lines
from dsel.pipeline.progress import ProgressCounter

SKIPS_SHOWN = 10
LOG_EVERY_S = 10.0
Figures = Mapping[str, float | int | str]


class Terminal:
    """Consumes events and writes to standard error, so that standard output holds results only.

    Where standard error is no terminal, a line every few seconds takes the place of the bars.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TextColumn("{task.fields[rate]}", style="cyan"),
            TextColumn("{task.fields[left]}", style="progress.remaining"),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._counter = ProgressCounter()
        self._task: TaskID | None = None
        self._logged = 0.0
        self._skipped = 0

    def follow(self, events: Iterable[types.Event]) -> Figures:
        """Draw events until they end; return the figures of the last `Done`."""
        self._counter = ProgressCounter()
        with self._bars:
            for event in events:
                now = time.monotonic()
                self._counter.take(event, now)
                self._draw(event, now)
        if self._skipped > SKIPS_SHOWN:
            self.say(f"skipped {self._skipped} images in all; dsel info lists them with reasons")
        self._skipped, self._task = 0, None
        return self._counter.count.figures

    def say(self, text: str) -> None:
        """Print one line beside the bars."""
        self._console.print(printable(text), markup=False, soft_wrap=True)

    def _draw(self, event: types.Event, now: float) -> None:
        match event:
            case types.Started():
                self._start(event, now)
            case types.Progress() if self._task is not None:
                self._advance_bar(self._task, event, now)
            case types.Progress():
                self._log(now)
            case types.Skipped():
                self._skip(event)
            case types.Notice():
                self.say(f"note: {event.text}")
            case Contents():
                for line in contents_lines(event):
                    self.say(line)

    def _start(self, event: types.Started, now: float) -> None:
        self._logged = now
        if self._console.is_terminal:
            self._task = self._bars.add_task(
                event.stage, total=event.total, completed=event.done, unit=event.unit,
                rate="", left="", note="",
            )  # fmt: skip
        if event.done:
            self.say(f"{event.stage}: {event.done} of {event.total} {event.unit} are done already")

    def _advance_bar(self, task: TaskID, event: types.Progress, now: float) -> None:
        rate, left_s = self._counter.per_second(now), self._counter.left_s(now)
        self._bars.update(
            task,
            advance=event.count,
            rate="" if rate is None else f"{rate:.1f}/s",
            left="-:--:--" if left_s is None else str(timedelta(seconds=round(left_s))),
            note=printable(event.note),
        )

    def _log(self, now: float) -> None:
        if now - self._logged < LOG_EVERY_S:
            return
        self._logged = now
        count, rate = self._counter.count, self._counter.per_second(now)
        left_s = self._counter.left_s(now)
        parts = [f"{count.stage}: {count.done}/{count.total} {count.unit}"]
        if rate is not None and left_s is not None:
            parts += [f"{rate:.1f}/s", f"{left_s:.0f} s left"]
        self.say(f"{', '.join(parts)} {count.note}".rstrip())

    def _skip(self, event: types.Skipped) -> None:
        self._skipped += 1
        if self._skipped <= SKIPS_SHOWN:
            self.say(f"skipped {event.ref.id}: {event.reason}")


def print_figures(figures: Mapping[str, Any], as_json: bool) -> None:
    """Print a stage's figures on standard output: one JSON object, or a line each."""
    if as_json:
        print_line(json.dumps(figures))
        return
    for name, value in figures.items():
        print_line(f"{name.replace('_', ' ')}: {figure_text(value)}")


def figure_text(value: object) -> str:
    """Write a figure as people read it; empty where there is nothing."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping) and not value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def print_line(text: str) -> None:
    """Write one line to standard output; a closed pipe is not an error."""
    with suppress(BrokenPipeError):
        sys.stdout.write(printable(text) + "\n")
        sys.stdout.flush()
