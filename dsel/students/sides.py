"""The sides of images that each architecture of students takes."""

from __future__ import annotations

from typing import Final

from dsel.errors import SettingError

LEAST_PX: Final = 16
"""Least side for networks of transformers: their last maps keep several pixels to normalize."""


def check_side(student: str, image_px: int) -> None:
    """Raise `SettingError` for images that a student cannot take."""
    family, _, depth = student.partition("-")
    # Each block of a ConvNet halves the side.
    least_px = 2 ** int(depth) if family == "convnet" else LEAST_PX
    if image_px < least_px:
        raise SettingError(
            f"{student} needs images of at least {least_px} px, got {image_px} px",
            setting="student_px",
        )
    if family == "vit" and image_px % vit_patch_px(image_px):
        raise SettingError(
            f"{student} needs a side that is a multiple of {vit_patch_px(image_px)} px, got "
            f"{image_px} px",
            setting="student_px",
        )


def vit_patch_px(image_px: int) -> int:
    """Return the side of the vision transformer's patches for images of a side."""
    return 4 if image_px < 64 else 8 if image_px < 128 else 16
