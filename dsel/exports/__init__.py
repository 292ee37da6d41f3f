"""Export formats: one writer per format, and what they share."""

from __future__ import annotations

from dsel.exports.base import Export, is_zip, refuse_foreign, write_zip, zip_folder
from dsel.exports.imagefolder import write_image_folder

__all__ = [
    "Export",
    "is_zip",
    "refuse_foreign",
    "write_image_folder",
    "write_zip",
    "zip_folder",
]
