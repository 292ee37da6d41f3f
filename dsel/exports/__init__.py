"""Export formats: distilled sets out, one module per format.

A writer is a generator `write(export, images, out) -> Iterator[Event]` that takes an `Export` and a
stream of distilled images, and can be called again to finish an interrupted export. Add a format as
a module beside `image_folder`; what all formats share is in `base`: the claim on the folder and the
manifest with the origin of every pixel. `zip_file` packs the folder of any of them.
"""

from __future__ import annotations

from dsel.exports.base import (
    Export,
    class_folders,
    image_entry,
    refuse_foreign,
)
from dsel.exports.image_folder import (
    SIDE_FILES,
    Label,
    image_name,
    side_files,
    write_image_folder,
)
from dsel.exports.zip_file import is_zip, write_zip, zip_bytes, zip_folder

__all__ = [
    "SIDE_FILES",
    "Export",
    "Label",
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
