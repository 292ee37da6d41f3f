"""A scored dataset in Python: what it holds, and why each patch was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dsel.api.keywords import with_keywords
from dsel.config import SelectSettings
from dsel.errors import SettingError
from dsel.runs import open_run as open_folder
from dsel.runs import run_folder

if TYPE_CHECKING:
    from dsel.analysis.explorer import Explorer
    from dsel.api.figure import ExplanationFigure


class Run:
    """A run folder, opened. Raises `RunError` for a folder that is no run.

    Attributes:
        path: The folder.
        folder: The run as the pipeline reads it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.folder = open_folder(self.path)

    def __repr__(self) -> str:
        images = self.folder.identity.images
        return f"Run({str(self.path)!r}, {len(self.classes)} classes, {images} images)"

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in class order."""
        return self.folder.identity.classes

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The ids of all scored images, in dataset order."""
        images = self.folder.images
        return images.where(images.is_scored).ids

    @property
    def skipped(self) -> Mapping[str, str]:
        """The reason for each image that could not be scored, by image id."""
        return {row.id: row.reason for row in self.folder.images.skipped()}

    @cached_property
    def explorer(self) -> Explorer:
        """The run, opened for analysis: maps, selections, comparisons, localization."""
        from dsel.analysis.explorer import Explorer

        return Explorer(self.folder)

    def explain(
        self, image_id: str, *, settings: SelectSettings | None = None, **keywords: Any
    ) -> ExplanationFigure:
        """Show why an image's patch was chosen: a figure in a notebook, and a sentence.

        Keywords are fields of `SelectSettings`. Raises `SettingError` for an image that the run
        does not have or that was skipped.
        """
        from dsel.api.figure import ExplanationFigure

        (changed,) = with_keywords(keywords, settings or SelectSettings())
        image_id = self.explorer.known_id(image_id)
        own = self.explorer.with_known_ids(cast(SelectSettings, changed))
        return ExplanationFigure(self.explorer, self._class_of(image_id), image_id, own)

    def _class_of(self, image_id: str) -> int:
        images = self.folder.images
        if image_id not in images.row_of:
            example = next((f": ids look like {one!r}" for one in images.ids), "")
            raise SettingError(f"unknown image {image_id!r}{example}")
        row = images[images.row_of[image_id]]
        if row.reason:
            raise SettingError(f"image {image_id!r} was skipped: it {row.reason}")
        return row.class_index


def open_run(path: str | Path) -> Run:
    """Open a run folder, a zip file of `dsel bundle`, or a run behind a URL, to read from.

    Raises `RunError` for what is no run.
    """
    return Run(run_folder(path))
