"""Export formats: one writer per format, and what they share."""

from __future__ import annotations

from dsel.exports.base import Export, refuse_foreign, zip_folder
from dsel.exports.imagefolder import write_image_folder

__all__ = ["Export", "refuse_foreign", "write_image_folder", "zip_folder"]
