"""COCO: boxes of the chosen patches on the pictures of the source, in coco.json.

images        the source's pictures that patches were chosen from: file_name is the id of the image,
              width and height are of the upright picture
annotations   one per chosen patch: bbox is the patch, cut_box what was cut, in pixels of the
              picture; score, cluster and rank
categories    the classes, numbered from 1
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dsel.exports.base import Export
from dsel.exports.formats import Format, NoImages, Record, Sink, Soft
from dsel.exports.patch_table import patch_tables, rows_of, shown
from dsel.exports.readme import README, other_readme
from dsel.files import json_bytes, read_json

FILE: Final = "coco.json"
LINES: Final = """\
```python
from pycocotools.coco import COCO

boxes = COCO("OUT/coco.json")
```

`file_name` is the path of a picture in the source.
"""


class Coco(Format):
    """Boxes without images."""

    name = "coco"
    purpose = "boxes of the chosen patches on the source's pictures, for detection tools"
    stores = ""
    needs_pixels = False

    def sink(self, export: Export, out: Path, soft: Soft | None) -> Sink:
        """Store no image."""
        return NoImages()

    def place(self, export: Export, class_index: int, number: int, at: int) -> str:
        """Return an empty place."""
        return ""

    def side_files(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
    ) -> dict[str, bytes]:
        """Return the boxes and the README."""
        return {
            README: other_readme(export, self.purpose, LINES).encode(),
            FILE: json_bytes(_coco(export)),
        }

    def stored_bytes(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
        images_bytes: int,
    ) -> dict[str, int]:
        """Return nothing."""
        return {}

    def records(self, out: Path, manifest: Mapping[str, Any]) -> Iterator[Record]:
        """Read the boxes: the picture and rank of each."""
        content = read_json(out / FILE)
        files = {line["id"]: line["file_name"] for line in content["images"]}
        for line in content["annotations"]:
            place = f"{files[line['image_id']]}#{line['rank']}"
            yield Record(place, line["category_id"] - 1)

    def expected(self, manifest: Mapping[str, Any]) -> Iterator[Record]:
        """Return the patches of the images, each once."""
        yield from chosen(manifest)


def chosen(manifest: Mapping[str, Any]) -> Iterator[Record]:
    """Yield the exported patches of each class by rank, each once."""
    of_class: dict[str, dict[int, str]] = {name: {} for name in manifest["classes"]}
    for entry in manifest["images"]:
        patches = entry["patches"]
        of_class[entry["class"]] |= {patch["rank"]: patch["image_id"] for patch in patches}
    for index, found in enumerate(of_class.values()):
        yield from (Record(f"{found[rank]}#{rank}", index) for rank in sorted(found))


def _coco(export: Export) -> dict[str, Any]:
    rows = [row for table in patch_tables(export) for row in rows_of(shown(table))]
    numbers = {name: at for at, name in enumerate(dict.fromkeys(r["image_id"] for r in rows), 1)}
    return {
        "info": {"description": f"patches chosen by dsel {export.facts['dsel']}"},
        "images": [
            {"id": at, "file_name": name, **_size(export, name)} for name, at in numbers.items()
        ],
        "annotations": [
            _annotation(at, numbers[row["image_id"]], row) for at, row in enumerate(rows, 1)
        ],
        "categories": [
            {"id": at, "name": name, "supercategory": ""}
            for at, name in enumerate(export.classes, 1)
        ],
    }


def _size(export: Export, name: str) -> dict[str, int]:
    width, height = export.picture_sizes[name]
    return {"width": width, "height": height}


def _annotation(at: int, image: int, row: Mapping[str, Any]) -> dict[str, Any]:
    box = _box("source_", row)
    return {
        "id": at,
        "image_id": image,
        "category_id": row["class_index"] + 1,
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": 0,
        "cut_box": _box("cut_", row),
        "score": row["score"],
        "cluster": row["cluster"],
        "rank": row["rank"],
    }


def _box(prefix: str, row: Mapping[str, Any]) -> list[float]:
    return [row[f"{prefix}{name}"] for name in ("x", "y", "width", "height")]
