"""Public functions of the app for programs, called by name with `gradio_client` or HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from dsel.analysis.explorer import Explorer
from dsel.analysis.listing import Listing
from dsel.app.context import Context, view_for
from dsel.app.requests import ImageParams, PatchesParams, parsed
from dsel.app.rpc import without_paths
from dsel.app.state import AppState
from dsel.app.wire import one_line, patch_wire
from dsel.errors import DselError


def add_functions(state: AppState) -> None:
    """Add the functions to the app that is being built; they read the app's own run."""
    for function in functions(state):
        gr.api(function, api_name=function.__name__)


def functions(state: AppState) -> tuple[Callable[..., Any], ...]:
    """Return the public functions; `link` is the query of a view, as in a link to the page.

    Every caller counts as a remote visitor.
    """
    explorer = state.first

    def classes() -> list[str]:
        """Return the names of the run's classes."""
        return list(explorer.classes)

    def patches(class_name: str, link: str = "", page: int = 0) -> list[dict[str, Any]]:
        """Return the patches of a class by rank, 100 per page."""
        with readable_errors(explorer):
            parsed(PatchesParams, {"class_name": class_name, "link": link, "page": page})
            index, context = explorer.class_index(class_name), _context(state, link)
            found = explorer.gallery(index, context.settings, Listing(page=page))
            return [patch_wire(view) for view in found.rows]

    def explanation(class_name: str, image_id: str, link: str = "") -> dict[str, Any]:
        """Return why an image's patch was chosen: figures, and a sentence."""
        with readable_errors(explorer):
            parsed(ImageParams, {"class_name": class_name, "image_id": image_id, "link": link})
            index = explorer.class_index(class_name)
            return _context(state, link).explanation(image_id, index=index)

    def heat_maps(class_name: str, image_id: str, link: str = "") -> dict[str, list[list[float]]]:
        """Return an image's maps, (h, w) each: conditional, unconditional, gap, combined."""
        with readable_errors(explorer):
            parsed(ImageParams, {"class_name": class_name, "image_id": image_id, "link": link})
            index, settings = explorer.class_index(class_name), _context(state, link).settings
            maps = explorer.maps(index, explorer.row_of(index, image_id), settings)
            names = ("conditional", "unconditional", "gap", "combined")
            return {name: getattr(maps, name).tolist() for name in names}

    return classes, patches, explanation, heat_maps


@contextmanager
def readable_errors(explorer: Explorer) -> Iterator[None]:
    """Turn an error that the caller can fix into one short line; a bug keeps its traceback."""
    try:
        yield
    except DselError as error:
        line = one_line(without_paths(str(error), [explorer]))
        raise gr.Error(line, print_exception=False) from error


def _context(state: AppState, link: str) -> Context:
    view = view_for(link, False, state.first)
    view_for(view.a, False, state.first)  # what it is compared with has the same limits
    return Context(state, state.first, view)
