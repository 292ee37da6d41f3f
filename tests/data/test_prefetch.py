"""Prefetching keeps the order, names what cannot be used, and looks ahead only so far."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dsel.config import ScoreSettings
from dsel.data.decoders import Decoders
from dsel.data.images import checksum, decode, encode, orientation_of
from dsel.data.prefetch import LOOK_AHEAD, THUMBNAIL_PX, PrefetchedImage, Prefetcher
from dsel.errors import UnreadableImage
from dsel.types import ImageRef, Pixels

PRIOR = SimpleNamespace(resolution_px=128, step_px=32)


class Numbered:
    """Image n is gray n; 3 cannot be read, and 5 is small. Counts what was read."""

    def __init__(self) -> None:
        self.read_ids: list[str] = []

    def read(self, ref: ImageRef) -> Pixels:
        self.read_ids.append(ref.id)
        if ref.id == "3":
            raise UnreadableImage("is empty (0 bytes)")
        side = 4 if ref.id == "5" else 160
        return np.full((side, 2 * side, 3), int(ref.id), np.uint8)

    def orientation(self, ref: ImageRef) -> int:
        return int(ref.id) % 8 + 1


@pytest.fixture
def pool() -> Iterator[Decoders]:
    with Decoders(2, 60) as threads:
        yield threads


def test_read__in_order_with_reasons(pool: Decoders) -> None:
    prefetcher = Prefetcher(Numbered(), PRIOR, ScoreSettings(min_side_px=8), pool)
    found = list(prefetcher.read([ImageRef(str(n), 0) for n in range(8)]))
    assert found[3] == "is empty (0 bytes)"
    assert found[5] == "is 8 x 4 px: the shorter side must be at least 8 px (--min-side-px)"
    for number in (0, 1, 2, 4, 6, 7):
        image = found[number]
        assert isinstance(image, PrefetchedImage)
        assert (image.proxy.pixels == number).all()
        assert image.orientation == number % 8 + 1
        assert image.proxy.pixels.shape == (128, 256, 3)
        assert decode(image.proxy_bytes).shape == (128, 256, 3)
        assert decode(image.thumbnail_bytes).shape == (THUMBNAIL_PX // 2, THUMBNAIL_PX, 3)


def test_read__the_checksum_is_of_the_source_and_notes_come_along(
    pool: Decoders,
) -> None:
    deep = io.BytesIO()
    Image.fromarray(np.full((40, 40), 1023, np.uint16)).save(deep, "PNG")
    files = {"deep": deep.getvalue(), "plain": encode(np.full((40, 60, 3), 7, np.uint8), "png")}
    dataset = SimpleNamespace(
        read=lambda ref: decode(files[ref.id]),
        orientation=lambda ref: orientation_of(files[ref.id]),
    )
    refs = [ImageRef(name, 0) for name in ("deep", "plain", "deep")]
    found = list(Prefetcher(dataset, PRIOR, ScoreSettings(), pool).read(refs))
    assert [image.checksum for image in found] == [checksum(decode(files[r.id])) for r in refs]
    note = "10-bit data in files of 16 bits: it is scaled by 1023, not 65535"
    assert [image.note for image in found] == [note, "", note]


def test_read__looks_ahead_only_so_far(pool: Decoders) -> None:
    dataset = Numbered()
    images = Prefetcher(dataset, PRIOR, ScoreSettings(), pool).read(
        [ImageRef(str(n), 0) for n in range(10, 110)]
    )
    next(images)
    behind = threading.Barrier(3)  # what both threads reach after all calls before it
    for _ in range(2):
        pool.submit(behind.wait)
    behind.wait(600)
    assert len(dataset.read_ids) == LOOK_AHEAD + 1
    assert list(Prefetcher(dataset, PRIOR, ScoreSettings(), pool).read([])) == []


LIMIT_S = 5
"""Long enough for an image that does not hang, on a machine that is busy with other things."""


class Hanging:
    """Images a and b never end, until they are told to; the others are gray."""

    def __init__(self) -> None:
        self.end = threading.Event()

    def read(self, ref: ImageRef) -> Pixels:
        if ref.id in "ab":
            self.end.wait(600)
        return np.full((40, 40, 3), 9, np.uint8)

    def orientation(self, _ref: ImageRef) -> int:
        return 1


def test_read__an_image_that_hangs_is_skipped_with_its_reason() -> None:
    """Both threads hang; the images behind are read by others, and closing waits for none."""
    dataset = Hanging()
    settings = ScoreSettings(decode_limit_s=LIMIT_S)
    with Decoders(2, settings.decode_limit_s) as threads:
        prefetcher = Prefetcher(dataset, PRIOR, settings, threads)
        found = list(prefetcher.read([ImageRef(name, 0) for name in "abcde"]))
        assert not dataset.end.is_set()
    reason = f"takes longer than {LIMIT_S} s to read and decode (--decode-limit-s)"
    assert found[:2] == [reason, reason]
    assert [type(image) for image in found[2:]] == [PrefetchedImage] * 3
    dataset.end.set()


def test_read__behind_images_that_hang_and_that_nobody_waits_for() -> None:
    dataset = Hanging()
    settings = ScoreSettings(decode_limit_s=LIMIT_S)
    with Decoders(2, settings.decode_limit_s) as threads:
        threads.submit(dataset.read, ImageRef("a", 0))
        threads.submit(dataset.read, ImageRef("b", 0))
        prefetcher = Prefetcher(dataset, PRIOR, settings, threads)
        assert isinstance(next(prefetcher.read([ImageRef("c", 0)])), PrefetchedImage)
    dataset.end.set()
