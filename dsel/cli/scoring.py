"""The command that completes a run whose shards were scored in parts."""

from __future__ import annotations

from dsel.cli.flags import DistillLaunchFlags, Output, RunPath, Where
from dsel.cli.printing import print_plan, print_result
from dsel.config import GatherSettings, ScoreSettings


def gather(
    run: RunPath,
    where: Where = Where(),
    settings: GatherSettings = GatherSettings(),
    launch: DistillLaunchFlags = DistillLaunchFlags(),
    output: Output = Output(),
) -> None:
    """Complete a run whose shards were scored in parts, by the jobs of an array."""
    from dsel.cli.terminal import Terminal
    from dsel.pipeline.launch import check_all_scored
    from dsel.pipeline.launch import gather as gather_all
    from dsel.runs import open_run

    chosen = launch.settings()
    if output.dry_run:
        opened = open_run(run)
        check_all_scored(opened)
        return print_plan(output, {"shards": opened.identity.shards}, settings, chosen)
    scoring = ScoreSettings(**settings.plain())
    print_result(Terminal().follow(gather_all(run, scoring, chosen, where.device)), output)
    return None
