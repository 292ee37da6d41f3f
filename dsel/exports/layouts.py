"""The folders that the published training code of other methods reads.

RDED (https://github.com/LINs-lab/RDED) opens the folder of each class by its number, five digits
wide. SRe2L (https://github.com/VILA-Lab/SRe2L) and Minimax diffusion
(https://github.com/vimar-gu/MinimaxDiffusion) number the classes by the sorted names of their
folders, as torchvision does; Minimax looks for folders by their names in the source.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dsel.exports.base import Export
from dsel.exports.formats import CLASSES, FileSink, Format, Record, Sink, Soft, classes_file
from dsel.exports.image_folder import folder_records
from dsel.exports.readme import README, layout_readme
from dsel.files import read_json


class Layout(Format):
    """Class folders directly in the export."""

    folders = ("*",)

    @abstractmethod
    def folder(self, index: int, name: str, classes: int) -> str:
        """Return the folder of a class; name: of its folder in the source."""

    @abstractmethod
    def file(self, index: int, number: int, classes: int) -> str:
        """Return the name of an image's file."""

    def sink(self, export: Export, out: Path, soft: Soft | None) -> Sink:
        """Open the folder."""
        return FileSink(self, export, out)

    def place(self, export: Export, class_index: int, number: int, at: int) -> str:
        """Return the path of an image."""
        classes = len(export.classes)
        folder = self.folder(class_index, export.folders[class_index], classes)
        return f"{folder}/{self.file(class_index, number, classes)}"

    def side_files(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
    ) -> dict[str, bytes]:
        """Return the README and the classes."""
        return {
            README: layout_readme(export, self.purpose).encode(),
            CLASSES: classes_file(export),
        }

    def records(self, out: Path, manifest: Mapping[str, Any]) -> Iterator[Record]:
        """Read the images of the class folders."""
        classes = len(manifest["classes"])
        for line in read_json(out / CLASSES):
            index = int(line["index"])
            yield from folder_records(out, self.folder(index, line["folder"], classes), index)


class Rded(Layout):
    """00000/class00000_id00000.jpg."""

    name = "rded"
    purpose = "the training code of RDED"
    stores = "jpeg"

    def folder(self, index: int, name: str, classes: int) -> str:
        """Return the number of the class."""
        return f"{index:05d}"

    def file(self, index: int, number: int, classes: int) -> str:
        """Return the numbers of class and image."""
        return f"class{index:05d}_id{number:05d}.jpg"


class Sre2l(Layout):
    """new000/class000_id000.jpg; wider numbers for more than 1000 classes, so that they sort."""

    name = "sre2l"
    purpose = "the training code of SRe2L"
    stores = "jpeg"

    def folder(self, index: int, name: str, classes: int) -> str:
        """Return the number of the class, after the word new."""
        return f"new{index:0{_digits(classes)}d}"

    def file(self, index: int, number: int, classes: int) -> str:
        """Return the numbers of class and image."""
        return f"class{index:0{_digits(classes)}d}_id{number:03d}.jpg"


class Minimax(Layout):
    """<folder in the source>/0.png, such as n01440764/0.png."""

    name = "minimax"
    purpose = "the training code of Minimax diffusion"
    stores = "png"

    def folder(self, index: int, name: str, classes: int) -> str:
        """Return the name of the folder in the source."""
        return name

    def file(self, index: int, number: int, classes: int) -> str:
        """Return the number of the image."""
        return f"{number}.png"


def _digits(classes: int) -> int:
    return max(3, len(str(classes - 1)))
