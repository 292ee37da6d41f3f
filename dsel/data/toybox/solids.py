"""Signed distance functions of solids, on arrays of points.

Points are float32 arrays of shape (3, N) with y up; a distance function maps them to distances
(N,), negative inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Point = tuple[float, float, float]
Distance = Callable[[Float], Float]


@dataclass(frozen=True, slots=True)
class Shape:
    """A distance function about the origin, and the radius of a sphere that holds its surface."""

    distance: Distance
    radius: float
    convex: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Solid:
    """A shape somewhere in the world, with its paint."""

    shape: Shape
    colour: Float  # (3,), linear light
    centre: Float  # (3,)
    turn: Float  # (3, 3), from the shape's axes to the world's
    scale: float = 1.0
    gloss: float = 0.2

    @property
    def radius(self) -> float:
        """Return the radius of the bounding sphere around the centre."""
        return self.shape.radius * self.scale

    def to_local(self, points: Float) -> Float:
        """Bring world points (3, N) into the shape's own axes and unit."""
        return rotate(self.turn.T, points - self.centre[:, None]) / self.scale

    def moved(self, turn: Float, scale: float, to: Float) -> Solid:
        """Return this solid scaled, turned about the origin and then shifted."""
        centre = rotate(turn, self.centre[:, None])[:, 0] * scale + to
        spun = rotate(turn, self.turn)
        return replace(self, centre=centre, turn=spun, scale=self.scale * scale)


def rotate(matrix: Float, points: Float) -> Float:
    """Multiply a (3, 3) matrix with points (3, N).

    Written out instead of `@`, because a BLAS may round differently for another number of threads.
    """
    result = np.empty_like(points)
    for row, (x, y, z) in enumerate(matrix):
        np.multiply(points[0], x, out=result[row])
        result[row] += points[1] * y
        result[row] += points[2] * z
    return result


def turned(*, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Float:
    """Return the rotation by the given degrees about z, then x, then y."""
    about_z = _plane_rotation(0, 1, z)
    about_x = _plane_rotation(1, 2, x)
    about_y = _plane_rotation(2, 0, y)
    return rotate(about_y, rotate(about_x, about_z))


def _plane_rotation(first: int, second: int, degrees: float) -> Float:
    matrix = np.eye(3, dtype=np.float32)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix[first, first] = matrix[second, second] = cos
    matrix[first, second], matrix[second, first] = -sin, sin
    return matrix


def dot(left: Float, right: Float) -> Float:
    """Return the dot products of two arrays of vectors (3, N), either of which may broadcast."""
    result: Float = left[0] * right[0]
    result += left[1] * right[1]
    result += left[2] * right[2]
    return result


def normalized(vectors: Float) -> Float:
    """Scale vectors (3, ...) to unit length."""
    length: Float = np.sqrt(np.maximum(dot(vectors, vectors), np.float32(1e-20)))
    return vectors / length


def sphere(radius: float) -> Shape:
    """Return a ball."""

    def distance(p: Float) -> Float:
        length: Float = np.sqrt(dot(p, p))
        return length - np.float32(radius)

    return Shape(distance, radius)


def ellipsoid(x: float, y: float, z: float) -> Shape:
    """Return an ellipsoid with these half axes (a first-order distance, exact on the surface)."""
    inverse = np.array([[1 / x], [1 / y], [1 / z]], np.float32)

    def distance(p: Float) -> Float:
        q = p * inverse
        length = np.sqrt(dot(q, q))
        q *= inverse
        slope = np.sqrt(dot(q, q))
        result: Float = length * (length - 1) / np.maximum(slope, 1e-6)
        return result

    return Shape(distance, max(x, y, z))


def box(x: float, y: float, z: float, edge: float = 0.0) -> Shape:
    """Return a box with these half sides, its edges rounded by `edge`."""
    half = np.array([[x - edge], [y - edge], [z - edge]], np.float32)

    def distance(p: Float) -> Float:
        q = np.abs(p) - half
        inside = np.minimum(np.maximum(np.maximum(q[0], q[1]), q[2]), 0)
        np.maximum(q, 0, out=q)
        result: Float = np.sqrt(dot(q, q)) + inside - edge
        return result

    inner = math.hypot(x - edge, y - edge, z - edge)
    return Shape(distance, inner + edge)


def cylinder(radius: float, half_height: float, edge: float = 0.0) -> Shape:
    """Return an upright cylinder, its rims rounded by `edge`."""

    def distance(p: Float) -> Float:
        across = np.sqrt(p[0] * p[0] + p[2] * p[2]) - (radius - edge)
        along = np.abs(p[1]) - (half_height - edge)
        return _corner(across, along) - edge

    return Shape(distance, math.hypot(radius - edge, half_height - edge) + edge)


def cone(bottom: float, top: float, half_height: float, edge: float = 0.0) -> Shape:
    """Return an upright cone, cut off at the radius `top`, its rims rounded by `edge`."""
    half = half_height - edge
    slope = (bottom - top) / (2 * half_height)
    cos = 1 / math.hypot(1, slope)
    middle = (bottom + top) / 2 - edge / cos

    def distance(p: Float) -> Float:
        # Distances to the slanted side and to the caps; near the rims this is a bound, not exact.
        across = (np.sqrt(p[0] * p[0] + p[2] * p[2]) + p[1] * slope - middle) * cos
        return _corner(across, np.abs(p[1]) - half) - edge

    return Shape(distance, math.hypot(max(bottom, top), half_height))


def _corner(first: Float, second: Float) -> Float:
    """Return the distance to where two half-spaces overlap, from the distances to each."""
    result: Float = np.minimum(np.maximum(first, second), 0)
    np.maximum(first, 0, out=first)
    np.maximum(second, 0, out=second)
    result += np.sqrt(first * first + second * second)
    return result


def torus(ring: float, tube: float) -> Shape:
    """Return a lying ring with a round tube."""

    def distance(p: Float) -> Float:
        across = np.sqrt(p[0] * p[0] + p[2] * p[2]) - ring
        result: Float = np.sqrt(across * across + p[1] * p[1]) - tube
        return result

    return Shape(distance, ring + tube, convex=False)


def capsule(radius: float, half_length: float) -> Shape:
    """Return an upright rod with round ends; `half_length` is without the ends."""

    def distance(p: Float) -> Float:
        y = p[1] - np.clip(p[1], -half_length, half_length)
        result: Float = np.sqrt(p[0] * p[0] + y * y + p[2] * p[2]) - radius
        return result

    return Shape(distance, radius + half_length)


def dome(radius: float, height: float) -> Shape:
    """Return the upper half of an ellipsoid; the origin is in the middle of its flat side."""
    whole = ellipsoid(radius, height, radius)
    return Shape(lambda p: np.maximum(whole.distance(p), -p[1]), max(radius, height))


def ribbed(shape: Shape, ribs: int, depth: float) -> Shape:
    """Return the shape with vertical ribs around it, `depth` high from furrow to crest."""
    half = depth / 2

    def distance(p: Float) -> Float:
        wave = np.cos(np.arctan2(p[0], p[2]) * ribs)
        # The waves steepen the field, so a full step could jump through a crest.
        result: Float = (shape.distance(p) - half * wave) * 0.8
        return result

    return Shape(distance, shape.radius + half, convex=False)


def shifted(shape: Shape, at: Point, turn: Float | None = None) -> Shape:
    """Return the shape turned and moved away from the origin, for use inside `blended`."""
    offset = np.array(at, np.float32)[:, None]
    back = None if turn is None else turn.T

    def distance(p: Float) -> Float:
        q = p - offset
        return shape.distance(q if back is None else rotate(back, q))

    return Shape(distance, shape.radius + math.hypot(*at), convex=False)


def blended(width: float, *shapes: Shape) -> Shape:
    """Return the union of shapes, with seams smoothed over `width`."""

    def distance(p: Float) -> Float:
        result = shapes[0].distance(p)
        for shape in shapes[1:]:
            other = shape.distance(p)
            overlap = np.maximum(width - np.abs(result - other), 0)
            result = np.minimum(result, other) - overlap * overlap * (0.25 / width)
        return result

    return Shape(distance, max(shape.radius for shape in shapes) + width / 4, convex=False)
