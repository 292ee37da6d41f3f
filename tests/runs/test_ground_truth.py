"""True objects matched with a run: classes, sizes, EXIF turns, and what is said about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.coco import coco, rectangle, row, run_of, written
from support.toyset import scored_run

from dsel.data.images import UPRIGHT
from dsel.errors import SourceError
from dsel.runs.ground_truth import GroundTruth, Matched, largest_shares, read_ground_truth
from dsel.types import Box, Frame

JOINED = "the file has no categories: all objects of an image are joined, whatever they are"
CATEGORIES = [{"id": 1, "name": "Cat"}, {"id": 2, "name": "clutter"}]


def truth_of(folder: Path, record: Any, *rows: Any) -> GroundTruth:
    return read_ground_truth(run_of(["cat", "dog"], *rows), written(folder, record))


def refusal(folder: Path, record: Any, *rows: Any) -> str:
    with pytest.raises(SourceError) as caught:
        truth_of(folder, record, *rows)
    assert str(caught.value).startswith(f"{folder / 'boxes.json'}: ")
    return str(caught.value).removeprefix(f"{folder / 'boxes.json'}: ")


def test_read_ground_truth__objects_of_one_image_are_joined(tmp_path: Path) -> None:
    record = coco(("cat/1.png", (6, 8), {"bbox": [1, 2, 3, 2]}))
    record["annotations"] += [{"image_id": 0, "segmentation": [[0, 4, 2, 4, 2, 6, 0, 6]]}]
    truth = truth_of(tmp_path, record, row("cat/1.png", (6, 8)))
    box, square = rectangle((6, 8), 1, 2, 3, 2), rectangle((6, 8), 0, 4, 2, 2)
    assert [one.tolist() for one in truth.each("cat/1.png")] == [box.tolist(), square.tolist()]
    assert np.array_equal(truth.mask("cat/1.png"), box | square)
    assert truth.mask("cat/2.png") is None


def test_read_ground_truth__says_how_file_and_run_fit(tmp_path: Path) -> None:
    """Of four scored images of the run three are listed, two with an object; one is skipped."""
    box = {"bbox": [1, 1, 2, 2]}
    names = ("cat/1.png", "cat/2.png", "cat/3.png", "cat/5.png", "cow/1.png")
    record = coco(*((name, (6, 8), box) for name in names))
    del record["annotations"][2]
    rows = [row(f"cat/{n}.png", (6, 8)) for n in (1, 2, 3, 4)]
    skipped = row("cat/5.png", (6, 8))
    skipped = type(skipped)(skipped.id, 0, 0, -1, -1, None, "is empty (0 bytes)")
    truth = truth_of(tmp_path, record, *rows, skipped)
    assert truth.matched == Matched(4, 2, 5, 1, (JOINED,))


def test_read_ground_truth__objects_of_the_images_own_class(tmp_path: Path) -> None:
    record = coco(
        ("cat/1.png", (6, 8), {"bbox": [1, 2, 3, 2], "category_id": 1}),
        ("dog/1.png", (6, 8), {"bbox": [1, 2, 3, 2], "category_id": 1}),
        categories=CATEGORIES,
    )
    clutter = {"bbox": [0, 0, 8, 6], "category_id": 2}
    record["annotations"] += [{"image_id": 0, **clutter}, {"image_id": 1, **clutter}]
    truth = truth_of(tmp_path, record, row("cat/1.png", (6, 8)), row("dog/1.png", (6, 8), 1))
    assert np.array_equal(truth.mask("cat/1.png"), rectangle((6, 8), 1, 2, 3, 2))
    assert truth.mask("dog/1.png").all()  # no category is a dog
    assert truth.matched.notes == (
        "none of the file's categories (Cat, clutter) is named like the class dog: all objects of "
        "their images are joined, whatever they are",
        "objects of other categories than their image's class left out: 1, first in 'cat/1.png'",
    )


def test_read_ground_truth__crowd_regions_are_left_out(tmp_path: Path) -> None:
    record = coco(("cat/1.png", (6, 8), {"bbox": [1, 2, 3, 2]}))
    record["annotations"] += [{"image_id": 0, "bbox": [0, 0, 8, 6], "iscrowd": 1}]
    truth = truth_of(tmp_path, record, row("cat/1.png", (6, 8)))
    assert np.array_equal(truth.mask("cat/1.png"), rectangle((6, 8), 1, 2, 3, 2))
    assert truth.matched.notes[1] == "crowd regions left out: 1, first in 'cat/1.png'"


@pytest.mark.parametrize("factor", [2, 5])
def test_read_ground_truth__pictures_of_another_size(tmp_path: Path, factor: int) -> None:
    box = [factor * side for side in (10, 20, 30, 40)]
    record = coco(("cat/1.png", (90 * factor, 120 * factor), {"bbox": box}))
    truth = truth_of(tmp_path, record, row("cat/1.png", (90, 120)))
    assert np.array_equal(truth.mask("cat/1.png"), rectangle((90, 120), 10, 20, 30, 40))
    assert truth.matched.notes[1] == (
        "images of another size in the file than in the run: 1, first 'cat/1.png'; their objects "
        "are scaled"
    )


@pytest.mark.parametrize(
    ("listed", "known", "fits"),
    [
        ((480, 640), (96, 128), True), ((3001, 4000), (96, 128), True),
        ((333, 500), (167, 250), True), ((96, 128), (128, 128), False),
        ((128, 192), (192, 128), False), ((480, 640), (470, 640), False),
    ],
)  # fmt: skip
def test_read_ground_truth__another_aspect_is_another_picture(
    tmp_path: Path, listed: tuple[int, int], known: tuple[int, int], fits: bool
) -> None:
    record = coco(("cat/1.png", listed, {"bbox": [10, 10, 30, 30]}))
    if fits:
        assert truth_of(tmp_path, record, row("cat/1.png", known)).matched.boxed == 1
        return
    line = refusal(tmp_path, record, row("cat/1.png", known))
    assert line.startswith(
        f"the image 'cat/1.png' has {listed[1]} x {listed[0]} px in the file, but {known[1]} x "
        f"{known[0]} px in the run"
    )
    assert ("no EXIF orientation that swaps them" in line) == (listed == known[::-1])


STORED = rectangle((6, 8), 1, 2, 3, 2)
"""An object in stored pixels; `UPRIGHT` has the way that images are turned."""


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("scale", [1, 2])
def test_read_ground_truth__boxes_in_stored_pixels_are_turned(
    tmp_path: Path, orientation: int, scale: int
) -> None:
    box = {"bbox": [scale * side for side in (1, 2, 3, 2)]}
    record = coco(("cat/1.png", (6 * scale, 8 * scale), box))
    truth = truth_of(tmp_path, record, row("cat/1.png", (8, 6), orientation=orientation))
    assert np.array_equal(truth.mask("cat/1.png"), UPRIGHT[orientation](STORED))
    assert truth.matched.notes[-1].startswith("images turned by their EXIF orientation: 1")


def test_read_ground_truth__boxes_in_upright_pixels_are_not_turned(tmp_path: Path) -> None:
    record = coco(("cat/1.png", (8, 6), {"bbox": [1, 2, 3, 2]}))
    truth = truth_of(tmp_path, record, row("cat/1.png", (8, 6), orientation=6))
    assert np.array_equal(truth.mask("cat/1.png"), rectangle((8, 6), 1, 2, 3, 2))
    assert truth.matched.notes == (JOINED,)


@pytest.mark.parametrize(
    ("told", "orientation"),
    [((6, 8), 3), ((6, 8), 2), ((6, 8), 4), ((8, 6), 3), ((8, 6), 2), ((8, 6), 4)],
)
def test_read_ground_truth__other_pictures_tell_what_the_size_does_not(
    tmp_path: Path, told: tuple[int, int], orientation: int
) -> None:
    """An image on its side tells of the whole file whether it has stored or upright pixels."""
    record = coco(
        ("cat/1.png", told, {"bbox": [1, 2, 3, 2]}), ("cat/2.png", (6, 8), {"bbox": [1, 2, 3, 2]})
    )
    rows = (
        row("cat/1.png", (8, 6), orientation=6),
        row("cat/2.png", (6, 8), orientation=orientation),
    )
    truth = truth_of(tmp_path, record, *rows)
    turned = UPRIGHT[orientation](STORED) if told == (6, 8) else STORED
    assert np.array_equal(truth.mask("cat/2.png"), turned)


@pytest.mark.parametrize(("orientation", "shape"), [(2, (6, 8)), (3, (6, 8)), (6, (8, 8))])
def test_read_ground_truth__where_nothing_tells_images_are_left_out(
    tmp_path: Path, orientation: int, shape: tuple[int, int]
) -> None:
    box = {"bbox": [1, 2, 3, 2]}
    record = coco(("cat/1.png", shape, box), ("cat/2.png", shape, box))
    unclear = row("cat/1.png", shape, orientation=orientation)
    truth = truth_of(tmp_path, record, unclear, row("cat/2.png", shape))
    note = (
        "images left out because of their EXIF orientation: 1, first 'cat/1.png'; nothing tells "
        "whether their objects are in stored or in upright pixels, so save them upright"
    )
    assert truth.matched == Matched(2, 1, 2, 0, (JOINED, note))
    assert truth.mask("cat/1.png") is None
    line = refusal(tmp_path, record, unclear)
    assert line == f"no image of the run has an object of its class; {JOINED}; {note}"


def test_read_ground_truth__what_is_odd_is_noted(tmp_path: Path) -> None:
    record = coco(
        ("cat/1.png", (60, 80), {"bbox": [1, 2, 0, 2]}),
        ("cat/2.png", (60, 80), {"bbox": [50, 40, 75, 60]}),
    )
    rows = row("cat/1.png", (60, 80)), row("cat/2.png", (60, 80))
    truth = truth_of(tmp_path, record, *rows)
    assert truth.matched.boxed == 1
    assert truth.matched.notes[1:] == (
        "objects without any pixel left out: 1, first annotation 0 ('cat/1.png')",
        "objects cut off at the edge of their image: 1, first annotation 1 ('cat/2.png'); boxes "
        "must be x, y, width and height",
    )


def test_read_ground_truth__a_bad_object_of_the_run_is_named(tmp_path: Path) -> None:
    record = coco(
        ("cat/1.png", (60, 80), {"bbox": [1, 2, 9, 9]}),
        ("cat/2.png", (60, 80), {"bbox": [1, 2, float("nan"), 9]}),
    )
    first, second = row("cat/1.png", (60, 80)), row("cat/2.png", (60, 80))
    assert refusal(tmp_path, record, first, second) == (
        "annotation 1 ('cat/2.png'): bbox must be x, y, width and height in pixels, got "
        "[1, 2, nan, 9]"
    )
    assert truth_of(tmp_path, record, first).matched == Matched(1, 1, 2, 1, (JOINED,))


def test_read_ground_truth__of_other_data(tmp_path: Path) -> None:
    record = coco(("cow/1.png", (6, 8), {"bbox": [1, 2, 3, 2]}))
    assert refusal(tmp_path, record, row("cat/7.png", (6, 8))) == (
        "none of the run's images is among the boxes' file names: are they of the same data?"
    )


def test_largest_shares__by_hand() -> None:
    """The view is the left 4 x 4 px of 4 x 8: of 3 and 6 px of it, and a third object outside."""
    boxes = {"cat/1": [(0, 0, 1, 3), (1, 0, 3, 2), (4, 0, 4, 4)], "cat/2": [(0, 0, 8, 4)]}
    truth = GroundTruth({
        image_id: [rectangle((4, 8), *box) for box in found] for image_id, found in boxes.items()
    })  # fmt: skip
    frame = Frame(8, 4, Box(0, 0, 4, 4), 16, 16)
    found = largest_shares(truth, dict.fromkeys(("cat/2", "cat/3", "cat/1"), frame))
    np.testing.assert_allclose(found, [1, np.nan, 6 / 16])


def test_read_ground_truth__of_photos_that_were_scored(tmp_path: Path) -> None:
    """A photo of 40 x 32 stored pixels is shown at 32 x 40; its top left corner is at the right."""
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "photos/cat").mkdir(parents=True)
    Image.new("RGB", (40, 32)).save(tmp_path / "photos/cat/1.jpg", exif=exif)
    run = scored_run(tmp_path / "photos", tmp_path / "run")
    stored = coco(("cat/1.jpg", (32, 40), {"bbox": [0, 0, 10, 5]}))
    upright = coco(("cat/1.jpg", (40, 32), {"bbox": [27, 0, 5, 10]}))
    for record in (stored, upright):
        truth = read_ground_truth(run, written(tmp_path, record))
        assert np.array_equal(truth.mask("cat/1.jpg"), rectangle((40, 32), 27, 0, 5, 10))
