"""Croissant: croissant.json, which describes the images beside it in the format of MLCommons.

croissant.json   JSON-LD of Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html)
images.parquet   the images and their labels, with their checksum in croissant.json
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dsel.checksums import digest_of
from dsel.exports.base import Export
from dsel.exports.formats import CLASSES, Format, Record, Sink, Soft, classes_file
from dsel.exports.parquet import ParquetImages, parquet_bytes, parquet_records
from dsel.exports.readme import README, other_readme
from dsel.files import json_bytes, write_atomically

IMAGES: Final = "images.parquet"
FILE: Final = "croissant.json"
NO_DIGEST: Final = "0" * 64
CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
LINES: Final = """\
```python
import mlcroissant

images = mlcroissant.Dataset("OUT/croissant.json").records("images")
```

`croissant.json` describes `images.parquet`; `classes.json` has the index and the name of each class.
"""  # noqa: E501


class _Images(ParquetImages):
    """All images in one file, which croissant.json names with its checksum."""

    def __init__(self, kind: Format, export: Export, out: Path, soft: Soft | None) -> None:
        super().__init__(kind, export, out, soft, IMAGES, file_bytes=sys.maxsize)
        self._described, self._folder = export, out

    def close(self) -> Mapping[str, str]:
        """Complete the file, and describe it."""
        found = dict(super().close())
        content = json_bytes(description(self._described, digest_of(self._folder / IMAGES)))
        write_atomically(self._folder / FILE, content)
        return found | {FILE: digest_of(self._folder / FILE)}


class Croissant(Format):
    """One Parquet file of images, and its description."""

    name = "croissant"
    purpose = "dataset search and mlcroissant"
    holds_soft = True

    def sink(self, export: Export, out: Path, soft: Soft | None) -> Sink:
        """Open the folder."""
        return _Images(self, export, out, soft)

    def place(self, export: Export, class_index: int, number: int, at: int) -> str:
        """Return the row of an image."""
        return f"{IMAGES}#{at}"

    def side_files(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
    ) -> dict[str, bytes]:
        """Return the README and the classes."""
        return {
            README: other_readme(export, self.purpose, LINES).encode(),
            CLASSES: classes_file(export),
        }

    def stored_bytes(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
        images_bytes: int,
    ) -> dict[str, int]:
        """Return the size of the images in Parquet, about, and of their description."""
        described = len(json_bytes(description(export, NO_DIGEST)))
        return parquet_bytes(export, images_bytes, IMAGES) | {FILE: described}

    def records(self, out: Path, manifest: Mapping[str, Any]) -> Iterator[Record]:
        """Read the rows of the images."""
        yield from parquet_records(out, out / IMAGES)


def description(export: Export, checksum: str) -> dict[str, Any]:
    """Return the JSON-LD; checksum: the SHA-256 of the images."""
    facts = export.facts
    side = export.canvas.image_px
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": f"distilled_{export.fingerprint}",
        "description": (
            f"{export.images} distilled images of {side} x {side} px in {len(export.classes)} "
            f"classes, selected with dsel {facts['dsel']}."
        ),
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "version": "1.0.0",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": IMAGES,
                "name": IMAGES,
                "contentUrl": IMAGES,
                "encodingFormat": "application/x-parquet",
                "sha256": checksum,
            }
        ],
        "recordSet": [_classes(export), _images(export)],
    }


def _classes(export: Export) -> dict[str, Any]:
    names = enumerate(export.classes)
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "dataType": "sc:Enumeration",
        "key": {"@id": "classes/index"},
        "field": [
            {"@type": "cr:Field", "@id": "classes/index", "dataType": "sc:Integer"},
            {"@type": "cr:Field", "@id": "classes/name", "dataType": "sc:Text"},
        ],
        "data": [{"classes/index": index, "classes/name": name} for index, name in names],
    }


def _images(export: Export) -> dict[str, Any]:
    label = _field("label", "sc:Integer") | {"references": {"field": {"@id": "classes/index"}}}
    image = _field("image", "sc:ImageObject", {"transform": {"jsonPath": "bytes"}})
    fields = [image, label]
    if export.settings.teacher:
        fields.append(_field("soft_label", "sc:Float") | {"repeated": True})
    return {"@type": "cr:RecordSet", "@id": "images", "name": "images", "field": fields}


def _field(column: str, kind: str, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    source = {"fileObject": {"@id": IMAGES}, "extract": {"column": column}, **(more or {})}
    return {
        "@type": "cr:Field",
        "@id": f"images/{column}",
        "name": f"images/{column}",
        "dataType": kind,
        "source": source,
    }
