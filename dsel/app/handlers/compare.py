"""Answers about pairs: two settings side by side, and what chosen patches are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dsel.analysis.baselines import BASELINES, kept_score
from dsel.analysis.comparison import SAME_BOX, Together, together
from dsel.analysis.listing import ChangeRow, Changing, change_row, list_changes
from dsel.analysis.localization import LARGE_SHARE, SMALL_SHARE, Localization
from dsel.app.requests import Request, plain
from dsel.config import SelectSettings
from dsel.config.url import view_of
from dsel.types import Box, ClassSelection, Frame, Patch

MOST_IMAGES: Final = 60
"""Distilled images of one kind in one answer."""


def compare(request: Request) -> Mapping[str, Any]:
    """What differs between A and the view's settings on the class.

    more: cluster_a, cluster_b, keeping, backwards, page, rows. Without an image of that name in the
    view, the first of the list is the chosen one.
    """
    explorer, index, b = request.explorer, request.class_index, request.settings
    a = settings_a(request)
    found = explorer.compare(index, a, b)
    selections = explorer.select(index, a), explorer.select(index, b)
    frames = _frames(request)
    page = list_changes(
        found,
        *selections,
        frames,
        Changing(
            cluster_a=request.whole("cluster_a", -1),
            cluster_b=request.whole("cluster_b", -1),
            keeping=request.text("keeping", "any"),  # type: ignore[arg-type]  # checked there
            backwards=request.flag("backwards"),
            page=request.whole("page", 0),
            rows=request.whole("rows", 60),
        ),
    )
    chosen = change_row(found, *selections, frames, request.view.image_id)
    rows = [_change(row) for row in page.rows]
    return {
        "a": plain(a),
        "figures": _figures(together([found])),
        "moves": found.moves.tolist(),
        "rows": rows,
        "page": page.page,
        "pages": page.pages,
        "total": page.total,
        "chosen": _change(chosen) if chosen else next(iter(rows), None),
    }


def compare_overall(request: Request) -> Mapping[str, Any]:
    """What differs between A and the view's settings on all classes."""
    found = request.explorer.compare_overall(settings_a(request), request.settings)
    return _figures(found)


def baselines(request: Request) -> Mapping[str, Any]:
    """The class's distilled set as chosen and as each baseline gives it, as boxes; more: seed.

    A patch is the place of its image in `ids`, then its box: corner, width and height.
    """
    explorer, index, settings = request.explorer, request.class_index, request.settings
    seed = request.whole("seed", 0)
    chosen = explorer.select(index, settings)
    kinds = {"chosen": chosen} | {
        kind: explorer.baseline(index, settings, kind, seed) for kind in BASELINES
    }
    images = chosen.images[: min(settings.ipc, MOST_IMAGES)]
    ids = list(dict.fromkeys(chosen.patches[place].image_id for one in images for place in one))
    frames = _frames(request)
    return {
        "ids": ids,
        "sizes": [[frames[one].proxy_width, frames[one].proxy_height] for one in ids],
        "total": len(chosen.images[: settings.ipc]),
        "patch_px": chosen.patches[0].box.width if chosen.patches else None,
        "resolution_px": explorer.geometry.resolution_px,
        "kinds": [
            {
                "kind": kind,
                "images": _boxes(selected, len(images), ids),
                "score": plain(kept_score(selected, settings.ipc)),
            }
            for kind, selected in kinds.items()
        ],
    }


def localization(request: Request) -> Mapping[str, Any]:
    """Hit rate and coverage of the class's patches and baselines."""
    return _localization(request.explorer.localization(request.class_index, request.settings))


def localization_overall(request: Request) -> Mapping[str, Any]:
    """Hit rate and coverage over all classes."""
    return _localization(request.explorer.localization_overall(request.settings))


HANDLERS = {
    "compare": compare,
    "compare_overall": compare_overall,
    "baselines": baselines,
    "localization": localization,
    "localization_overall": localization_overall,
}


def settings_a(request: Request) -> SelectSettings:
    """The settings that the view's are compared with; raises `SettingError` for no settings."""
    return view_of(request.view.a).select


def _frames(request: Request) -> Mapping[str, Frame]:
    scores = request.explorer.scores(request.class_index)
    return dict(zip(scores.ids, scores.frames, strict=True))


def _figures(found: Together) -> Mapping[str, Any]:
    kept = found.kept
    shares = {"image_share": kept.image_share, "box_share": kept.box_share, "same_box": SAME_BOX}
    answer: Mapping[str, Any] = plain({**plain(found), **plain(kept), **shares})
    return answer


def _change(row: ChangeRow) -> Mapping[str, Any]:
    change = row.change
    return {
        "id": change.image_id,
        "size": [row.width_px, row.height_px],
        "overlap": change.overlap,
        "a": _side(change.a, row.boxes_a, change.kept_a),
        "b": _side(change.b, row.boxes_b, change.kept_b),
    }


def _side(patch: Patch | None, boxes: Sequence[Box], kept: bool) -> Mapping[str, Any] | None:
    if patch is None:
        return None
    corners = [[box.x, box.y, box.width, box.height] for box in boxes]
    explanation = {"rank": patch.rank, "cluster": patch.cluster, "score": plain(patch.score)}
    return {**explanation, "boxes": corners, "kept": kept}


def _boxes(selected: ClassSelection, count: int, ids: Sequence[str]) -> list[list[list[float]]]:
    place_of = {image_id: place for place, image_id in enumerate(ids)}
    patches = [[selected.patches[place] for place in one] for one in selected.images[:count]]
    return [
        [
            [place_of[patch.image_id], box.x, box.y, box.width, box.height]
            for patch in image
            for box in (patch.box,)
        ]
        for image in patches
    ]


def _localization(kinds: Sequence[Localization]) -> Mapping[str, Any]:
    return {
        "kinds": plain(kinds),
        "small_share": SMALL_SHARE,
        "large_share": LARGE_SHARE,
    }
