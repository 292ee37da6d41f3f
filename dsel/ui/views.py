"""Pure functions from records to what is shown: panels of figures, facts, and the scatter plot."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dsel.explore import Maps
from dsel.heat import heat_map, overlay
from dsel.pictures import FileFormat, encode
from dsel.records import Box, ClassSelection, Distilled, Frame, Patch, Pixels
from dsel.runs import Identity, Summary

SHOWN = 48
"""Pictures shown at most in one panel: more would make every slider move heavy."""

NAMED = 12
"""Groups named in the plot's legend; with more of them, hovering tells."""

MAP_PX = 256
BAR_PX = 128

PALETTE = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1",
    "#76b7b2", "#edc948", "#ff9da7", "#9c755f", "#8e8e99",
)  # fmt: skip
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star")
INK, FAINT, ACCENT = "#808a99", "rgba(128, 138, 153, 0.25)", "#3b82f6"  # read on light and dark

TAGLINE = (
    "Picks the most class-telling patch of every image with a pretrained diffusion model, "
    "and builds a small training set out of real pixels."
)
LEGEND = (
    "The outline is the patch. Losses: dark is low, bright is high, both on one scale. "
    "Gap, unconditional minus conditional loss: red where naming the class helps to predict the "
    "noise, blue where it misleads. The overlay shows what the patch is located by: each "
    "timestep's gap, or its positive part, divided by the mean loss there, then averaged."
)


@dataclass(frozen=True, slots=True)
class Scale:
    """A colour scale: its bar as a picture, and numbers spread evenly below it."""

    src: str
    ticks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture with its words, shown whole in a square cell.

    aspect is its width over its height, box (left, top, width, height) in percent of the picture.
    A group below 0 is none.
    """

    key: str
    src: str
    caption: str
    title: str = ""
    tip: str = ""
    aspect: float = 1.0
    box: tuple[float, float, float, float] | None = None
    group: int = -1
    colour: str = ""
    selected: bool = False
    scale: Scale | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Panel:
    """What assets/panel.js draws: a heading, a note beside it, facts, figures and a legend.

    It travels as JSON text, which the browser handles much faster than nested values.
    """

    title: str = ""
    note: str = ""
    facts: tuple[Fact, ...] = ()
    figures: tuple[Figure, ...] = ()
    legend: str = ""
    notice: str = ""

    def json(self) -> str:
        """The panel as text; no name in it can be taken for a tag."""
        return json.dumps(asdict(self), separators=(",", ":")).replace("<", "\\u003c")


def header(identity: Identity, summary: Summary) -> Panel:
    """The name, one sentence, and what the run holds."""
    skipped = f" ({summary.skipped:,} skipped)" if summary.skipped else ""
    side = " on the shorter side" if identity.settings.fit == "whole" else ""
    facts = (
        Fact("dataset", str(identity.dataset_origin.get("source", "unknown"))),
        Fact("prior", identity.prior),
        Fact("images", f"{summary.scored:,}{skipped}"),
        Fact("classes", f"{len(identity.classes):,}"),
        Fact("picture", f"{identity.resolution_px} px{side}, cells of {identity.cell_px} px"),
    )
    return Panel(title="dsel", note=TAGLINE, facts=facts)


def gallery(
    selected: ClassSelection,
    thumbnails: Mapping[str, Pixels],
    frames: Mapping[str, Frame],
    chosen: str,
) -> Panel:
    """The class's images by rank, each with its patch's outline; `chosen` is an image id."""
    sides = {name: (frame.proxy_width, frame.proxy_height) for name, frame in frames.items()}
    figures = tuple(
        Figure(
            key=patch.image_id,
            src=data_uri(thumbnails[patch.image_id], "jpeg"),
            caption=f"rank {patch.rank + 1} · score {number(patch.score)}",
            tip=patch.image_id,
            aspect=_aspect(*sides[patch.image_id]),
            box=_percent(patch.box, *sides[patch.image_id]),
            group=patch.group,
            colour=colour(patch.group),
            selected=patch.image_id == chosen,
        )
        for patch in selected.patches[:SHOWN]
    )
    note = shown(len(figures), len(selected.patches), "patches, best first")
    return Panel(title=f"Images of {selected.name}", note=note, figures=figures)


def one_image(proxy: Pixels, maps: Maps, patch: Patch, patches: int) -> Panel:
    """The chosen image: its proxy, both losses, the gap, and the gap over the picture."""
    losses = np.stack([maps.conditional, maps.unconditional])
    # A mean of squares is never negative, though what is stored is rounded.
    loss_ends = max(float(losses.min()), 0.0), float(losses.max())
    gap_ends, ends = _around_zero(maps.gap), _around_zero(maps.combined)
    parts = (
        ("Image", proxy, None),
        ("Conditional loss", _cells(maps.conditional, *loss_ends), _scale(*loss_ends)),
        ("Unconditional loss", _cells(maps.unconditional, *loss_ends), _scale(*loss_ends)),
        ("Gap", _cells(maps.gap, *gap_ends), _scale(*gap_ends)),
        ("Gap over the image", overlay(proxy, maps.combined, *ends), _scale(*ends)),
    )
    height, width = proxy.shape[:2]
    figures = tuple(
        Figure(
            key=title,
            src=data_uri(pixels, "png"),
            caption="",
            title=title,
            aspect=_aspect(width, height),
            box=_percent(patch.box, width, height),
            scale=scale,
        )
        for title, pixels, scale in parts
    )
    return Panel(
        title="Selected image", note=patch.image_id, facts=_story(patch, patches),
        figures=figures, legend=LEGEND,
    )  # fmt: skip


def no_image() -> Panel:
    """What stands in the place of the chosen image where a class has none."""
    return Panel(title="Selected image", note="this class has no scored images")


def distilled(images: Sequence[Distilled], total: int, notice: str) -> Panel:
    """The first of a class's `total` distilled images; `notice` says if fewer came than asked."""
    figures = tuple(
        Figure(
            key=str(image.number),
            src=data_uri(image.pixels, "jpeg"),
            caption=_made_of(image.patches),
            tip=", ".join(dict.fromkeys(patch.image_id for patch in image.patches)),
            group=image.patches[0].group,
            colour=colour(image.patches[0].group),
        )
        for image in images
    )
    note = shown(len(figures), total, "images of this class")
    return Panel(title="Distilled set", note=note, figures=figures, notice=notice)


def scatter(
    selected: ClassSelection, places: Mapping[str, tuple[float, float]], chosen: str
) -> go.Figure:
    """The class's images in the plane, coloured by group, with the chosen one ringed."""
    figure = go.Figure()
    groups = sorted({patch.group for patch in selected.patches})
    for group in groups:
        members = [patch for patch in selected.patches if patch.group == group]
        figure.add_trace(_trace(group, members, places))
    if chosen in places:
        x, y = places[chosen]
        ring = {"size": 17, "color": "rgba(0,0,0,0)", "line": {"width": 2.5, "color": ACCENT}}
        figure.add_scatter(
            x=[x], y=[y], mode="markers", marker=ring, hoverinfo="skip", showlegend=False
        )
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": ""}
    figure.update_layout(
        template=go.layout.Template(), paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 6, "r": 6, "t": 6, "b": 6}, height=330, xaxis=axis, yaxis=axis,
        font={"color": INK, "size": 11, "family": "system-ui, sans-serif"}, hovermode="closest",
        showlegend=len(groups) <= NAMED,
        legend={"orientation": "h", "y": -0.02, "yanchor": "top", "itemsizing": "constant"},
        uirevision=selected.name, modebar={"bgcolor": "rgba(0,0,0,0)", "color": INK},
    )  # fmt: skip
    return figure


def data_uri(pixels: Pixels, file_format: FileFormat) -> str:
    """A picture as a URL that holds it."""
    content = base64.b64encode(encode(pixels, file_format, quality=85)).decode()
    return f"data:image/{file_format};base64,{content}"


def colour(group: int) -> str:
    """The colour of a group; after the palette's end they repeat, with other symbols."""
    return PALETTE[group % len(PALETTE)]


def number(value: float) -> str:
    """A score or a loss, short enough for a caption: three significant digits."""
    return "—" if np.isnan(value) else f"{value:#.3g}".rstrip(".").replace("-", "−")


def shown(count: int, total: int, what: str) -> str:
    """How many of them are on the screen."""
    return f"{count} of {total} {what}" if count < total else f"{total} {what}"


def _trace(
    group: int, patches: Sequence[Patch], places: Mapping[str, tuple[float, float]]
) -> go.Scatter:
    points = [places[patch.image_id] for patch in patches]
    return go.Scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="markers",
        name=f"group {group}",
        marker={
            "size": 9,
            "color": colour(group),
            "symbol": SYMBOLS[group // len(PALETTE) % len(SYMBOLS)],
            "line": {"width": 0.5, "color": FAINT},
        },
        customdata=[patch.image_id for patch in patches],
        text=[
            f"{_plain(patch.image_id)}<br>rank {patch.rank + 1} · score {number(patch.score)}"
            f" · group {patch.group}"
            for patch in patches
        ],
        hovertemplate="%{text}<extra></extra>",
    )


def _plain(text: str) -> str:
    """Keep Plotly from reading a name as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _story(patch: Patch, patches: int) -> tuple[Fact, ...]:
    source = patch.source_box
    corner = f"({source.x:.0f}, {source.y:.0f})"
    return (
        Fact("score", number(patch.score)),
        Fact("margin", number(patch.margin)),
        Fact("group", str(patch.group)),
        Fact("rank", f"{patch.rank + 1} of {patches}"),
        Fact("source box", f"{source.width:.0f} × {source.height:.0f} px at {corner}"),
    )


def _made_of(patches: Sequence[Patch]) -> str:
    if len(patches) == 1:
        return f"rank {patches[0].rank + 1}"
    ranks = sorted({patch.rank + 1 for patch in patches})
    return f"ranks {', '.join(map(str, ranks))}"


def _percent(box: Box, width: int, height: int) -> tuple[float, float, float, float]:
    """A box in percent of a picture of this size."""
    across, down = 100 / width, 100 / height
    return (
        round(box.x * across, 3), round(box.y * down, 3),
        round(box.width * across, 3), round(box.height * down, 3),
    )  # fmt: skip


def _aspect(width: int, height: int) -> float:
    return round(width / height, 4)


def _cells(values: NDArray[np.float32], low: float, high: float) -> Pixels:
    # A whole number of pixels per cell keeps the cells' edges sharp.
    size_px = max(values.shape) * max(1, MAP_PX // max(values.shape))
    return heat_map(values, low, high, low < 0, size_px)


def _scale(low: float, high: float) -> Scale:
    ramp = np.linspace(low, high, BAR_PX, dtype=np.float32)[None]
    middle = "0" if low < 0 else number((low + high) / 2)
    bar = data_uri(heat_map(ramp, low, high, low < 0, BAR_PX), "png")
    return Scale(bar, (number(low), middle, number(high)))


def _around_zero(values: NDArray[np.float32]) -> tuple[float, float]:
    end = max(float(np.abs(values).max()), 1e-12)
    return -end, end
