"""Loaders that behave as those of published training code, which numbers classes by folders.

torchvision's ImageFolder: the sorted names of all folders are the classes 0, 1, ...; the images of
each are its files with a suffix of images, sorted. SRe2L and Minimax diffusion use it. RDED opens
the folder of class c by the name of c with five digits, and takes its first files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from dsel.types import Pixels

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def pixels_of(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def torchvision_folder(root: Path) -> list[tuple[Pixels, int]]:
    """The samples of an image folder, as torchvision lists them."""
    classes = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    return [
        (pixels_of(path), label)
        for label, name in enumerate(classes)
        for path in sorted((root / name).rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]


def rded_folder(root: Path, classes: int, ipc: int) -> list[tuple[Pixels, int]]:
    """The first files of each class's folder, as RDED's validation reads them."""
    samples = []
    for label in range(classes):
        folder = root / str(label).zfill(5)
        names = sorted(path.name for path in folder.iterdir())
        samples += [(pixels_of(folder / name), label) for name in names[:ipc]]
    return samples


def minimax_folder(root: Path, wanted: list[str], ipc: int) -> list[tuple[Pixels, int]]:
    """The classes of a list by their folders, and the first images of each by sorted names."""
    samples = []
    for label, name in enumerate(wanted):
        files = [path for path in sorted((root / name).rglob("*")) if path.suffix in SUFFIXES]
        samples += [(pixels_of(path), label) for path in files[:ipc]]
    return samples
