"""The view that a link opens: what the run can show of it, and a note about each part it cannot."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from dsel.analysis.explorer import Explorer
from dsel.app.context import check_size
from dsel.config import SelectSettings
from dsel.config.url import View, query_of, readable_view
from dsel.core.box_search import patch_size
from dsel.core.gap_maps import timestep_columns
from dsel.errors import SettingError, shown
from dsel.types import Geometry


def opened_view(explorer: Explorer, link: str, local: bool) -> tuple[View, tuple[str, ...]]:
    """Return the view of a link, as far as the run can show it, and notes about the rest."""
    view, notes = _readable(link, local)
    view = replace(
        view,
        image_id=explorer.known_id(view.image_id) if view.image_id else "",
        select=explorer.with_known_ids(view.select),
    )
    view, placed = _placed(explorer, view)
    view, selected = _selected(explorer, view)
    select, fitted = _fitted(explorer, view.select)
    view = replace(view, select=select)
    if not view.a:
        return view, (*notes, *placed, *selected, *fitted)
    a, notes_a = _readable(view.a, local)
    select_a, fitted_a = _fitted(explorer, explorer.with_known_ids(a.select))
    about_a = tuple(f"settings A: {note}" for note in (*notes_a, *fitted_a))
    if about_a:
        view = replace(view, a=query_of(View(select=select_a)))
    return view, (*notes, *placed, *selected, *fitted, *about_a)


def _readable(link: str, local: bool) -> tuple[View, tuple[str, ...]]:
    return readable_view(link) if local else readable_view(link, check_size)


def _placed(explorer: Explorer, view: View) -> tuple[View, tuple[str, ...]]:
    """Replace a class and an image that the run does not have by the app's own choice."""
    first = explorer.classes[0]
    if view.class_name and view.class_name not in explorer.classes:
        note = f"this run has no class {view.class_name!r}: {first} is shown"
        return replace(view, class_name="", image_id=""), (note,)
    name = view.class_name or first
    if not view.image_id or view.image_id in explorer.scores(explorer.class_index(name)).ids:
        return view, ()
    note = f"class {name!r} has no scored image {view.image_id!r}: its best one is shown"
    return replace(view, image_id=""), (note,)


def _selected(explorer: Explorer, view: View) -> tuple[View, tuple[str, ...]]:
    """Leave out selected images that the run does not have."""
    ids = dict.fromkeys(map(explorer.known_id, view.ids))
    known = explorer.run.images.row_of if ids else {}
    missing = [image_id for image_id in ids if image_id not in known]
    view = replace(view, ids=tuple(one for one in ids if one in known))
    if not missing:
        return view, ()
    return view, (f"this run has no image {', '.join(shown(missing))}: left out of the selection",)


def _fitted(explorer: Explorer, settings: SelectSettings) -> tuple[SelectSettings, tuple[str, ...]]:
    """Leave out the settings and the overrides that speak of another run."""
    notes = []
    for name, check in _CHECKS.items():
        try:
            check(settings, explorer.geometry)
        except SettingError as error:
            notes.append(f"{error}; the default is used")
            settings = settings.replace(**{name: getattr(SelectSettings(), name)})
    known = explorer.run.images.row_of
    for one in _foreign(settings, known):
        listed = ", ".join(shown(one.ids))
        notes.append(f"{one.name} are left out whose image is not in this run: {listed}")
        settings = settings.replace(**{one.name: one.others})
    return settings, tuple(notes)


@dataclass(frozen=True, slots=True)
class _Foreign:
    """Overrides of images that are not in the run: the setting, its other ones, and their ids."""

    name: str
    others: tuple[str, ...]
    ids: list[str]


def _foreign(settings: SelectSettings, known: Container[str]) -> Iterator[_Foreign]:
    """Yield each kind of override that names images outside the run."""
    ids = {"pins": settings.pins, "bans": settings.bans, "moves": (*settings.overrides.corners,)}
    for name, images in ids.items():
        missing = [image_id for image_id in images if image_id not in known]
        if missing:
            pairs = zip(getattr(settings, name), images, strict=True)
            yield _Foreign(name, tuple(one for one, image in pairs if image in known), missing)


def _check_timesteps(settings: SelectSettings, geometry: Geometry) -> None:
    timestep_columns(settings.timesteps, geometry.timesteps)


_CHECKS: Final[Mapping[str, Callable[[SelectSettings, Geometry], object]]] = MappingProxyType(
    {"timesteps": _check_timesteps, "patch_px": patch_size}
)
"""What raises `SettingError` for a setting that does not fit the run."""
