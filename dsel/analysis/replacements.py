"""Patches that could replace a kept one, and what else a replacement changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dsel.analysis.patch_view import PatchView, patch_views
from dsel.config import SelectSettings
from dsel.errors import SettingError
from dsel.types import ClassImages, ClassSelection

MOST: Final = 4
"""Replacements of each kind, at most."""


@dataclass(frozen=True, slots=True)
class Replacements:
    """The best patches that could replace one, from its own cluster and from others."""

    cluster: tuple[PatchView, ...]
    others: tuple[PatchView, ...]


@dataclass(frozen=True, slots=True)
class SwapEffect:
    """What replacing an image changes besides the two: images that join the set, and that leave.

    A ban takes a patch out of its class, so that the clusters of the others change.
    """

    image_id: str
    joining: tuple[str, ...]
    leaving: tuple[str, ...]


def swapped(settings: SelectSettings, removed: str, added: str) -> SelectSettings:
    """Return settings that ban one image and pin another, at its position among the pins."""
    others = [image_id for image_id in settings.pins if image_id != added]
    at = others.index(removed) if removed in others else len(others)
    pins = (*others[:at], added, *(image_id for image_id in others[at:] if image_id != removed))
    bans = {*settings.bans, removed} - {added}
    return settings.replace(pins=pins, bans=tuple(sorted(bans)))


def swap_effect(
    before: ClassSelection, after: ClassSelection, ipc: int, removed: str, added: str
) -> SwapEffect:
    """Compare the kept images of a class before and after a swap."""
    old, new = (
        {selected.patches.id_of(rank) for rank in selected.kept(ipc)}
        for selected in (before, after)
    )
    joining, leaving = sorted(new - old - {added}), sorted(old - new - {removed})
    return SwapEffect(added, tuple(joining), tuple(leaving))


def find_replacements(
    selected: ClassSelection,
    images: ClassImages,
    settings: SelectSettings,
    image_id: str,
    most: int = MOST,
) -> Replacements:
    """Find the best patches of images that are not kept, to replace an image's best patch."""
    patches = selected.patches
    mine = patches.of_image(image_id)
    if not mine:
        raise SettingError(f"image {image_id!r} has no patch that another one could replace")
    taken = patches.image[[mine[0], *selected.kept(settings.ipc)]]
    free = np.flatnonzero((patches.nth == 0) & ~np.isin(patches.image, taken))
    alike = patches.cluster[free] == patches.cluster[mine[0]]
    same, others = (free[chosen][:most].tolist() for chosen in (alike, ~alike))
    views = patch_views(selected, images, settings, [*same, *others])
    return Replacements(cluster=views[: len(same)], others=views[len(same) :])
