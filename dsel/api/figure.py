"""The explanation of one image as a figure: image, gap map, gap by timestep, a sentence."""

from __future__ import annotations

import io
from functools import cached_property
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dsel.config import SelectSettings
from dsel.types import Box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dsel.analysis.explained import Explanation
    from dsel.analysis.explorer import Explorer

DPI: Final = 110
SIZE_INCHES: Final = (11.0, 4.0)
CAPTION_CHARACTERS: Final = 130
CHOSEN: Final = "#ffd400"
OTHERS: Final = "#555555"


class ExplanationFigure:
    """Why an image's patch was chosen; a notebook shows it as a picture.

    Attributes:
        image_id: The image.
        settings: The settings of the selection that is explained.
    """

    def __init__(
        self, explorer: Explorer, class_index: int, image_id: str, settings: SelectSettings
    ) -> None:
        self.image_id = image_id
        self.settings = settings
        self._explorer = explorer
        self._class_index = class_index

    def __repr__(self) -> str:
        return f"{self.image_id}: {self.explanation.sentence}"

    @cached_property
    def explanation(self) -> Explanation:
        """The figures and the sentence."""
        return self._explorer.explanation(self._class_index, self.image_id, self.settings)

    def draw(self) -> Figure:
        """Draw the figure with matplotlib."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
        image, gap, curve = figure.subplots(1, 3, width_ratios=(1, 1.15, 1.3))
        self._draw_image(image)
        self._draw_gap(figure, gap)
        self._draw_curve(curve)
        figure.suptitle(fill(self.explanation.sentence, CAPTION_CHARACTERS), fontsize=9)
        return figure

    def save(self, path: str | Path) -> None:
        """Save the figure; the ending names the format: .png, .svg or .pdf."""
        self.draw().savefig(path)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.draw().savefig(buffer, format="png")
        return buffer.getvalue()

    @cached_property
    def _row(self) -> int:
        return self._explorer.row_of(self._class_index, self.image_id)

    def _draw_image(self, axes: Axes) -> None:
        pixels = self._explorer.proxy(self._class_index, self._row)
        axes.imshow(pixels)
        axes.set_title(self.image_id, fontsize=9)
        self._draw_boxes(axes)
        axes.set_axis_off()

    def _draw_gap(self, figure: Figure, axes: Axes) -> None:
        gap = self._explorer.maps(self._class_index, self._row, self.settings).gap  # (h, w)
        cell_px = self._explorer.geometry.cell_px
        limit = float(np.abs(gap).max()) or 1.0
        extent = (0, gap.shape[1] * cell_px, gap.shape[0] * cell_px, 0)
        shown = axes.imshow(gap, cmap="RdBu_r", vmin=-limit, vmax=limit, extent=extent)
        figure.colorbar(shown, ax=axes, shrink=0.8)
        axes.set_title("gap: positive where naming the class helps", fontsize=9)
        self._draw_boxes(axes)
        axes.set_axis_off()

    def _draw_curve(self, axes: Axes) -> None:
        moments = self.explanation.curve
        axes.axhline(0, color="0.7", linewidth=0.8)
        axes.plot([one.timestep for one in moments], [100 * one.share for one in moments], "o-")
        axes.set_xlabel("timestep")
        axes.set_ylabel("mean gap in the patch, % of the loss")
        axes.spines[["top", "right"]].set_visible(False)

    def _draw_boxes(self, axes: Axes) -> None:
        patch = self.explanation.patch
        for other in self.explanation.best:
            axes.add_patch(_outline(other.box, OTHERS, width=1.0, style="--"))
        if patch is not None:
            axes.add_patch(_outline(patch.box, CHOSEN, width=2.5, style="-"))


def _outline(box: Box, color: str, width: float, style: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (box.x, box.y), box.width, box.height,
        fill=False, edgecolor=color, linewidth=width, linestyle=style,
    )  # fmt: skip
