"""True boxes that come with a zip file: they become those of its run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from dsel.data.zip_file import BOXES_FILE, ZippedImages
from dsel.errors import SourceError, UnreadableImage
from dsel.files import write_atomically
from dsel.runs import Run
from dsel.runs.ground_truth import read_ground_truth
from dsel.types import Dataset, Event, Notice

MOST_DRAWN_PX: Final = 1e10
"""Pixels that drawing the objects of a zip file may take: half a minute, and no more memory.

5,000 photographs of 2 megapixels with an object each take as many. Without a limit, a visitor's
small file could keep the app at work for days.
"""


def take_boxes(run: Run, dataset: Dataset) -> Iterator[Event]:
    """Store the boxes.json of a zip file in its run, unless the run has one.

    A notice says how many images have an object, or why the file is left out.
    """
    if not isinstance(dataset, ZippedImages) or run.objects_path.exists():
        return
    try:
        content = dataset.boxes()
        if content is not None:
            yield Notice(_stored(run, content))
    except (SourceError, UnreadableImage) as error:
        yield Notice(f"the {BOXES_FILE} of the zip file is left out: {error}")


def _stored(run: Run, content: bytes) -> str:
    """Check boxes against the run and store them; raises `SourceError` for what does not fit."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / BOXES_FILE
        path.write_bytes(content)
        try:
            found = read_ground_truth(run, path, MOST_DRAWN_PX).matched
        except SourceError as error:
            raise SourceError(
                str(error).replace(f"{path}: ", "").replace(str(path), "it")
            ) from error
    write_atomically(run.objects_path, content)
    return (
        f"the {BOXES_FILE} of the zip file is stored in the run: {found.boxed} of {found.images} "
        "images have an object"
    )
