"""What the names of files and folders say: hidden ones, pictures, and files beside pictures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

IMAGE_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
)
_SYSTEM_NAMES: Final = frozenset({
    "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "@recycle", "#recycle",
    "#snapshot", "$recycle.bin", "recycler", "system volume information", "lost+found",
    "__pycache__",
})  # fmt: skip
"""Files and folders that operating systems and programs leave behind, in lower case."""

_OTHER_SUFFIXES: Final = frozenset({
    ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg",
    ".txt", ".text", ".md", ".rst", ".rtf", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".html",
    ".htm", ".log", ".caption", ".captions", ".tags", ".label", ".labels", ".xmp", ".srt", ".npy",
    ".npz", ".mat", ".pkl", ".pickle", ".pt", ".pth", ".safetensors", ".onnx", ".h5", ".hdf5",
    ".parquet", ".arrow", ".feather", ".db", ".sqlite", ".lock", ".mdb", ".tfrecord", ".tfrecords",
    ".rec", ".idx", ".beton", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar",
    ".py", ".ipynb", ".sh", ".js", ".css", ".mp4", ".mov", ".avi", ".mkv", ".webm", ".wav", ".mp3",
    ".flac", ".url", ".lnk", ".md5", ".sha256", ".bak", ".tmp", ".part", ".crdownload",
})  # fmt: skip
"""Suffixes of documents, data, archives, films and the like, which are no pictures."""

_DOCUMENTS: Final = frozenset({"readme", "licence", "license", "notice", "changelog", "makefile"})


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is ignored: hidden, or a system's own."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def is_image_name(name: str) -> bool:
    """Return whether the name is that of an image; a folder with such a name is not a class."""
    return suffix_of(name) in IMAGE_SUFFIXES


def is_other_name(name: str) -> bool:
    """Return whether the name is that of a file which is no picture: LICENSE, or labels.csv."""
    return suffix_of(name) in _OTHER_SUFFIXES or name.lower() in _DOCUMENTS


def suffix_of(name: str) -> str:
    """Return the end of a name or path from its last dot, in lower case; empty without one."""
    start, dot, end = name.rpartition("/")[2].rpartition(".")
    return f".{end}".lower() if dot and start else ""


def picture_paths(paths: Iterable[str]) -> set[str]:
    """Return the paths that may be pictures: all but known other files, and files beside pictures.

    A file is beside a picture if it has the same name up to its suffix, such as 1.aes or 1.png.aes
    beside 1.png. Any other file counts, whatever its name, so that an unusable one gets a reason.
    """
    every = list(paths)
    images = {path for path in every if is_image_name(path)}
    owners = images | {_stem(path) for path in images}
    return images | {
        path
        for path in every
        if not is_other_name(path.rpartition("/")[2])
        and not (suffix_of(path) and _stem(path) in owners)
    }


def _stem(path: str) -> str:
    suffix = suffix_of(path)
    return path[: -len(suffix)] if suffix else path
