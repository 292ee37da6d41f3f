"""Tables of results on standard output."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from dsel.pipeline.verdicts import p_text, points, verdicts
from dsel.runs.evaluations import Evaluation, EvaluationRow

EVALUATION_COLUMNS = ("set", "IPC", "images", "accuracy (%)", "best epoch", "to random", "p")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; all columns but the first are aligned to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 200  # a file has no edge to wrap at
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


def accuracy(mean: float | None, deviation: float | None = None) -> str:
    """Write an accuracy in percent, with its standard deviation if there is one."""
    if mean is None:
        return ""
    return f"{100 * mean:.1f}" + ("" if deviation is None else f" ± {100 * deviation:.1f}")
