"""Small datasets that tests write: image folders and arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from dsel.config import SourceSettings
from dsel.data import open_dataset
from dsel.types import Dataset

IMAGENETTE = {
    "n01440764": "tench", "n02102040": "English springer", "n02979186": "cassette player",
    "n03000684": "chain saw", "n03028079": "church", "n03394916": "French horn",
    "n03417042": "garbage truck", "n03425413": "gas pump", "n03445777": "golf ball",
    "n03888257": "parachute",
}  # fmt: skip


def put(path: Path, colour: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), colour).save(path, "PNG")
    return path


def ids(dataset: Dataset) -> list[str]:
    return [ref.id for ref in dataset.refs]


def opened(path: Path, **settings: object) -> Dataset:
    return open_dataset(str(path), SourceSettings(**settings))


def save_arrays(path: Path, **changes: object) -> Path:
    parts: dict[str, object] = {
        "images": np.arange(5 * 2 * 3 * 3, dtype=np.uint8).reshape(5, 2, 3, 3),
        "labels": np.array([1, 0, 1, 0, 1]),
        "names": np.array([b"e", b"d", b"c", b"b", b"a"]),
        "classes": np.array(["cat", "dog"]),
    }
    parts |= changes
    np.savez(path, **{key: part for key, part in parts.items() if part is not None})
    return path
