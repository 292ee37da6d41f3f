"""Answers about images: the run as it opens, the gallery, one image and its explanation."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from dsel import __version__
from dsel.analysis.layouts import OWN
from dsel.analysis.listing import Listing, cluster_counts
from dsel.app.colormaps import colour_tables
from dsel.app.requests import Request, explanation_plain, packed, patch_plain, plain
from dsel.app.widgets import widgets_of
from dsel.config.url import View
from dsel.core.selection import image_bucket

MOST_PICTURES = 100
"""Pictures of one answer."""


def start(request: Request) -> Mapping[str, Any]:
    """What a page needs before anything else: the run, its classes, the widgets, the view."""
    explorer = request.explorer
    run = explorer.run
    scored = [len(run.class_rows(index)) for index in range(len(explorer.classes))]
    skipped = [0] * len(scored)
    for row in run.images:
        skipped[row.class_index] += row.row < 0
    return {
        "version": __version__,
        "run": _facts(request),
        "classes": [
            {"name": name, "scored": here, "skipped": gone}
            for name, here, gone in zip(explorer.classes, scored, skipped, strict=True)
        ],
        "widgets": widgets_of(explorer.geometry, max(scored)),
        "colours": {name: packed(table) for name, table in colour_tables().items()},
        "view": plain(request.view),
        "defaults": plain(View()),
    }


def gallery(request: Request) -> Mapping[str, Any]:
    """A page of patches; more: sort, backwards, cluster, polygon, layout, page, rows, holding."""
    explorer, index = request.explorer, request.class_index
    polygon = request.polygon("polygon")
    layout = request.text("layout", OWN)
    inside = None if polygon is None else explorer.lasso(index, polygon, layout)
    page = explorer.gallery(
        index,
        request.settings,
        Listing(
            sort=request.text("sort", "rank"),  # type: ignore[arg-type]  # it is checked there
            backwards=request.flag("backwards"),
            cluster=request.whole("cluster", -1),
            image_ids=inside,
            page=request.whole("page", 0),
            rows=request.whole("rows", 100),
            holding=request.text("holding", ""),
        ),
    )
    ids = explorer.scores(index).ids
    banned = set(request.settings.bans)
    counts = cluster_counts(
        explorer.select(index, request.settings), ids if inside is None else inside
    )
    return {
        "rows": [patch_plain(row) for row in page.rows],
        "page": page.page,
        "pages": page.pages,
        "total": page.total,
        "counts": list(counts.values()),
        "banned": [image_id for image_id in ids if image_id in banned],
    }


def skipped(request: Request) -> Mapping[str, Any]:
    """A page of the class's images that were not scored; more: page."""
    found = request.explorer.skipped(request.class_index, request.whole("page", 0))
    answer: Mapping[str, Any] = plain(found)
    return answer


def pictures(request: Request) -> Mapping[str, Any]:
    """Pictures of the class as they are stored, WebP; more: kind (proxy, thumbnail), ids."""
    kind = "proxy" if request.text("kind", "thumbnail") == "proxy" else "thumbnail"
    ids = request.texts("ids")[:MOST_PICTURES]
    files = request.explorer.files(request.class_index, ids, kind)  # type: ignore[arg-type]
    return {
        image_id: base64.b64encode(file).decode() for image_id, file in zip(ids, files, strict=True)
    }


def image(request: Request) -> Mapping[str, Any]:
    """One image whole: its patch's explanation and its maps; more: nth, of its patches by rank.

    An image that the class has not is the best one; a class without images answers nothing.
    """
    explorer, index, settings = request.explorer, request.class_index, request.settings
    scores = explorer.scores(index)
    if not scores.ids:
        return {"image_id": ""}
    patches = explorer.select(index, settings).patches
    ranked = [patch.image_id for patch in patches]
    wanted = request.view.image_id
    image_id = wanted if wanted in scores.ids else next(iter(ranked), scores.ids[0])
    row = explorer.row_of(index, image_id)
    maps = explorer.maps(index, row, settings)
    bucket = image_bucket(scores, row)
    shares = bucket.gap[0].astype(np.float32) / explorer.geometry.losses[:, None, None]
    frame = scores.frames[row]
    return {
        "image_id": image_id,
        "frame": plain(frame),
        "explanation": explanation_plain(
            explorer.explanation(index, image_id, settings, request.whole("nth", 0))
        ),
        "boxes": [plain(patch.box) for patch in patches if patch.image_id == image_id],
        "maps": {
            "conditional": packed(maps.conditional),
            "unconditional": packed(maps.unconditional),
            "gap": packed(maps.gap),
            "combined": packed(maps.combined),
        },
        "strip": packed(shares),
        "around": _around(ranked, image_id),
    }


def ranges(request: Request) -> Mapping[str, Any]:
    """The ranges of the class's maps, to colour all its pictures on one scale."""
    answer: Mapping[str, Any] = plain(
        request.explorer.ranges(request.class_index, request.settings)
    )
    return answer


def misplaced(request: Request) -> Sequence[str]:
    """The images of the run whose boxes, moved by hand, no longer lie inside their pictures."""
    return request.explorer.misplaced(request.settings)


def values(request: Request) -> Mapping[str, Any]:
    """Losses and gaps of the view's image at a pixel of its proxy; more: x, y."""
    reading = request.explorer.values(
        request.class_index,
        request.view.image_id,
        request.settings,
        request.number("x"),
        request.number("y"),
    )
    answer: Mapping[str, Any] = plain(reading)
    return answer


HANDLERS = {
    "start": start,
    "gallery": gallery,
    "skipped": skipped,
    "pictures": pictures,
    "image": image,
    "values": values,
    "ranges": ranges,
    "misplaced": misplaced,
}


def _facts(request: Request) -> Mapping[str, Any]:
    explorer = request.explorer
    identity, summary = explorer.run.identity, explorer.run.summary
    return {
        "dataset": _last_part(str(identity.dataset_origin.get("source", "unknown"))),
        "prior": _last_part(identity.prior),
        "scored": summary.scored,
        "skipped": summary.skipped,
        "evaluations": summary.evaluations,
        "timesteps": list(identity.settings.timesteps),
        "draws": identity.settings.draws,
        "prompt": identity.settings.prompt,
        "null_prompt": identity.settings.unconditional_prompt(),
        "resolution_px": identity.resolution_px,
        "cell_px": identity.cell_px,
        "objects": explorer.run.objects_path.is_file(),
    }


def _last_part(place: str) -> str:
    """The name of a folder without where it lies, which is no visitor's business."""
    return PurePath(place).name or place


def _around(ranked: Sequence[str], image_id: str) -> Mapping[str, str]:
    """The images before and after one in the ranking; empty at its ends."""
    order = list(dict.fromkeys(ranked))
    if image_id not in order:
        return {"before": "", "after": next(iter(order), "")}
    place = order.index(image_id)
    return {
        "before": order[place - 1] if place else "",
        "after": order[place + 1] if place + 1 < len(order) else "",
    }
