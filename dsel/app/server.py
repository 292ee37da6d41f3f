"""Serve the app: its address and its theme, with nothing loaded from other hosts."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys
from importlib import import_module
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any, Final

import gradio as gr
from fastapi.exceptions import RequestValidationError
from gradio.utils import ipython_check
from starlette.middleware import Middleware
from starlette.requests import Request

from dsel.analysis.layouts import warm_up
from dsel.app.access import access_of, is_space
from dsel.app.address import check_address
from dsel.app.first_load import FirstLoad, first_modules
from dsel.app.guard import Guard, invalid
from dsel.app.jobs.queue import CLOSE_S, Jobs
from dsel.app.page import build_app
from dsel.app.routes import routes_of
from dsel.app.state import AppState, open_state
from dsel.app.visitors import Hosts, Visitor, hosts_of, new_token, visitor_of
from dsel.assets import asset
from dsel.cache import SHARED
from dsel.errors import SettingError
from dsel.runs import run_folder

log = logging.getLogger(__name__)

SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
NOTEBOOK_PX: Final = 800
"""The height of the app in a notebook."""
WARM_UP_AFTER_S: Final = 4
SWEEP_EVERY_S: Final = 15
UNUSED_S: Final = 120
"""Results that nobody uses for this long leave the memory; they are computed again if needed."""
STYLES: Final = (
    "app", "components/controls", "components/images", "components/patch_crop",
    "components/overlays", "components/frame", "components/density",
)  # fmt: skip
"""The style sheets of the whole page; those of the tabs are loaded by their modules."""
MONO_FONTS = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def launch_app(run: str | Path, host: str | None = None, port: int = 0) -> None:
    """Open the app on a run, by its folder or as a bundle, and serve it until it is stopped.

    The default host and port are Gradio's GRADIO_SERVER_NAME and GRADIO_SERVER_PORT, or 127.0.0.1
    and the first free port from 7860. Raises `SettingError` for a port that is taken or none, and
    for a host that is not this machine's.
    """
    check_address(host, port)
    import_numeric_libraries()
    state = open_state(run_folder(run), access_of(host))
    app, token = build_app(state), new_token()
    try:
        app.launch(
            server_name=host,
            server_port=port or None,
            theme=theme(),
            css_paths=[asset(f"app/{name}.css") for name in STYLES],
            footer_links=[],
            run_history=False,  # it would copy every response into the browser's storage
            ssr_mode=False,
            prevent_thread_lock=True,
            inline=False,  # it would show and print the address without the token
            quiet=True,
            app_kwargs=_web(state, hosts_of(host), token),
        )
    except OSError as error:
        wanted = port or os.environ.get("GRADIO_SERVER_PORT", "7860 or those after it")
        raise SettingError(
            f"port {wanted} cannot be listened on, it may be taken: choose another port"
        ) from error
    _announce(f"{app.local_url}#token={token}")
    Thread(target=_warm_up, name="dsel-warm-up", daemon=True).start()
    Thread(target=_clean_up, args=(state,), name="dsel-clean-up", daemon=True).start()
    try:
        app.block_thread()
    finally:
        close_jobs(state.jobs)


def _announce(address: str) -> None:
    """Print the address that makes local; in a notebook show the app too, as Gradio would."""
    sys.stdout.write(f"* Running on local URL:  {address}\n")
    sys.stdout.flush()
    if ipython_check():
        shown = import_module("IPython.display")
        shown.display(shown.IFrame(address, "100%", NOTEBOOK_PX))


def _web(state: AppState, hosts: Hosts, token: str) -> dict[str, Any]:
    """Return the routes of the page, and the guard before them and before Gradio's."""
    behind_proxy = is_space(os.environ)

    def identify(request: Request) -> Visitor:
        client = request.client.host if request.client else None
        return visitor_of(request.headers, client, token, behind_proxy)

    return {
        "routes": routes_of(state, identify),
        "middleware": [
            Middleware(Guard, hosts=hosts),
            Middleware(FirstLoad, modules=first_modules(asset("app"))),
        ],
        "exception_handlers": {RequestValidationError: invalid},
    }


def import_numeric_libraries() -> None:
    """Import torch and k-means, before any thread of the app can use either.

    SciPy and scikit-learn look torch up in `sys.modules`: if a job's thread is importing it just
    then, they find a module without `Tensor`, and the process or a request fails.
    """
    for name in ("torch", "sklearn.cluster"):
        import_module(name)


def close_jobs(jobs: Jobs, timeout_s: float = CLOSE_S) -> None:
    """Interrupt the jobs; end the process if a step still runs after the timeout.

    The interpreter would wait for the step, such as a download, however long it takes. A job that
    was running is resumable when the app is started again. A second Ctrl+C does not wait.
    """
    try:
        ended = jobs.close(timeout_s)
    except KeyboardInterrupt:
        ended = False
    if not ended:
        log.warning("a job's step did not end in time: the app ends without it")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _warm_up() -> None:
    """Prepare layouts once the first page is loaded; keep what stays out of garbage collection."""
    sleep(WARM_UP_AFTER_S)
    try:
        warm_up()
    except Exception:  # the app works without it; a layout reports the error when it is requested
        log.exception("layouts could not be prepared")
    gc.collect()
    gc.freeze()


def _clean_up(state: AppState) -> None:
    """Remove unused results from memory, and what jobs and uploads stored long ago."""
    while True:
        sleep(SWEEP_EVERY_S)
        SHARED.evict_unused(UNUSED_S)
        state.jobs.sweep()
        state.uploads.sweep()
        _free_memory()


def _free_memory() -> None:
    """Return free memory to the system, if the C library can (malloc_trim of glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def theme() -> gr.themes.Base:
    """Return the theme, with fonts of the system."""
    return gr.themes.Default(
        primary_hue=gr.themes.colors.blue,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_sm,
        spacing_size=gr.themes.sizes.spacing_sm,
        text_size=gr.themes.sizes.text_sm,
        font=list(SYSTEM_FONTS),
        font_mono=list(MONO_FONTS),
    ).set(
        # A shade darker than the theme's, so that small text can be read.
        body_text_color_subdued="*neutral_500",
        block_info_text_color="*neutral_500",
    )
