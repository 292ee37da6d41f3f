"""Evaluation as functions for a notebook: what a distilled set is worth, and their events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from dsel.api.keywords import with_keywords
from dsel.api.progress import follow
from dsel.api.run import Run
from dsel.api.selection import Selection
from dsel.config import EvaluateSettings, ExportSettings
from dsel.errors import SettingError

if TYPE_CHECKING:
    from dsel.pipeline.held_out import HeldOutTest
    from dsel.pipeline.training_sets import TrainingSets
    from dsel.runs.evaluations import Evaluation
    from dsel.types import Dataset, Event

Evaluated: TypeAlias = "Selection | Run | str | Path"
HeldOutLike: TypeAlias = "str | Path | Dataset"


def evaluate(
    evaluated: Evaluated,
    test: HeldOutLike,
    *,
    run: Run | str | Path | None = None,
    settings: EvaluateSettings | None = None,
    export_settings: ExportSettings | None = None,
    progress: bool = True,
    **keywords: Any,
) -> Evaluation:
    """Train students on a set and on baselines of equal budget, and test them on held-out images.

    The same call again resumes, and returns a finished evaluation at once.

    Args:
        evaluated: A selection, a run (its current selection), or the folder of either a run or an
            exported set.
        test: Held-out images: a source, which may end in options such as
            `toybox:seed=13,per-class=50`, or an open dataset.
        run: The run of an exported set, for its baselines; `OUT/run` if it is there.
        settings: How students are trained and compared; the defaults if left out.
        export_settings: How sets of a run are composed; the defaults if left out.
        progress: Whether a progress bar is shown.
        keywords: Fields of `EvaluateSettings` and of `ExportSettings`.
    """
    sets, held_out, chosen = _prepared(evaluated, test, run, settings, export_settings, keywords)
    from dsel.pipeline.evaluate import evaluate as evaluate_all
    from dsel.runs.evaluations import read_evaluation

    figures = follow(evaluate_all(sets, held_out, chosen), progress)
    found = read_evaluation(sets.subject.folder, str(figures["evaluation"]))
    assert found is not None  # just written
    return found


def iter_evaluate(
    evaluated: Evaluated,
    test: HeldOutLike,
    *,
    run: Run | str | Path | None = None,
    settings: EvaluateSettings | None = None,
    export_settings: ExportSettings | None = None,
    **keywords: Any,
) -> Iterator[Event]:
    """Evaluate like `evaluate`, and yield the events."""
    from dsel.pipeline.evaluate import evaluate as evaluate_all

    yield from evaluate_all(*_prepared(evaluated, test, run, settings, export_settings, keywords))


def _prepared(
    evaluated: Evaluated,
    test: HeldOutLike,
    run: Run | str | Path | None,
    settings: EvaluateSettings | None,
    export_settings: ExportSettings | None,
    keywords: dict[str, Any],
) -> tuple[TrainingSets, HeldOutTest, EvaluateSettings]:
    from dsel.pipeline.held_out import HeldOutTest

    evaluating, exporting = with_keywords(
        keywords, settings or EvaluateSettings(), export_settings or ExportSettings()
    )
    sets = _sets(evaluated, run, cast(ExportSettings, exporting))
    source = str(test) if isinstance(test, Path) else test
    return sets, HeldOutTest(sets.subject, source), cast(EvaluateSettings, evaluating)


def _sets(
    evaluated: Evaluated, run: Run | str | Path | None, export: ExportSettings
) -> TrainingSets:
    from dsel.pipeline.evaluated import open_sets
    from dsel.pipeline.training_sets import RunSets

    if isinstance(evaluated, Selection):
        if run is not None:
            raise SettingError("a selection has its own run: leave run out")
        folder = evaluated.run.folder
        return RunSets(folder, evaluated.settings, evaluated.classes, export)
    path = evaluated.path if isinstance(evaluated, Run) else Path(evaluated)
    of = run.path if isinstance(run, Run) else run
    return open_sets(path, None if of is None else Path(of), "", export)
