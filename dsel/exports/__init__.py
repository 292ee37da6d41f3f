"""Export formats: one writer per format, and what they share."""

from __future__ import annotations

from dsel.exports.base import (
    Export,
    explanation_bytes,
    is_zip,
    refuse_foreign,
    write_zip,
    zip_folder,
)
from dsel.exports.image_folder import SIDE_FILES, write_image_folder

__all__ = [
    "SIDE_FILES",
    "Export",
    "explanation_bytes",
    "is_zip",
    "refuse_foreign",
    "write_image_folder",
    "write_zip",
    "zip_folder",
]
