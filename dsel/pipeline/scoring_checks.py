"""Checks of a scored run: an error where its scores cannot be used, with what to try."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dsel.errors import RunError, shown
from dsel.runs import Run
from dsel.runs.schema import ImageRow


def check_scores(run: Run) -> None:
    """Raise `RunError` for a run without any scored image, or whose gaps are all 0.

    Call it before the run is finished, so that nothing is selected from it.
    """
    if not run.images:
        return
    if not run.images.is_scored.any():
        raise RunError(
            f"none of the {len(run.images)} images was scored: {_reason(run.images)}; "
            f"{_advice(run, run.images)}",
            path=str(run.path),
        )
    if run.largest_gap == 0:
        raise RunError(
            "all gaps are 0, so that naming a class changes nothing: try another --precision (now "
            f"{run.identity.precision}), --prompt or --prior, with a new --run folder",
            path=str(run.path),
        )


def check_every_class(run: Run) -> None:
    """Raise `RunError` for classes whose images were all skipped; fields: path, classes."""
    by_class: dict[int, list[ImageRow]] = {}
    for row in run.images:
        by_class.setdefault(row.class_index, []).append(row)
    empty = [index for index, rows in by_class.items() if all(row.row < 0 for row in rows)]
    if not empty:
        return
    names = [run.identity.classes[index] for index in empty]
    skipped = [row for index in empty for row in by_class[index]]
    which = f"class {names[0]!r}" if len(names) == 1 else f"classes {', '.join(shown(names))}"
    raise RunError(
        f"every image of {which} was skipped: {_reason(skipped)}; {_advice(run, skipped)}, or use "
        f"the other classes with dsel select {run.path}",
        path=str(run.path),
        classes=names,
    )


def _reason(rows: Sequence[ImageRow]) -> str:
    """Return the most frequent reason of skipped images, with its first image."""
    reason, count = Counter(row.reason for row in rows).most_common(1)[0]
    first = next(row.id for row in rows if row.reason == reason)
    return f"{first}: {reason}" + (f", and {count - 1} more" if count > 1 else "")


def _advice(run: Run, rows: Sequence[ImageRow]) -> str:
    from dsel.priors.scorer import NOT_FINITE

    if rows[0].reason != NOT_FINITE:
        return "repair the images, or leave the class out with --classes"
    now = run.identity.precision
    other = "bfloat16 or another prior" if now == "float32" else "float32"
    return f"try --precision {other} (now {now}), with a new --run folder"
