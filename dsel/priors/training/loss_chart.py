"""A training's loss curve as a PNG image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO

WIDTH_PX, HEIGHT_PX = 640, 360
_DPI = 100


def loss_chart(name: str, points: Sequence[tuple[float, float]]) -> bytes:
    """Draw the loss of one trained part over the images seen; return the bytes of a PNG file.

    points: (images seen, loss). Those that are not finite are left out.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = [point for point in points if all(map(math.isfinite, point))]
    # Without pyplot, which would keep the figure and choose a backend for the whole process.
    figure = Figure((WIDTH_PX / _DPI, HEIGHT_PX / _DPI), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    axes.plot([images for images, _ in drawn], [loss for _, loss in drawn])
    axes.set(title=f"{name} loss", xlabel="images seen", ylabel="loss")
    axes.grid(alpha=0.3)
    stream = BytesIO()
    # The version of matplotlib is left out, so that it does not change the file.
    FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    return stream.getvalue()
