"""Have a teacher label the images of an export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsel.config import ExportSettings
from dsel.errors import SettingError
from dsel.exports import Export, Labels
from dsel.students.label_file import LABELS, label_file_size, read_labels
from dsel.types import Event

if TYPE_CHECKING:
    from dsel.students.teachers import Teacher


def check_labels(settings: ExportSettings) -> None:
    """Raise `SettingError` for labels of crops without a teacher."""
    if settings.label_crops and not settings.teacher:
        raise SettingError(
            f"label crops of {settings.label_crops} needs a teacher: give one with --teacher, or "
            "leave it out",
            setting="label_crops",
        )


def open_teacher(settings: ExportSettings, classes: Sequence[str]) -> Teacher | None:
    """Load the teacher of an export; None if it has none.

    Raises `PriorError` where it cannot be loaded, and `SettingError` where it does not know all
    classes.
    """
    if not settings.teacher:
        return None
    from dsel.students.teachers import load_teacher

    return load_teacher(settings.teacher, classes)


def labeller(export: Export, teacher: Teacher | None) -> Labels | None:
    """Return what writes and reads the labels of an export; None without a teacher."""
    if teacher is None:
        return None

    def label(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
        from dsel.students.soft_labels import write_labels

        scale, crops = export.canvas.tile_scale, export.settings.label_crops
        return write_labels(folder, entries, scale, teacher, crops, export.classes)

    return Labels(label, lambda folder: read_labels(folder / LABELS, "images").probabilities)


def labels_size(export: Export, images: int) -> int:
    """Return the bytes of the file of labels of so many images; 0 without a teacher."""
    if not export.settings.teacher:
        return 0
    return label_file_size(
        images,
        export.canvas.factor**2,
        export.settings.label_crops,
        export.facts["teacher"],
        export.classes,
    )
