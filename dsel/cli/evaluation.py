"""The commands that train students: evaluate tests a set, sweep and advise choose settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from dsel.cli.flags import Output
from dsel.cli.printing import print_plan
from dsel.config import (
    AdviseSettings,
    EvaluateSettings,
    ExportSettings,
    PlaceSettings,
    StudentSettings,
    SweepSettings,
)

if TYPE_CHECKING:
    from dsel.pipeline.trials import Trials
    from dsel.runs import Run

SPELLING = (
    "a source as dsel score takes it, and options after a colon, such as "
    "toybox:seed=13,per-class=100 or photos:split=val; keys: seed, per-class, sample-seed, split, "
    "classes (joined by +), subset, image-column, label-column"
)
TestSource = Annotated[str, arg(metavar="SOURCE", help=f"held-out images: {SPELLING}")]
ValidationSource = Annotated[
    str,
    arg(
        metavar="SOURCE",
        help=f"images to choose settings by, which are never a test afterwards: {SPELLING}",
    ),
]
RunPath = Annotated[Positional[Path], arg(metavar="RUN", help="run folder, made by dsel score")]
Selection = Annotated[
    str, arg(help="fingerprint of a selection of the run; empty is the one made last")
]


def evaluate(
    out_or_run: Annotated[
        Positional[Path],
        arg(metavar="OUT_OR_RUN", help="exported set, or run folder, whose selection is composed"),
    ],
    test: TestSource,
    run: Annotated[
        Path | None,
        arg(
            metavar="RUN",
            help="run folder of an exported set, for its baselines; OUT/run if it is there",
        ),
    ] = None,
    selection: Selection = "",
    settings: EvaluateSettings = EvaluateSettings(),
    export_settings: ExportSettings = ExportSettings(),
    place: PlaceSettings = PlaceSettings(),
    output: Output = Output(),
) -> None:
    """Train students on a set and on baselines of equal budget, and test them; resumes."""
    from dsel.cli.tables import print_evaluation
    from dsel.cli.terminal import Terminal, print_figures
    from dsel.pipeline.evaluate import evaluate as evaluate_all
    from dsel.pipeline.evaluate import planned
    from dsel.pipeline.evaluated import open_sets
    from dsel.pipeline.held_out import HeldOutTest
    from dsel.pipeline.launch import students_on
    from dsel.runs.evaluations import read_evaluation

    sets = open_sets(out_or_run, run, selection, export_settings)
    held_out = HeldOutTest(sets.subject, test)
    if output.dry_run:
        return print_plan(output, planned(sets, held_out, settings), settings)
    runner = students_on(sets, held_out, settings.threads, place)
    figures = Terminal().follow(evaluate_all(sets, held_out, settings, runner))
    evaluation = read_evaluation(sets.subject.folder, str(figures["evaluation"]))
    assert evaluation is not None  # just written
    if output.json:
        return print_figures(evaluation.plain(), as_json=True)
    return print_evaluation(evaluation)


def sweep(
    run: RunPath,
    validation: ValidationSource = "",
    selection: Selection = "",
    settings: SweepSettings = SweepSettings(),
    student: StudentSettings = StudentSettings(),
    export_settings: ExportSettings = ExportSettings(),
    place: PlaceSettings = PlaceSettings(),
    output: Output = Output(),
) -> None:
    """Measure a grid of select settings; with --validation, by students too."""
    from dsel.analysis.explorer import Explorer
    from dsel.analysis.grid import grid
    from dsel.analysis.sweep import dsels_own
    from dsel.analysis.sweep import sweep as sweep_all
    from dsel.analysis.sweeps import list_sweeps
    from dsel.cli.tables import print_sweep
    from dsel.cli.terminal import Terminal, print_figures
    from dsel.runs import open_run

    opened = open_run(run)
    select, _ = opened.read_selection(selection)
    trials = _trials(opened, validation, student, export_settings, place) if validation else None
    if output.dry_run:
        count = len(grid(dsels_own(select), settings))
        if trials is None:
            return print_plan(output, {"settings": count}, settings)
        trials.check()
        work = {"settings": count, "students": count * student.seeds, "steps": count * trials.steps}
        return print_plan(output, work, settings, student)
    figures = Terminal().follow(sweep_all(Explorer(opened), select, settings, trials))
    found = next(one for one in list_sweeps(opened) if one.name == figures["sweep"])
    if output.json:
        return print_figures({**figures, "rows": list(found.cells)}, as_json=True)
    return print_sweep(found, str(figures["table"]))


def advise(
    run: RunPath,
    validation: ValidationSource,
    selection: Selection = "",
    settings: AdviseSettings = AdviseSettings(),
    student: StudentSettings = StudentSettings(),
    export_settings: ExportSettings = ExportSettings(),
    place: PlaceSettings = PlaceSettings(),
    output: Output = Output(),
) -> None:
    """Search for the select settings that train the best students on validation images."""
    from dsel.analysis.advice import advise as advise_all
    from dsel.analysis.advice import candidates, planned_steps
    from dsel.cli.tables import print_advice
    from dsel.cli.terminal import Terminal, print_figures
    from dsel.runs import open_run
    from dsel.runs.advice import read_advice

    opened = open_run(run)
    select, _ = opened.read_selection(selection)
    trials = _trials(opened, validation, student, export_settings, place)
    if output.dry_run:
        trials.check()
        count = len(candidates(select, settings.candidates))
        work = {"candidates": count, "steps": planned_steps(count, settings, trials)}
        return print_plan(output, work, settings, student)
    figures = Terminal().follow(advise_all(opened, select, settings, trials))
    advice = read_advice(opened.path, str(figures["advice"]))
    if output.json:
        return print_figures(advice.plain(), as_json=True)
    return print_advice(advice)


def _trials(
    run: Run, source: str, student: StudentSettings, export: ExportSettings, place: PlaceSettings
) -> Trials:
    from dsel.pipeline.held_out import Validation, subject_of
    from dsel.pipeline.trials import Trials

    return Trials(run, Validation(subject_of(run), source), student, export, place)
