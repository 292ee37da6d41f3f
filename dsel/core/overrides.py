"""Check manual overrides (pins, bans and moved boxes) against the images of a run."""

from __future__ import annotations

from collections.abc import Mapping

from dsel.config import SelectSettings
from dsel.config.overrides import check_corner, check_known, fits
from dsel.core.box_search import patch_size
from dsel.errors import SettingError
from dsel.types import Frame, Geometry


def check_overrides(
    settings: SelectSettings, geometry: Geometry, frames: Mapping[str, Frame | None]
) -> None:
    """Raise `SettingError` for overrides that do not fit a run's images.

    frames: by image id, None for skipped images. A skipped image may be banned, since it is not
    kept anyway.
    """
    overrides = settings.overrides
    check_known(overrides, frames)
    for name, image_ids in (("pins", overrides.pins), ("moves", overrides.corners)):
        for image_id in image_ids:
            if frames[image_id] is None:
                raise SettingError(
                    f"image {image_id!r} in {name} has no patch, since it was skipped when the run "
                    "was scored: take another image"
                )
    patch_px = patch_size(settings, geometry)
    for image_id, corner in overrides.corners.items():
        frame = frames[image_id]
        assert frame is not None  # the loop above
        check_corner(image_id, corner, patch_px, frame.proxy_width, frame.proxy_height)


def misplaced(
    settings: SelectSettings, geometry: Geometry, frames: Mapping[str, Frame | None]
) -> tuple[str, ...]:
    """Return the ids of images whose moved boxes extend beyond the proxy."""
    corners = settings.overrides.corners
    patch_px = patch_size(settings, geometry)
    return tuple(
        image_id
        for image_id, corner in corners.items()
        if (frame := frames.get(image_id)) is not None
        and not fits(corner, patch_px, frame.proxy_width, frame.proxy_height)
    )
