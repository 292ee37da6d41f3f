"""Tables of results on standard output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from dsel.analysis.sweeps import Sweep
from dsel.errors import printable
from dsel.pipeline.verdicts import p_text, points, verdicts
from dsel.runs.advice import Advice
from dsel.runs.evaluations import Evaluation, EvaluationRow

FIGURES = (
    "images", "coverage_distance", "clusters_covered", "near_duplicates", "stability", "hit_rate",
    "label_auc", "accuracy", "accuracy_sd", "difference",
)  # fmt: skip
MOST_ROWS = 40
MOST_COLUMNS = 200
EVALUATION_COLUMNS = ("set", "IPC", "images", "accuracy (%)", "best epoch", "to random", "p")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; all columns but the first are aligned to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(printable, row))
    console = Console(highlight=False, markup=False)
    console.width = max(console.width, MOST_COLUMNS)  # figures are never cut off
    console.print(table)


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the rows of an evaluation, and whether the set beats random whole images."""
    from dsel.cli.terminal import print_line

    print_table(EVALUATION_COLUMNS, [_cells(row) for row in evaluation.rows])
    for sentence in verdicts(evaluation):
        print_line(sentence)


def _cells(row: EvaluationRow) -> tuple[str, ...]:
    images = str(row.images)
    if row.training_images != row.images:
        images += f" ({row.training_images} tiles)"
    return (
        row.name,
        str(row.ipc),
        images,
        accuracy(row.mean, row.sd),
        accuracy(row.best_mean),
        "" if row.difference is None else points(row.difference),
        "" if row.p_value is None else p_text(row.p_value).removeprefix("p = ").removeprefix("p "),
    )


def print_sweep(sweep: Sweep, table: str) -> None:
    """Print what a sweep varied and measured, the best students first, and where all of it is."""
    from dsel.cli.terminal import print_line

    rows = sorted(sweep.cells, key=lambda cell: -(cell["accuracy"] or 0.0))
    figures = [name for name in FIGURES if any(row[name] is not None for row in rows)]
    columns = (*(sweep.settings or ("cut",)), *figures)
    shown = [[_value(row[name]) for name in columns] for row in rows[:MOST_ROWS]]
    print_table([name.replace("_", " ") for name in columns], shown)
    if len(rows) > MOST_ROWS:
        print_line(f"and {len(rows) - MOST_ROWS} more")
    print_line(f"table: {table}")


def print_advice(advice: Advice) -> None:
    """Print the rounds of a search, its figures against random images, and the recommendation."""
    from dsel.cli.terminal import print_line

    for number, rung in enumerate(advice.rungs, 1):
        columns = (f"round {number}: {rung.steps} steps, {rung.seeds} students", "accuracy (%)")
        rows = [(_changes(one.changes), accuracy(one.mean)) for one in rung.candidates]
        print_table(columns, rows)
    print_line(f"best settings: {accuracy(advice.mean, advice.sd)} %")
    print_line(f"random whole images: {accuracy(advice.random_mean, advice.random_sd)} %")
    print_line(advice.text)
    print_line(advice.command)


def _changes(changes: Mapping[str, object]) -> str:
    listed = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in changes.items())
    return listed or "the selection as it is"


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list):
        return "+".join(map(str, value)) or "all"
    return "" if value is None else str(value)


def accuracy(mean: float | None, deviation: float | None = None) -> str:
    """Write an accuracy in percent, with its standard deviation if there is one."""
    if mean is None:
        return ""
    return f"{100 * mean:.1f}" + ("" if deviation is None else f" ± {100 * deviation:.1f}")
