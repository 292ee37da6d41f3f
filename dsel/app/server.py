"""Serve the app: its address, its look, and nothing from other hosts."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
from importlib import import_module
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Final

import gradio as gr
from gradio.utils import get_upload_folder

from dsel.analysis.layouts import warm_up
from dsel.app.page import build_app
from dsel.app.state import AppState, open_state
from dsel.app.uploads import place_of
from dsel.assets import asset
from dsel.cache import SHARED
from dsel.errors import SettingError

log = logging.getLogger(__name__)

SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
WARM_UP_AFTER_S: Final = 4
SWEEP_EVERY_S: Final = 15
UNUSED_S: Final = 120
"""What nobody has asked for in this time leaves the memory; it is read or computed again."""
MONO_FONTS = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def launch_app(run_path: Path, host: str | None = None, port: int = 0) -> None:
    """Open the app on a run and serve it until it is stopped.

    Without a host or a port Gradio's own GRADIO_SERVER_NAME and GRADIO_SERVER_PORT count, then
    127.0.0.1 and the first free port from 7860. Raises `SettingError` for a port that is taken.
    """
    state = open_state(run_path, place_of(host), Path(get_upload_folder()))
    app = build_app(state)
    try:
        app.launch(
            server_name=host,
            server_port=port or None,
            theme=theme(),
            css_paths=[asset("app/app.css")],
            footer_links=[],
            run_history=False,  # it would copy every answer into the browser's storage
            ssr_mode=False,
            prevent_thread_lock=True,
            max_file_size=state.place.upload_bytes,
        )
    except OSError as error:
        wanted = port or os.environ.get("GRADIO_SERVER_PORT", "7860 or those after it")
        raise SettingError(
            f"port {wanted} cannot be listened on, it may be taken: choose another port"
        ) from error
    # k-means takes a second or two to import: best done while the first page is being loaded.
    import_module("sklearn.cluster")
    Thread(target=_warm_up, name="dsel-warm-up", daemon=True).start()
    Thread(target=_keep_house, args=(state,), name="dsel-house", daemon=True).start()
    try:
        app.block_thread()
    finally:
        state.jobs.close()


def _warm_up() -> None:
    """Make ready for layouts once the first page has had its time; what stays is never swept."""
    sleep(WARM_UP_AFTER_S)
    try:
        warm_up()
    except Exception:  # the app does without: a layout says what is wrong when it is asked for
        log.exception("the library of layouts could not be made ready")
    gc.collect()
    gc.freeze()


def _keep_house(state: AppState) -> None:
    """Let go of what nobody asks for any more: kept answers, and jobs that ended long ago."""
    while True:
        sleep(SWEEP_EVERY_S)
        SHARED.evict_unused(UNUSED_S)
        state.jobs.sweep()
        _give_back()


def _give_back() -> None:
    """Give free memory back to the system, where the C library can (glibc's malloc_trim)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def theme() -> gr.themes.Base:
    """The look, in fonts that the system has."""
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
