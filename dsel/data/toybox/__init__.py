"""Toybox, the built-in demo dataset: rendered scenes of ten toys, with the exact mask of each.

`scene` draws the layout, `toys` builds the toys from `solids`, `backdrop` is what surrounds them,
`sphere_tracing` follows rays to them, and `render` turns a scene into pixels and a mask. A toy is
added in `toys.KINDS`.
"""

from dsel.data.toybox.render import Scene, render_scene
from dsel.data.toybox.toys import KINDS

CLASSES: tuple[str, ...] = tuple(kind.name for kind in KINDS)

__all__ = ["CLASSES", "Scene", "render_scene"]
