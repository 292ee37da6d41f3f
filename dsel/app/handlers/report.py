"""Handler of the report: the view's selection as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dsel.analysis.report import report_html
from dsel.app.context import Context
from dsel.app.handlers.evaluate import stored_evaluations
from dsel.app.handlers.jobs import RUN_WORD
from dsel.app.requests import TokensParams

NAME: Final = "dsel-report.html"
"""The file that a browser saves."""


def report(context: Context, params: TokensParams) -> Mapping[str, str]:
    """Return the report of the view's selection, and the name of its file."""
    trusted, explorer = context.trusted, context.explorer
    path = explorer.run.path.resolve() if trusted else Path(RUN_WORD)
    evaluations = stored_evaluations(context, params.tokens)
    html = report_html(explorer, context.settings, evaluations, path=path, is_public=not trusted)
    return {"name": NAME, "html": html}
