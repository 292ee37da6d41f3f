"""Sphere tracing: the first hits of rays with solids, and the sun and sky that reach a point.

Hart, "Sphere tracing", The Visual Computer 12, 1996: a ray advances by the distance to the nearest
surface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsel.data.toybox.solids import Float, Shape, Solid, dot, rotate

Index = NDArray[np.intp]
NOTHING = -1

_STEPS = 16
_SHADOW_STEPS = 9
_CLOSE = 0.007  # in the shape's unit; a toy is about 2 high
_SUN_SHARPNESS = 9.0
_PENUMBRA = 1.2  # how far around a solid, in its radius, its shadow may fade
_SMALL = 0.08  # solids smaller than this share of their thing (eyes, buttons) cast no shadow


@dataclass(frozen=True, slots=True)
class Thing:
    """Solids in one bounding sphere; `first` is the index of the first of them in the scene."""

    solids: tuple[Solid, ...]
    first: int
    centre: Float  # (3,)
    radius: float

    @classmethod
    def of(cls, solids: tuple[Solid, ...], first: int = 0) -> Thing:
        """Bound the solids by a sphere."""
        centres = np.stack([solid.centre for solid in solids], axis=1)
        radii = np.array([solid.radius for solid in solids], np.float32)
        centre = ((centres - radii).min(axis=1) + (centres + radii).max(axis=1)) / 2
        offsets = centres - centre[:, None]
        return cls(solids, first, centre, float((np.sqrt(dot(offsets, offsets)) + radii).max()))


@dataclass(frozen=True, slots=True)
class Hits:
    """The first hit of each ray: the distance along it, and the solid's index (or NOTHING)."""

    depth: Float  # (N,)
    owner: Index  # (N,)


def first_hits(things: Sequence[Thing], origin: Float, rays: Float, limit: Float) -> Hits:
    """Trace unit rays (3, N) from one origin (3,) no further than `limit` (N,)."""
    depth = limit.copy()
    owner = np.full(depth.shape, NOTHING, np.intp)
    for thing in sorted(things, key=lambda thing: float(np.linalg.norm(thing.centre - origin))):
        near = _towards(thing, origin, rays)
        if near.size:
            _meet(thing, origin, rays[:, near], Hits(depth, owner), near)
    return Hits(depth, owner)


def _towards(thing: Thing, origin: Float, rays: Float) -> Index:
    """Return which rays go through the thing's bounding sphere."""
    to_centre = thing.centre - origin
    along = dot(to_centre, rays)
    least = float(dot(to_centre, to_centre)) - thing.radius**2
    return np.flatnonzero((along > 0) & (along * along > least))


def _meet(thing: Thing, origin: Float, rays: Float, hits: Hits, near: Index) -> None:
    """Update the hits at `near` with the thing's solids, front ones first."""
    depth, owner = hits.depth[near], hits.owner[near]
    away = [float(np.linalg.norm(solid.centre - origin)) for solid in thing.solids]
    for number in np.argsort(away, kind="stable"):
        met = _hits_of_one(thing.solids[int(number)], origin, rays, depth)
        depth[met.rays] = met.depth
        owner[met.rays] = thing.first + number
    hits.depth[near], hits.owner[near] = depth, owner


@dataclass(frozen=True, slots=True)
class _Met:
    rays: Index
    depth: Float


def _hits_of_one(solid: Solid, origin: Float, rays: Float, limit: Float) -> _Met:
    """Return which rays meet the solid before their limit, and how far away."""
    to_centre = solid.centre - origin
    along = dot(to_centre, rays)
    half2 = along * along + (solid.radius**2 - float(dot(to_centre, to_centre)))
    candidates = np.flatnonzero((half2 > 0) & (along > 0))
    along, half = along[candidates], np.sqrt(half2[candidates])
    end = np.minimum(along + half, limit[candidates])
    start = along - half
    ahead = start < end
    candidates, start, end = candidates[ahead], start[ahead], end[ahead]
    if candidates.size == 0:
        return _Met(candidates, start)
    local_origin = solid.to_local(origin[:, None])
    local_rays = rotate(solid.turn.T, rays[:, candidates])
    depth = _trace(solid.shape, local_origin, local_rays, start / solid.scale, end / solid.scale)
    met = np.isfinite(depth)
    return _Met(candidates[met], depth[met] * solid.scale)


def _trace(shape: Shape, origin: Float, rays: Float, start: Float, end: Float) -> Float:
    """Step along rays by the distance to the shape; inf where they miss it."""
    depth = np.full(start.shape, np.inf, np.float32)
    live = np.arange(start.size)
    reach = start
    for _ in range(_STEPS):
        distance = shape.distance(origin + rays * reach)
        reach = reach + distance
        close = distance < _CLOSE
        depth[live[close]] = reach[close]
        going = (~close & (reach < end)).nonzero()[0]
        if going.size == 0:
            return depth
        if going.size < live.size:
            live, reach, end, rays = live[going], reach[going], end[going], rays[:, going]
            distance = distance[going]
    # Rays that still creep along a surface at the last step graze it.
    close = distance < 4 * _CLOSE
    depth[live[close]] = reach[close]
    return depth


def normals(solids: Sequence[Solid], points: Float, owner: Index) -> Float:
    """Return the unit outward normals (3, N) at surface points; up where there is no solid."""
    result = np.zeros_like(points)
    result[1] = 1
    for number, solid in enumerate(solids):
        mine = np.flatnonzero(owner == number)
        if mine.size:
            result[:, mine] = _normals_of_one(solid, points[:, mine])
    return result


def _normals_of_one(solid: Solid, points: Float) -> Float:
    local = solid.to_local(points)
    gradient = np.zeros_like(local)
    # Four probes at the corners of a tetrahedron do what an axis cross needs six for.
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        direction = np.array(corner, np.float32)[:, None]
        gradient += direction * solid.shape.distance(local + direction * 0.004)
    gradient /= np.sqrt(np.maximum(dot(gradient, gradient), 1e-20))
    return rotate(solid.turn, gradient)


def sunlight(things: Sequence[Thing], points: Float, owner: Index, sun: Float) -> Float:
    """Return how much of the sun (N,), range 0 to 1, points (3, N) see past the things."""
    light = np.ones(points.shape[1], np.float32)
    for thing in things:
        to_centre = thing.centre[:, None] - points
        along = dot(sun, to_centre)
        reach2 = (thing.radius * _PENUMBRA) ** 2
        near = np.flatnonzero(
            (dot(to_centre, to_centre) - along * along < reach2) & (along > -thing.radius)
        )
        if near.size:
            light[near] *= _sun_past_thing(thing, points[:, near], owner[near] - thing.first, sun)
    return light


def _sun_past_thing(thing: Thing, points: Float, owner: Index, sun: Float) -> Float:
    light = np.ones(points.shape[1], np.float32)
    for number, solid in enumerate(thing.solids):
        if solid.radius < _SMALL * thing.radius:
            continue
        to_centre = solid.centre[:, None] - points
        along = dot(sun, to_centre)
        reach2 = (solid.radius * _PENUMBRA) ** 2
        half2 = reach2 - dot(to_centre, to_centre) + along * along
        near = (half2 > 0) & (along > -solid.radius) & (light > 0.02)
        if solid.shape.convex:
            near &= owner != number
        shaded = np.flatnonzero(near)
        if shaded.size:
            half = np.sqrt(half2[shaded])
            span = (along[shaded] - half, along[shaded] + half)
            seen = _sun_past(solid, points[:, shaded], sun, span)
            light[shaded] = np.minimum(light[shaded], seen)
    return light


def _sun_past(solid: Solid, points: Float, sun: Float, span: tuple[Float, Float]) -> Float:
    """March towards the sun; the narrowest pass, as an angle, is the light that gets through."""
    local = solid.to_local(points)
    ray = rotate(solid.turn.T, sun[:, None])
    reach = np.maximum(span[0] / solid.scale, 0.03)
    end = span[1] / solid.scale
    light = np.ones(reach.shape, np.float32)
    live = np.arange(reach.size)
    for _ in range(_SHADOW_STEPS):
        distance = solid.shape.distance(local + ray * reach)
        narrow = np.minimum(light[live], _SUN_SHARPNESS * distance / reach)
        light[live] = narrow
        reach = reach + np.maximum(distance, 0.05)
        going = ((narrow > 0.02) & (reach < end)).nonzero()[0]
        if going.size == 0:
            break
        if going.size < live.size:
            live, reach, end, local = live[going], reach[going], end[going], local[:, going]
    light = np.clip(light, 0, 1)
    smooth: Float = light * light * (3 - 2 * light)
    return smooth


def openness(things: Sequence[Thing], points: Float, normal: Float, owner: Index) -> Float:
    """Return how open to the sky (N,), range 0 to 1, points are: ambient occlusion, near things."""
    result = np.ones(points.shape[1], np.float32)
    for thing in things:
        offset = points - thing.centre[:, None]
        near = np.flatnonzero(dot(offset, offset) < (1.3 * thing.radius) ** 2)
        if near.size:
            mine = owner[near] - thing.first
            result[near] *= _open_past_thing(thing, points[:, near], normal[:, near], mine)
    return result


def _open_past_thing(thing: Thing, points: Float, normal: Float, owner: Index) -> Float:
    result = np.ones(points.shape[1], np.float32)
    for number, solid in enumerate(thing.solids):
        if solid.radius < 2 * _SMALL * thing.radius:
            continue
        step = 0.5 * min(solid.radius, 0.6 * thing.radius)
        offset = points - solid.centre[:, None]
        near = dot(offset, offset) < (solid.radius + step) ** 2
        if solid.shape.convex:
            near &= owner != number
        close = np.flatnonzero(near)
        if close.size:
            probe = points[:, close] + normal[:, close] * step
            gap = solid.shape.distance(solid.to_local(probe)) * solid.scale / step
            result[close] *= 1 - 0.6 * np.clip(1 - gap, 0, 1)
    return result
