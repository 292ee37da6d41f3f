"""The app: a page of Gradio that shows a run, and the Python that responds to its requests.

A request goes from `page` to `rpc`, which checks it against a model of `requests` and calls one of
the `handlers`; `wire` turns records into JSON values. What a handler computes comes from
`dsel.analysis`, and `jobs` run `dsel.pipeline` in the background. A new view of a run needs a
handler here and a method in `rpc.METHODS`; figures belong to analysis, and layout and drawing to
assets/app. No model library is imported here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsel.app.page import build_app
    from dsel.app.server import launch_app

__all__ = ["build_app", "launch_app"]

_MODULES = {"build_app": "dsel.app.page", "launch_app": "dsel.app.server"}


def __getattr__(name: str) -> Any:
    """Import Gradio only for the page and the server; most of the app does without it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
