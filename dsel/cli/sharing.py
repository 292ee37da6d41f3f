"""The commands that share a run with others: as one file, or as a Hugging Face Space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from dsel.cli.flags import Output, RunPath
from dsel.cli.printing import print_plan, print_result


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
