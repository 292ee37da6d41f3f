"""The form of the Score tab, filled as a visitor does."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from PIL import Image

from support.toyset import draw_picture

FORM = "form.score-form"


def picture(kind: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(draw_picture(0, kind, 0)).save(stream, "png")
    return stream.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def give(page: Any, name: str, content: bytes, kind: str = "application/zip") -> None:
    file = {"name": name, "mimeType": kind, "buffer": content}
    page.locator(".pane:visible input[type=file]").set_input_files(file)


def choose(page: Any, kind: str) -> None:
    page.get_by_role("button", name=kind, exact=True).click()


def quick(page: Any) -> None:
    """One timestep and two draws."""
    page.locator(f"{FORM} [data-name=timesteps] input").fill("500")
    page.get_by_label("Draws per timestep", exact=True).fill("2")


def begin(page: Any) -> None:
    page.locator(f"{FORM} button[type=submit]").click()
