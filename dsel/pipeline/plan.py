"""What scoring a dataset will take: evaluations, bytes on disk and device-hours, without a model.

The sizes of the prior come from its configuration, those of the stored pictures from a sample of
the dataset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from dsel.config import PriorSettings, ScoreSettings
from dsel.data.decoders import Decoders
from dsel.data.prefetch import PrefetchedImage, Prefetcher
from dsel.errors import PriorError, first_line
from dsel.pipeline.rates import known_rate
from dsel.priors.shape import PriorShape, prior_shape
from dsel.runs.shards import KINDS
from dsel.types import Dataset, Prior

SAMPLE: Final = 16
"""Images that are read for their sizes, at even distances in the dataset."""

HALF: Final = 2
"""Bytes of a stored value."""

ROW: Final = 400
"""Bytes of an image besides its maps and pictures: its rows in tables, its place in layouts."""

GB: Final = 1e9
HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class ImageBytes:
    """The mean bytes that an image takes on disk: of its scores, and of its pictures."""

    scores: float
    pictures: float


def scoring_plan(
    dataset: Dataset, prior: PriorSettings, settings: ScoreSettings, left: float, rate: float
) -> dict[str, Any]:
    """Return the figures of a plan; `left` is the share that is not scored yet.

    rate: evaluations a second of one device; 0 takes the one that was measured last, if any. What
    is not known is None, with a text that says why.
    """
    images = len(dataset.refs)
    least, most = (images * one for one in (settings.least_evaluations, settings.most_evaluations))
    figures: dict[str, Any] = {"evaluations": least}
    if most > least:
        figures["most_evaluations"] = most
    return {**figures, **_disk(dataset, prior, settings), **_time(prior, (least, most), left, rate)}


def bytes_of_image(dataset: Dataset, shape: PriorShape, settings: ScoreSettings) -> ImageBytes:
    """Return what an image takes on disk, as the mean of a sample; zeros if none is readable."""
    step = max(len(dataset.refs) // SAMPLE, 1)
    with Decoders(settings.decoders, settings.decode_limit_s) as decoders:
        prefetcher = Prefetcher(
            dataset, cast(Prior, shape), settings, decoders
        )  # reads sizes alone
        found = list(prefetcher.read(dataset.refs[::step][:SAMPLE]))
    usable = [one for one in found if isinstance(one, PrefetchedImage)]
    if not usable:
        return ImageBytes(0.0, 0.0)
    share = len(usable) / len(found)
    cells = [one.proxy.pixels[..., 0].size / shape.cell_px**2 for one in usable]
    maps = len(KINDS) * len(settings.timesteps) * sum(cells) / len(cells)
    features = settings.feature_grid**2 * settings.feature_dim
    pictures = [len(one.proxy_bytes) + len(one.thumbnail_bytes) for one in usable]
    return ImageBytes(share * HALF * (maps + features), share * sum(pictures) / len(pictures) + ROW)


def _disk(dataset: Dataset, prior: PriorSettings, settings: ScoreSettings) -> dict[str, Any]:
    try:
        shape = prior_shape(prior)
    except PriorError as error:
        return {"disk_gb": None, "disk": f"unknown: {first_line(error)}"}
    of_image, images = bytes_of_image(dataset, shape, settings), len(dataset.refs)
    scores, pictures = (images * one / GB for one in (of_image.scores, of_image.pictures))
    return {
        "maps": f"{len(settings.timesteps)} timesteps of about {_cells(shape)} cells",
        "scores_gb": _rounded(scores),
        "pictures_gb": _rounded(pictures),
        "disk_gb": _rounded(scores + pictures),
    }


def _cells(shape: PriorShape) -> str:
    side = shape.resolution_px // shape.cell_px
    return f"{side} x {side}"


def _time(
    prior: PriorSettings, evaluations: tuple[int, int], left: float, rate: float
) -> dict[str, Any]:
    """Return the rate and the device-hours of what is left; at most 5 % more asks what it knows."""
    measured = None if rate else known_rate(prior)
    if not rate and measured is None:
        return {
            "device_hours": None,
            "rate": "unknown: this prior was not measured here; give --rate, or score a few images",
        }
    per_second = rate or cast(Any, measured).evaluations_per_s
    where = f", measured with {measured.device} on {measured.host}" if measured else ", as given"
    hours = [_rounded(left * one / per_second / HOUR_S) for one in dict.fromkeys(evaluations)]
    figures: dict[str, Any] = {"rate": f"{per_second:,.6g} evaluations/s of one device{where}"}
    figures["device_hours"] = hours[0]
    if len(hours) > 1:
        figures["most_device_hours"] = hours[-1]
    return figures


def _rounded(value: float) -> float:
    """Return three digits."""
    return float(f"{value:.3g}")
