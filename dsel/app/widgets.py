"""Settings as the page's widgets: their words and ranges, as declared and as a run allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dsel.config import ExportSettings, SelectSettings
from dsel.config.base import Setting, settings_of
from dsel.types import Geometry

SLIDER_TOP: Final = 200
"""The most that sliders of clusters and IPC go to; runs of smaller classes stop at their size, or
at the default IPC."""

LABELS: Final[Mapping[str, str]] = {
    "timesteps": "Timesteps",
    "patch_px": "Patch size",
    "clusters": "Clusters (k)",
    "ipc": "IPC",
    "discriminative_share": "Clusters found among",
    "across": "Ranking across clusters",
    "within": "Ranking in a cluster",
    "gap": "Gap",
    "stride_px": "Stride",
    "per_image": "Patches per image",
    "factor": "Mosaic",
    "image_px": "Image size",
    "file_format": "File format",
    "pixels": "Pixels",
}
"""The widgets of the page, in its order; what has none here keeps what the link says."""

UNITS: Final[Mapping[str, str]] = {
    "patch_px": "px", "stride_px": "px", "image_px": "px", "ipc": "images per class",
    "clusters": "per class", "per_image": "per image",
    "discriminative_share": "share of the class's patches",
}  # fmt: skip


def widgets_of(geometry: Geometry, largest: int) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The widgets of selecting and of exporting, for a run whose largest class has so many images.

    shown: what a default of 0 comes to here, where it stands for something else.
    """
    side, cell = geometry.resolution_px, geometry.cell_px
    top = max(SelectSettings().ipc, min(largest, SLIDER_TOP))
    fine = max(1, cell // 4)
    ranges: Mapping[str, tuple[float, float, float]] = {
        "patch_px": (cell, side, cell),
        "stride_px": (fine, max(cell, side // 2), fine),
        "clusters": (1, top, 1),
        "ipc": (1, top, 1),
        "discriminative_share": (0.05, 1.0, 0.05),
        "per_image": (1, min(16, max(1, (side // cell) ** 2)), 1),
    }
    shown = {"patch_px": side // 2, "stride_px": cell, "image_px": side}
    choices = {"timesteps": geometry.timesteps, "factor": (1, 2, 3, 4)}
    return {
        name: [
            _widget(setting, ranges.get(setting.name), shown, choices.get(setting.name))
            for label in LABELS
            if (setting := settings_of(kind).get(label))
        ]
        for name, kind in (("select", SelectSettings), ("export", ExportSettings))
    }


def _widget(
    setting: Setting,
    ends: tuple[float, float, float] | None,
    shown: Mapping[str, int],
    choices: Sequence[Any] | None,
) -> Mapping[str, Any]:
    low, high, step = ends or (None, None, None)
    return {
        "name": setting.name,
        "label": LABELS[setting.name],
        "help": setting.help,
        "unit": UNITS.get(setting.name, ""),
        "default": setting.default,
        "shown": shown.get(setting.name),
        "choices": list(choices if choices is not None else setting.choices),
        "low": low,
        "high": high,
        "step": step,
    }
