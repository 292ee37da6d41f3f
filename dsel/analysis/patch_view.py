"""A patch as the app shows it: in its proxy, with its ranks, kept images and manual overrides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dsel.config import SelectSettings
from dsel.config.overrides import Corner
from dsel.core.cut_boxes import cut_in_proxy
from dsel.patches import ClassImages
from dsel.types import Box, ClassSelection, Patch


@dataclass(frozen=True, slots=True)
class PatchView:
    """One patch of an image, in proxy pixels.

    cut: what is exported around the patch. nth counts the patches of the same image by rank, from
    0. kept: the numbers of the distilled images among the first IPC ones that show the patch, from
    0. dropped: no IPC keeps it. pinned: a pin keeps the best patch of its image. moved: the box was
    placed by hand.
    """

    image_id: str
    box: Box
    cut: Box
    width_px: int
    height_px: int
    score: float
    standard_error: float
    picture_score: float
    picture_standard_error: float
    margin: float
    cluster: int
    rank: int
    nth: int
    kept: tuple[int, ...]
    dropped: bool
    pinned: bool
    moved: bool


def patch_views(
    selected: ClassSelection,
    images: ClassImages,
    settings: SelectSettings,
    ranks: Iterable[int] | None = None,
) -> tuple[PatchView, ...]:
    """Describe the patches of these ranks, in the given order; all patches of the class by default.

    images: of the class, for the sizes of their proxies.
    """
    kept, nths = selected.kept(settings.ipc), selected.patches.nth
    dropped = selected.dropped
    pins = set(settings.pins) if settings.baseline == "none" else set()
    corners = settings.overrides.corners

    def view(rank: int) -> PatchView:
        patch, nth = selected.patches[rank], int(nths[rank])
        width_px, height_px = images.frames.proxy[images.row_of[patch.image_id]].tolist()
        return PatchView(
            image_id=patch.image_id,
            box=patch.box,
            cut=cut_in_proxy(patch),
            width_px=width_px,
            height_px=height_px,
            score=patch.score,
            standard_error=patch.standard_error,
            picture_score=patch.picture_score,
            picture_standard_error=patch.picture_standard_error,
            margin=patch.margin,
            cluster=patch.cluster,
            rank=rank,
            nth=nth,
            kept=kept.get(rank, ()),
            dropped=rank in dropped,
            pinned=nth == 0 and patch.image_id in pins,
            moved=is_at(patch.box, corners.get(patch.image_id)),
        )

    return tuple(map(view, range(len(selected.patches)) if ranks is None else ranks))


def image_views(
    selected: ClassSelection, images: ClassImages, settings: SelectSettings
) -> tuple[tuple[PatchView, ...], ...]:
    """Describe the patches of each of the first IPC distilled images, row by row."""
    ranks = list(selected.kept(settings.ipc))
    views = dict(zip(ranks, patch_views(selected, images, settings, ranks), strict=True))
    kept = selected.kept_images(settings.ipc)
    return tuple(tuple(views[rank] for rank in image) for image in kept)


def baseline_views(
    chosen: Sequence[Sequence[PatchView]], baseline: ClassSelection
) -> tuple[tuple[PatchView, ...], ...]:
    """Put a baseline's boxes and scores into the views of the chosen patches that it replaces.

    A baseline has no runner-up, so that its margin is NaN.
    """
    return tuple(tuple(_replaced(view, baseline.patches) for view in image) for image in chosen)


def is_at(box: Box, corner: Corner | None) -> bool:
    """Whether a box is at a corner that was given by hand."""
    return corner is not None and (box.x, box.y) == (corner.x, corner.y)


def by_image(views: Iterable[PatchView]) -> Mapping[str, tuple[PatchView, ...]]:
    """Group views by image id, in their order."""
    groups: dict[str, list[PatchView]] = {}
    for view in views:
        groups.setdefault(view.image_id, []).append(view)
    return {image_id: tuple(group) for image_id, group in groups.items()}


def _replaced(view: PatchView, patches: Sequence[Patch]) -> PatchView:
    patch = patches[view.rank]
    return replace(
        view,
        box=patch.box,
        cut=cut_in_proxy(patch),
        score=patch.score,
        standard_error=patch.standard_error,
        margin=patch.margin,
    )
