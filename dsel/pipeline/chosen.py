"""Write any images of a run, such as a lasso or a slice, each as one exported image: events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dsel.config import ExportSettings, SelectSettings
from dsel.errors import SettingError
from dsel.pipeline.export import export_selections
from dsel.pipeline.selector import Selector
from dsel.runs import Run
from dsel.runs.slices import read_slice
from dsel.types import ClassSelection, Event, Notice, Progress, Started

MOST_CLUSTERS = 10_000
NAMED = 3
"""Images that a notice names, at most."""


def export_images(
    selector: Selector,
    ids: Sequence[str],
    select: SelectSettings,
    out: Path,
    settings: ExportSettings,
) -> Iterator[Event]:
    """Write the best patch of each of these images, in the order of the ids within each class.

    The settings locate and cut; what they would keep does not matter, nor whether an image is
    banned. Nothing is written to the run. Raises `SettingError` if no image is left.
    """
    rows = _rows_by_class(selector, ids)
    most = max(map(len, rows.values()), default=1)
    wide = _settings_for(select, {one for found in rows.values() for one in found}, most)
    yield Started("select", len(rows), "classes")
    selections: list[ClassSelection] = []
    for index, found in rows.items():
        selections.append(_chosen(selector.select(index, wide), found))
        yield Progress()
    written = [one.patches.id_of(rank) for one in selections for (rank,) in one.images]
    if left := sorted(set(map(selector.known_id, ids)) - set(written)):
        yield Notice(_left_out(left))
    if not written:
        raise SettingError(f"none of the {len(ids)} images has a patch in this run")
    yield from export_selections(selector.run, selections, wide, out, settings, chosen=written)


def export_slice(
    run: Run, name: str, out: Path, settings: ExportSettings, selection: str = ""
) -> Iterator[Event]:
    """Write the images of a slice of the run, as a stored selection locates and cuts them."""
    ids, (select, _) = read_slice(run.path, name).ids, run.read_selection(selection)
    yield from export_images(Selector(run), ids, select, out, settings)


def _rows_by_class(selector: Selector, ids: Sequence[str]) -> Mapping[int, Sequence[str]]:
    """Group the ids of scored images by class index, in the order of the classes."""
    images, found = selector.run.images, defaultdict[int, list[str]](list)
    for image_id in dict.fromkeys(map(selector.known_id, ids)):
        row = images.row_of.get(image_id, -1)
        if row >= 0 and images.is_scored[row]:
            found[int(images.class_index[row])].append(image_id)
    return dict(sorted(found.items()))


def _settings_for(select: SelectSettings, ids: set[str], most: int) -> SelectSettings:
    """Return the settings by which these images have the patches that the page shows of them."""
    return select.replace(
        bans=tuple(one for one in select.bans if one not in ids),
        clusters=min(select.k, MOST_CLUSTERS),  # which would follow the IPC
        ipc=most,
        factor=1,
        baseline="none",
    )


def _chosen(selected: ClassSelection, ids: Sequence[str]) -> ClassSelection:
    """Return the class with one image of each id's best patch; an id without a patch has none."""
    patches = selected.patches
    rows, first = np.unique(patches.image, return_index=True)
    rank_of = dict(zip((patches.ids[row] for row in rows.tolist()), first.tolist(), strict=True))
    return replace(selected, images=[(rank_of[one],) for one in ids if one in rank_of])


def _left_out(ids: Sequence[str]) -> str:
    named = ", ".join(ids[:NAMED]) + (", ..." if len(ids) > NAMED else "")
    count = "1 image is" if len(ids) == 1 else f"{len(ids):,} images are"
    return f"{count} left out, which the run has not scored, or of which it has a copy: {named}"
