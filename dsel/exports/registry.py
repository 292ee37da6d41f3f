"""The formats of exports by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dsel.config.export import FORMAT_NAMES, FormatName
from dsel.exports.base import MANIFEST, Export
from dsel.exports.coco import Coco
from dsel.exports.croissant import Croissant
from dsel.exports.dd_ranking import DDRanking
from dsel.exports.formats import Format
from dsel.exports.image_folder import ImageFolder
from dsel.exports.layouts import Minimax, Rded, Sre2l
from dsel.exports.parquet import HubDataset
from dsel.exports.selection_csv import SelectionCsv
from dsel.exports.web_dataset import WebDataset

FORMATS: Final[Mapping[FormatName, Format]] = MappingProxyType({
    one.name: one
    for one in (
        ImageFolder(), HubDataset(), WebDataset(), Coco(), Croissant(), SelectionCsv(), Rded(),
        Sre2l(), Minimax(), DDRanking(),
    )
})  # fmt: skip


MANIFESTS: Final = (MANIFEST, *(f"{name}/{MANIFEST}" for name in FORMATS))
"""Where the manifests of an export are below OUT: one, or one per format."""


def parts_of(export: Export) -> Mapping[str, Export]:
    """Return what an export writes: one export per format, by its folder below OUT.

    One format is written directly into OUT, whose folder is then the empty text.
    """
    names = export.settings.format
    if len(names) == 1:
        return {"": FORMATS[names[0]].adapted(export)}
    return {name: FORMATS[name].adapted(export) for name in names}


def exported_folders(out: Path) -> tuple[Path, ...]:
    """Return the folders below OUT that are exports in one format each; OUT itself if it is one."""
    if (out / MANIFEST).is_file():
        return (out,)
    folders = (out / name for name in FORMAT_NAMES)
    return tuple(folder for folder in folders if (folder / MANIFEST).is_file())
