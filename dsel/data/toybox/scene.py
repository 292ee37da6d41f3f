"""Drawing a scene: a stage that does not depend on the class, then one toy placed on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dsel.data.toybox import palette, solids
from dsel.data.toybox.backdrop import Backdrop, draw_backdrop
from dsel.data.toybox.solids import Float, Shape, Solid, normalized, turned
from dsel.data.toybox.sphere_tracing import NOTHING, Thing, first_hits
from dsel.data.toybox.toys import KINDS

_MEDIAN_COVERAGE = 0.12
_FILL = 0.6  # how much of its bounding disc a toy's silhouette fills, on average
_PROBE_PX = 36


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera above the origin, looking along +z and down; a view spans -1 to 1 in x and y."""

    height: float
    tilt: float  # radians below the horizon
    spread: float  # tangent of half the field of view

    @property
    def origin(self) -> Float:
        """Return where the camera is (3,)."""
        return np.array([0, self.height, 0], np.float32)

    def rays(self, x: Float, y: Float) -> Float:
        """Return directions (3, N) through view positions, of length 1 along the optical axis."""
        cos, sin = math.cos(self.tilt), math.sin(self.tilt)
        up, across = y * self.spread, x * self.spread
        return np.stack([across, up * cos - sin, cos + up * sin]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Spot:
    """A disc in the view, and the ball on the ground that fills it."""

    x: float
    y: float
    disc: float  # radius in the view
    depth: float  # along the optical axis
    base: Float  # (3,), where the ball touches the ground
    radius: float  # world units


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything but the toy. `coverage` is the share of the image that the toy should fill."""

    camera: Camera
    backdrop: Backdrop
    coverage: float
    spot: Spot
    distractors: tuple[Solid, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A stage with its toy."""

    stage: Stage
    toy: tuple[Solid, ...]


def draw_layout(seed: int, class_index: int, index: int) -> Layout:
    """Draw the scene of one image."""
    for_stage, for_toy = np.random.SeedSequence((seed, class_index, index)).spawn(2)
    stage = draw_stage(np.random.default_rng(for_stage))
    return Layout(stage, draw_toy(np.random.default_rng(for_toy), stage, class_index))


def draw_stage(rng: np.random.Generator) -> Stage:
    """Draw camera, backdrop, the toy's spot and the distractors, all independent of the class."""
    camera = Camera(
        height=rng.uniform(1.9, 4.0),
        tilt=math.radians(rng.uniform(11, 33)),
        spread=math.tan(math.radians(rng.uniform(17, 27))),
    )
    coverage = float(np.clip(_MEDIAN_COVERAGE * math.exp(rng.normal(0, 0.5)), 0.05, 0.31))
    backdrop = draw_backdrop(rng)
    # The view is 2 wide and 2 high, hence the 4.
    spot = _draw_spot(rng, camera, math.sqrt(4 * coverage / (math.pi * _FILL)))
    return Stage(camera, backdrop, coverage, spot, _draw_distractors(rng, camera, spot))


def _draw_spot(rng: np.random.Generator, camera: Camera, disc: float) -> Spot:
    """Draw a spot, mostly inside the view, where a ball on the ground is not far away."""
    free = 1 - 0.92 * disc
    top = 1 - 1.2 * disc  # slender toys grow beyond their disc, upwards
    while True:
        spot = _spot_at(camera, rng.uniform(-free, free), rng.uniform(-free, top), disc)
        if spot is not None and spot.depth < 13.0:
            return spot


def _spot_at(camera: Camera, x: float, y: float, disc: float) -> Spot | None:
    """Return the ball on the ground that fills a disc of the view, None where it would float."""
    ray = camera.rays(np.array([x], np.float32), np.array([y], np.float32))[:, 0]
    # On the ray the height is h + depth ray_y; the ball's middle is its radius, depth spread disc.
    fall = camera.spread * disc - float(ray[1])
    if fall < 0.05:
        return None
    depth = camera.height / fall
    base = camera.origin + ray * depth
    base[1] = 0
    return Spot(x, y, disc, depth, base, depth * camera.spread * disc)


def _draw_distractors(rng: np.random.Generator, camera: Camera, toy: Spot) -> tuple[Solid, ...]:
    """Draw 2 to 5 distractors that do not touch each other or hide the toy's spot."""
    spots: list[Spot] = []
    result: list[Solid] = []
    for _ in range(int(rng.integers(2, 6))):
        disc = rng.uniform(0.14, 0.36)
        while True:
            spot = _spot_at(camera, rng.uniform(-1, 1), rng.uniform(-1, 0.9), disc)
            if spot is not None and _fits(spot, toy, spots):
                break
            disc *= 0.97  # a smaller one fits in the end
        spots.append(spot)
        result.append(_draw_distractor(rng, spot))
    return tuple(result)


def _fits(spot: Spot, toy: Spot, others: list[Spot]) -> bool:
    """Return whether a distractor's spot is free, in range, and leaves most of the toy visible."""
    if not 1.5 < spot.depth < 18.0:
        return False
    if math.dist(spot.base, toy.base) < 1.45 * toy.radius + spot.radius:
        return False
    in_view = math.hypot(spot.x - toy.x, spot.y - toy.y)
    if spot.depth < toy.depth and in_view < 0.75 * toy.disc + 0.8 * spot.disc:
        return False
    return all(math.dist(spot.base, o.base) > 0.95 * (spot.radius + o.radius) for o in others)


def _draw_distractor(rng: np.random.Generator, spot: Spot) -> Solid:
    """Draw a plain solid that stands or lies on its spot."""
    shape, half_height, turn = _draw_shape(rng)
    upright = turned(y=rng.uniform(0, 360), x=turn)
    scale = spot.radius / shape.radius
    return Solid(
        shape=shape,
        colour=palette.pick(rng, palette.ALL, 0.15),
        centre=spot.base + np.array([0, half_height * scale, 0], np.float32),
        turn=upright,
        scale=scale,
        gloss=float(rng.choice([0.1, 0.3, 0.9])),
    )


def _draw_shape(rng: np.random.Generator) -> tuple[Shape, float, float]:
    """Draw a shape, with the height of its middle above the ground and its tilt in degrees."""
    a, b = rng.uniform(0.6, 1.0), rng.uniform(0.5, 1.1)
    choices = (
        (solids.sphere(1.0), 1.0, 0.0),
        (solids.box(a, a, a, 0.08), a, 0.0),
        (solids.box(a, 0.6 * b, 0.7, 0.05), 0.6 * b, 0.0),
        (solids.cylinder(a, b, 0.05), b, 0.0),
        (solids.cylinder(a, b, 0.05), a, 90.0),
        (solids.cone(a, 0.03, b, 0.02), b, 0.0),
        (solids.cone(a, 0.55 * a, b, 0.04), b, 0.0),
        (solids.torus(1.0, 0.35 * a + 0.08), 0.35 * a + 0.08, 0.0),
        (solids.torus(1.0, 0.35 * a + 0.08), 1.08 + 0.35 * a, 90.0),
        (solids.capsule(0.6 * a, b), 0.6 * a, 90.0),
        (solids.capsule(0.6 * a, b), 0.6 * a + b, 0.0),
        (solids.ellipsoid(a, 0.7 * b, 1.0), 0.7 * b, 0.0),
        (solids.dome(a, b), 0.0, 0.0),
    )
    return choices[int(rng.integers(len(choices)))]


def draw_toy(rng: np.random.Generator, stage: Stage, class_index: int) -> tuple[Solid, ...]:
    """Draw a toy of the class on the stage's spot, scaled until it has the stage's coverage."""
    kind = KINDS[class_index]
    # A face stays turned to the camera wherever the toy is.
    ahead = math.degrees(math.atan2(float(stage.spot.base[0]), float(stage.spot.base[2])))
    turn = turned(y=ahead + rng.uniform(-kind.max_turn, kind.max_turn))
    parts = kind.build(rng)
    probe = _Probe.of(stage)
    scale, aim = stage.spot.radius, stage.coverage
    toy: tuple[Solid, ...] = ()
    for _ in range(6):
        toy = tuple(part.moved(turn, scale, stage.spot.base) for part in parts)
        seen = probe.coverage(toy)
        if abs(math.log(max(seen, 1e-3) / aim)) < 0.12:
            break
        scale *= float(np.clip(math.sqrt(aim / max(seen, 1e-3)), 0.6, 1.6))
    return toy


@dataclass(frozen=True, slots=True)
class _Probe:
    """A coarse view of a stage, for measuring how much of the image a toy covers."""

    origin: Float
    rays: Float  # (3, N)
    depth: Float  # (N,), to the nearest distractor or the ground

    @classmethod
    def of(cls, stage: Stage) -> _Probe:
        at = (np.arange(_PROBE_PX, dtype=np.float32) + 0.5) * (2 / _PROBE_PX) - 1
        x, y = np.meshgrid(at, -at)
        rays = normalized(stage.camera.rays(x.ravel(), y.ravel()))
        far = ground_depth(stage.camera, rays)
        origin = stage.camera.origin
        things = [Thing.of((solid,)) for solid in stage.distractors]
        return cls(origin, rays, first_hits(things, origin, rays, far).depth)

    def coverage(self, toy: tuple[Solid, ...]) -> float:
        """Return the share of the view in which the toy is in front."""
        large = max(part.radius for part in toy)
        bulk = Thing.of(tuple(part for part in toy if part.radius > 0.3 * large))
        hits = first_hits([bulk], self.origin, self.rays, self.depth)
        return float(np.mean(hits.owner != NOTHING))


def ground_depth(camera: Camera, rays: Float) -> Float:
    """Return how far along unit rays (3, N) the ground is; inf for the sky."""
    down = np.minimum(rays[1], 0)
    with np.errstate(divide="ignore"):
        return np.where(down < -1e-4, -camera.height / down, np.inf).astype(np.float32)
