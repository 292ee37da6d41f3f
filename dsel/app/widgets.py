"""Settings as the page's widgets: declared labels, units and help, with the ranges of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dsel.config import ExportSettings, SelectSettings
from dsel.config.base import Setting, settings_of
from dsel.exports import FORMATS
from dsel.types import Geometry

SLIDER_TOP: Final = 200
"""Upper end of the sliders of clusters and IPC; with smaller classes it is the size of the largest
class, or the default IPC."""

SHOWN: Final = (
    "ipc", "timesteps", "patch_px", "locate", "smooth", "stride_px", "per_image", "cut", "context",
    "factor", "tile_scale", "clusters", "discriminative_share", "rank_by", "score", "within",
    "across", "drop_lowest", "format", "image_px", "file_format", "quality", "pixels",
)  # fmt: skip
"""The settings that have a widget, in the order of the page; others keep the link's value."""


def widgets_of(geometry: Geometry, largest: int) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The widgets of selection and export; `largest` is the size of the run's largest class.

    shown: the value that a default of 0 stands for in this run, or None.
    """
    side, cell = geometry.resolution_px, geometry.cell_px
    top = max(SelectSettings().ipc, min(largest, SLIDER_TOP))
    fine = max(1, cell // 4)
    ranges: Mapping[str, tuple[float, float, float]] = {
        "quality": (1, 100, 1),
        "patch_px": (cell, side, cell),
        "stride_px": (fine, max(cell, side // 2), fine),
        "smooth": (0.0, 4.0, 0.25),
        "clusters": (1, top, 1),
        "ipc": (1, top, 1),
        "discriminative_share": (0.05, 1.0, 0.05),
        "drop_lowest": (0.0, 0.95, 0.05),
        "context": (1.0, 4.0, 0.25),
        "per_image": (1, min(16, max(1, (side // cell) ** 2)), 1),
    }
    shown = {"patch_px": side // 2, "stride_px": cell, "image_px": side}
    choices = {"timesteps": geometry.timesteps, "factor": (1, 2, 3, 4)}
    return {
        part: [
            _widget(setting, ranges.get(setting.name), shown, choices.get(setting.name))
            for name in SHOWN
            if (setting := settings_of(kind).get(name))
        ]
        for part, kind in (("select", SelectSettings), ("export", ExportSettings))
    }


def choices_of(setting: Setting, values: Sequence[Any] | None = None) -> list[dict[str, Any]]:
    """The choices of a setting, or these values of it, with their labels.

    A setting that may be None has two: None, and a custom value. hint: what a format is for.
    """
    if values is None:
        values = list(setting.choice_labels) if setting.optional else setting.choices
    labels = setting.choice_labels
    found = [{"value": value, "label": labels.get(value, str(value))} for value in values]
    if setting.name == "format":
        return [one | {"hint": FORMATS[one["value"]].purpose} for one in found]
    return found


def _widget(
    setting: Setting,
    ends: tuple[float, float, float] | None,
    shown: Mapping[str, int],
    choices: Sequence[Any] | None,
) -> Mapping[str, Any]:
    low, high, step = ends or (None, None, None)
    return {
        "name": setting.name,
        "label": setting.label,
        "unit": setting.unit,
        "help": setting.widget_help,
        "default": setting.default,
        "shown": shown.get(setting.name),
        "choices": choices_of(setting, choices),
        "low": low,
        "high": high,
        "step": step,
    }
