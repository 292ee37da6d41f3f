"""Check manual overrides (pins, bans and moved boxes) against the images of a run."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dsel.config import SelectSettings
from dsel.config.overrides import check_corner, check_known, fits
from dsel.core.box_search import patch_size
from dsel.errors import SettingError
from dsel.types import Frame, Geometry


def check_overrides(
    settings: SelectSettings,
    geometry: Geometry,
    frames: Mapping[str, Frame | None],
    copies: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Raise `SettingError` for overrides that do not fit a run's images.

    frames: by image id, None for skipped images. copies: images that another one replaces, which
    has the same pixels. Both kinds may be banned, since they are not kept anyway.
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
            if image_id in copies:
                raise SettingError(
                    f"image {image_id!r} in {name} is left out, since {copies[image_id]!r} has the "
                    "same pixels: take that one"
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
