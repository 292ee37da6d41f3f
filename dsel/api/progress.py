"""Events -> a progress bar, in a notebook or a terminal."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any

from dsel.contents import Contents
from dsel.errors import printable
from dsel.types import Done, Event, Notice, Progress, Skipped, Started


def follow(events: Iterable[Event], progress: bool = True) -> Mapping[str, float | int | str]:
    """Run a stage to its end behind a progress bar; returns the figures of the last stage.

    Skipped images are counted beside the bar and are listed in the run; notices are printed.
    """
    figures: Mapping[str, float | int | str] = {}
    bars = _Bars(progress)
    try:
        for event in events:
            bars.show(event)
            if isinstance(event, Done):
                figures = event.figures
    finally:
        bars.close()
        if isinstance(events, Generator):
            events.close()  # a traceback would keep it, and the lock of its folder
    return figures


class _Bars:
    """One bar at a time, for the stage that is running."""

    # tqdm computes the rate and the time left itself. They may differ a little from those of
    # `ProgressCounter`, but they are what a notebook user expects of a tqdm bar.

    def __init__(self, visible: bool) -> None:
        self._visible = visible
        self._bar: Any = None
        self._skipped = 0

    def show(self, event: Event) -> None:
        if isinstance(event, Started):
            self._open(event)
        elif isinstance(event, Progress) and self._bar is not None:
            self._bar.update(event.count)
        elif isinstance(event, Skipped) and self._bar is not None:
            self._skipped += 1
            self._bar.set_postfix(skipped=self._skipped)
        elif isinstance(event, Notice) and self._visible:
            self._tqdm().write(printable(event.text))
        elif isinstance(event, Contents) and self._visible:
            from dsel.pipeline.contents import contents_lines

            self._tqdm().write("\n".join(map(printable, contents_lines(event))))

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _open(self, event: Started) -> None:
        self.close()
        self._skipped = 0
        self._bar = self._tqdm()(
            desc=event.stage, total=event.total, initial=event.done, unit=f" {event.unit}",
            disable=not self._visible,
        )  # fmt: skip

    def _tqdm(self) -> Any:
        from tqdm.auto import tqdm

        return tqdm
