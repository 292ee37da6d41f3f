"""What a handler works on besides its parameters: the open run, the view, and the visitor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from dsel.analysis.explorer import Explorer
from dsel.app.state import AppState
from dsel.app.wire import explanation_wire
from dsel.config import SelectSettings
from dsel.config.url import View, view_of
from dsel.errors import SettingError
from dsel.types import Frame

MOST: Final = 1024
"""Images per class, clusters, and pixels of a side that remote visitors may request."""


@dataclass(frozen=True, slots=True)
class Context:
    """The run and the view of a request.

    local: whether the visitor has the app's token. visitor: whose quotas the request counts for; ""
    for one who is local.
    """

    state: AppState
    explorer: Explorer
    view: View
    local: bool = False
    visitor: str = ""

    @property
    def settings(self) -> SelectSettings:
        """The settings by which the view selects."""
        return self.view.select

    @property
    def settings_a(self) -> SelectSettings:
        """The settings A that the view's are compared with; raises `SettingError` as `view_for`."""
        return view_for(self.view.a, self.local, self.explorer).select

    @property
    def class_index(self) -> int:
        """The class of the view: the first one unless the view names another."""
        name = self.view.class_name
        return self.explorer.class_index(name) if name else 0

    @property
    def trusted(self) -> bool:
        """Whether the visitor may name any file that the app can read."""
        return self.local and self.state.access.local

    def indices(self, names: Sequence[str]) -> Sequence[int]:
        """Return the classes of these names, or the class of the view if there are none."""
        return [self.explorer.class_index(name) for name in names] or [self.class_index]

    def frame(self, image_id: str) -> Frame:
        """Return the frame of one of the class's images."""
        images = self.explorer.images(self.class_index)
        return images.frames[images.row_of[image_id]]

    def explanation(self, image_id: str, nth: int = 0, index: int | None = None) -> dict[str, Any]:
        """Return the explanation of an image's patch, the `nth` by rank, in its wire form."""
        index = self.class_index if index is None else index
        found = self.explorer.explanation(index, image_id, self.settings, nth)
        return explanation_wire(found)


def view_for(query: str, local: bool, explorer: Explorer) -> View:
    """Return the view of a query string, with image ids as the run spells them.

    Raises `SettingError` for a query that is not a view, and for sizes that a remote visitor may
    not request.
    """
    view = view_of(query)
    if not local:
        check_size(view)
    return replace(
        view,
        image_id=explorer.known_id(view.image_id) if view.image_id else "",
        select=explorer.with_known_ids(view.select),
    )


def check_size(view: View) -> None:
    """Raise `SettingError` for a view that would slow the app down for all other visitors."""
    sizes = {
        "ipc": view.select.ipc,
        "clusters": view.select.clusters,
        "image_px": view.export.image_px,
    }
    for name, value in sizes.items():
        if value > MOST:
            words = name.replace("_", " ")
            raise SettingError(
                f"{words} must be at most {MOST} for remote visitors, got {value}", setting=name
            )
