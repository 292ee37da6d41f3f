"""The commands that train students: evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from dsel.cli.flags import Output
from dsel.cli.printing import print_plan
from dsel.config import EvaluateSettings, ExportSettings

HeldOutSpec = Annotated[
    str,
    arg(
        metavar="SOURCE",
        help="held-out images: a source as dsel score takes it, and options after a colon, such as "
        "toybox:seed=13,per-class=100 or photos:split=val; keys: seed, per-class, split, classes "
        "(joined by +)",
    ),
]


def evaluate(
    out_or_run: Annotated[
        Positional[Path],
        arg(metavar="OUT_OR_RUN", help="exported set, or run folder, whose selection is composed"),
    ],
    test: HeldOutSpec,
    run: Annotated[
        Path | None,
        arg(help="run folder of an exported set, for its baselines; OUT/run if it is there"),
    ] = None,
    selection: Annotated[
        str, arg(help="fingerprint of a selection of the run; empty is the one made last")
    ] = "",
    settings: EvaluateSettings = EvaluateSettings(),
    export_settings: ExportSettings = ExportSettings(),
    output: Output = Output(),
) -> None:
    """Train students on a set and on baselines of equal budget, and test them; resumes."""
    from dsel.cli.tables import print_evaluation
    from dsel.cli.terminal import Terminal, print_figures
    from dsel.pipeline.evaluate import evaluate as evaluate_all
    from dsel.pipeline.evaluate import planned
    from dsel.pipeline.evaluated import open_sets
    from dsel.pipeline.held_out import HeldOutTest
    from dsel.runs.evaluations import read_evaluation

    sets = open_sets(out_or_run, run, selection, export_settings)
    held_out = HeldOutTest(sets.subject, test)
    if output.dry_run:
        return print_plan(output, planned(sets, held_out, settings), settings)
    figures = Terminal().follow(evaluate_all(sets, held_out, settings))
    evaluation = read_evaluation(sets.subject.folder, str(figures["evaluation"]))
    assert evaluation is not None  # just written
    if output.json:
        return print_figures(evaluation.plain(), as_json=True)
    return print_evaluation(evaluation)
