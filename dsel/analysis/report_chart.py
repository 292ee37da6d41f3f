"""The accuracies of an evaluation as a chart: where the lines, points and labels of an SVG are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dsel.pipeline.evaluation_rows import REFERENCE
from dsel.pipeline.training_sets import OWN
from dsel.runs.evaluations import EvaluationRow

WIDTH: Final = 640
LEFT, RIGHT, TOP, BOTTOM = 130, 24, 16, 44
ROW: Final = 30
CURVES: Final = 260
"""Height of the area of curves over several IPCs; a single IPC has a row for each set."""

LOOKS: Final = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#c9a227", "#ff9da7",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mark:
    """A mean at (x, y), and the ends of its standard error; text is what a pointer shows."""

    x: float
    y: float
    start: tuple[float, float]
    end: tuple[float, float]
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One set: its marks in the order of IPC."""

    name: str
    colour: str
    is_own: bool
    marks: tuple[Mark, ...]

    @property
    def path(self) -> str:
        """The points of the line through the marks."""
        return " ".join(f"{mark.x:.1f},{mark.y:.1f}" for mark in self.marks)


@dataclass(frozen=True, slots=True)
class Tick:
    """A label of an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Accuracy in % against IPC, or one row for each set at a single IPC.

    across and up: the ticks of both axes; up has the names of the sets at a single IPC.
    """

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    title: str
    is_single: bool
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    lines: tuple[Line, ...]


def accuracy_chart(rows: Sequence[EvaluationRow]) -> Chart | None:
    """Draw the rows of one evaluation that have a mean; None without any."""
    known = [row for row in rows if row.mean is not None]
    names = list(dict.fromkeys(row.name for row in known))
    if not known:
        return None
    ipcs = sorted({row.ipc for row in known})
    top = _round_up(max((row.mean or 0) + (row.standard_error or 0) for row in known))
    return _rows_chart(known, names, top) if len(ipcs) == 1 else _curves(known, names, ipcs, top)


def _rows_chart(rows: Sequence[EvaluationRow], names: Sequence[str], top: float) -> Chart:
    """Draw one row for each set, the most accurate first."""
    ordered = sorted(rows, key=lambda row: -(row.mean or 0))
    height = TOP + ROW * len(ordered) + BOTTOM
    span = WIDTH - LEFT - RIGHT

    def x(share: float) -> float:
        return LEFT + span * share / top

    lines, labels = [], []
    for number, row in enumerate(ordered):
        y = TOP + ROW * (number + 0.5)
        mean, error = row.mean or 0.0, row.standard_error or 0.0
        mark = Mark(x(mean), y, (x(mean - error), y), (x(mean + error), y), _text(row))
        lines.append(_line(row.name, names, (mark,)))
        labels.append(Tick(y, _name(row.name)))
    return Chart(
        WIDTH, height, LEFT, WIDTH - RIGHT, TOP, height - BOTTOM,
        f"Accuracy in % at IPC {ordered[0].ipc}", True,
        tuple(Tick(x(share), _percent(share)) for share in _steps(top)), tuple(labels),
        tuple(lines),
    )  # fmt: skip


def _curves(
    rows: Sequence[EvaluationRow], names: Sequence[str], ipcs: Sequence[int], top: float
) -> Chart:
    """Draw a line for each set over IPC, on a logarithmic axis."""
    left, height = 56, TOP + CURVES + BOTTOM
    span, low = WIDTH - left - RIGHT - 40, math.log(ipcs[0])
    wide = math.log(ipcs[-1]) - low

    def x(ipc: int) -> float:
        return left + 20 + span * (math.log(ipc) - low) / wide

    def y(share: float) -> float:
        return TOP + CURVES * (1 - share / top)

    lines = []
    for name in names:
        marks = []
        for row in sorted((one for one in rows if one.name == name), key=lambda one: one.ipc):
            mean, error, at = row.mean or 0.0, row.standard_error or 0.0, x(row.ipc)
            marks.append(Mark(at, y(mean), (at, y(mean - error)), (at, y(mean + error)),
                              _text(row)))  # fmt: skip
        lines.append(_line(name, names, tuple(marks)))
    return Chart(
        WIDTH, height, left, WIDTH - RIGHT, TOP, height - BOTTOM,
        "Images per class (IPC)", False, tuple(Tick(x(ipc), str(ipc)) for ipc in ipcs),
        tuple(Tick(y(share), _percent(share)) for share in _steps(top)), tuple(lines),
    )  # fmt: skip


def _line(name: str, names: Sequence[str], marks: tuple[Mark, ...]) -> Line:
    others = [one for one in names if one not in (OWN, REFERENCE)]
    if name == OWN:
        colour = "var(--accent)"
    elif name == REFERENCE:
        colour = "var(--soft)"
    else:
        colour = LOOKS[others.index(name) % len(LOOKS)]
    return Line(_name(name), colour, name == OWN, marks)


def _name(name: str) -> str:
    return name if name == OWN else name.replace("-", " ")


def _text(row: EvaluationRow) -> str:
    spread = "" if row.sd is None else f" ± {100 * row.sd:.1f}"
    return f"{_name(row.name)} at IPC {row.ipc}: {100 * (row.mean or 0):.1f}{spread} %"


def _steps(top: float) -> list[float]:
    """Return the labelled shares of an axis from 0 to `top`."""
    count = next((n for n in (5, 4, 3) if abs(100 * top / n - round(100 * top / n)) < 1e-9), 5)
    return [top * n / count for n in range(count + 1)]


def _percent(share: float) -> str:
    return f"{100 * share:.3g}"


def _round_up(share: float) -> float:
    """Return the next round end of an axis: a multiple of 10 %, of 5 % or of 1 % for small ones."""
    step = 0.1 if share > 0.3 else 0.05 if share > 0.1 else 0.01
    return max(step, round(step * math.ceil(share / step - 1e-9), 6))
