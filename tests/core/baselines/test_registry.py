"""What holds of every baseline: permutations, heads, seeds, boxes inside their images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.clouds import clouds
from support.pools import pool_of

from dsel.core.baselines.base import Boxes, Choice, Doubles, Ints, Pool, nth_of_image
from dsel.core.baselines.registry import BASELINES, choose

NAMES = tuple(BASELINES)
RANDOM = {"random-whole", "random-crop", "centre-crop", "rded"}
SIZES = (7, 5, 9)


def pool(per_image: tuple[int, ...] | None = None, **fields: object) -> Pool:
    """21 images of three kinds; the teacher is surer of larger boxes and of higher rows."""
    shares = np.linspace(0.9, 0.1, 21)
    shares[::4] = np.nan
    return pool_of(
        clouds(SIZES, spread=1.0),
        per_image,
        confidence=sure,
        object_share=shares,
        **fields,
    )


def sure(rows: Ints, boxes: Boxes) -> Doubles:
    return rows / 7 + boxes[:, 2] / 40


def plain(choice: Choice) -> tuple[object, ...]:
    boxes = None if choice.boxes is None else choice.boxes.tolist()
    return choice.positions.tolist(), boxes, choice.cut


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("per_image", [None, (2, 1, 3) * 7])
def test_choose__keeps_every_patch_once(name: str, per_image: tuple[int, ...] | None) -> None:
    given = pool(per_image)
    found = choose(name, given)
    assert sorted(found.positions.tolist()) == list(range(len(given.image)))
    assert found.boxes is None or found.boxes.shape == (len(given.image), 3)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "no-clusters"])
def test_choose__every_image_comes_before_second_patches(name: str) -> None:
    given = pool((2, 1, 3) * 7)
    nth = nth_of_image(given)[choose(name, given).positions]
    assert (np.diff(nth) >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_choose__the_same_seed_gives_the_same(name: str) -> None:
    assert plain(choose(name, pool(seed=5))) == plain(choose(name, pool(seed=5)))


@pytest.mark.parametrize("name", sorted(RANDOM))
def test_choose__seed_and_class_change_what_is_drawn(name: str) -> None:
    found = [
        plain(choose(name, given))
        for given in (pool(seed=5), pool(seed=6), replace(pool(seed=5), name="dog"))
    ]
    assert found[0] != found[1]
    assert found[0] != found[2]


@pytest.mark.parametrize("name", [n for n in NAMES if n not in RANDOM | {"kmeans-nearest"}])
def test_choose__nothing_is_drawn_by_the_others(name: str) -> None:
    assert plain(choose(name, pool(seed=5))) == plain(choose(name, pool(seed=6)))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "kmeans-nearest"])
def test_choose__one_list_serves_every_ipc(name: str) -> None:
    """Only k-means asks how many images are wanted."""
    assert plain(choose(name, pool(k=1))) == plain(choose(name, pool(k=9)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(96, 64), (64, 81), (33, 32)])
def test_choose__boxes_are_inside_their_images(name: str, size: tuple[int, int]) -> None:
    width, height = size
    given = pool((2, 1, 3) * 7, width_px=width, height_px=height)
    boxes = choose(name, given).boxes
    if boxes is not None:
        x, y, side = boxes.T
        assert (np.minimum(x, y) >= 0).all()
        assert (x + side <= width).all()
        assert (y + side <= height).all()
        assert (side >= 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_choose__small_classes(name: str) -> None:
    for count in (0, 1, 2):
        features = clouds((count,)) if count else np.zeros((0, 8), np.float32)
        given = pool_of(features, confidence=sure, object_share=np.ones(count))
        assert sorted(choose(name, given).positions.tolist()) == list(range(count))


@pytest.mark.parametrize("name", NAMES)
def test_choose__images_that_look_the_same(name: str) -> None:
    given = replace(pool(), features=np.ones((21, 8), np.float32))
    assert sorted(choose(name, given).positions.tolist()) == list(range(21))


def test_baselines__say_what_they_need() -> None:
    needs = {name: one.needs for name, one in BASELINES.items() if one.needs}
    assert needs == {
        "rded": "teacher", "easiest": "teacher", "hardest": "teacher", "largest-object": "objects",
    }  # fmt: skip
    bare = replace(pool(), confidence=None, object_share=None)
    for name in NAMES:
        if name not in needs:
            choose(name, bare)


def test_baselines__descriptions_are_short_phrases() -> None:
    for one in BASELINES.values():
        assert one.description[0].islower()
        assert not one.description.endswith(".")
        assert len(one.description) <= 70
