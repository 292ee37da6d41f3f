"""What the widgets call: widget values -> settings, records -> widget values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
import plotly.graph_objects as go

from dsel.compose import compose_class, shortfall
from dsel.config import ExportSettings, SelectSettings
from dsel.engine import export_selections
from dsel.errors import DselError
from dsel.explore import Explorer
from dsel.exports import zip_folder
from dsel.records import ClassSelection, Event, Notice, Progress, Started
from dsel.ui import views

PREVIEW_PX = 128
ZIP_NAME = "dsel_export.zip"

Shown = tuple[str, str, str, "go.Figure", str, dict[str, Any]]
"""The chosen image's id, then what gallery, image panel, scatter, preview and download show."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """The app's answers, over one explorer that all sessions read."""

    explorer: Explorer

    def show(self, chosen: str, class_name: str, *controls: Any) -> Shown:
        """Everything about a class; `chosen` is the image looked at, else the best one is."""
        with toasts():
            index = self.explorer.class_index(class_name)
            settings = self._settings(controls)
            selected = self.explorer.select(index, settings)
            chosen = chosen_of(selected, chosen)
            looks = self._look(index, settings, selected, chosen)
            preview = self._preview(selected, settings)
            return chosen, *looks, preview, gr.update(visible=False)

    def choose(self, event: gr.EventData, class_name: str, *controls: Any) -> Shown:
        """Look at the image that was clicked, in the gallery or in the plane."""
        return self.show(str(event.key), class_name, *controls)

    def export(self, *controls: Any) -> Iterator[tuple[Any, Any]]:
        """Compose all classes into a zip, that lives until Gradio has taken it over.

        Answers for the export button, which counts the images, and for the download button.
        """
        with toasts(), TemporaryDirectory(prefix="dsel_") as name:
            folder = Path(name)
            for line in follow(self._export(self._settings(controls), folder / "set")):
                yield gr.update(value=line, interactive=False), gr.skip()
            packed = zip_folder(folder / "set", folder / ZIP_NAME)
            label = f"Download zip ({packed.stat().st_size / 2**20:.1f} MiB)"
            yield gr.skip(), gr.update(value=str(packed), label=label, visible=True)

    def _settings(self, controls: Sequence[Any]) -> SelectSettings:
        return select_settings(self.explorer.geometry.timesteps, *controls)

    def _look(
        self, index: int, settings: SelectSettings, selected: ClassSelection, chosen: str
    ) -> tuple[str, str, go.Figure]:
        scores, pictures = self.explorer.scores(index), self.explorer.thumbnails(index)
        thumbnails = dict(zip(scores.ids, pictures, strict=True))
        frames = dict(zip(scores.ids, scores.frames, strict=True))
        grid = views.gallery(selected, thumbnails, frames, chosen)
        image = self._image(index, settings, selected, chosen)
        return grid.json(), image, self._plane(index, selected, chosen)

    def _image(
        self, index: int, settings: SelectSettings, selected: ClassSelection, chosen: str
    ) -> str:
        patch = next((p for p in selected.patches if p.image_id == chosen), None)
        if patch is None:
            return views.no_image().json()
        row = self.explorer.row_of(index, chosen)
        maps = self.explorer.maps(index, row, settings)
        proxy = self.explorer.proxy(index, row)
        return views.one_image(proxy, maps, patch, len(selected.patches)).json()

    def _plane(self, index: int, selected: ClassSelection, chosen: str) -> go.Figure:
        points = self.explorer.layout(index).tolist()
        ids = self.explorer.scores(index).ids
        places = {image: (x, y) for image, (x, y) in zip(ids, points, strict=True)}
        return views.scatter(selected, places, chosen)

    def _preview(self, selected: ClassSelection, settings: SelectSettings) -> str:
        # The selection was made for all of them; only those on the screen are composed.
        few = replace(settings, ipc=min(settings.ipc, views.SHOWN))
        images = list(compose_class(selected, few, PREVIEW_PX, self.explorer.cut))
        total = min(settings.ipc, len(selected.images))
        return views.distilled(images, total, shortfall(selected, settings)).json()

    def _export(self, settings: SelectSettings, out: Path) -> Iterator[Event]:
        selections = [self.explorer.select(i, settings) for i in range(len(self.explorer.classes))]
        yield from (Notice(lack) for s in selections if (lack := shortfall(s, settings)))
        yield from export_selections(self.explorer.run, selections, settings, out, ExportSettings())


CONTROLS = ("patch_px", "groups", "ipc", "timesteps", "gap", "within", "across", "factor")
"""The settings that have a widget, in the order in which handlers get their values."""


def select_settings(scored: Sequence[int], *controls: Any) -> SelectSettings:
    """Read the widgets; all timesteps ticked is the same as none named."""
    values = dict(zip(CONTROLS, controls, strict=True))
    chosen = tuple(t for t in scored if t in values["timesteps"])
    values["timesteps"] = () if len(chosen) == len(scored) else chosen
    return SelectSettings(**values)


def chosen_of(selected: ClassSelection, chosen: str) -> str:
    """The image to look at: the chosen one if it is of this class, else the best one."""
    ids = [patch.image_id for patch in selected.patches]
    return chosen if chosen in ids else next(iter(ids), "")


def follow(events: Iterator[Event]) -> Iterator[str]:
    """A line at each percent that a stage comes further, and a toast for each notice."""
    total, done, percent = 0, 0, -1
    for event in events:
        if isinstance(event, Notice):
            gr.Warning(event.text)
        elif isinstance(event, Started):
            total, done = event.total, event.done
        elif isinstance(event, Progress):
            done += event.count
            if 100 * done // total > percent:
                percent = 100 * done // total
                yield f"Composing {done} of {total} images"


@contextmanager
def toasts() -> Iterator[None]:
    """Show what the user can mend as one readable line; a bug keeps its traceback."""
    try:
        yield
    except DselError as error:
        raise gr.Error(str(error), print_exception=False) from error
