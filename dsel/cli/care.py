"""The commands that look after a run: its status while it is scored, and repairs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from dsel.cli.flags import Output, RunPath, Where
from dsel.cli.printing import print_plan, print_result
from dsel.config.base import Settings
from dsel.errors import RunError

if TYPE_CHECKING:
    from dsel.runs.status import RunStatus, StudentsStatus

REASONS_SHOWN: Final = 10


class Watch(Settings):
    """How long the status is shown."""

    watch: Annotated[
        bool,
        Field(description="show the status until nobody works on the run any more"),
    ] = False
    every_s: Annotated[
        float, Field(ge=0.1, le=3600, description="with --watch: seconds between two looks")
    ] = 2.0


def status(run: RunPath, watch: Watch = Watch(), output: Output = Output()) -> None:
    """Show how far a run is: shards, rate, time left, skipped images by reason, students."""
    from dsel.runs.status import status_of

    found = status_of(run)
    if output.dry_run:
        return print_plan(output, {"run": str(run), "state": found.state}, watch)
    if not watch.watch:
        return _print_status(found, output)
    return _watch(_looks(run, watch.every_s), output)


def repair(run: RunPath, where: Where = Where(), output: Output = Output()) -> None:
    """Score again what is damaged in a run, and nothing else; damaged files are set aside."""
    from dsel.cli.terminal import Terminal
    from dsel.pipeline.repair import repair as repair_all
    from dsel.pipeline.verify import verify
    from dsel.priors import load_prior

    if output.dry_run:
        return print_plan(output, Terminal().follow(verify(run)))
    figures = Terminal().follow(repair_all(run, load_prior, where.device))
    print_result(figures, output)
    if left := int(figures["left"]):
        files = "1 damaged file is left" if left == 1 else f"{left} damaged files are left"
        raise RunError(f"{files} in {run}: the lines above say what makes them again")
    return None


def _looks(run: RunPath, every_s: float) -> Iterator[RunStatus]:
    """Yield the status again and again, until the run is not running any more."""
    from dsel.runs.status import status_of

    while True:
        found = status_of(run)
        yield found
        if not found.is_running:
            return
        time.sleep(every_s)


def _watch(looks: Iterator[RunStatus], output: Output) -> None:
    """Draw the status anew in its place; where there is no terminal, print it each time."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from dsel.errors import printable

    console = Console(highlight=False)
    if output.json or not console.is_terminal:
        for found in looks:
            _print_status(found, output)
        return
    with Live(console=console, auto_refresh=False) as live:
        for found in looks:
            live.update(Text("\n".join(map(printable, status_lines(found)))), refresh=True)


def _print_status(found: RunStatus, output: Output) -> None:
    from dsel.cli.terminal import print_line

    for line in [json.dumps(found.plain())] if output.json else status_lines(found):
        print_line(line)


def status_lines(found: RunStatus) -> list[str]:
    """Return the status of a run as lines of text."""
    return [
        f"state: {found.state}" + (f", {found.writer}" if found.writer else ""),
        _shards_line(found),
        f"images: {found.images_done:,} of {found.images:,}",
        *([] if found.per_second is None else [f"rate: {found.per_second:.3g} images/s"]),
        *_left_lines(found),
        *_skipped_lines(found.skipped),
        *(
            f"failed: shard {one.shard}, {one.tries} tries: {one.reason}"
            + (f" (round {one.round})" if one.round else "")
            for one in found.failed
        ),
        *(
            f"worker: {one.pid} on {one.host}, {one.device}, {one.stage}"
            + (f" shard {one.shard}: {one.done} of {one.total} images" if one.shard >= 0 else "")
            + (f", {one.rate:.3g} images/s" if one.rate else "")
            for one in found.workers
        ),
        *([] if found.students is None else _student_lines(found.students)),
    ]


def _student_lines(found: StudentsStatus) -> list[str]:
    parts = [f"students: {found.done:,} of {found.total:,} done"]
    parts += [f"{found.running} running"] if found.running else []
    parts += [f"{found.failed} failed"] if found.failed else []
    parts += [f"{found.left:,} left"] if found.left else []
    who = found.writer or found.state
    if found.state == "interrupted":
        who = "interrupted: the same command trains the rest"
    return [
        f"{', '.join(parts)}; {who}",
        *(
            f"worker: {one.pid} on {one.host}, {one.device}, "
            + (
                f"student {one.shard}: {one.done} of {one.total} steps"
                if one.shard >= 0 else one.stage
            )
            + (f", {one.rate:.3g} steps/s" if one.rate else "")
            for one in found.workers
        ),
    ]  # fmt: skip


def _shards_line(found: RunStatus) -> str:
    parts = [f"shards: {found.done:,} of {found.shards:,} done"]
    if found.running:
        parts.append(f"{len(found.running)} running")
    if found.failed:
        parts.append(f"{len(found.failed)} failed")
    if found.further:
        parts.append(f"{found.further} files of further draws")
    return ", ".join(parts)


def _left_lines(found: RunStatus) -> list[str]:
    if found.state == "finished":
        return []
    if found.done == found.shards:
        return ["time left: the images are scored; further draws, if any, and layouts follow"]
    if found.left_s is None:
        return ["time left: unknown until two shards are done"]
    return [f"time left: {timedelta(seconds=round(found.left_s))}"]


def _skipped_lines(skipped: Mapping[str, int]) -> list[str]:
    if not skipped:
        return []
    shown: list[tuple[str, Any]] = list(skipped.items())[:REASONS_SHOWN]
    more = len(skipped) - len(shown)
    return [
        f"skipped: {sum(skipped.values()):,} images",
        *(f"  {count:,}: {reason}" for reason, count in shown),
        *([f"  and {more} more reasons"] if more else []),
    ]
