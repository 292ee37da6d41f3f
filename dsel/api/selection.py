"""A selection in Python: its patches as a table, its distilled images."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dsel.api.run import Run
from dsel.config import ExportSettings
from dsel.errors import SettingError
from dsel.types import ClassSelection, Distilled, Patch

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

MOST_CLASSES: Final = 10
MOST_IMAGES: Final = 10
TILE_PX: Final = 64


class Selection:
    """The ranked patches of every class of a run, and the distilled images that they make.

    Attributes:
        run: The run that it was selected from.
        settings: The settings of the selection.
        classes: The ranked patches of each class, in class order.
        name: The selection's fingerprint, which names its folder in the run.
    """

    def __init__(self, run: Run, name: str = "") -> None:
        self.run = run
        self.settings, self.classes = run.folder.read_selection(name)
        self.name = run.folder.selection_name(self.settings)

    def __len__(self) -> int:
        return sum(len(one.kept_images(self.settings.ipc)) for one in self.classes)

    def __repr__(self) -> str:
        return f"Selection({len(self)} images of {len(self.classes)} classes, {self.name})"

    @property
    def patches(self) -> tuple[Patch, ...]:
        """All ranked patches, class by class, best first."""
        return tuple(patch for one in self.classes for patch in one.patches)

    @property
    def labels(self) -> tuple[int, ...]:
        """The class index of each image of `images`."""
        ipc = self.settings.ipc
        return tuple(one.index for one in self.classes for _ in one.kept_images(ipc))

    def images(self, **keywords: Any) -> list[Image.Image]:
        """Compose the distilled images, class by class: the pixels that `export` writes.

        Keywords are fields of `ExportSettings`: `image_px` and `pixels`.
        """
        from PIL import Image

        return [Image.fromarray(one.pixels) for one in self._composed(self.classes, keywords)]

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with one row per ranked patch.

        Boxes are in pixels of the upright source image: the patch is x to height, and what is
        exported around it cut_x to cut_height. `kept` says whether the distilled set uses it.
        Raises `SettingError` where pandas is not installed.
        """
        pandas = pandas_module("to_pandas")
        table: pd.DataFrame = pandas.DataFrame.from_records(list(self._rows()), columns=COLUMNS)
        return table

    def _repr_png_(self) -> bytes | None:
        """A contact sheet: a row per class, for the first classes and images."""
        shown = [_head(one, self.settings.ipc) for one in self.classes[:MOST_CLASSES]]
        pixels = [list(self._composed([one], {"image_px": TILE_PX})) for one in shown]
        if not any(pixels):
            return None
        from PIL import Image

        wide = max(map(len, pixels))
        sheet = Image.new("RGB", (wide * (TILE_PX + 2), len(pixels) * (TILE_PX + 2)), "white")
        for down, row in enumerate(pixels):
            for across, one in enumerate(row):
                at = across * (TILE_PX + 2), down * (TILE_PX + 2)
                sheet.paste(Image.fromarray(one.pixels), at)
        buffer = io.BytesIO()
        sheet.save(buffer, "PNG")
        return buffer.getvalue()

    def _composed(
        self, classes: Sequence[ClassSelection], keywords: Mapping[str, Any]
    ) -> Iterator[Distilled]:
        from dsel.pipeline.export import compose_images

        yield from compose_images(
            self.run.folder, classes, self.settings, ExportSettings(**keywords)
        )

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        for selected in self.classes:
            kept = selected.kept(self.settings.ipc)
            for patch in selected.patches:
                box, cut = patch.source_box, patch.cut_box
                yield (
                    patch.image_id, selected.name, patch.cluster, patch.rank, patch.score,
                    patch.standard_error, patch.picture_score, patch.picture_standard_error,
                    patch.margin, patch.distance, box.x, box.y, box.width, box.height, cut.x,
                    cut.y, cut.width, cut.height, patch.rank in kept,
                )  # fmt: skip


COLUMNS: Final = (
    "image_id", "class_name", "cluster", "rank", "score", "standard_error", "picture_score",
    "picture_standard_error", "margin", "distance", "x", "y", "width", "height", "cut_x", "cut_y",
    "cut_width", "cut_height", "kept",
)  # fmt: skip


def _head(selected: ClassSelection, ipc: int) -> ClassSelection:
    """The same class with the first images alone."""
    return replace(selected, images=selected.kept_images(min(ipc, MOST_IMAGES)))


def pandas_module(use: str) -> Any:
    """Import pandas; raises `SettingError` where it is not installed."""
    try:
        import pandas
    except ImportError as error:
        raise SettingError(f'{use} needs pandas: pip install "dsel[notebook]"') from error
    return pandas
