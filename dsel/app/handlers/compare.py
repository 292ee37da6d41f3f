"""Handlers of Compare and Baselines: two settings, and baselines of equal budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dsel.analysis.baselines import BASELINES, Baseline, kept_score
from dsel.analysis.comparison import SAME_BOX, OverallComparison
from dsel.analysis.comparison import compare_overall as overall_comparison
from dsel.analysis.listing import ChangeRow, Changing
from dsel.analysis.localization import LARGE_SHARE, SMALL_SHARE, Localization, fit_figures
from dsel.analysis.patch_view import PatchView
from dsel.app.context import Context
from dsel.app.requests import BaselineParams, CompareParams, Params, Seeded
from dsel.app.wire import PatchWire, page_numbers, patch_wire, plain
from dsel.config import SelectSettings
from dsel.core.baselines.registry import BASELINES as SELECTIONS
from dsel.pipeline.confidences import last_teacher
from dsel.types import ClassSelection

MOST_SHOWN: Final = 60
"""Distilled images of each kind in one response."""


def compare(context: Context, params: CompareParams) -> Mapping[str, Any]:
    """Return what differs between A and the view's settings on the class.

    chosen: the view's image, or the first of the list where the view names none.
    """
    explorer, index = context.explorer, context.class_index
    a, b = context.settings_a, context.settings
    found = explorer.compare(index, a, b)
    page = explorer.changes(index, a, b, Changing(**params.model_dump()))
    chosen = explorer.change(index, a, b, context.view.image_id)
    rows = [_change(row) for row in page.rows]
    return {
        "a": plain(a),
        "figures": _figures(overall_comparison([found])),
        "moves": found.moves.tolist(),
        "rows": rows,
        **page_numbers(page),
        "chosen": _change(chosen) if chosen else next(iter(rows), None),
    }


def compare_overall(context: Context, _: Params) -> Mapping[str, Any]:
    """Return what differs between A and the view's settings on all classes."""
    return _figures(context.explorer.compare_overall(context.settings_a, context.settings))


def baselines(context: Context, params: Seeded) -> Mapping[str, Any]:
    """Return the class's distilled set as chosen and as each baseline gives it.

    ids: the images that the patches come from, the same ones of every kind.
    """
    explorer, index, settings = context.explorer, context.class_index, context.settings
    chosen = explorer.distilled(index, settings)
    shown = chosen[:MOST_SHOWN]
    return {
        "ids": list(dict.fromkeys(view.image_id for image in shown for view in image)),
        "total": len(chosen),
        "patch_px": chosen[0][0].box.width if chosen else None,
        "resolution_px": explorer.geometry.resolution_px,
        "kinds": [
            _kind("chosen", shown, explorer.select(index, settings), settings.ipc),
            *(_baseline(context, kind, params.seed) for kind in BASELINES),
        ],
    }


def baseline_selection(context: Context, params: BaselineParams) -> Mapping[str, Any]:
    """Return the class's distilled set as chosen, and as a baseline selects it.

    A teacher's baselines have the answers that are stored in the run, those of its last teacher.
    options: the baselines by name; linked ones need no setting that links leave out. shared: how
    many source images are in both sets.
    """
    chosen = context.settings
    baseline = chosen.replace(
        baseline=params.name,
        baseline_seed=params.seed,
        teacher=chosen.teacher or last_teacher(context.explorer.run),
    )
    kept = [_source_images(context, settings) for settings in (chosen, baseline)]
    return {
        "options": [
            {"name": name, "description": one.description, "linked": one.needs != "teacher"}
            for name, one in SELECTIONS.items()
        ],
        "chosen": _selection(context, chosen),
        "baseline": _selection(context, baseline),
        "shared": len(kept[0] & kept[1]),
    }


def localization(context: Context, _: Params) -> Mapping[str, Any]:
    """Return hit rate and coverage of the class's patches and baselines."""
    kinds = context.explorer.localization(context.class_index, context.settings)
    return _localization(context, kinds)


def localization_overall(context: Context, _: Params) -> Mapping[str, Any]:
    """Return hit rate and coverage over all classes."""
    return _localization(context, context.explorer.localization_overall(context.settings))


def _figures(found: OverallComparison) -> Mapping[str, Any]:
    kept = found.kept
    shares = {"image_share": kept.image_share, "box_share": kept.box_share, "same_box": SAME_BOX}
    figures: Mapping[str, Any] = plain({**plain(found), **plain(kept), **shares})
    return figures


def _change(row: ChangeRow) -> Mapping[str, Any]:
    """Return an image under A and under B."""
    shown = (row.a or row.b)[0]
    return {
        "id": row.image_id,
        "size": [shown.width_px, shown.height_px],
        "overlap": row.overlap,
        "a": _side(row.a),
        "b": _side(row.b),
    }


def _side(views: Sequence[PatchView]) -> PatchWire | None:
    """Return one side of a change: the image's best patch, and all its boxes and kept images."""
    if not views:
        return None
    boxes = [patch_wire(view)["box"] for view in views]
    kept = sorted({number for view in views for number in view.kept})
    return patch_wire(views[0]) | {"boxes": boxes, "kept": kept}


def _baseline(context: Context, kind: Baseline, seed: int) -> Mapping[str, Any]:
    explorer, index, settings = context.explorer, context.class_index, context.settings
    images = explorer.baseline_images(index, settings, kind, seed)[:MOST_SHOWN]
    return _kind(kind, images, explorer.baseline(index, settings, kind, seed), settings.ipc)


def _kind(
    kind: str, images: Sequence[Sequence[PatchView]], selected: ClassSelection, ipc: int
) -> Mapping[str, Any]:
    """Return the distilled images of one kind as their patches, and their mean score."""
    wires = [[patch_wire(view) for view in image] for image in images]
    return {"kind": kind, "images": wires, "score": plain(kept_score(selected, ipc))}


def _source_images(context: Context, settings: SelectSettings) -> set[str]:
    """Return the ids of the images that a distilled set of the class is made of."""
    selected = context.explorer.select(context.class_index, settings)
    return {selected.patches.id_of(rank) for rank in selected.kept(settings.ipc)}


def _selection(context: Context, settings: SelectSettings) -> Mapping[str, Any]:
    """Return the distilled images of the class as their patches, and figures of the set."""
    explorer, index = context.explorer, context.class_index
    images, selected = explorer.distilled(index, settings), explorer.select(index, settings)
    quality = explorer.quality(index, settings)
    return {
        "total": len(images),
        "images": [[patch_wire(view) for view in image] for image in images[:MOST_SHOWN]],
        "score": plain(kept_score(selected, settings.ipc)),
        "picture_score": plain(kept_score(selected, settings.ipc, "picture_score")),
        "coverage_distance": plain(quality.coverage_distance),
        "clusters": quality.clusters,
        "clusters_covered": quality.clusters_covered,
        "near_duplicates": len(quality.near_duplicates),
    }


def _localization(context: Context, kinds: Sequence[Localization]) -> Mapping[str, Any]:
    truth = context.explorer.ground_truth()
    return {
        "fit": None if truth is None else plain(fit_figures(truth.matched)),
        "kinds": plain(kinds),
        "small_share": SMALL_SHARE,
        "large_share": LARGE_SHARE,
    }
