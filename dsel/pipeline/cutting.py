"""Cut pixels out of the source that a run was scored from, or out of its proxies."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal

from dsel.config import SourceSettings
from dsel.core.composing import Cut
from dsel.core.cut_boxes import cut_in_proxy
from dsel.data import is_rendered, open_dataset
from dsel.data.images import checksum, crop, decode
from dsel.errors import DselError, RunError, UnreadableImage
from dsel.runs import Run
from dsel.runs.schema import ImageRow
from dsel.types import Dataset, Patch, Pixels

PROXY_BYTES: Final = 1 << 26
"""Decoded square proxies that are kept in memory while they are cut, at most."""


def source_of(run: Run, pixels: Literal["auto", "source", "proxy"]) -> tuple[Dataset | None, str]:
    """Open the run's source for cutting; None, and why, where its proxies are used instead.

    The reason is empty if proxies are wanted. Raises `RunError` if `source` is wanted and fails.
    """
    if pixels == "proxy":
        return None, ""
    try:
        dataset = open_origin(run)
    except DselError as error:
        if pixels == "source":
            raise RunError(f"the source cannot be read: {error}") from error
        return None, f"cutting from the run's proxies, since the source cannot be read: {error}"
    if dataset.fingerprint == run.identity.dataset_fingerprint:
        return dataset, ""
    why = "the source has changed since the run was scored"
    if pixels == "source":
        raise RunError(f"{why}: score it again, or use --pixels proxy")
    return None, f"cutting from the run's proxies, since {why}"


def open_origin(run: Run) -> Dataset:
    """Open the dataset that a run was scored from; raises `SourceError` if it is gone."""
    return open_again(run.identity.dataset_origin)


def open_again(found: Mapping[str, Any]) -> Dataset:
    """Open a dataset from the origin that a manifest records; raises `SourceError` like it."""
    origin = dict(found)
    source = str(origin.pop("source"))
    return open_dataset(source, SourceSettings.from_plain(origin))


def source_cutter(run: Run, dataset: Dataset) -> Cut:
    """Return a function that cuts out of the source.

    It raises `RunError` for an image that has changed or cannot be read.
    """
    by_id = {ref.id: ref for ref in dataset.refs}
    images = run.images

    def read(image_id: str) -> Pixels:
        try:
            pixels = dataset.read(by_id[image_id])
        except UnreadableImage as reason:
            raise RunError(f"{image_id} {reason}: replace it, or use --pixels proxy") from reason
        if not is_as_scored(images[images.row_of[image_id]], pixels, dataset):
            raise RunError(
                f"{image_id} has changed since the run was scored: score it again into a new run, "
                "or use --pixels proxy"
            )
        return pixels

    # Several patches of a class may come from one large image.
    read_once = lru_cache(4)(read)

    def cut(patch: Patch, width_px: int, height_px: int) -> Pixels:
        return crop(read_once(patch.image_id), patch.cut_box, width_px, height_px)

    return cut


def is_as_scored(row: ImageRow, pixels: Pixels, dataset: Dataset) -> bool:
    """Whether an image of the source has the pixels that were scored.

    A file may be replaced by another of the same size in bytes, which the fingerprint of a folder
    does not show. Rendered scenes follow from what their fingerprint names, and another processor
    may round a pixel of them otherwise.
    """
    frame = row.frame
    if frame is None or pixels.shape[:2] != (frame.source_height, frame.source_width):
        return False
    return is_rendered(dataset) or checksum(pixels) == row.checksum


def proxy_cutter(run: Run) -> Cut:
    """Return a function that cuts out of the run's proxies."""
    images = run.images
    most = max(1, PROXY_BYTES // (3 * run.identity.resolution_px**2))
    # Decoding is most of the work, and the patches of one image are ranked far apart.
    read = lru_cache(most)(lambda image_id: read_proxy(run, images[images.row_of[image_id]]))

    def cut(patch: Patch, width_px: int, height_px: int) -> Pixels:
        return crop(read(patch.image_id), cut_in_proxy(patch), width_px, height_px)

    return cut


def read_proxy(run: Run, row: ImageRow) -> Pixels:
    """Read the proxy of an image; raises `RunError` if it is damaged."""
    try:
        return decode(run.image_bytes([row], "proxy")[0])
    except UnreadableImage as reason:
        raise RunError(f"the proxy of {row.id} {reason}: score it again into a new run") from reason
