"""Named groups of selection settings, such as those of a paper."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from dsel.errors import unknown

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType({
    # DDPS, arXiv 2412.09959: patches of half the side, ranked by their positive gap, as mosaics.
    "paper": MappingProxyType({
        "patch_px": 0,
        "locate": "positive",
        "smooth": 0.0,
        "score": "positive",
        "rank_by": "patch",
        "within": "score",
        "cut": "patch",
        "factor": 2,
    }),
})  # fmt: skip
"""The settings that each preset gives by name; all others keep their values."""


def preset(name: str) -> Mapping[str, Any]:
    """Return the settings of a preset; raises `SettingError` for an unknown name."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]
