"""Where the pixels of a patch come from: the source that a run was scored from, or its proxies."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from dsel.config import SourceSettings
from dsel.core.composing import Cut
from dsel.data import open_dataset
from dsel.data.images import crop, decode
from dsel.errors import DselError, RunError, UnreadableImage
from dsel.runs import Run
from dsel.runs.schema import ImageRow
from dsel.types import Dataset, Patch, Pixels


def source_of(run: Run, pixels: Literal["auto", "source", "proxy"]) -> tuple[Dataset | None, str]:
    """The run's source if its pixels are wanted and there, and a line where they are missed."""
    if pixels == "proxy":
        return None, ""
    try:
        dataset = open_origin(run)
    except DselError as error:
        if pixels == "source":
            raise RunError(f"the source's pixels cannot be had: {error}") from error
        return None, f"cutting from the run's proxies, since the source cannot be read: {error}"
    if dataset.fingerprint == run.identity.dataset_fingerprint:
        return dataset, ""
    why = "the source has changed since the run was scored"
    if pixels == "source":
        raise RunError(f"{why}: score it again, or take --pixels proxy")
    return None, f"cutting from the run's proxies, since {why}"


def open_origin(run: Run) -> Dataset:
    """Open the dataset that a run was scored from; raises `SourceError` if it is gone."""
    origin = dict(run.identity.dataset_origin)
    source = str(origin.pop("source"))
    return open_dataset(source, SourceSettings.from_plain(origin))


def source_cutter(run: Run, dataset: Dataset) -> Cut:
    """Cuts patches out of the source; raises `RunError` for a picture that has changed."""
    by_id = {ref.id: ref for ref in dataset.refs}
    frames = {row.id: row.frame for row in run.images}

    def read(image_id: str) -> Pixels:
        try:
            pixels = dataset.read(by_id[image_id])
        except UnreadableImage as reason:
            raise RunError(f"{image_id} {reason}: mend it, or take --pixels proxy") from reason
        frame = frames[image_id]
        if frame is None or pixels.shape[:2] != (frame.source_height, frame.source_width):
            raise RunError(
                f"{image_id} has changed since the run was scored: score it again into a new run, "
                "or take --pixels proxy"
            )
        return pixels

    # A class's patches may come from one large picture several times over.
    read_once = lru_cache(4)(read)

    def cut(patch: Patch, width_px: int, height_px: int) -> Pixels:
        return crop(read_once(patch.image_id), patch.source_box, width_px, height_px)

    return cut


def proxy_cutter(run: Run) -> Cut:
    """Cuts patches out of the run's own pictures."""
    by_id = {row.id: row for row in run.images}

    def cut(patch: Patch, width_px: int, height_px: int) -> Pixels:
        return crop(read_proxy(run, by_id[patch.image_id]), patch.box, width_px, height_px)

    return cut


def read_proxy(run: Run, row: ImageRow) -> Pixels:
    """The picture of an image as the prior saw it; raises `RunError` if it is damaged."""
    try:
        return decode(run.image_bytes([row], "proxy")[0])
    except UnreadableImage as reason:
        raise RunError(f"the proxy of {row.id} {reason}: score it again into a new run") from reason
