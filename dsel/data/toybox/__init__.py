"""Toybox, the built-in demo dataset: rendered scenes of ten toys, with the exact mask of each."""

from dsel.data.toybox.render import Scene, render_scene
from dsel.data.toybox.toys import KINDS

CLASSES: tuple[str, ...] = tuple(kind.name for kind in KINDS)

__all__ = ["CLASSES", "Scene", "render_scene"]
