"""The kept set without its pixels: what its images are made of, and what was decided by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from dsel.config import SelectSettings
from dsel.config.overrides import Corner
from dsel.core.overrides import check_overrides
from dsel.errors import SettingError
from dsel.runs.schema import ImageRow
from dsel.types import ClassScores, ClassSelection, Frame, Geometry, Patch

Decided: TypeAlias = Literal["pin", "ban", "move"]

CANDIDATES: Final = 4
"""Patches of a kind that are offered in the place of another one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One patch in a proxy of this size; the `nth` of its image's patches by rank, from 0.

    pinned and moved: whether it was so decided by hand; a pin keeps an image's best patch.
    """

    patch: Patch
    nth: int
    width_px: int
    height_px: int
    pinned: bool
    moved: bool


@dataclass(frozen=True, slots=True)
class Candidates:
    """What could stand in a patch's place: the next best of its cluster, and of other clusters."""

    cluster: tuple[Piece, ...]
    others: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided by hand about one image.

    class_index is -1 for an image that the run has not; problem says what does not fit the run or
    the settings, empty where all does.
    """

    kind: Decided
    image_id: str
    class_index: int
    problem: str


def kept_images(
    selected: ClassSelection, scores: ClassScores, settings: SelectSettings
) -> tuple[tuple[Piece, ...], ...]:
    """The pieces of each of a class's distilled images, row by row as it is composed."""
    pieces = _pieces(selected, scores, settings)
    images = selected.images[: settings.ipc]
    made = {place: pieces(place) for place in selected.kept(settings.ipc)}
    return tuple(tuple(made[place] for place in image) for image in images)


def candidates_for(
    selected: ClassSelection,
    scores: ClassScores,
    settings: SelectSettings,
    image_id: str,
    most: int = CANDIDATES,
) -> Candidates:
    """The best patches of images that are not kept, for the place of an image's best patch."""
    kept = {selected.patches[place].image_id for place in selected.kept(settings.ipc)}
    best: dict[str, int] = {}
    for place, patch in enumerate(selected.patches):
        best.setdefault(patch.image_id, place)
    if image_id not in best:
        raise SettingError(f"image {image_id!r} has no patch that another one could replace")
    cluster = selected.patches[best[image_id]].cluster
    left = [place for one, place in best.items() if one not in kept and one != image_id]
    alike = [place for place in left if selected.patches[place].cluster == cluster]
    others = [place for place in left if selected.patches[place].cluster != cluster]
    piece = _pieces(selected, scores, settings)
    return Candidates(
        cluster=tuple(map(piece, alike[:most])), others=tuple(map(piece, others[:most]))
    )


def decisions(
    settings: SelectSettings, geometry: Geometry, images: Iterable[ImageRow]
) -> Iterator[Decision]:
    """All that was decided by hand: pins in their order, bans, moves; with what does not fit."""
    overrides = settings.overrides
    named = {*overrides.pins, *overrides.bans, *overrides.corners}
    rows = {row.id: row for row in images if row.id in named}
    frames = {image_id: row.frame for image_id, row in rows.items()}
    alone = settings.replace(pins=(), bans=(), moves=())
    for image_id in overrides.pins:
        one = alone.replace(pins=(image_id,))
        yield _decision("pin", image_id, rows, _problem(one, geometry, frames))
    for image_id in overrides.bans:
        one = alone.replace(bans=(image_id,))
        yield _decision("ban", image_id, rows, _problem(one, geometry, frames))
    for image_id, move in zip(overrides.corners, overrides.moves, strict=True):
        one = alone.replace(moves=(move,))
        yield _decision("move", image_id, rows, _problem(one, geometry, frames))


def _decision(kind: Decided, image_id: str, rows: Mapping[str, ImageRow], problem: str) -> Decision:
    class_index = rows[image_id].class_index if image_id in rows else -1
    return Decision(kind, image_id, class_index, problem)


def _problem(
    settings: SelectSettings, geometry: Geometry, frames: Mapping[str, Frame | None]
) -> str:
    try:
        check_overrides(settings, geometry, frames)
    except SettingError as error:
        return str(error)
    return ""


def _pieces(
    selected: ClassSelection, scores: ClassScores, settings: SelectSettings
) -> Callable[[int], Piece]:
    """What tells of the patch at a place of the ranking."""
    frames = dict(zip(scores.ids, scores.frames, strict=True))
    nths, pins, moved = _nths(selected.patches), set(settings.pins), settings.overrides.corners

    def piece(place: int) -> Piece:
        patch, nth = selected.patches[place], nths[place]
        frame = frames[patch.image_id]
        return Piece(
            patch=patch,
            nth=nth,
            width_px=frame.proxy_width,
            height_px=frame.proxy_height,
            pinned=nth == 0 and patch.image_id in pins,
            moved=_is_at(patch, moved.get(patch.image_id)),
        )

    return piece


def _is_at(patch: Patch, corner: Corner | None) -> bool:
    return corner is not None and (patch.box.x, patch.box.y) == (corner.x, corner.y)


def _nths(patches: Sequence[Patch]) -> list[int]:
    """Of each patch, how many of its image's patches rank before it."""
    before: Counter[str] = Counter()
    nths = []
    for patch in patches:
        nths.append(before[patch.image_id])
        before[patch.image_id] += 1
    return nths
