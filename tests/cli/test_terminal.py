"""Events on a terminal and in a log file, with a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import SimpleNamespace

import pytest

from dsel.cli import terminal as module
from dsel.cli.terminal import SKIPS_SHOWN, Terminal, print_figures
from dsel.types import Done, Event, ImageRef, Notice, Progress, Skipped, Started


def follow(monkeypatch: pytest.MonkeyPatch, timed: Iterable[tuple[float, Event]]) -> object:
    """Follow events that come at these times."""
    clock = SimpleNamespace(now=0.0)

    def events() -> Iterator[Event]:
        for clock.now, event in timed:
            yield event

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return Terminal().follow(events())


def score(seconds: range, each: int = 1) -> list[tuple[float, Event]]:
    """Ten of a hundred images are done already; then so many each second."""
    progress = [(float(second), Progress(each, "fast")) for second in seconds]
    return [(0.0, Started("score", 100, "images", 10)), *progress]


def test_log__a_line_now_and_then(monkeypatch, capsys) -> None:
    follow(monkeypatch, score(range(1, 26), 2))
    assert capsys.readouterr().err.splitlines() == [
        "score: 10 of 100 images are done already",
        "score: 30/100 images, 2.0/s, 35 s left fast",
        "score: 50/100 images, 2.0/s, 25 s left fast",
    ]


def test_log__a_stage_after_another_starts_anew(monkeypatch, capsys) -> None:
    later = [(30.0, Started("layout", 20, "classes")), (40.0, Progress(5))]
    follow(monkeypatch, [*score(range(1, 9)), *later])
    assert capsys.readouterr().err.splitlines()[1:] == ["layout: 5/20 classes, 0.5/s, 30 s left"]


def test_log__no_rate_before_a_unit_is_done(monkeypatch, capsys) -> None:
    follow(monkeypatch, [(0.0, Started("score", 100, "images")), (12.0, Progress(0, "loading"))])
    assert capsys.readouterr().err.splitlines() == ["score: 0/100 images loading"]


def test_lines__notices_and_the_first_skips(monkeypatch, capsys) -> None:
    skips = [(0.0, Skipped(ImageRef(f"cat/{n}.png", 0), "is empty")) for n in range(12)]
    done = Done("score", {"images": 3, "skipped": 40})
    figures = follow(monkeypatch, [(0.0, Notice("[so]")), *skips, (1.0, done)])
    assert figures == {"images": 3, "skipped": 40}
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["note: [so]", "skipped cat/0.png: is empty"]
    assert len(lines) == 1 + SKIPS_SHOWN + 1
    assert lines[-1] == "skipped 12 images in all; dsel info lists them with reasons"


def test_bars__show_rate_and_time_left(monkeypatch, capsys) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes rich take standard error for a terminal
    monkeypatch.setenv("COLUMNS", "200")
    follow(monkeypatch, score(range(1, 26), 2))
    shown = capsys.readouterr().err
    assert "60/100" in shown
    assert "2.0/s" in shown
    assert "0:00:20" in shown
    assert "s left" not in shown


def test_figures__lists_without_brackets(capsys) -> None:
    print_figures({"base_lines": ("herding", "rded"), "ipcs": (), "rate": 0.12345}, as_json=False)
    assert capsys.readouterr().out == "base lines: herding, rded\nipcs: \nrate: 0.1235\n"


def test_lines__names_of_files_with_control_characters(monkeypatch, capsys) -> None:
    """They are escaped, as are bytes that are no text; everything else stays as it is."""
    odd = ImageRef("cat/\x1b[31mred\r\x9b2J\udcff.png", 0)
    fine = "Ü 猫 👩‍🔬 a\u200cb\xa0c"
    found = [(0.0, Skipped(odd, "is\x07 empty")), (0.0, Notice(fine)), (0.0, Notice("a\nb\x7f"))]
    follow(monkeypatch, found)
    assert capsys.readouterr().err.splitlines() == [
        r"skipped cat/\x1b[31mred\r\x9b2J\udcff.png: is\x07 empty",
        f"note: {fine}",
        r"note: a\nb\x7f",
    ]


def test_print_figures__control_characters(capsys) -> None:
    print_figures({"folder": "a\x1b[2J"}, as_json=False)
    print_figures({"folder": "a\x1b[2J"}, as_json=True)
    assert capsys.readouterr().out == 'folder: a\\x1b[2J\n{"folder": "a\\u001b[2J"}\n'
