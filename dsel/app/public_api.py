"""Public functions of the app for programs, called by name with `gradio_client` or HTTP.

Their docstrings are the descriptions that callers see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import getdoc
from typing import Any, Final, get_type_hints
from urllib.parse import parse_qsl, urlencode, urlsplit

import gradio as gr

from dsel.analysis.explorer import Explorer
from dsel.analysis.listing import MOST_ROWS, Listing
from dsel.app.context import Context, view_for
from dsel.app.public_results import (
    ExplanationResult,
    MapsResult,
    PatchResult,
    explanation_result,
    patch_result,
)
from dsel.app.requests import ImageParams, PatchesParams, RunLinkParams, parsed
from dsel.app.rpc import without_paths
from dsel.app.state import AppState
from dsel.app.wire import one_line
from dsel.errors import DselError, SettingError

RUN: Final = "run"
"""The key of a run's token in a link of the page."""


def add_functions(state: AppState) -> None:
    """Add the functions to the app that is being built.

    Gradio describes their results by annotations, and does not read those that are still text.
    """
    for function in functions(state):
        function.__annotations__.update(get_type_hints(function))
        gr.api(function, api_name=function.__name__, api_description=getdoc(function))


def functions(state: AppState) -> tuple[Callable[..., Any], ...]:
    """Return the public functions.

    `link` is a link as the page copies it, or its query alone. Every caller counts as a remote
    visitor.
    """

    def classes(link: str = "") -> list[str]:
        """Names of the run's classes.

        link: a link as the page copies it, or its query; empty for the app's run.
        """
        with readable_errors(state.first):
            parsed(RunLinkParams, {"link": link})
            return list(_context(state, link).explorer.classes)

    def patches(class_name: str, link: str = "", page: int = 1) -> list[PatchResult]:
        """Patches of a class by rank, 100 per page.

        link: a link as the page copies it, or its query, which holds the settings; empty for the
        defaults. page counts from 1, as ranks, clusters and distilled images do. Scores are shares
        of the mean loss.
        """
        with readable_errors(state.first):
            parsed(PatchesParams, {"class_name": class_name, "link": link, "page": page})
            context = _context(state, link)
            explorer = context.explorer
            index = explorer.class_index(class_name)
            found = explorer.gallery(index, context.settings, Listing(page=page - 1))
            if page != found.page + 1:
                raise SettingError(
                    f"page must be between 1 and {found.pages} for {found.total:,} patches, "
                    f"{MOST_ROWS} per page, got {page}"
                )
            return [patch_result(view) for view in found.rows]

    def explanation(class_name: str, image_id: str, link: str = "") -> ExplanationResult:
        """Why the patch of an image was chosen: figures and a sentence, counted from 1.

        link: a link as the page copies it, or its query, which holds the settings.
        """
        with readable_errors(state.first):
            parsed(ImageParams, {"class_name": class_name, "image_id": image_id, "link": link})
            context = _context(state, link)
            index = context.explorer.class_index(class_name)
            found = context.explorer.explanation(index, image_id, context.settings)
            return explanation_result(found)

    def heat_maps(class_name: str, image_id: str, link: str = "") -> MapsResult:
        """Maps of an image over the timesteps of the link: losses, gap, difference, what locates.

        link: a link as the page copies it, or its query, which holds the settings.
        """
        with readable_errors(state.first):
            parsed(ImageParams, {"class_name": class_name, "image_id": image_id, "link": link})
            context = _context(state, link)
            explorer = context.explorer
            index = explorer.class_index(class_name)
            maps = explorer.maps(index, explorer.row_of(index, image_id), context.settings)
            return {
                "conditional": maps.conditional.tolist(),
                "unconditional": maps.unconditional.tolist(),
                "gap": maps.gap.tolist(),
                "difference": maps.difference.tolist(),
                "combined": maps.combined.tolist(),
            }

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
    """Return what a call works on: the run and the view of a link."""
    query = urlsplit(link).query if "://" in link else link.removeprefix("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    run = "".join(value for key, value in pairs if key == RUN)
    view = urlencode([pair for pair in pairs if pair[0] != RUN])
    explorer = state.explorer(run)
    found = view_for(view, False, explorer)
    view_for(found.a, False, explorer)  # what it is compared with has the same limits
    return Context(state, explorer, found)
