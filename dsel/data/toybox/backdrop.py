"""The surroundings of a scene: sun, sky and ground."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dsel.data.toybox import palette
from dsel.data.toybox.solids import Float, dot

PATTERNS = ("plain", "checker", "stripes", "noise", "tiles", "dots", "rings")

_SKIES = (  # horizon, zenith
    ("#dcecf5", "#6fb1e6"),
    ("#f9e6cf", "#7fb2dc"),
    ("#fbd9bd", "#c58fb4"),
    ("#e6f1e4", "#86c7c4"),
    ("#eee6f7", "#9a93d8"),
    ("#f4efe6", "#c9c3ba"),
    ("#fde8d8", "#f0a79a"),
    ("#d9e4ee", "#5f83b5"),
)
_GROUNDS = ("#d7c3a0", "#a9c48f", "#c9b4c8", "#b7cbd6", "#e2d3c4", "#8fa98a", "#b98f76", "#9d9fb5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """The sun, the sky and the ground of one scene; colours are linear light (3,)."""

    sun: Float  # (3,), unit vector towards it
    sun_colour: Float
    horizon: Float
    zenith: Float
    pattern: str
    colours: tuple[Float, Float]
    period: float  # world units
    heading: float  # radians
    waves: Float  # (3, 6): direction x, direction z, phase
    haze: float  # distance at which the ground is mostly haze


def draw_backdrop(rng: np.random.Generator) -> Backdrop:
    """Draw a sun, a sky and a ground."""
    horizon, zenith = _SKIES[int(rng.integers(len(_SKIES)))]
    warm = rng.uniform(0, 1)
    first = palette.pick(rng, (*_GROUNDS, *palette.ALL), 0.2)
    # Grounds are less saturated than toys, so that things stand out from them.
    first = 0.58 * first + 0.42 * np.float32(first.mean() * 0.6 + 0.2)
    second = palette.vary(rng, first, 0.1) * np.float32(rng.choice([0.55, 0.7, 1.4, 1.7]))
    mix = np.float32(rng.uniform(0.0, 0.5))
    second = (1 - mix) * second + mix * palette.pick(rng, _GROUNDS, 0.2)
    return Backdrop(
        sun=_draw_sun(rng),
        sun_colour=np.array([1.0, 0.97 - 0.13 * warm, 0.92 - 0.3 * warm], np.float32),
        horizon=palette.vary(rng, palette.linear(horizon), 0.08),
        zenith=palette.vary(rng, palette.linear(zenith), 0.12),
        pattern=PATTERNS[int(rng.integers(len(PATTERNS)))],
        colours=(first.astype(np.float32), np.clip(second, 0, 0.95).astype(np.float32)),
        period=float(np.exp(rng.uniform(math.log(0.5), math.log(2.2)))),
        heading=rng.uniform(0, math.pi),
        waves=rng.uniform(-1, 1, (3, 6)).astype(np.float32),
        haze=rng.uniform(22, 50),
    )


def _draw_sun(rng: np.random.Generator) -> Float:
    """Draw a sun that is neither low nor far behind the toys, which would make them black."""
    height = math.radians(rng.uniform(28, 62))
    around = math.radians(rng.uniform(-115, 115))
    flat = math.cos(height)
    vector = (flat * math.sin(around), math.sin(height), -flat * math.cos(around))
    return np.array(vector, np.float32)


def sky_colour(backdrop: Backdrop, rays: Float) -> Float:
    """Return the colours (3, N) of the sky along unit rays."""
    height = np.clip(rays[1], 0, 1) ** np.float32(0.6)
    colour = _between(backdrop.horizon, backdrop.zenith, np.minimum(height * 1.5, 1))
    glow = np.clip(dot(backdrop.sun, rays), 0, 1) ** 12
    return colour + 0.3 * glow * backdrop.sun_colour[:, None]


def ground_colour(backdrop: Backdrop, points: Float, footprint: Float) -> Float:
    """Return the paint (3, N) of ground points; `footprint` (N,) is a pixel's width there."""
    cos, sin = math.cos(backdrop.heading), math.sin(backdrop.heading)
    x = (cos * points[0] + sin * points[2]) / backdrop.period
    z = (cos * points[2] - sin * points[0]) / backdrop.period
    amount = _pattern(backdrop, x, z, footprint / backdrop.period)
    colour = _between(backdrop.colours[0], backdrop.colours[1], amount)
    mottle = 1 + 0.05 * _noise(backdrop.waves, points[0] * 0.9, points[2] * 0.9)
    return colour * mottle


def _pattern(backdrop: Backdrop, x: Float, z: Float, width: Float) -> Float:
    """Return how much of the second colour shows (N,), smoothed over `width` against moire."""
    amount = np.zeros_like(x)
    if backdrop.pattern == "checker":
        amount = 0.5 + 0.5 * _square(x, width) * _square(z, width)
    elif backdrop.pattern == "stripes":
        amount = 0.5 + 0.5 * _square(x, width)
    elif backdrop.pattern == "noise":
        amount = np.clip(0.5 + 0.6 * _noise(backdrop.waves, x, z), 0, 1)
    elif backdrop.pattern == "tiles":
        joint = np.maximum(np.abs(_triangle(x)), np.abs(_triangle(z)))
        amount = _ramp((joint - 0.9) / (0.02 + 4 * width)) / (1 + 12 * width)
    elif backdrop.pattern == "dots":
        away = np.hypot(_triangle(x), _triangle(z))
        amount = _ramp((0.5 - away) / (0.02 + 4 * width)) / (1 + 4 * width)
    elif backdrop.pattern == "rings":
        away = np.hypot(x - 3 * backdrop.waves[0, 0], z - 4 - 2 * backdrop.waves[0, 1])
        amount = 0.5 + 0.5 * _square(away * 0.8, width)
    return amount


def _ramp(x: Float) -> Float:
    """Return 0 below -1/2, 1 above 1/2, and a slope between."""
    result: Float = np.clip(x + 0.5, 0, 1)
    return result


def _triangle(x: Float) -> Float:
    """Return a triangle wave of period 1, range -1 to 1."""
    result: Float = 4 * np.abs(x - np.floor(x) - 0.5) - 1
    return result


def _square(x: Float, width: Float) -> Float:
    """Return a square wave of period 1, its edges softened over `width`."""
    return np.clip(_triangle(x) / (0.02 + 4 * width), -1, 1)


def _noise(waves: Float, x: Float, z: Float) -> Float:
    """Return soft noise, about -1 to 1, as a sum of plane waves in random directions."""
    total = np.zeros_like(x)
    for number, (along_x, along_z, phase) in enumerate(waves.T.tolist()):
        pitch = 1.6 + 0.9 * number
        total += np.sin(pitch * (along_x * x + along_z * z) * 1.5 + 9 * phase)
    return total / 2.6


def _between(first: Float, second: Float, amount: Float) -> Float:
    return first[:, None] + (second - first)[:, None] * amount
