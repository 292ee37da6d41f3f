"""Tests of the built-in demo dataset."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from dsel.data.toybox import CLASSES, Scene, render_scene, scene, solids
from dsel.data.toybox.toys import KINDS


@pytest.fixture(scope="module")
def coarse() -> list[Scene]:
    return [render_scene(7, n % len(CLASSES), n, size_px=64) for n in range(100)]


def test_render_scene__same_arguments_same_bytes() -> None:
    first = render_scene(1, 2, 3)
    render_scene(9, 4, 0)
    again = render_scene(1, 2, 3)
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.mask.tobytes() == again.mask.tobytes()


def test_render_scene__same_bytes_in_another_process() -> None:
    code = (
        "import zlib; from dsel.data.toybox import render_scene;"
        "print(zlib.crc32(render_scene(1, 2, 3, 64).pixels.tobytes()))"
    )
    prints = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
        for _ in range(2)
    }
    assert len(prints) == 1


@pytest.mark.parametrize("other", [(2, 2, 3), (1, 3, 3), (1, 2, 4)])
def test_render_scene__every_argument_matters(other: tuple[int, int, int]) -> None:
    assert not np.array_equal(render_scene(1, 2, 3, 64).pixels, render_scene(*other, 64).pixels)


@pytest.mark.parametrize("size_px", [64, 128])
def test_render_scene__shape_and_dtype(size_px: int) -> None:
    drawn = render_scene(0, 0, 0, size_px)
    assert drawn.pixels.shape == (size_px, size_px, 3)
    assert drawn.pixels.dtype == np.uint8
    assert drawn.mask.shape == (size_px, size_px)
    assert drawn.mask.dtype == np.bool_


def test_render_scene__size_changes_only_the_resolution() -> None:
    small, large = render_scene(0, 5, 1, 64), render_scene(0, 5, 1, 128)
    assert small.mask.mean() == pytest.approx(large.mask.mean(), rel=0.1)


def test_render_scene__coverage(coarse: list[Scene]) -> None:
    coverage = np.array([drawn.mask.mean() for drawn in coarse])
    assert coverage.min() >= 0.04
    assert coverage.max() <= 0.35
    assert 0.09 < np.median(coverage) < 0.15


def test_render_scene__toys_are_all_over_the_picture(coarse: list[Scene]) -> None:
    centres = np.array([(d.box[0] + d.box[2] / 2, d.box[1] + d.box[3] / 2) for d in coarse]) / 64
    assert (centres.std(axis=0) > 0.1).all()


def test_render_scene__box_is_the_smallest_around_the_mask(coarse: list[Scene]) -> None:
    for drawn in coarse:
        x, y, width, height = drawn.box
        inside = drawn.mask[y : y + height, x : x + width]
        assert inside.sum() == drawn.mask.sum()
        edges = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
        assert all(edge.any() for edge in edges)


def test_draw_stage__knows_no_class() -> None:
    """The toy and its class enter after the stage is complete, and leave it as it is."""
    stage = scene.draw_stage(np.random.default_rng(3))
    distractors = [solid.centre.tobytes() for solid in stage.distractors]
    for class_index in range(len(CLASSES)):
        scene.draw_toy(np.random.default_rng(4), stage, class_index)
    again = scene.draw_stage(np.random.default_rng(3))
    assert distractors == [solid.centre.tobytes() for solid in stage.distractors]
    assert distractors == [solid.centre.tobytes() for solid in again.distractors]


def test_draw_stage__two_to_five_distractors() -> None:
    counts = {len(scene.draw_stage(np.random.default_rng(n)).distractors) for n in range(60)}
    assert counts == {2, 3, 4, 5}


def test_kinds__stand_on_the_ground_and_face_the_camera() -> None:
    for kind in KINDS:
        for solid in kind.build(np.random.default_rng(0)):
            assert solid.centre[1] >= 0, kind.name
            assert solid.centre.dtype == np.float32


@pytest.mark.parametrize(
    ("shape", "surface"),
    [
        (solids.sphere(0.8), (0.8, 0.0, 0.0)),
        (solids.ellipsoid(0.5, 0.8, 1.0), (0.0, 0.8, 0.0)),
        (solids.box(0.5, 0.6, 0.7, 0.1), (0.0, 0.0, 0.7)),
        (solids.cylinder(0.5, 0.8, 0.1), (0.5, 0.1, 0.0)),
        (solids.cone(0.8, 0.4, 0.5), (0.6, 0.0, 0.0)),
        (solids.torus(0.8, 0.2), (0.0, 0.2, 0.8)),
        (solids.capsule(0.3, 0.5), (0.0, 0.8, 0.0)),
        (solids.dome(0.8, 0.5), (0.0, 0.5, 0.0)),
    ],
)
def test_shapes__zero_on_the_surface_and_bounded(
    shape: solids.Shape, surface: tuple[float, float, float]
) -> None:
    points = np.array([surface], np.float32).T
    assert shape.distance(points)[0] == pytest.approx(0, abs=1e-5)
    assert shape.distance(points * 1.3)[0] > 0
    directions = np.random.default_rng(0).normal(size=(3, 500)).astype(np.float32)
    outside = solids.normalized(directions) * np.float32(shape.radius * 1.001)
    assert (shape.distance(outside) > 0).all()
    assert shape.distance(outside).dtype == np.float32
