"""Corrections of a selection by hand: images pinned or banned, boxes moved."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from dsel.errors import SettingError

NUMBER = r"-?[0-9]{1,9}"
CORNER = re.compile(f"({NUMBER}),({NUMBER})")


@dataclass(frozen=True, slots=True)
class Corner:
    """The top left corner of a box, in pixels of the image as the prior saw it."""

    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Overrides:
    """Decisions by hand that override the ranking, by image id; a move is written image@x,y.

    Raises `SettingError` for decisions that contradict each other or cannot be read.
    """

    pins: tuple[str, ...] = ()
    bans: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_once("pins", self.pins)
        _check_once("bans", self.bans)
        _check_once("moves", [_read_move(move)[0] for move in self.moves])
        if both := set(self.pins) & set(self.bans):
            raise SettingError(
                f"an image is either pinned or banned, got {min(both)!r} in both: take it out of "
                "the pins or out of the bans",
                setting="pins",
                image_ids=sorted(both),
            )

    def __bool__(self) -> bool:
        """Whether there is any decision by hand."""
        return bool(self.pins or self.bans or self.moves)

    @property
    def corners(self) -> Mapping[str, Corner]:
        """The corner of the box of each moved image."""
        return dict(map(_read_move, self.moves))


def plain_id(image_id: str) -> str:
    """Return an image id, or another path, as it is compared: with slashes, in Unicode's NFC.

    Systems write é as one character or as two, and Windows writes slashes as backslashes.
    """
    return unicodedata.normalize("NFC", image_id.replace("\\", "/"))


class KnownIds:
    """The ids of images, found by any spelling that has the same `plain_id`."""

    def __init__(self, ids: Collection[str]) -> None:
        self._ids = ids

    def find(self, image_id: str) -> str:
        """Return the only id that is spelled so; an unknown one is returned unchanged."""
        return (
            image_id if image_id in self._ids else self._by_plain.get(plain_id(image_id), image_id)
        )

    def respell(self, overrides: Overrides) -> Overrides:
        """Spell the ids in overrides as they are known.

        Raises `SettingError` for two spellings of one image, as `Overrides` does.
        """
        return Overrides(
            tuple(map(self.find, overrides.pins)),
            tuple(map(self.find, overrides.bans)),
            tuple(f"{self.find(one)}@{at.x},{at.y}" for one, at in overrides.corners.items()),
        )

    @cached_property
    def _by_plain(self) -> Mapping[str, str]:
        count = Counter(map(plain_id, self._ids))
        return {key: one for one in self._ids if count[key := plain_id(one)] == 1}


def check_known(overrides: Overrides, known: Collection[str]) -> None:
    """Raise `SettingError` for an image that is not among the known ids."""
    named = {"pins": overrides.pins, "bans": overrides.bans, "moves": overrides.corners}
    for name, image_ids in named.items():
        for image_id in image_ids:
            if image_id not in known:
                example = next((f": ids look like {one!r}" for one in known), "")
                raise SettingError(
                    f"unknown image {image_id!r} in {name}{example}",
                    setting=name,
                    image_ids=[image_id],
                )


def fits(corner: Corner, patch_px: int, width_px: int, height_px: int) -> bool:
    """Whether a box with this corner is inside its image."""
    return 0 <= corner.x <= width_px - patch_px and 0 <= corner.y <= height_px - patch_px


def check_corner(
    image_id: str, corner: Corner, patch_px: int, width_px: int, height_px: int
) -> None:
    """Raise `SettingError` if a moved box extends beyond its image."""
    if not fits(corner, patch_px, width_px, height_px):
        last_x, last_y = width_px - patch_px, height_px - patch_px
        raise SettingError(
            f"the corner of image {image_id!r} in moves must be between 0,0 and {last_x},{last_y} "
            f"for a {patch_px} px patch in its {width_px} x {height_px} px image, got "
            f"{corner.x},{corner.y}",
            setting="moves",
            image_ids=[image_id],
        )


def _read_move(move: str) -> tuple[str, Corner]:
    image_id, _, corner = move.rpartition("@")
    found = CORNER.fullmatch(corner)
    if not image_id or not found:
        raise SettingError(
            f"moves must be image@x,y in whole pixels, such as cat/1.png@16,24, got {move!r}",
            setting="moves",
        )
    return image_id, Corner(int(found[1]), int(found[2]))


def _check_once(name: str, image_ids: Iterable[str]) -> None:
    twice = [image_id for image_id, count in Counter(image_ids).items() if count > 1]
    if twice:
        raise SettingError(
            f"{name} must name each image once, got {twice[0]!r} more than once",
            setting=name,
            image_ids=twice,
        )
