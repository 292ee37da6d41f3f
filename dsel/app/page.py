"""The Gradio app: one page, which assets/app draws, and the public functions."""

from __future__ import annotations

from typing import Final

import gradio as gr

from dsel.app.guard import ROOT
from dsel.app.hub_login import offers_login
from dsel.app.public_api import add_functions
from dsel.app.state import AppState

CALLS: Final = 4
"""Calls of a public function that run at once."""

WAITING: Final = 64
"""Calls that may wait; further ones are refused."""

LOADER: Final = """
const base = `${window.gradio_config?.root ?? ""}ROOT/`;
const page = window.dsel_page ?? import(`${base}app/early.js`);
Promise.resolve(page).then(({ settle }) => settle(element, base));
""".replace("ROOT", ROOT)


def build_app(state: AppState) -> gr.Blocks:
    """Build the app on a state; `routes_of` has what its page sends requests to."""
    # Created apart, it adds Gradio's login and none of its events: the page has its own button.
    login = gr.LoginButton(visible=False) if offers_login() else None
    with gr.Blocks(title="dsel", analytics_enabled=False, fill_width=True, fill_height=True) as app:
        gr.HTML(
            html_template='<div class="dsel" aria-busy="true"></div>',
            js_on_load=LOADER,
            apply_default_css=False,
            elem_id="dsel",
        )
        if login is not None:
            login.render()
        add_functions(state)
    return app.queue(max_size=WAITING, default_concurrency_limit=CALLS)
