"""Keyword arguments of a call -> the settings of the stages that it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsel.config.base import Settings, settings_of
from dsel.errors import unknown


def with_keywords(keywords: Mapping[str, Any], *stages: Settings) -> tuple[Settings, ...]:
    """Change the settings of stages by keywords that are names of their fields.

    A name that two stages share changes the first of them. Raises `SettingError` for a name that
    none of them has, and for a value out of its range.
    """
    left = dict(keywords)
    changed = []
    for settings in stages:
        mine = {name: left.pop(name) for name in settings_of(type(settings)) if name in left}
        changed.append(settings.replace(**mine) if mine else settings)
    if left:
        known = dict.fromkeys(name for one in stages for name in settings_of(type(one)))
        raise unknown("setting", next(iter(left)), known)
    return tuple(changed)
