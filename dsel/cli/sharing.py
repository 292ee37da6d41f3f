"""The commands that share a run with others: as one file, or as a Hugging Face Space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field
from tyro.conf import arg

from dsel.cli.flags import Output, RunPath
from dsel.cli.printing import print_plan, print_result
from dsel.config.base import Settings


class SpaceFlags(Settings):
    """What the Space is called, and where its run is."""

    link: Annotated[
        str,
        Field(
            description="URL of the run, such as hf://user/name of a dataset on the Hugging Face "
            "Hub; empty copies the run into the Space"
        ),
    ] = ""
    title: Annotated[str, Field(description="title of the Space; empty names the dataset")] = ""


def bundle(
    run: RunPath,
    out: Annotated[Path, arg(help="file that ends in .zip to write the run to")],
    output: Output = Output(),
) -> None:
    """Pack a run as one zip file, which dsel app and others open without unpacking it."""
    from dsel.cli.terminal import Terminal
    from dsel.pipeline.bundle import bundle as write_bundle
    from dsel.pipeline.sharing import shared_names
    from dsel.runs import open_run

    opened = open_run(run)
    if output.dry_run:
        return print_plan(output, {"files": len(shared_names(opened)), "out": str(out)})
    print_result(Terminal().follow(write_bundle(opened, out)), output)
    return None


def space(
    run: RunPath,
    out: Annotated[Path, arg(help="folder to write the Space to")],
    flags: SpaceFlags = SpaceFlags(),
    output: Output = Output(),
) -> None:
    """Write a Hugging Face Space that shows a run: app.py, README, requirements, the run."""
    from dsel.cli.terminal import Terminal
    from dsel.pipeline.sharing import shared_names
    from dsel.pipeline.space import write_space
    from dsel.pipeline.space_files import Space
    from dsel.runs import open_run

    opened = open_run(run)
    if output.dry_run:
        work = {"files_of_the_run": 0 if flags.link else len(shared_names(opened))}
        return print_plan(output, {**work, "out": str(out)}, flags)
    written = write_space(opened, out, Space(flags.title, flags.link))
    print_result(Terminal().follow(written), output)
    return None
