"""Manual overrides one by one: what each pin, ban or move refers to and whether it still fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from dsel.config import SelectSettings
from dsel.core.overrides import check_overrides
from dsel.errors import SettingError
from dsel.runs.schema import ImageRow
from dsel.types import Frame, Geometry

OverrideKind: TypeAlias = Literal["pin", "ban", "move"]


@dataclass(frozen=True, slots=True)
class OverrideStatus:
    """One manual override of an image.

    class_index is -1 for an image that is not in the run. problem: why the override does not fit
    the run or the other settings, empty if it does.
    """

    kind: OverrideKind
    image_id: str
    class_index: int
    problem: str


def override_statuses(
    settings: SelectSettings,
    geometry: Geometry,
    images: Iterable[ImageRow],
    copies: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[OverrideStatus]:
    """Yield all manual overrides with their problems: pins in their order, bans, then moves.

    copies: as of `check_overrides`.
    """
    overrides = settings.overrides
    named = {*overrides.pins, *overrides.bans, *overrides.corners}
    rows = {row.id: row for row in images if row.id in named}
    frames = {image_id: row.frame for image_id, row in rows.items()}
    alone = settings.replace(pins=(), bans=(), moves=())
    for image_id in overrides.pins:
        one = alone.replace(pins=(image_id,))
        yield _status("pin", image_id, rows, _problem(one, geometry, frames, copies))
    for image_id in overrides.bans:
        one = alone.replace(bans=(image_id,))
        yield _status("ban", image_id, rows, _problem(one, geometry, frames, copies))
    for image_id, move in zip(overrides.corners, overrides.moves, strict=True):
        one = alone.replace(moves=(move,))
        yield _status("move", image_id, rows, _problem(one, geometry, frames, copies))


def _status(
    kind: OverrideKind, image_id: str, rows: Mapping[str, ImageRow], problem: str
) -> OverrideStatus:
    class_index = rows[image_id].class_index if image_id in rows else -1
    return OverrideStatus(kind, image_id, class_index, problem)


def _problem(
    settings: SelectSettings,
    geometry: Geometry,
    frames: Mapping[str, Frame | None],
    copies: Mapping[str, str],
) -> str:
    """Return the error that these settings alone would raise, empty without one."""
    try:
        check_overrides(settings, geometry, frames, copies)
    except SettingError as error:
        return str(error)
    return ""
