"""Turn a scene into pixels and into the mask of its toy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsel.data.toybox import sphere_tracing as tracing
from dsel.data.toybox.backdrop import Backdrop, ground_colour, sky_colour
from dsel.data.toybox.scene import Layout, draw_layout, ground_depth
from dsel.data.toybox.solids import Float, Solid, dot, normalized

Positions = NDArray[np.float64]

_EDGE = 0.085  # contrast to a neighbour, display values 0 to 1, that calls for smoothing
_SUBPIXELS = ((-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125))


@dataclass(frozen=True, slots=True)
class Scene:
    """One image of the toybox; mask and box (x, y, width, height) are those of the class's toy."""

    pixels: NDArray[np.uint8]  # (size, size, 3)
    mask: NDArray[np.bool_]  # (size, size), the visible part
    box: tuple[int, int, int, int]


def render_scene(seed: int, class_index: int, index: int, size_px: int = 128) -> Scene:
    """Render the scene that belongs to (seed, class_index, index), the same bytes every time."""
    world = _World.of(draw_layout(seed, class_index, index))
    rows, columns = np.divmod(np.arange(size_px * size_px), size_px)
    view = _look(world, columns + 0.5, rows + 0.5, size_px)
    _smooth(world, view, size_px)
    is_toy = (view.owner != tracing.NOTHING) & (view.owner < len(world.layout.toy))
    mask = is_toy.reshape(size_px, size_px)
    pixels = np.rint(view.colours.T.reshape(size_px, size_px, 3) * 255).astype(np.uint8)
    return Scene(pixels, mask, _box(mask))


def _smooth(world: _World, view: _View, size_px: int) -> None:
    """Render the pixels at edges again, at four positions each, and average them."""
    edges = _edges(view.colours.reshape(3, size_px, size_px))
    rows, columns = np.divmod(edges, size_px)
    shifts = np.array(_SUBPIXELS) + 0.5
    x, y = columns + shifts[:, :1], rows + shifts[:, 1:]  # (4, E)
    again = _look(world, x.ravel(), y.ravel(), size_px)
    view.colours[:, edges] = again.colours.reshape(3, len(shifts), -1).mean(axis=1)


def _edges(colours: Float) -> NDArray[np.intp]:
    """Return the flat positions of pixels that differ from a neighbour; `colours` is (3, H, W)."""
    found = np.zeros(colours.shape[1:], bool)
    across = (np.abs(colours[:, :, 1:] - colours[:, :, :-1]) > _EDGE).any(axis=0)
    down = (np.abs(colours[:, 1:] - colours[:, :-1]) > _EDGE).any(axis=0)
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    return np.flatnonzero(found)


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return the smallest box (x, y, width, height) around the mask."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if columns.size == 0:
        return (0, 0, 0, 0)
    x, y = int(columns[0]), int(rows[0])
    return (x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1)


@dataclass(frozen=True, slots=True)
class _World:
    """A layout with all solids in one sequence, the toy's first, and the things that they form."""

    layout: Layout
    solids: tuple[Solid, ...]
    things: tuple[tracing.Thing, ...]

    @classmethod
    def of(cls, layout: Layout) -> _World:
        first, distractors = len(layout.toy), layout.stage.distractors
        plain = [tracing.Thing.of((solid,), first + n) for n, solid in enumerate(distractors)]
        return cls(layout, layout.toy + distractors, (tracing.Thing.of(layout.toy), *plain))


@dataclass(frozen=True, slots=True)
class _View:
    colours: Float  # (3, N), display values 0 to 1
    owner: tracing.Index  # (N,), the solid that is seen, NOTHING for ground and sky


def _look(world: _World, x: Positions, y: Positions, size_px: int) -> _View:
    """Render the image positions (x, y), in pixels from the top left corner."""
    stage = world.layout.stage
    half = size_px / 2
    across, up = (x / half - 1).astype(np.float32), (1 - y / half).astype(np.float32)
    rays = normalized(stage.camera.rays(across, up))
    ground = ground_depth(stage.camera, rays)
    hits = tracing.first_hits(world.things, stage.camera.origin, rays, ground)
    colours = sky_colour(stage.backdrop, rays)
    solid = np.flatnonzero(np.isfinite(hits.depth))
    near = tracing.Hits(hits.depth[solid], hits.owner[solid])
    surface = _surface(world, rays[:, solid], near, stage.camera.spread / half)
    hazed = 1 - np.exp(-((near.depth / stage.backdrop.haze) ** 2))
    horizon = stage.backdrop.horizon[:, None]
    colours[:, solid] = surface + (horizon - surface) * hazed
    return _View(_displayed(colours), hits.owner)


def _surface(world: _World, rays: Float, hits: tracing.Hits, pixel: float) -> Float:
    """Return the light (3, N) that the surfaces where rays end send back along them."""
    camera, backdrop = world.layout.stage.camera, world.layout.stage.backdrop
    points = camera.origin[:, None] + rays * hits.depth
    normal = tracing.normals(world.solids, points, hits.owner)
    footprint = pixel * hits.depth / (0.2 - np.minimum(rays[1], 0))
    paint, gloss = _paint(world, points, hits.owner, footprint)
    facing = np.maximum(dot(backdrop.sun, normal), 0)
    sun = np.zeros_like(facing)
    lit = np.flatnonzero(facing > 0)
    lifted = points[:, lit] + normal[:, lit] * 0.01
    sun[lit] = tracing.sunlight(world.things, lifted, hits.owner[lit], backdrop.sun)
    opened = tracing.openness(world.things, points, normal, hits.owner)
    light = _light(backdrop, normal, facing * sun, opened)
    light *= paint
    thing = np.flatnonzero(gloss > 0)
    shine = _shine(backdrop, rays[:, thing], normal[:, thing], sun[thing])
    light[:, thing] += gloss[thing] * opened[thing] * shine
    return light


def _paint(
    world: _World, points: Float, owner: tracing.Index, footprint: Float
) -> tuple[Float, Float]:
    """Return the paint (3, N) and the gloss (N,) of surface points."""
    colours = np.stack([solid.colour for solid in world.solids], axis=1)
    glosses = np.array([solid.gloss for solid in world.solids], np.float32)
    paint, gloss = colours[:, owner], glosses[owner]
    bare = np.flatnonzero(owner == tracing.NOTHING)
    backdrop = world.layout.stage.backdrop
    paint[:, bare] = ground_colour(backdrop, points[:, bare], footprint[bare])
    gloss[bare] = 0
    return paint, gloss


def _light(backdrop: Backdrop, normal: Float, sun: Float, opened: Float) -> Float:
    """Return the light (3, N) that falls on a surface from the sun, the sky and the ground."""
    sky = (0.55 * backdrop.horizon + 0.45 * backdrop.zenith)[:, None]
    bounce = (0.35 * backdrop.colours[0] * backdrop.sun_colour)[:, None]
    above = 0.5 + 0.5 * normal[1]
    ambient = (0.62 * sky * above + bounce * (1 - above)) * opened
    direct: Float = 1.1 * backdrop.sun_colour[:, None] * sun
    direct += ambient
    return direct


def _shine(backdrop: Backdrop, rays: Float, normal: Float, sun: Float) -> Float:
    """Return the highlight of the sun and a rim of sky (3, N) on a polished surface."""
    halfway = normalized(backdrop.sun[:, None] - rays)
    spark = np.clip(dot(normal, halfway), 0, 1) ** 48 * sun * 0.55
    rim = (1 - np.clip(-dot(normal, rays), 0, 1)) ** 4 * 0.35
    shine: Float = spark * backdrop.sun_colour[:, None]
    return shine + rim * backdrop.horizon[:, None]


def _displayed(light: Float) -> Float:
    """Turn linear light into display values 0 to 1, with a soft shoulder instead of clipping."""
    soft = np.where(light < 0.6, light, 0.6 + 0.4 * np.tanh((light - 0.6) / 0.4))
    result: Float = np.clip(soft, 0, 1) ** np.float32(1 / 2.2)
    return result
