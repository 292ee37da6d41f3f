"""A picture under several names as an image file: the map of each name, its gap, and the scale."""

from __future__ import annotations

import io
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dsel.analysis.names import NameScore
from dsel.analysis.one_picture import NamedPicture
from dsel.analysis.report_pictures import data_uri, gradient_of, overlay
from dsel.errors import SettingError
from dsel.files import write_atomically

SUFFIXES: Final = (".png", ".svg")
IN_ROW: Final = 4
SIDE: Final = 240
GAP: Final = 20
TEXT: Final = 14
LINE: Final = 20
BAR: Final = 12
DENSITY: Final = 2
"""Pixels of a PNG for each unit of the drawing."""

MOST_OPAQUE: Final = 0.85
FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
CAPTION: Final = "signed gap in % of the mean loss, the same scale for all names; same noise"


@dataclass(frozen=True, slots=True)
class _Text:
    x: float
    y: float  # of the baseline
    text: str
    size: int = TEXT


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What both kinds of files show. high: the value at the upper end of the colours."""

    width: float
    height: float
    texts: tuple[_Text, ...]
    panels: tuple[tuple[float, float, Image.Image], ...]
    bar: tuple[float, float, float]


def check_suffix(path: Path) -> None:
    """Raise `SettingError` for a file that cannot hold such a picture."""
    if path.suffix.lower() not in SUFFIXES:
        raise SettingError(f"the maps are written to a .png or .svg file, got {str(path)!r}")


def save_names(found: NamedPicture, path: Path) -> None:
    """Write the maps of all names with their legend as a PNG or an SVG file."""
    check_suffix(path)
    drawing = _drawing(found)
    is_svg = path.suffix.lower() == ".svg"
    write_atomically(path, _svg(drawing).encode() if is_svg else _png(drawing))


def verdict_line(found: NamedPicture) -> str:
    """Say which name is the best, and whether that is sure."""
    best = found.names[0]
    if found.lead is None:
        return f"{best.name} is the only name: {with_error(best.score, best.error)}"
    lead = with_error(*found.lead)
    start = "" if best.score > 0 else "no name lowers the loss; "
    second = found.names[1].name
    if found.is_clear:
        return f"{start}{best.name} fits best: it leads {second} by {lead}"
    return (
        f"{start}{best.name} leads {second} by {lead}, which the noise could explain: take more "
        "draws to tell them apart"
    )


def with_error(share: float, error: float) -> str:
    """Write a share of the mean loss in per cent, with its standard error where it is known."""
    known = f" ± {100 * error:.2f}" if np.isfinite(error) and error else ""
    return f"{100 * share:.2f}{known} %"


def _drawing(found: NamedPicture) -> _Drawing:
    maps = [one.map for one in found.names]
    high = float(np.quantile(np.concatenate([np.abs(one).ravel() for one in maps]), 0.99)) or 1.0
    columns = min(IN_ROW, len(maps))
    width = GAP + columns * (SIDE + GAP)
    texts = [_Text(GAP, GAP + LINE, found.title, 18)]
    panels: list[tuple[float, float, Image.Image]] = []
    y = GAP + 2 * LINE
    for number, one in enumerate(found.names):
        x = GAP + number % columns * (SIDE + GAP)
        top = y + number // columns * (SIDE + 2 * LINE + GAP)
        panels.append((x, top, _panel(found, one.map, high)))
        texts += _caption(one, x, top + SIDE + LINE)
    y += -(-len(maps) // columns) * (SIDE + 2 * LINE + GAP) + 4
    for share, value in ((0.0, -high), (0.5, 0.0), (1.0, high)):
        texts.append(_Text(GAP + share * (SIDE - 30), y + BAR + LINE, f"{100 * value:.1f} %"))
    texts.append(_Text(GAP, y + BAR + 2 * LINE, CAPTION))
    texts.append(_Text(GAP, y + BAR + 3 * LINE, verdict_line(found)))
    wide = max(width, GAP * 2 + 0.55 * TEXT * max(len(one.text) for one in texts))
    return _Drawing(wide, y + BAR + 4 * LINE, tuple(texts), tuple(panels), (GAP, y, SIDE))


def _caption(one: NameScore, x: float, y: float) -> list[_Text]:
    return [_Text(x, y, one.name, 15), _Text(x, y + LINE - 2, with_error(one.score, one.error))]


def _panel(found: NamedPicture, values: NDArray[np.float32], high: float) -> Image.Image:
    """Return the picture under a name's map, as the app's card of names shows it."""
    picture = Image.fromarray(found.pixels).convert("RGBA")
    shares = np.minimum(MOST_OPAQUE, 2.5 * np.abs(values) / high)
    layer = overlay(values, high, "signed", shares).resize(picture.size, Image.Resampling.NEAREST)
    shown = Image.alpha_composite(picture, layer)
    scale = DENSITY * SIDE / max(shown.size)
    size = tuple(max(1, round(side * scale)) for side in shown.size)
    return shown.resize((size[0], size[1]), Image.Resampling.BICUBIC).convert("RGB")


def _svg(drawing: _Drawing) -> str:
    width, height = round(drawing.width), round(drawing.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{escape(FONT)}">',
        f"<title>{escape(drawing.texts[0].text)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for x, y, picture in drawing.panels:
        stream = io.BytesIO()
        picture.save(stream, "png")
        sides = [side / DENSITY for side in picture.size]
        parts.append(
            f'<image x="{x:g}" y="{y:g}" width="{sides[0]:g}" height="{sides[1]:g}" '
            f'href="{data_uri(stream.getvalue(), "image/png")}"/>'
        )
    x, y, wide = drawing.bar
    colours = gradient_of("signed").split(", ")
    stops = "".join(
        f'<stop offset="{number / (len(colours) - 1):g}" stop-color="{colour}"/>'
        for number, colour in enumerate(colours)
    )
    parts.append(f'<defs><linearGradient id="scale">{stops}</linearGradient></defs>')
    parts.append(f'<rect x="{x:g}" y="{y:g}" width="{wide:g}" height="{BAR}" fill="url(#scale)"/>')
    parts += [
        f'<text x="{one.x:g}" y="{one.y:g}" font-size="{one.size}">{escape(one.text)}</text>'
        for one in drawing.texts
    ]
    return "".join([*parts, "</svg>"])


def _png(drawing: _Drawing) -> bytes:
    size = round(DENSITY * drawing.width), round(DENSITY * drawing.height)
    canvas = Image.new("RGB", size, "white")
    for x, y, picture in drawing.panels:
        canvas.paste(picture, (round(DENSITY * x), round(DENSITY * y)))
    x, y, wide = drawing.bar
    values = np.linspace(-1, 1, round(DENSITY * wide), dtype=np.float32)[None]
    bar = overlay(values, 1.0, "signed", np.ones_like(values)).convert("RGB")
    canvas.paste(bar.resize((bar.width, DENSITY * BAR)), (round(DENSITY * x), round(DENSITY * y)))
    draw = ImageDraw.Draw(canvas)
    for one in drawing.texts:
        font = ImageFont.load_default(DENSITY * one.size)
        draw.text((DENSITY * one.x, DENSITY * one.y), one.text, "black", font, anchor="ls")
    stream = io.BytesIO()
    canvas.save(stream, "png", optimize=True)
    return stream.getvalue()
