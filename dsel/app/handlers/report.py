"""Handler of the report: the view's selection as one HTML file, which a job writes."""

from __future__ import annotations

from collections.abc import Mapping

from dsel.app.context import Context
from dsel.app.handlers.evaluate import evaluation_folders
from dsel.app.jobs.tasks import ReportTask
from dsel.app.requests import TokensParams


def report_start(context: Context, params: TokensParams) -> Mapping[str, str]:
    """Start a report of the view's selection; return the token of the job.

    tokens: of the visitor's evaluations, which are in it beside those of the run.
    """
    run, select = context.explorer.run, context.settings
    task = ReportTask(
        title=f"Report of {len(run.identity.classes)} classes at IPC {select.ipc}",
        run=str(run.path),
        select=select,
        public=not context.trusted,
        folders=tuple(map(str, evaluation_folders(context, params.tokens))),
    )
    return {"token": context.state.jobs.start(task, context.visitor)}
