"""Datasets: labelled images in, one module per kind of source.

`open_dataset` picks the reader of a source; each reader returns an object with the `Dataset`
protocol of `dsel.types`. Add a kind of source as a module, a line in `READERS`, and what tells it
in `kinds`. What several readers share is in `base` (choosing classes, limiting images),
`class_folders` (which folders are classes, and in which split) and `class_names`; `tree`,
`file_names`, `split_names` and `other_layouts` hold what `class_folders` asks for. Kinds whose
labels are no folders share `indexed` (rows as images with the ids of a folder), `columns` (which
columns of a table to read) and `split_files` (which files of a folder); `places` reaches local
files and URLs alike. `zip_entries` decides which entries of a zip file are refused. `images`
decodes, crops and encodes pixels, and `prefetch` reads them ahead of the prior.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast

from dsel.config import SourceSettings
from dsel.types import Dataset

READERS: Final[Mapping[str, str]] = MappingProxyType({
    "toybox": "dsel.data.toybox_dataset:open_toybox",
    "folder": "dsel.data.image_folder:open_image_folder",
    "remote folder": "dsel.data.remote_folder:open_remote_folder",
    "labelled": "dsel.data.labelled_folder:open_labelled",
    "arrays": "dsel.data.npz:open_arrays",
    "zip": "dsel.data.zip_file:open_zip",
    "parquet": "dsel.data.parquet:open_parquet",
    "webdataset": "dsel.data.webdataset:open_webdataset",
    "hub": "dsel.data.hub:open_hub",
})  # fmt: skip
"""Kind of source -> module:function that opens it, imported when it is used."""


def open_dataset(source: str, settings: SourceSettings) -> Dataset:
    """Open a path, a URL, hf://user/name, or the built-in scenes (toybox).

    A folder that is itself called toybox is opened as ./toybox. Raises `SourceError` for a source
    that is no dataset, and where a setting must decide how it is read.
    """
    from dsel.data.kinds import find_source

    found = find_source(source, settings)
    module, _, function = READERS[found.kind].partition(":")
    reader = cast("Callable[..., Dataset]", getattr(import_module(module), function))
    return reader(found.source, settings, *found.further)


def is_rendered(dataset: Dataset) -> bool:
    """Whether the images are dsel's own scenes, which nobody can replace."""
    return dataset.origin.get("source") == "toybox"
