"""Events drawn on a terminal: bars with rate and time left, lines for what is skipped."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from dsel import types

SKIPS_SHOWN = 10
LOG_EVERY_S = 10.0
Figures = Mapping[str, float | int | str]


class Rate(ProgressColumn):
    """Units a second, since the stage began in this process."""

    def render(self, task: Task) -> Text:
        """Draw the rate, or nothing before there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="cyan")


class Terminal:
    """Consumes events: bars and lines go to standard error, so that standard output stays clean."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            Rate(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._log = _Log(self._console)
        self._task: Any = None
        self._skipped = 0

    def follow(self, events: Iterable[types.Event]) -> Figures:
        """Draw events until they end; return the figures of the last `Done`."""
        figures: Figures = {}
        with self._bars:
            for event in events:
                match event:
                    case types.Started():
                        self._start(event)
                    case types.Progress():
                        self._advance(event)
                    case types.Skipped():
                        self._skip(event)
                    case types.Notice():
                        self.say(f"note: {event.text}")
                    case types.Done():
                        figures = event.figures
        self._end()
        return figures

    def say(self, text: str) -> None:
        """Print one line beside the bars."""
        self._console.print(text, markup=False, soft_wrap=True)

    def _start(self, event: types.Started) -> None:
        if self._console.is_terminal:
            self._task = self._bars.add_task(
                event.stage, total=event.total, completed=event.done, unit=event.unit, note=""
            )
        else:
            self._log.start(event)
        if event.done:
            self.say(f"{event.stage}: {event.done} of {event.total} {event.unit} are there already")

    def _advance(self, event: types.Progress) -> None:
        if self._task is not None:
            self._bars.update(self._task, advance=event.count, note=event.note)
        else:
            self._log.advance(event)

    def _skip(self, event: types.Skipped) -> None:
        self._skipped += 1
        if self._skipped <= SKIPS_SHOWN:
            self.say(f"skipped {event.ref.id}: {event.reason}")

    def _end(self) -> None:
        if self._skipped > SKIPS_SHOWN:
            self.say(f"skipped {self._skipped} images in all; dsel info lists them with reasons")
        self._skipped = 0
        self._task = None


class _Log:
    """Where no terminal draws bars: a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = self._said = time.monotonic()
        self._done = self._first = 0
        self._stage = types.Started("", 0, "")

    def start(self, event: types.Started) -> None:
        self._began = self._said = time.monotonic()
        self._done = self._first = event.done
        self._stage = event

    def advance(self, event: types.Progress) -> None:
        self._done += event.count
        now = time.monotonic()
        if now - self._said < LOG_EVERY_S:
            return
        self._said = now
        rate = (self._done - self._first) / (now - self._began)
        left = (self._stage.total - self._done) / rate if rate else 0.0
        self._console.print(
            f"{self._stage.stage}: {self._done}/{self._stage.total} {self._stage.unit}, "
            f"{rate:.1f}/s, {left:.0f} s left {event.note}".rstrip(),
            markup=False,
            soft_wrap=True,
        )


def print_figures(figures: Mapping[str, Any], as_json: bool) -> None:
    """Print a stage's figures on standard output: one JSON object, or a line each."""
    if as_json:
        print_line(json.dumps(figures))
        return
    for name, value in figures.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        print_line(f"{name.replace('_', ' ')}: {shown}")


def print_line(text: str) -> None:
    """Write one line to standard output; a reader that has gone away is not an error."""
    with suppress(BrokenPipeError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
