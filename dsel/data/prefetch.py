"""Prefetching: images are decoded, turned into proxies and encoded while the prior is busy."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dsel.config import ScoreSettings
from dsel.data.decoders import Decoders, Job, TooSlow
from dsel.data.images import checksum, encode, noting, thumbnail, to_proxy
from dsel.errors import UnreadableImage
from dsel.types import Dataset, ImageRef, Prior, Proxy

PROXY_QUALITY = 90
THUMBNAIL_PX = 96
LOOK_AHEAD = 16
"""Number of images decoded ahead of the prior: hides slow ones, and needs little memory."""


@dataclass(frozen=True, slots=True)
class PrefetchedImage:
    """An image's proxy, and the WebP bytes of proxy and thumbnail that the run stores.

    checksum: of the source's pixels. note: what decoding has to say, nothing of most images.
    orientation: that in which the source is stored.
    """

    proxy: Proxy
    proxy_bytes: bytes
    thumbnail_bytes: bytes
    checksum: str
    note: str = ""
    orientation: int = 1


@dataclass(frozen=True, slots=True)
class Prefetcher:
    """Reads a dataset's images in the threads of `decoders`."""

    dataset: Dataset
    prior: Prior
    settings: ScoreSettings
    decoders: Decoders

    def read(self, refs: Sequence[ImageRef]) -> Iterator[PrefetchedImage | str]:
        """Yield the images in order, or the reason of an unusable one, `LOOK_AHEAD` ahead."""
        waiting: deque[Job[PrefetchedImage | str]] = deque()
        for ref in refs:
            waiting.append(self.decoders.submit(self._read, ref))
            if len(waiting) > LOOK_AHEAD:
                yield self._result(waiting.popleft())
        while waiting:
            yield self._result(waiting.popleft())

    def _result(self, job: Job[PrefetchedImage | str]) -> PrefetchedImage | str:
        try:
            return self.decoders.result(job)
        except TooSlow:
            limit = self.settings.decode_limit_s
            return f"takes longer than {limit} s to read and decode (--decode-limit-s)"

    def _read(self, ref: ImageRef) -> PrefetchedImage | str:
        try:
            with noting() as notes:
                pixels, orientation = self.dataset.read(ref), self.dataset.orientation(ref)
        except UnreadableImage as reason:
            return str(reason)
        height, width = pixels.shape[:2]
        if min(height, width) < self.settings.min_side_px:
            return (
                f"is {width} x {height} px: the shorter side must be at least "
                f"{self.settings.min_side_px} px (--min-side-px)"
            )
        proxy = to_proxy(pixels, self.prior.resolution_px, self.settings.fit, self.prior.step_px)
        small = thumbnail(proxy.pixels, THUMBNAIL_PX)
        return PrefetchedImage(
            proxy,
            encode(proxy.pixels, "webp", PROXY_QUALITY),
            encode(small, "webp", PROXY_QUALITY),
            checksum(pixels),
            "; ".join(notes),
            orientation,
        )
