"""Answers about pairs: two settings side by side, and what chosen patches are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dsel.analysis.baselines import BASELINES, kept_score
from dsel.analysis.comparison import SAME_BOX, OverallComparison
from dsel.analysis.comparison import compare_overall as overall_comparison
from dsel.analysis.listing import ChangeRow, Changing
from dsel.analysis.localization import LARGE_SHARE, SMALL_SHARE, Localization
from dsel.app.requests import Request, patch_plain, plain
from dsel.config import SelectSettings
from dsel.config.url import view_of

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
    page = explorer.changes(
        index,
        a,
        b,
        Changing(
            cluster_a=request.whole("cluster_a", -1),
            cluster_b=request.whole("cluster_b", -1),
            keeping=request.text("keeping", "any"),  # type: ignore[arg-type]  # checked there
            backwards=request.flag("backwards"),
            page=request.whole("page", 0),
            rows=request.whole("rows", 60),
        ),
    )
    chosen = explorer.change(index, a, b, request.view.image_id)
    rows = [_change(row) for row in page.rows]
    return {
        "a": plain(a),
        "figures": _figures(overall_comparison([found])),
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
    """The class's distilled set as chosen and as each baseline gives it, as boxes; more: seed."""
    explorer, index, settings = request.explorer, request.class_index, request.settings
    seed = request.whole("seed", 0)
    chosen = explorer.distilled(index, settings)
    kinds = {"chosen": chosen} | {
        kind: explorer.baseline_images(index, settings, kind, seed) for kind in BASELINES
    }
    selections = {"chosen": explorer.select(index, settings)} | {
        kind: explorer.baseline(index, settings, kind, seed) for kind in BASELINES
    }
    return {
        "total": len(chosen),
        "patch_px": chosen[0][0].box.width if chosen else None,
        "resolution_px": explorer.geometry.resolution_px,
        "kinds": [
            {
                "kind": kind,
                "images": [[patch_plain(one) for one in image] for image in images[:MOST_IMAGES]],
                "score": plain(kept_score(selections[kind], settings.ipc)),
            }
            for kind, images in kinds.items()
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


def _figures(found: OverallComparison) -> Mapping[str, Any]:
    kept = found.kept
    shares = {"image_share": kept.image_share, "box_share": kept.box_share, "same_box": SAME_BOX}
    answer: Mapping[str, Any] = plain({**plain(found), **plain(kept), **shares})
    return answer


def _change(row: ChangeRow) -> Mapping[str, Any]:
    return {
        "id": row.image_id,
        "overlap": row.overlap,
        "a": [patch_plain(one) for one in row.a],
        "b": [patch_plain(one) for one in row.b],
        "kept_a": row.kept_a,
        "kept_b": row.kept_b,
    }


def _localization(kinds: Sequence[Localization]) -> Mapping[str, Any]:
    return {
        "kinds": plain(kinds),
        "small_share": SMALL_SHARE,
        "large_share": LARGE_SHARE,
    }
