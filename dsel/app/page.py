"""The app: one page, whose requests Python answers; what it looks like lies in assets/app."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from dsel.app.public_api import offer
from dsel.app.rpc import answer
from dsel.app.state import AppState
from dsel.app.uploads import comes_from_here
from dsel.assets import asset

SWEEP = 3600, 24 * 3600
"""Every hour, uploads that no job has taken within a day are let go; seconds both."""

CALLS, WAITING = 4, 64
"""Calls of a public function at once, and those that may wait; further ones are told so."""

LOADER = """
const { root = "", api_prefix = "/gradio_api" } = window.gradio_config ?? {};
const base = `${root}${api_prefix}/file=`;
const files = Object.fromEntries(Object.entries(props.files).map(([k, v]) => [k, base + v]));
import(`${files.app}/main.js`).then(({ boot }) => boot({ element, server, upload, files, base }));
"""


def build_app(state: AppState) -> gr.Blocks:
    """Lay out the app over the runs of a state."""

    def ask(text: str, request: gr.Request) -> str:
        """Answer one request of the page."""
        return answer(state, text, comes_from_here(request))

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
        offer(state)
    return app.queue(max_size=WAITING, default_concurrency_limit=CALLS)


def plotly_js() -> Path:
    """The plotting library, as the Python package brings it."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
