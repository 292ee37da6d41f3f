"""Datasets that dsel reads; `open_dataset` picks the reader for a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

from dsel.config import SourceSettings
from dsel.errors import SourceError
from dsel.types import Dataset

READERS: Final[Mapping[str, str]] = MappingProxyType({
    "toybox": "dsel.data.toybox_dataset:open_toybox",
    "folder": "dsel.data.image_folder:open_image_folder",
    "arrays": "dsel.data.npz:open_arrays",
    "zip": "dsel.data.zip_file:open_zip",
})  # fmt: skip
"""Kind of source -> module and function that opens it; imported when it is asked for."""

_FILES: Final[Mapping[str, str]] = MappingProxyType({".npz": "arrays", ".zip": "zip"})


def open_dataset(source: str, settings: SourceSettings) -> Dataset:
    """Open a folder of class folders, an .npz or .zip file, or the built-in scenes (toybox).

    A folder that is itself called toybox is opened as ./toybox.
    """
    path = Path(source).expanduser()
    module, _, function = READERS[_kind(source, path)].partition(":")
    reader = getattr(import_module(module), function)
    return cast("Callable[[Path, SourceSettings], Dataset]", reader)(path, settings)


def _kind(source: str, path: Path) -> str:
    if source == "toybox":
        return "toybox"
    try:
        if path.is_dir():
            return "arrays" if any(path.glob("*.npz")) else "folder"
        there = path.exists()
    except OSError as error:  # a name that is too long, or a folder that may not be entered
        raise SourceError(f"{source!r} cannot be opened: {error.strerror}") from error
    kind = _FILES.get(path.suffix.lower())
    if there and kind:
        return kind
    why = "" if there else "there is no such file or folder; "
    raise SourceError(
        f"{source!r} is not a dataset: {why}give an image folder, an .npz or .zip file, or the "
        "word toybox"
    )
