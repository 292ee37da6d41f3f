"""The toys of the ten classes, built from coloured solids.

A toy is on the plane y = 0 around the origin, about 2 high, and faces -z, the side that a camera
looking along +z sees.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dsel.data.toybox import palette
from dsel.data.toybox.palette import linear, pick
from dsel.data.toybox.solids import (
    Float,
    Point,
    Shape,
    Solid,
    blended,
    box,
    capsule,
    cone,
    cylinder,
    dome,
    ellipsoid,
    ribbed,
    shifted,
    sphere,
    torus,
    turned,
)

Toy = list[Solid]


@dataclass(frozen=True, slots=True)
class Kind:
    """One class: its name, how to build one of its toys, how far it may turn away (degrees)."""

    name: str
    build: Callable[[np.random.Generator], Toy]
    max_turn: float = 180.0


def part(
    shape: Shape, at: Point, colour: Float, turn: Float | None = None, gloss: float = 0.2
) -> Solid:
    """Return a solid at a position in the toy."""
    upright = np.eye(3, dtype=np.float32) if turn is None else turn
    centre = np.array(at, np.float32)
    return Solid(shape=shape, colour=colour, centre=centre, turn=upright, gloss=gloss)


def _eyes(x: float, y: float, z: float, size: float) -> Toy:
    black = linear(palette.COAL) * 0.4
    return [part(sphere(size), (side * x, y, z), black, gloss=0.9) for side in (-1, 1)]


def snowman(rng: np.random.Generator) -> Toy:
    """Build a snowman with a hat, a scarf, buttons and a carrot nose."""
    low, mid, top = rng.uniform(0.6, 0.72), rng.uniform(0.44, 0.52), rng.uniform(0.33, 0.39)
    mid_y = low * 1.75 + mid * 0.6
    top_y = mid_y + mid * 0.75 + top * 0.7
    snow = pick(rng, (palette.WHITE,), 0.05)
    hat, scarf = pick(rng, (palette.COAL, palette.NAVY, palette.RED)), pick(rng, palette.BRIGHT)
    coal = linear(palette.COAL) * 0.5
    brim_y = top_y + top * 0.72
    toy = [
        part(sphere(low), (0, low * 0.92, 0), snow),
        part(sphere(mid), (0, mid_y, 0), snow),
        part(sphere(top), (0, top_y, 0), snow),
        part(torus(mid * 0.68, 0.1), (0, mid_y + mid * 0.72, 0), scarf),
        part(box(0.09, 0.24, 0.05, 0.04), (0.2, mid_y + 0.12, -mid), scarf, turned(x=10, z=8)),
        part(cylinder(top * 1.15, 0.045, 0.03), (0, brim_y, 0), hat),
        part(cylinder(top * 0.74, 0.2, 0.03), (0, brim_y + 0.2, 0), hat),
        part(cylinder(top * 0.77, 0.05), (0, brim_y + 0.09, 0), scarf),
        part(cone(0.1, 0.015, 0.2), (0, top_y, -top - 0.14), linear(palette.ORANGE), turned(x=-90)),
        *_eyes(0.13, top_y + 0.11, -top * 0.88, 0.055),
    ]
    for height in (-0.45, 0.0, 0.4):
        forward = -mid * math.sqrt(1 - height**2)
        toy.append(part(sphere(0.06), (0, mid_y + height * mid, forward), coal))
    return toy


def mushroom(rng: np.random.Generator) -> Toy:
    """Build a mushroom with a dotted cap."""
    wide, high = rng.uniform(0.92, 1.12), rng.uniform(0.75, 0.98)
    stem = rng.uniform(0.32, 0.42)
    tall = rng.uniform(0.42, 0.55)
    colours = (palette.RED, palette.RED, palette.CORAL, palette.ORANGE, palette.VIOLET)
    cap, pale = pick(rng, colours), pick(rng, (palette.CREAM, palette.WHITE), 0.06)
    base = 2 * tall - 0.08
    toy = [
        part(cone(stem * 1.25, stem * 0.9, tall, 0.08), (0, tall, 0), pale),
        part(torus(stem * 1.0, 0.07), (0, tall * 1.35, 0), pale * 0.85),
        part(dome(wide, high), (0, base, 0), cap, gloss=0.6),
        part(cylinder(wide * 0.94, 0.035, 0.03), (0, base - 0.015, 0), pale * 0.75),
    ]
    spin = rng.uniform(0, 60)
    white = linear(palette.WHITE)
    for ring, count, size in ((0.22, 6, 0.17), (0.62, 5, 0.15), (0.98, 1, 0.2)):
        for number in range(count):
            angle = math.radians(spin + 360 * number / count + 35 * ring)
            out = math.sqrt(1 - ring**2) * wide
            at = (out * math.sin(angle), base + ring * high, out * math.cos(angle))
            dot_size = size * rng.uniform(0.8, 1.15)
            toy.append(part(sphere(dot_size), _towards(at, (0.0, base, 0.0), 0.09), white))
    return toy


def _towards(point: Point, goal: Point, by: float) -> Point:
    """Move a point towards a goal by a distance."""
    gap = math.dist(point, goal)
    moved = [p + (g - p) * by / gap for p, g in zip(point, goal, strict=True)]
    return (moved[0], moved[1], moved[2])


def cactus(rng: np.random.Generator) -> Toy:
    """Build a ribbed cactus with two arms and a flower, in a pot."""
    thick = rng.uniform(0.36, 0.44)
    top = rng.uniform(1.75, 2.05)
    green = pick(rng, (palette.GREEN, palette.GREEN, palette.PINE, palette.LIME, palette.TEAL))
    pot = pick(rng, (palette.TERRACOTTA, palette.TERRACOTTA, *palette.BRIGHT))
    middle = (0.5 + top - thick) / 2
    trunk = ribbed(capsule(thick, top - thick - middle), 12, 0.06)
    toy = [
        part(trunk, (0, middle, 0), green),
        part(cone(0.42, 0.58, 0.27, 0.04), (0, 0.27, 0), pot),
        part(cylinder(0.64, 0.09, 0.04), (0, 0.52, 0), pot),
        part(cylinder(0.55, 0.03), (0, 0.6, 0), linear(palette.BROWN)),
    ]
    for side in (-1, 1):
        joint, length = rng.uniform(0.95, 1.25), rng.uniform(0.18, 0.3)
        out = thick + 0.28
        elbow = shifted(capsule(0.19, out / 2), (-side * out / 2, 0.0, 0.0), turned(z=90))
        hand = shifted(capsule(0.19, length), (0.0, length, 0.0))
        toy.append(part(blended(0.12, elbow, hand), (side * out, joint, 0), green))
    bloom = pick(rng, (palette.PINK, palette.ROSE, palette.YELLOW, palette.CORAL))
    toy.append(part(sphere(0.11), (0, top + 0.06, 0), linear(palette.YELLOW)))
    for number in range(5):
        angle = 2 * math.pi * number / 5
        at = (0.16 * math.sin(angle), top + 0.02, 0.16 * math.cos(angle))
        toy.append(part(ellipsoid(0.12, 0.07, 0.12), at, bloom))
    return toy


def rocket(rng: np.random.Generator) -> Toy:
    """Build a rocket that stands on its fins, with a round window."""
    fat, half = rng.uniform(0.48, 0.58), rng.uniform(0.95, 1.08)
    hull = pick(rng, (palette.WHITE, palette.WHITE, palette.CREAM, palette.GREY, palette.SKY), 0.06)
    paint = pick(rng, palette.BRIGHT)
    middle = 0.22 + half
    nose = 0.62 * half
    toy = [
        part(ellipsoid(fat, half, fat), (0, middle, 0), hull, gloss=0.7),
        part(dome(fat * 0.82, half * 0.47), (0, middle + nose * 0.92, 0), paint, gloss=0.7),
        part(cylinder(fat * 0.99, 0.06, 0.03), (0, middle - half * 0.38, 0), paint),
        part(cone(0.36, 0.26, 0.17), (0, 0.27, 0), linear(palette.GREY) * 0.5),
        part(sphere(0.06), (0, middle + half + 0.02, 0), paint),
    ]
    ring, glass = linear(palette.YELLOW), linear(palette.BLUE)
    for turn in (0.0, 180.0):
        way = -1.0 if turn == 0.0 else 1.0
        at = (0.0, middle + 0.2, way * fat * 0.95)
        toy.append(part(torus(0.21, 0.06), at, ring, turned(x=90), 0.6))
        toy.append(part(ellipsoid(0.2, 0.2, 0.08), at, glass, gloss=1.0))
    fins = int(rng.integers(3, 5))
    for number in range(fins):
        about = 45 + 360 * number / fins
        angle = math.radians(about)
        fin = blended(
            0.1,
            shifted(box(0.3, 0.24, 0.065, 0.05), (-0.1, 0.12, 0.0), turned(z=-35)),
            shifted(box(0.1, 0.26, 0.065, 0.05), (0.18, -0.16, 0.0)),
        )
        at = (0.58 * math.cos(angle), 0.42, -0.58 * math.sin(angle))
        toy.append(part(fin, at, paint, turned(y=about)))
    return toy


def teapot(rng: np.random.Generator) -> Toy:
    """Build a round teapot with a lid, a spout and a handle."""
    wide, high = rng.uniform(0.78, 0.9), rng.uniform(0.62, 0.76)
    glaze = pick(rng, (*palette.BRIGHT, palette.WHITE, palette.CREAM, palette.NAVY))
    trim = pick(rng, (palette.YELLOW, palette.WHITE, palette.CREAM, palette.RED, palette.NAVY))
    y = high + 0.06
    spout = blended(
        0.1,
        shifted(cone(0.24, 0.13, 0.32, 0.03), (0.0, 0.0, 0.0), turned(z=-55)),
        shifted(cone(0.14, 0.12, 0.2, 0.03), (0.3, 0.3, 0.0), turned(z=-25)),
    )
    toy = [
        part(ellipsoid(wide, high, wide), (0, y, 0), glaze, gloss=0.9),
        part(cylinder(wide * 0.62, 0.07, 0.04), (0, 0.07, 0), trim, gloss=0.7),
        part(torus(wide * 0.985, 0.05), (0, y, 0), trim, gloss=0.7),
        part(torus(wide * 0.55, 0.06), (0, y + high * 0.83, 0), trim, gloss=0.7),
        part(dome(wide * 0.53, 0.28), (0, y + high * 0.84, 0), glaze, gloss=0.9),
        part(sphere(0.14), (0, y + high * 0.84 + 0.37, 0), trim, gloss=0.9),
        part(spout, (wide + 0.12, y + 0.02, 0), glaze, gloss=0.9),
        part(torus(0.36, 0.1), (-wide - 0.1, y + 0.06, 0), glaze, turned(x=90), gloss=0.9),
    ]
    for number in range(6):
        angle = math.pi * (number + 0.5) / 3
        out = wide * 0.86
        at = (out * math.sin(angle), y - high * 0.45, out * math.cos(angle))
        toy.append(part(sphere(0.1), at, trim, gloss=0.7))
    return toy


def castle(rng: np.random.Generator) -> Toy:
    """Build a castle: a keep among four round towers with pointed roofs, and a gate."""
    stone = pick(rng, (palette.STONE, palette.SAND, palette.CREAM, palette.GREY, palette.PINK))
    roof = pick(rng, (palette.RED, palette.BLUE, palette.VIOLET, palette.TEAL, palette.TERRACOTTA))
    tall, dark = rng.uniform(0.56, 0.7), linear(palette.COAL)
    keep = rng.uniform(0.7, 0.85)
    spread = 0.68
    toy = [
        part(box(spread, 0.4, spread, 0.02), (0, 0.4, 0), stone),
        part(cylinder(0.4, keep, 0.02), (0, keep, 0), stone * 0.92),
        part(cone(0.5, 0.02, 0.34), (0, 2 * keep + 0.34, 0), roof),
        part(box(0.19, 0.24, 0.06, 0.02), (0, 0.22, -spread), linear(palette.BROWN)),
        part(cylinder(0.19, 0.06), (0, 0.46, -spread), linear(palette.BROWN), turned(x=90)),
        part(box(0.09, 0.13, 0.06, 0.03), (0, keep * 1.5, -0.37), dark),
    ]
    for x in (-1, 1):
        for z in (-1, 1):
            at = (x * spread, tall, z * spread)
            toy.append(part(cylinder(0.27, tall, 0.02), at, stone))
            toy.append(part(cone(0.36, 0.02, 0.27), (at[0], 2 * tall + 0.27, at[2]), roof))
        for step in (-0.26, 0.26):
            for z in (-1, 1):
                toy.append(part(box(0.1, 0.09, 0.09), (step, 0.87, z * 0.59), stone))
        toy.append(
            part(box(0.06, 0.11, 0.05, 0.02), (x * spread, tall * 1.4, -spread - 0.24), dark)
        )
    return toy


def robot(rng: np.random.Generator) -> Toy:
    """Build a boxy robot with bright eyes, an antenna and a panel of buttons."""
    metal = pick(rng, (palette.GREY, palette.SKY, palette.TEAL, palette.YELLOW, palette.CORAL))
    joint, glow = linear(palette.COAL), pick(rng, (palette.YELLOW, palette.LIME, palette.SKY))
    paint = pick(rng, palette.BRIGHT)
    wide, head = rng.uniform(0.5, 0.62), rng.uniform(0.38, 0.48)
    top = 1.2
    head_y = top + 0.1 + 0.31
    toy = [
        part(box(wide, 0.44, 0.36, 0.08), (0, 0.78, 0), metal, gloss=0.6),
        part(cylinder(0.18, 0.1), (0, top + 0.06, 0), joint),
        part(box(head, 0.31, 0.33, 0.07), (0, head_y, 0), metal, gloss=0.6),
        part(box(head * 0.85, 0.17, 0.06, 0.04), (0, head_y + 0.04, -0.3), joint, gloss=0.8),
        part(sphere(0.11), (0, head_y + 0.5, 0), paint, gloss=0.9),
        part(cylinder(0.045, 0.12), (0, head_y + 0.37, 0), joint),
        part(box(wide * 0.68, 0.22, 0.05, 0.03), (0, 0.82, -0.34), linear(palette.CREAM)),
    ]
    lamps = (palette.RED, palette.YELLOW, palette.GREEN)
    for number, lamp in enumerate(lamps):
        at = ((number - 1) * wide * 0.4, 0.86, -0.4)
        toy.append(part(sphere(0.08), at, linear(lamp), gloss=0.9))
    for side in (-1, 1):
        eye = (side * head * 0.42, head_y + 0.04, -0.35)
        toy.append(part(ellipsoid(0.11, 0.11, 0.07), eye, glow * 1.5, gloss=0.9))
        ear = (side * (head + 0.04), head_y, 0)
        toy.append(part(cylinder(0.13, 0.07, 0.03), ear, paint, turned(z=90)))
        arm = (side * (wide + 0.14), 0.8, -0.02)
        toy.append(part(capsule(0.13, 0.25), arm, joint, turned(z=side * 10)))
        toy.append(part(sphere(0.17), (side * (wide + 0.2), 0.47, -0.04), paint))
        toy.append(part(box(0.19, 0.2, 0.25, 0.06), (side * 0.27, 0.2, -0.05), paint))
    return toy


def duck(rng: np.random.Generator) -> Toy:
    """Build a rubber duck."""
    head, body = rng.uniform(0.48, 0.58), rng.uniform(0.86, 0.98)
    colours = (palette.YELLOW,) * 5 + (palette.PINK, palette.SKY, palette.LIME)
    rubber = pick(rng, colours, 0.08)
    beak = pick(rng, (palette.ORANGE, palette.ORANGE, palette.RED), 0.08)
    neck_y, neck_z = 0.92 + head * 0.62, -0.42
    plump = blended(
        0.22,
        ellipsoid(0.76, 0.62, body),
        shifted(sphere(head), (0.0, neck_y - 0.58, neck_z)),
        shifted(cone(0.36, 0.1, 0.3, 0.08), (0.0, 0.32, body * 0.85), turned(x=38)),
    )
    toy = [
        part(plump, (0, 0.58, 0), rubber, gloss=0.8),
        part(ellipsoid(0.25, 0.085, 0.3), (0, neck_y - 0.06, neck_z - head), beak, turned(x=6)),
        part(ellipsoid(0.2, 0.07, 0.24), (0, neck_y - 0.15, neck_z - head + 0.03), beak * 0.8),
    ]
    for side in (-1, 1):
        wing = (side * 0.68, 0.68, 0.18)
        toy.append(part(ellipsoid(0.17, 0.32, 0.5), wing, rubber, turned(x=-22, z=side * 12), 0.8))
        socket = (side * head * 0.48, neck_y + head * 0.3, neck_z - head * 0.74)
        toy.append(part(sphere(0.12), socket, linear(palette.WHITE)))
        pupil = (side * head * 0.5, neck_y + head * 0.31, neck_z - head * 0.74 - 0.075)
        toy.append(part(sphere(0.08), pupil, linear(palette.COAL) * 0.4, gloss=1.0))
    return toy


def car(rng: np.random.Generator) -> Toy:
    """Build a small chubby car."""
    paint = pick(rng, (*palette.BRIGHT, palette.WHITE, palette.NAVY))
    glass, tyre = linear("#3d5568"), linear(palette.COAL)
    long, roof = rng.uniform(1.08, 1.22), rng.uniform(0.36, 0.46)
    cabin = rng.uniform(0.0, 0.18)
    cabin_y = 0.86 + roof * 0.6
    chrome = linear("#cfd6dc")
    cabin_half = 0.62
    toy = [
        part(box(0.66, 0.33, long, 0.18), (0, 0.6, 0), paint, gloss=0.9),
        part(box(0.56, roof, cabin_half, 0.2), (0, cabin_y, cabin), paint, gloss=0.9),
        part(box(0.44, roof * 0.52, cabin_half + 0.02, 0.06), (0, cabin_y + 0.06, cabin), glass),
        part(box(0.58, roof * 0.52, 0.24, 0.06), (0, cabin_y + 0.06, cabin - 0.26), glass),
        part(box(0.58, roof * 0.52, 0.2, 0.06), (0, cabin_y + 0.06, cabin + 0.27), glass),
    ]
    for end in (-1, 1):
        toy.append(part(box(0.6, 0.08, 0.09, 0.06), (0, 0.42, end * long), chrome, gloss=0.9))
        lamp = linear("#fff2c0") if end < 0 else linear(palette.RED)
        for side in (-1, 1):
            at = (side * 0.42, 0.66, end * (long - 0.03))
            toy.append(part(ellipsoid(0.14, 0.14, 0.08), at, lamp, gloss=0.9))
            wheel = (side * 0.62, 0.3, end * long * 0.58)
            toy.append(part(cylinder(0.31, 0.13, 0.05), wheel, tyre, turned(z=90)))
            hub = (side * 0.74, 0.3, end * long * 0.58)
            toy.append(part(cylinder(0.16, 0.04, 0.02), hub, chrome, turned(z=90), 0.8))
    return toy


def cupcake(rng: np.random.Generator) -> Toy:
    """Build a cupcake: a pleated cup, swirls of frosting, sprinkles and a cherry."""
    cup, cream = (
        pick(rng, (*palette.BRIGHT, palette.CREAM)),
        pick(
            rng,
            (palette.PINK, palette.CREAM, palette.WHITE, palette.BROWN, palette.SKY, palette.LIME),
        ),
    )
    wide, rise = rng.uniform(0.78, 0.9), rng.uniform(0.26, 0.32)
    toy = [
        part(ribbed(cone(wide * 0.68, wide * 0.95, 0.44), 16, 0.09), (0, 0.44, 0), cup),
        part(cylinder(wide * 0.97, 0.06, 0.05), (0, 0.88, 0), linear(palette.SAND)),
    ]
    widths = (0.98, 0.74, 0.48)
    for level, size in enumerate(widths):
        layer = ellipsoid(wide * size, 0.25, wide * size)
        lean = turned(x=rng.uniform(-5, 5), z=rng.uniform(-5, 5))
        toy.append(part(layer, (0, 1.02 + level * rise, 0), cream, lean, 0.5))
    top = 1.02 + 3 * rise
    toy.append(part(sphere(0.21), (0, top + 0.06, 0), linear(palette.RED), gloss=1.0))
    stick = linear(palette.BROWN)
    toy.append(part(capsule(0.03, 0.13), (0.05, top + 0.33, 0), stick, turned(z=-20)))
    for number in range(10):
        level = number % 2
        angle = number * 2.4 + rng.uniform(-0.3, 0.3)
        out = wide * widths[level] * 0.9
        at = (out * math.sin(angle), 1.13 + level * rise, out * math.cos(angle))
        lean = turned(y=rng.uniform(0, 180), z=90)
        toy.append(part(capsule(0.045, 0.07), at, pick(rng, palette.BRIGHT), lean))
    return toy


KINDS = (
    Kind("snowman", snowman, 65),
    Kind("mushroom", mushroom),
    Kind("cactus", cactus, 55),
    Kind("rocket", rocket, 65),
    Kind("teapot", teapot, 60),
    Kind("castle", castle, 60),
    Kind("robot", robot, 60),
    Kind("rubber duck", duck, 130),
    Kind("car", car, 180),
    Kind("cupcake", cupcake),
)
