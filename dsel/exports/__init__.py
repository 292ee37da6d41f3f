"""Export formats: distilled sets out, one module per format.

A format (`formats.Format`) says how its images are stored, what is beside them, and how an export
is read back to be checked; `registry` names all of them. `writing` writes any of them in one pass
over the distilled images, and can be called again to finish an interrupted export. Add a format as
a module beside `image_folder`; what all formats share is in `base`: the claim on the folder and the
manifest with the origin of every pixel. `zip_file` packs the folder of any of them.
"""

from __future__ import annotations

from dsel.exports.base import Export, class_folders, image_entry, refuse_foreign
from dsel.exports.registry import FORMATS, MANIFESTS, exported_folders, parts_of
from dsel.exports.writing import Labels, write_export
from dsel.exports.zip_file import is_archive, is_zip, write_zip, zip_bytes, zip_folder

__all__ = [
    "FORMATS",
    "MANIFESTS",
    "Export",
    "Labels",
    "class_folders",
    "exported_folders",
    "image_entry",
    "is_archive",
    "is_zip",
    "parts_of",
    "refuse_foreign",
    "write_export",
    "write_zip",
    "zip_bytes",
    "zip_folder",
]
