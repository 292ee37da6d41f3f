"""Layouts that are no class folders, recognized by their folders and files.

Each is refused with what it looks like. Without this, a folder of labels would become a class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from dsel.data.file_names import suffix_of
from dsel.data.split_names import kind_of, words_of
from dsel.data.tree import Tree, has_files, holds_pictures, holds_suffix, join

_PICTURES: Final = frozenset({
    "images", "image", "imgs", "img", "pictures", "picture", "photos", "pics", "jpegimages",
    "data", "jpg", "jpeg", "png", "rgb", "raw", "frames",
})  # fmt: skip
"""Words that name a folder of pictures or of everything, not a class, in lower case."""

_LABELS: Final = frozenset({
    "labels", "label", "annotations", "annotation", "masks", "mask", "imagesets", "bboxes", "boxes",
    "segmentation", "segmentations", "segmentationclass", "segmentationobject", "metadata", "meta",
})  # fmt: skip
"""Words that name a folder of labels for pictures elsewhere, in lower case."""

_FORMATS: Final[Mapping[str, str]] = MappingProxyType({
    ".parquet": "Parquet files", ".arrow": "Arrow files, as Hugging Face datasets saves them",
    ".tar": "tar files, such as a WebDataset", ".tfrecord": "TFRecord files",
    ".tfrecords": "TFRecord files", ".h5": "HDF5 files", ".hdf5": "HDF5 files",
    ".mdb": "an LMDB database", ".rec": "RecordIO files", ".beton": "FFCV files",
    ".mat": "MATLAB files", ".gz": "packed files", ".tgz": "packed files", ".zip": "zip files",
    ".7z": "packed files", ".rar": "packed files", ".pkl": "pickle files",
    ".pickle": "pickle files", ".npy": "NumPy arrays", ".pt": "PyTorch files",
    ".safetensors": "safetensors files",
})  # fmt: skip
"""Suffixes of files that contain whole datasets, and the words for them."""


def is_container(name: str) -> bool:
    """Return whether a folder's name says that pictures are in it, and no class: images, data."""
    return name.lower() in _PICTURES or words_of(name) in (["dataset"], ["datasets"])


def is_label_word(name: str) -> bool:
    """Return whether a folder's name says that labels are in it: masks, annotations."""
    return name.lower().replace("_", "").replace("-", "") in _LABELS


def is_layout_word(name: str) -> bool:
    """Return whether a folder's name is one of a layout and not of a class."""
    return name.lower() in _PICTURES or is_label_word(name)


def annotated_layout(tree: Tree, path: str) -> str:
    """Return what a folder with pictures beside their labels looks like; empty for another one."""
    names = {name.lower(): name for name in tree.folders(path)}
    if {"jpegimages", "annotations"} <= names.keys():
        return "a Pascal VOC dataset (JPEGImages, Annotations)"
    if {"images", "labels"} <= names.keys() and not _has_classes(tree, path, names["images"]):
        return "a YOLO dataset (images, labels)"
    if "annotations" in names and _is_coco(tree, path, names["annotations"]):
        return "a COCO dataset (images, annotations)"
    if names and all(map(is_layout_word, names)) and not _any_classes(tree, path, names.values()):
        return f"pictures and labels in folders of their own ({', '.join(sorted(names.values()))})"
    return ""


def packed_layout(tree: Tree, path: str) -> str:
    """Return what a folder without a single picture contains, such as Parquet files, or empty."""
    suffix = packed_suffix(tree, path)
    return f"a folder of {_FORMATS[suffix]}" if suffix else ""


def packed_suffix(tree: Tree, path: str) -> str:
    """Return the suffix of the files of a folder without a single picture, or empty."""
    if holds_pictures(tree, path):
        return ""
    return next((s for s in map(suffix_of, _names_below(tree, path)) if s in _FORMATS), "")


def _names_below(tree: Tree, path: str, depth: int = 2) -> Iterator[str]:
    yield from tree.others(path)
    for name in tree.folders(path) if depth else ():
        yield from _names_below(tree, join(path, name), depth - 1)


def _is_coco(tree: Tree, path: str, annotations: str) -> bool:
    """Return whether a folder of annotations has JSON, and the folders beside it no classes."""
    beside = [name for name in tree.folders(path) if name != annotations]
    is_json = holds_suffix(tree, join(path, annotations), ".json")
    return is_json and bool(beside) and not _any_classes(tree, path, beside)


def _any_classes(tree: Tree, path: str, names: Iterable[str]) -> bool:
    """Return whether one of these folders, other than those of labels, contains class folders."""
    return any(_has_classes(tree, path, name) for name in names if not is_label_word(name))


def _has_classes(tree: Tree, path: str, name: str) -> bool:
    """Return whether a folder contains folders of pictures that are no splits of their own."""
    inside = join(path, name)
    if has_files(tree, inside):
        return False
    inner = [f for f in tree.folders(inside) if not is_layout_word(f)]
    return any(_has_classes(tree, inside, folder) if kind_of(folder) else True for folder in inner)
