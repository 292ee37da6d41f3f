"""Handlers of Inspect: the run at start, the gallery, one image with its maps."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import PurePath
from typing import Any

import numpy as np

from dsel import __version__
from dsel.analysis.explorer import Explorer
from dsel.analysis.listing import Listing, cluster_counts
from dsel.analysis.rank_order import rank_reasons
from dsel.analysis.settling import settling
from dsel.app.context import Context
from dsel.app.opening import opened_view
from dsel.app.requests import (
    GalleryParams,
    ImageKind,
    ImagesParams,
    LinkParams,
    NthParams,
    PageParams,
    Params,
    PixelParams,
)
from dsel.app.widgets import widgets_of
from dsel.app.wire import packed, page_numbers, patch_wire, plain
from dsel.config.presets import PRESETS
from dsel.config.url import View
from dsel.core.colormaps import colour_tables
from dsel.core.gap_maps import image_bucket
from dsel.patches import Patches
from dsel.runs.knowledge import Measured


def start(context: Context, params: LinkParams) -> Mapping[str, Any]:
    """Return what the page needs first: the run, its classes, the widgets, and a link's view.

    notes: one line about each part of the link that the run cannot show.
    """
    view, notes = opened_view(context.explorer, params.link, context.local)
    classes = _classes(context.explorer)
    largest = max(one["scored"] for one in classes)
    return {
        "version": __version__,
        "run": _facts(context.explorer),
        "classes": classes,
        "widgets": widgets_of(context.explorer.geometry, largest),
        "colours": {
            name: {kind: packed(table) for kind, table in tables.items()}
            for name, tables in colour_tables().items()
        },
        "view": plain(view),
        "notes": list(notes),
        "defaults": plain(View()),
        "presets": plain(PRESETS),
    }


def ping(context: Context, _: Params) -> Mapping[str, bool]:
    """Answer; trusted: whether the visitor is the owner of this start of the app."""
    return {"trusted": context.trusted}


def gallery(context: Context, params: GalleryParams) -> Mapping[str, Any]:
    """Return a page of the class's patches."""
    explorer, index, settings = context.explorer, context.class_index, context.settings
    inside = _inside(context, params)
    fields = params.model_dump(exclude={"polygon", "layout", "ids"})
    page = explorer.gallery(index, settings, Listing(**fields, image_ids=inside))
    selected = explorer.select(index, settings)
    counts = cluster_counts(selected, inside)
    row_of = explorer.images(index).row_of
    banned = sorted(row_of.keys() & set(settings.bans), key=row_of.__getitem__)
    return {
        "rows": [patch_wire(view) for view in page.rows],
        **page_numbers(page),
        "counts": list(counts.values()),
        "order": list(rank_reasons(selected, settings)),
        "banned": banned,
    }


def skipped(context: Context, params: PageParams) -> Any:
    """Return a page of the class's images that were not scored."""
    return plain(context.explorer.skipped(context.class_index, params.page))


def images(context: Context, params: ImagesParams) -> Mapping[str, str]:
    """Return image files of the class as they are stored: WebP in base64, by image id."""
    files = _encoded(context.explorer, context.class_index, params.ids, params.kind)
    return dict(zip(params.ids, files, strict=True))


def image(context: Context, params: NthParams) -> Mapping[str, Any]:
    """Return the explanation and the maps of one image.

    An image that the class does not have is replaced by the best one, whose proxy comes along: the
    page could not ask for it before. A class without images gives an empty image id.
    """
    explorer, index, settings = context.explorer, context.class_index, context.settings
    images = explorer.images(index)
    if not images.ids:
        return {"image_id": ""}
    patches = explorer.select(index, settings).patches
    wanted = context.view.image_id
    best = patches.id_of(0) if len(patches) else images.ids[0]
    image_id = wanted if wanted in images.row_of else best
    return {
        "image_id": image_id,
        "frame": plain(context.frame(image_id)),
        "explanation": context.explanation(image_id, params.nth),
        "boxes": [plain(patches[at].box) for at in patches.of_image(image_id)],
        **_maps(context, image_id),
        "around": _around(patches, image_id),
        "proxy": "" if image_id == wanted else _encoded(explorer, index, [image_id], "proxy")[0],
    }


def prepare(context: Context, _: Params) -> Mapping[str, Any]:
    """Select the patches of a class that the page may show next, so that it is shown at once."""
    context.explorer.select(context.class_index, context.settings)
    return {}


def explanation(context: Context, params: NthParams) -> Mapping[str, Any]:
    """Return the explanation of the view's image without its maps."""
    image_id = context.view.image_id
    found = context.explanation(image_id, params.nth)
    return {"frame": plain(context.frame(image_id)), "explanation": found}


def ranges(context: Context, _: Params) -> Any:
    """Return the ranges of the class's maps, which put all its images on one colour scale."""
    return plain(context.explorer.ranges(context.class_index, context.settings))


def misplaced(context: Context, _: Params) -> Sequence[str]:
    """Return the images of the run whose moved boxes reach beyond the image."""
    return context.explorer.misplaced(context.settings)


def settled(context: Context, _: Params) -> Any:
    """Return how the best box of the view's image settled over timesteps and draws."""
    index, view = context.class_index, context.view
    return plain(settling(context.explorer, index, view.image_id, view.select))


def values(context: Context, params: PixelParams) -> Any:
    """Return the losses and gaps of the view's image at a pixel of its proxy."""
    view = context.view
    index, explorer = context.class_index, context.explorer
    return plain(explorer.values(index, view.image_id, view.select, params.x, params.y))


def _classes(explorer: Explorer) -> Sequence[Mapping[str, Any]]:
    """Count the scored and the skipped images of each class."""
    images, count = explorer.run.images, len(explorer.classes)
    scored, skipped = (
        np.bincount(images.class_index[chosen], minlength=count).tolist()
        for chosen in (images.is_scored, ~images.is_scored)
    )
    knowledge = explorer.run.knowledge
    return [
        {
            "name": name,
            "scored": scored[index],
            "skipped": skipped[index],
            "knowledge": _measured(knowledge.classes[index] if knowledge else None),
        }
        for index, name in enumerate(explorer.classes)
    ]


def _facts(explorer: Explorer) -> Mapping[str, Any]:
    identity, summary = explorer.run.identity, explorer.run.summary
    knowledge = explorer.run.knowledge
    return {
        "dataset": _last_part(str(identity.dataset_origin.get("source", "unknown"))),
        "prior": _last_part(identity.prior),
        "scored": summary.scored,
        "skipped": summary.skipped,
        "evaluations": summary.evaluations,
        "evaluations_per_image": summary.evaluations_per_image,
        "timesteps": list(identity.settings.timesteps),
        "draws": identity.settings.draws,
        "prompt": identity.settings.prompt,
        "null_prompt": identity.settings.unconditional_prompt(),
        "resolution_px": identity.resolution_px,
        "cell_px": identity.cell_px,
        "objects": explorer.run.objects_path.is_file(),
        "knowledge": _measured(knowledge.run if knowledge else None),
        "knowledge_reason": knowledge.reason if knowledge else "",
    }


def _measured(found: Measured | None) -> Any:
    """Return how well the prior tells labels apart; null where it was not asked for."""
    return found and {**plain(found), "near_chance": found.is_near_chance}


def _last_part(path: str) -> str:
    """Return the name of a folder without the folders above it, which visitors must not see."""
    return PurePath(path).name or path


def _encoded(
    explorer: Explorer, index: int, image_ids: Sequence[str], kind: ImageKind
) -> list[str]:
    """Return image files of a class as JSON carries them: in base64."""
    return [base64.b64encode(one).decode() for one in explorer.files(index, image_ids, kind)]


def _inside(context: Context, params: GalleryParams) -> Sequence[str] | None:
    """Return the images that are listed, None for all."""
    if params.polygon is None:
        return params.ids
    corners = np.array(params.polygon, np.float64).reshape(-1, 2)
    found = context.explorer.lasso(context.class_index, corners, params.layout)
    return found if params.ids is None else [one for one in found if one in set(params.ids)]


def _maps(context: Context, image_id: str) -> Mapping[str, Any]:
    """Return the maps of an image, and its gap at each timestep as a share of the loss."""
    explorer, index = context.explorer, context.class_index
    row = explorer.row_of(index, image_id)
    maps = explorer.maps(index, row, context.settings)
    names = [field.name for field in fields(maps)]
    gap = image_bucket(explorer.scores(index), row).gap[0].astype(np.float32)  # (T, h, w)
    strip = gap / explorer.geometry.losses[:, None, None]
    return {"maps": {name: packed(getattr(maps, name)) for name in names}, "strip": packed(strip)}


def _around(patches: Patches, image_id: str) -> Mapping[str, str]:
    """Return the images before and after one in the ranking, empty at its ends."""
    firsts = np.flatnonzero(patches.nth == 0)  # the best patch of each image
    mine = patches.of_image(image_id)
    place = int(np.searchsorted(firsts, mine[0])) if mine else -1

    def at(number: int) -> str:
        return patches.id_of(int(firsts[number])) if 0 <= number < len(firsts) else ""

    return {"before": at(place - 1), "after": at(place + 1)}
