"""Small exports, written by hand in the format that `dsel export` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dsel.checksums import digest
from dsel.core.composing import tile_sides
from dsel.data.images import encode
from dsel.files import record_bytes

CLASSES = ("cat", "dog")
SIDE_PX = 12


def write_export(
    out: Path, factor: int = 1, per_class: int = 2, native_px: float = 6.0,
    tile_scale: str = "fit", **changes: Any,
) -> list[np.ndarray]:  # fmt: skip
    """Write an export of random images; returns their pixels in order."""
    rng = np.random.default_rng(0)
    images, entries, checksums = [], [], {}
    for name in CLASSES:
        for number in range(per_class):
            images.append(rng.integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8))
            file = f"train/{name}/{name}_id{number:05d}.png"
            (out / file).parent.mkdir(parents=True, exist_ok=True)
            content = encode(images[-1], "png")
            (out / file).write_bytes(content)
            checksums[file] = digest(content)
            entries.append({"file": file, "class": name, "patches": _patches(factor, native_px)})
    record = {
        "format": "dsel export 5", "complete": True, "classes": list(CLASSES),
        "select": {"factor": factor, "tile_scale": tile_scale},
        "export": {"format": ["folder"], "image_px": SIDE_PX, "pixels": "proxy"}, "images": entries,
        "checksums": checksums,
    }  # fmt: skip
    (out / "manifest.json").write_bytes(record_bytes(record | changes))
    return images


def _patches(factor: int, native_px: float) -> Sequence[Mapping[str, Any]]:
    sides = tile_sides(SIDE_PX, factor)
    return [
        {
            "tile_box": {
                "x": sum(sides[:column]), "y": sum(sides[:row]),
                "width": sides[column], "height": sides[row],
            },
            "native_px": native_px,
        }
        for row in range(factor)
        for column in range(factor)
    ]  # fmt: skip
