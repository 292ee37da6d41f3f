"""The Gradio app: one page, which assets/app draws, and the function that it sends requests to."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gradio as gr

from dsel.app.access import is_local
from dsel.app.public_api import add_functions
from dsel.app.rpc import respond
from dsel.app.state import AppState
from dsel.assets import asset

SWEEP: Final = 3600, 24 * 3600
"""Seconds between sweeps, and after which an upload that no job has taken is removed."""

CALLS: Final = 4
"""Calls of a public function that run at once."""

WAITING: Final = 64
"""Calls that may wait; further ones are refused."""

LOADER: Final = """
const { root = "", api_prefix = "/gradio_api" } = window.gradio_config ?? {};
const base = `${root}${api_prefix}/file=`;
const files = Object.fromEntries(Object.entries(props.files).map(([k, v]) => [k, base + v]));
import(`${files.app}/main.js`).then(({ boot }) => boot({ element, server, upload, files, base }));
"""


def build_app(state: AppState) -> gr.Blocks:
    """Build the app on a state."""

    def ask(text: str, request: gr.Request) -> str:
        """Respond to a request of the page."""
        return respond(state, text, is_local(request))

    files = {"app": str(asset("app").resolve()), "plotly": str(plotly_js())}
    gr.set_static_paths([files["app"], files["plotly"]])
    with gr.Blocks(
        title="dsel", analytics_enabled=False, fill_width=True, fill_height=True,
        delete_cache=SWEEP,
    ) as app:  # fmt: skip
        gr.HTML(
            html_template='<div class="dsel" aria-busy="true"></div>',
            js_on_load=LOADER,
            server_functions=[ask],
            apply_default_css=False,
            elem_id="dsel",
            files=files,
        )
        add_functions(state)
    return app.queue(max_size=WAITING, default_concurrency_limit=CALLS)


def plotly_js() -> Path:
    """Return the plotting library, as the Python package contains it."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
