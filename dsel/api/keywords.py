"""Keyword arguments of a call -> the settings of the stages that it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsel.config.base import Settings, settings_of
from dsel.errors import unknown


def with_keywords(
    keywords: Mapping[str, Any], *stages: Settings | None
) -> tuple[Settings | None, ...]:
    """Change the settings of stages by keywords that are names of their fields.

    A name that two stages share changes the first of them; None is a stage without settings, and is
    returned as it is. Raises `SettingError` for a name that none of them has, and for a value out
    of its range.
    """
    left = dict(keywords)
    changed: list[Settings | None] = []
    for settings in stages:
        names = () if settings is None else settings_of(type(settings))
        mine = {name: left.pop(name) for name in names if name in left}
        changed.append(settings.replace(**mine) if settings is not None and mine else settings)
    if left:
        given = [settings for settings in stages if settings is not None]
        known = dict.fromkeys(name for one in given for name in settings_of(type(one)))
        raise unknown("setting", next(iter(left)), known)
    return tuple(changed)
