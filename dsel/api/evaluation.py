"""What a distilled set is worth, as functions for a notebook: evaluate, sweep, advise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from dsel.api.keywords import with_keywords
from dsel.api.progress import follow
from dsel.api.run import Run
from dsel.api.selection import Selection
from dsel.config import (
    AdviseSettings,
    EvaluateSettings,
    ExportSettings,
    PlaceSettings,
    SelectSettings,
    StudentSettings,
    SweepSettings,
)
from dsel.config.base import Settings
from dsel.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd

    from dsel.pipeline.held_out import HeldOutTest
    from dsel.pipeline.training_sets import TrainingSets
    from dsel.pipeline.trials import Trials
    from dsel.runs.advice import Advice
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
    place: PlaceSettings | None = None,
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
        place: Where students are trained, such as on a Ray cluster; here if left out. Workers in
            other processes open the run, the set and the test images again.
        progress: Whether a progress bar is shown.
        keywords: Fields of `EvaluateSettings`, `ExportSettings` and `PlaceSettings`.
    """
    from dsel.runs.evaluations import read_evaluation

    prepared = _prepared(evaluated, test, run, settings, export_settings, place, keywords)
    figures = follow(prepared.events(), progress)
    found = read_evaluation(prepared.sets.subject.folder, str(figures["evaluation"]))
    assert found is not None  # just written
    return found


def iter_evaluate(
    evaluated: Evaluated,
    test: HeldOutLike,
    *,
    run: Run | str | Path | None = None,
    settings: EvaluateSettings | None = None,
    export_settings: ExportSettings | None = None,
    place: PlaceSettings | None = None,
    **keywords: Any,
) -> Iterator[Event]:
    """Evaluate like `evaluate`, and yield the events."""
    prepared = _prepared(evaluated, test, run, settings, export_settings, place, keywords)
    yield from prepared.events()


def sweep(
    selection: Selection | Run | str | Path,
    *,
    validation: HeldOutLike | None = None,
    settings: SweepSettings | None = None,
    student: StudentSettings | None = None,
    export_settings: ExportSettings | None = None,
    place: PlaceSettings | None = None,
    progress: bool = True,
    **keywords: Any,
) -> pd.DataFrame:
    """Measure every combination of some select settings; returns a table with a row for each.

    Args:
        selection: The selection whose settings are varied, or a run (its current selection).
        validation: Images to test students of each combination on, if students are wanted. No test
            of the run accepts them afterwards.
        settings: The values of each setting; the defaults if left out.
        student: How students are trained; the defaults if left out.
        export_settings: How sets are composed; the defaults if left out.
        place: Where students are trained; see `evaluate`.
        progress: Whether a progress bar is shown.
        keywords: Fields of `SweepSettings`, `StudentSettings`, `ExportSettings` and
            `PlaceSettings`.
    """
    from dsel.analysis.sweeps import list_sweeps
    from dsel.api.selection import pandas_module

    pandas = pandas_module("sweep")
    run, events = _sweep(selection, validation, settings, student, export_settings, place, keywords)
    name = follow(events, progress)["sweep"]
    found = next(one for one in list_sweeps(run.folder) if one.name == name)
    table: pd.DataFrame = pandas.DataFrame.from_records(list(found.cells))
    return table


def iter_sweep(
    selection: Selection | Run | str | Path,
    *,
    validation: HeldOutLike | None = None,
    settings: SweepSettings | None = None,
    student: StudentSettings | None = None,
    export_settings: ExportSettings | None = None,
    place: PlaceSettings | None = None,
    **keywords: Any,
) -> Iterator[Event]:
    """Sweep like `sweep`, and yield the events."""
    yield from _sweep(selection, validation, settings, student, export_settings, place, keywords)[1]


def advise(
    selection: Selection | Run | str | Path,
    validation: HeldOutLike,
    *,
    settings: AdviseSettings | None = None,
    student: StudentSettings | None = None,
    export_settings: ExportSettings | None = None,
    place: PlaceSettings | None = None,
    progress: bool = True,
    **keywords: Any,
) -> Advice:
    """Search for the select settings that train the best students on validation images.

    The same call again resumes. No test of the run accepts the validation images afterwards.

    Args:
        selection: The selection to improve, or a run (its current selection).
        validation: Images to choose by: a source, which may end in options such as
            `toybox:seed=13,per-class=50`, or an open dataset.
        settings: How long the search takes; the defaults if left out.
        student: How students are trained; the defaults if left out.
        export_settings: How sets are composed; the defaults if left out.
        place: Where students are trained; see `evaluate`.
        progress: Whether a progress bar is shown.
        keywords: Fields of `AdviseSettings`, `StudentSettings`, `ExportSettings` and
            `PlaceSettings`.
    """
    from dsel.runs.advice import read_advice

    run, events = _advise(
        selection, validation, settings, student, export_settings, place, keywords
    )
    return read_advice(run.path, str(follow(events, progress)["advice"]))


def iter_advise(
    selection: Selection | Run | str | Path,
    validation: HeldOutLike,
    *,
    settings: AdviseSettings | None = None,
    student: StudentSettings | None = None,
    export_settings: ExportSettings | None = None,
    place: PlaceSettings | None = None,
    **keywords: Any,
) -> Iterator[Event]:
    """Search like `advise`, and yield the events."""
    yield from _advise(selection, validation, settings, student, export_settings, place, keywords)[
        1
    ]


def _sweep(
    selection: Selection | Run | str | Path,
    validation: HeldOutLike | None,
    settings: SweepSettings | None,
    student: StudentSettings | None,
    export_settings: ExportSettings | None,
    place: PlaceSettings | None,
    keywords: dict[str, Any],
) -> tuple[Run, Iterator[Event]]:
    from dsel.analysis.sweep import sweep as sweep_all

    run, select = _of_selection(selection)
    sweeping, how, exporting, placing = with_keywords(
        keywords,
        settings or SweepSettings(),
        student or StudentSettings(),
        export_settings or ExportSettings(),
        place or PlaceSettings(),
    )
    trials = None
    if validation is not None:
        trials = _trials(run, validation, how, exporting, placing)
    return run, sweep_all(run.explorer, select, cast(SweepSettings, sweeping), trials)


def _advise(
    selection: Selection | Run | str | Path,
    validation: HeldOutLike,
    settings: AdviseSettings | None,
    student: StudentSettings | None,
    export_settings: ExportSettings | None,
    place: PlaceSettings | None,
    keywords: dict[str, Any],
) -> tuple[Run, Iterator[Event]]:
    from dsel.analysis.advice import advise as advise_all

    run, select = _of_selection(selection)
    advising, how, exporting, placing = with_keywords(
        keywords,
        settings or AdviseSettings(),
        student or StudentSettings(),
        export_settings or ExportSettings(),
        place or PlaceSettings(),
    )
    trials = _trials(run, validation, how, exporting, placing)
    return run, advise_all(run.folder, select, cast(AdviseSettings, advising), trials)


def _of_selection(selection: Selection | Run | str | Path) -> tuple[Run, SelectSettings]:
    if isinstance(selection, Selection):
        return selection.run, selection.settings
    run = selection if isinstance(selection, Run) else Run(selection)
    return run, run.folder.read_selection()[0]


def _trials(
    run: Run,
    source: HeldOutLike,
    student: Settings | None,
    export: Settings | None,
    place: Settings | None,
) -> Trials:
    from dsel.pipeline.held_out import Validation, subject_of
    from dsel.pipeline.trials import Trials

    given = str(source) if isinstance(source, Path) else source
    return Trials(
        run.folder,
        Validation(subject_of(run.folder), given),
        cast(StudentSettings, student),
        cast(ExportSettings, export),
        cast(PlaceSettings, place),
    )


@dataclass(frozen=True, slots=True)
class _Prepared:
    sets: TrainingSets
    test: HeldOutTest
    settings: EvaluateSettings
    place: PlaceSettings

    def events(self) -> Iterator[Event]:
        """Evaluate."""
        from dsel.pipeline.evaluate import evaluate as evaluate_all
        from dsel.pipeline.launch import students_on

        runner = students_on(self.sets, self.test, self.settings.threads, self.place)
        return evaluate_all(self.sets, self.test, self.settings, runner)


def _prepared(
    evaluated: Evaluated,
    test: HeldOutLike,
    run: Run | str | Path | None,
    settings: EvaluateSettings | None,
    export_settings: ExportSettings | None,
    place: PlaceSettings | None,
    keywords: dict[str, Any],
) -> _Prepared:
    from dsel.pipeline.held_out import HeldOutTest

    evaluating, exporting, placing = with_keywords(
        keywords,
        settings or EvaluateSettings(),
        export_settings or ExportSettings(),
        place or PlaceSettings(),
    )
    sets = _sets(evaluated, run, cast(ExportSettings, exporting))
    source = str(test) if isinstance(test, Path) else test
    return _Prepared(
        sets,
        HeldOutTest(sets.subject, source),
        cast(EvaluateSettings, evaluating),
        cast(PlaceSettings, placing),
    )


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
