"""The colours that toys, distractors and grounds share, so that colour alone shows no class."""

from __future__ import annotations

import numpy as np

from dsel.data.toybox.solids import Float

WHITE, CREAM, GREY, COAL = "#f6f4f0", "#f3e3c3", "#9aa3ad", "#2b2d36"
RED, CORAL, ORANGE, YELLOW = "#d8352f", "#f2705e", "#f08a24", "#f8c728"
LIME, GREEN, PINE, TEAL = "#94c13d", "#3f9c53", "#24703f", "#1f9e98"
SKY, BLUE, NAVY, VIOLET = "#6bb9ea", "#2f6fd0", "#27408b", "#7d55c0"
PINK, ROSE, BROWN, TERRACOTTA = "#f79ac0", "#d8477f", "#7a4a2b", "#c5683f"
SAND, STONE = "#d9bd8b", "#b9b2a6"

BRIGHT = (RED, CORAL, ORANGE, YELLOW, LIME, GREEN, TEAL, SKY, BLUE, VIOLET, PINK, ROSE)
ALL = (*BRIGHT, WHITE, CREAM, GREY, COAL, PINE, NAVY, BROWN, TERRACOTTA, SAND, STONE)


def linear(colour: str) -> Float:
    """Turn "#rrggbb" into linear light (3,), range 0 to 1."""
    display = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)], np.float32)
    light: Float = np.power(display, np.float32(2.2))
    return light


def pick(rng: np.random.Generator, colours: tuple[str, ...], spread: float = 0.12) -> Float:
    """Draw one of the colours and vary its lightness and tint a little."""
    base = linear(colours[int(rng.integers(len(colours)))])
    return vary(rng, base, spread)


def vary(rng: np.random.Generator, colour: Float, spread: float = 0.12) -> Float:
    """Vary the lightness and, half as much, the tint of a linear colour."""
    lightness = np.exp(rng.uniform(-spread, spread))
    tint = np.exp(rng.uniform(-spread / 2, spread / 2, 3))
    result: Float = np.clip(colour * lightness * tint, 0, 1).astype(np.float32)
    return result
