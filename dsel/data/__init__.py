"""Datasets: labelled images in, one module per kind of source.

`open_dataset` picks the reader of a source; each reader returns an object with the `Dataset`
protocol of `dsel.types`. Add a kind of source as a module and a line in `READERS`. What several
readers share is in `base` (choosing classes, limiting images), `class_folders` (which folders are
classes, and in which split) and `class_names`; `tree`, `file_names`, `split_names` and
`other_layouts` hold what `class_folders` asks for. `zip_entries` decides which entries of a zip
file are refused. `images` decodes, crops and encodes pixels, and `prefetch` reads them ahead of the
prior.
"""

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
"""Kind of source -> module:function that opens it, imported when it is used."""

_FILES: Final[Mapping[str, str]] = MappingProxyType({".npz": "arrays", ".zip": "zip"})


def open_dataset(source: str, settings: SourceSettings) -> Dataset:
    """Open a folder of class folders, an .npz or .zip file, or the built-in scenes (toybox).

    A folder that is itself called toybox is opened as ./toybox.
    """
    path = Path(source).expanduser()
    module, _, function = READERS[_kind(source, path)].partition(":")
    reader = getattr(import_module(module), function)
    return cast("Callable[[Path, SourceSettings], Dataset]", reader)(path, settings)


def is_rendered(dataset: Dataset) -> bool:
    """Whether the images are dsel's own scenes, which nobody can replace."""
    return dataset.origin.get("source") == "toybox"


def _has_arrays_alone(path: Path) -> bool:
    """Return whether a folder has .npz files and no class folders, beside which they are strays."""
    if not any(path.glob("*.npz")):
        return False
    from dsel.data.image_folder import holds_class_folders

    return not holds_class_folders(path)


def _kind(source: str, path: Path) -> str:
    if source == "toybox":
        return "toybox"
    try:
        if path.is_dir():
            return "arrays" if _has_arrays_alone(path) else "folder"
        exists = path.exists()
    except OSError as error:  # a name that is too long, or a folder without permission
        raise SourceError(
            f"{source!r} cannot be opened: {error.strerror}", source=source
        ) from error
    kind = _FILES.get(path.suffix.lower())
    if exists and kind:
        return kind
    why = "" if exists else "there is no such file or folder; "
    raise SourceError(
        f"{source!r} is not a dataset: {why}give an image folder, an .npz or .zip file, or the "
        "word toybox",
        source=source,
    )
