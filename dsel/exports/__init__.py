"""Export formats: one writer per format, and what they share."""

from __future__ import annotations

from dsel.exports.base import (
    Export,
    class_folders,
    image_entry,
    is_zip,
    refuse_foreign,
    write_zip,
    zip_bytes,
    zip_folder,
)
from dsel.exports.image_folder import SIDE_FILES, image_name, side_files, write_image_folder

__all__ = [
    "SIDE_FILES",
    "Export",
    "class_folders",
    "image_entry",
    "image_name",
    "is_zip",
    "refuse_foreign",
    "side_files",
    "write_image_folder",
    "write_zip",
    "zip_bytes",
    "zip_folder",
]
