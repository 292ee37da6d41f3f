"""Which images a student takes is known before it is built, and no other error is left."""

from __future__ import annotations

import pytest

from dsel.errors import SettingError
from dsel.students.models import build_student
from dsel.students.sides import check_side

LEAST = {"convnet-3": 8, "convnet-4": 16, "convnet-6": 64, "resnet-10": 16, "vit-small": 16}


@pytest.mark.parametrize(("student", "least_px"), LEAST.items())
def test_check_side__least_side(student: str, least_px: int) -> None:
    check_side(student, least_px)
    build_student(student, 2, least_px, seed=0)
    with pytest.raises(SettingError, match=f"{student} needs images of at least {least_px} px"):
        check_side(student, least_px - 1)


@pytest.mark.parametrize(("image_px", "multiple"), [(30, 4), (66, 8), (136, 16)])
def test_check_side__a_vision_transformer_takes_whole_patches(image_px: int, multiple: int) -> None:
    line = f"vit-small needs a side that is a multiple of {multiple} px, got {image_px} px"
    with pytest.raises(SettingError, match=line):
        check_side("vit-small", image_px)
