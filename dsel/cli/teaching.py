"""The commands that train what dsel uses: teach and adapt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from dsel.cli.flags import Output
from dsel.cli.printing import print_plan, print_result
from dsel.config import AdaptSettings, PriorSettings, SourceSettings, TeachSettings
from dsel.errors import PriorError, library_errors

Pool = Annotated[
    Positional[str],
    arg(
        metavar="SOURCE",
        help="a source as dsel score takes it, and options after a colon, such as toybox:seed=13",
    ),
]


def teach(
    source: Pool,
    out: Annotated[Path, arg(help="folder to save the teacher to; checkpoints go to OUT/training")],
    validation: Annotated[
        str,
        arg(
            metavar="SOURCE",
            help="images to test the teacher on, such as toybox:seed=13,per-class=100 or "
            "photos:split=val; empty holds out a share of SOURCE",
        ),
    ] = "",
    source_settings: SourceSettings = SourceSettings(),
    settings: TeachSettings = TeachSettings(),
    output: Output = Output(),
) -> None:
    """Train a classifier on a whole dataset, which then gives soft labels; resumes."""
    from dsel.cli.terminal import Terminal
    from dsel.data.spec import open_source
    from dsel.pipeline.teach import teach as teach_all
    from dsel.students.sides import check_side

    dataset = open_source(source, source_settings)
    held_out = open_source(validation) if validation else None
    if output.dry_run:
        check_side(settings.student, settings.image_px)
        work = {"images": len(dataset.refs), "classes": len(dataset.classes)}
        return print_plan(output, work, settings)
    with library_errors(extra="lora", use="training", error=PriorError):
        figures = Terminal().follow(teach_all(dataset, settings, out, held_out))
    return print_result(figures, output)


def adapt(
    source: Pool,
    out: Annotated[
        Path, arg(help="folder to save the LoRA weights to; checkpoints go to OUT/training")
    ],
    prior: PriorSettings = PriorSettings(),
    source_settings: SourceSettings = SourceSettings(),
    settings: AdaptSettings = AdaptSettings(),
    output: Output = Output(),
) -> None:
    """Adapt a prior to a dataset: train LoRA weights, which --lora adds; resumes."""
    from dsel.cli.terminal import Terminal
    from dsel.data.spec import open_source
    from dsel.pipeline.adapt import adapt as adapt_all
    from dsel.pipeline.adapt import open_adaptable, split

    dataset = open_source(source, source_settings)
    if output.dry_run:
        held_out, rest = split(dataset, settings)
        work = {"images": len(rest), "held_out": sum(map(len, held_out))}
        return print_plan(output, work, prior, settings)
    figures = Terminal().follow(adapt_all(dataset, open_adaptable(prior), settings, out))
    return print_result(figures, output)
