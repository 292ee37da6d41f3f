"""The app's public functions, for programs: `gradio_client` and HTTP call them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from dsel.analysis.listing import Listing
from dsel.app.requests import explanation_plain, patch_plain
from dsel.app.state import AppState
from dsel.config.url import View, view_of
from dsel.errors import DselError


def offer(state: AppState) -> None:
    """Add the functions to the app that is being laid out; they read the first run alone."""
    for function in functions(state):
        gr.api(function, api_name=function.__name__)


def functions(state: AppState) -> tuple[Callable[..., Any], ...]:
    """What programs may call. `link` is the query of a view, as the page's link holds it."""
    explorer = state.first

    def classes() -> list[str]:
        """Name the classes of the run."""
        return list(explorer.classes)

    def patches(class_name: str, link: str = "", page: int = 0) -> list[dict[str, Any]]:
        """List a class's patches, 100 a page, by rank."""
        with one_line():
            index = explorer.class_index(class_name)
            found = explorer.gallery(index, view_of(link).select, Listing(page=page))
            return [patch_plain(row) for row in found.rows]

    def explanation(class_name: str, image_id: str, link: str = "") -> dict[str, Any]:
        """Say why an image's patch was chosen: figures, and a sentence."""
        with one_line():
            index = explorer.class_index(class_name)
            return explanation_plain(explorer.explanation(index, image_id, view_of(link).select))

    def heat_maps(class_name: str, image_id: str, link: str = "") -> dict[str, list[list[float]]]:
        """Give an image's maps, (h, w) each: conditional, unconditional, gap, combined."""
        with one_line():
            index = explorer.class_index(class_name)
            view: View = view_of(link)
            maps = explorer.maps(index, explorer.row_of(index, image_id), view.select)
            names = ("conditional", "unconditional", "gap", "combined")
            return {name: getattr(maps, name).tolist() for name in names}

    return classes, patches, explanation, heat_maps


@contextmanager
def one_line() -> Iterator[None]:
    """What the caller can mend is one readable line; a bug keeps its traceback."""
    try:
        yield
    except DselError as error:
        raise gr.Error(str(error), print_exception=False) from error
