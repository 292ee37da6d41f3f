"""Hits and coverage by hand, and what is read of true objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsel.analysis.localization import check_selection, patch_finding, read_objects
from dsel.config import ScoreSettings
from dsel.data.toybox_dataset import run_lengths
from dsel.errors import SourceError
from dsel.runs import Identity, Run, create_run
from dsel.runs.schema import ShardRow
from dsel.types import Box, ClassSelection, Frame, ImageRef, Patch, Score

Mask = NDArray[np.bool_]


def coco(*objects: tuple[str, tuple[int, int], dict[str, Any]]) -> dict[str, Any]:
    """A record of one annotation per (file name, (height, width), annotation)."""
    images = [
        {"id": n, "file_name": name, "height": shape[0], "width": shape[1]}
        for n, (name, shape, _) in enumerate(objects)
    ]
    annotations = [{"image_id": n} | entry for n, (_, _, entry) in enumerate(objects)]
    return {"images": images, "annotations": annotations}


def written(folder: Path, record: Any) -> Path:
    path = folder / "boxes.json"
    path.write_text(json.dumps(record))
    return path


def rectangle(shape: tuple[int, int], x: int, y: int, width: int, height: int) -> Mask:
    mask = np.zeros(shape, bool)
    mask[y : y + height, x : x + width] = True
    return mask


@settings(max_examples=50, deadline=None)
@given(
    height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 9999),
    share=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
)  # fmt: skip
def test_read_objects__run_lengths_come_back(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, seed: int, share: float
) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    entry = {"segmentation": {"counts": run_lengths(mask), "size": list(mask.shape)}}
    path = written(tmp_path_factory.mktemp("coco"), coco(("a.png", mask.shape, entry)))
    assert np.array_equal(read_objects(path)["a.png"], mask)


def test_read_objects__run_lengths_go_down_the_columns(tmp_path: Path) -> None:
    entry = {"segmentation": {"counts": [1, 2, 3], "size": [2, 3]}}
    found = read_objects(written(tmp_path, coco(("a.png", (2, 3), entry))))
    assert found["a.png"].astype(int).tolist() == [[0, 1, 0], [1, 0, 0]]


def test_read_objects__boxes_and_masks_of_one_image_are_joined(tmp_path: Path) -> None:
    record = coco(
        ("a.png", (6, 8), {"bbox": [1, 2, 3, 2]}), ("b.png", (4, 4), {"bbox": [0, 0, 1, 1]})
    )
    record["annotations"] += [
        {"image_id": 0, "bbox": [6.4, 0, 1.2, 1]},
        {"image_id": 0, "segmentation": [[0, 5, 1, 5, 1, 6]], "bbox": [0, 5, 1, 1]},  # a polygon
    ]
    found = read_objects(written(tmp_path, record))
    expected = rectangle((6, 8), 1, 2, 3, 2) | rectangle((6, 8), 6, 0, 2, 1)
    assert np.array_equal(found["a.png"], expected | rectangle((6, 8), 0, 5, 1, 1))
    assert found["b.png"].sum() == 1


def test_read_objects__a_box_beyond_the_picture_is_cut_off(tmp_path: Path) -> None:
    record = coco(
        ("a.png", (6, 8), {"bbox": [-2, -1, 4, 3]}), ("b.png", (6, 8), {"bbox": [5, 5, 9, 9]})
    )
    found = read_objects(written(tmp_path, record))
    assert np.array_equal(found["a.png"], rectangle((6, 8), 0, 0, 2, 2))
    assert np.array_equal(found["b.png"], rectangle((6, 8), 5, 5, 3, 1))


def test_read_objects__is_a_mapping_of_fresh_masks(tmp_path: Path) -> None:
    record = coco(("a.png", (6, 8), {"bbox": [1, 2, 3, 2]}), ("b.png", (4, 4), {"bbox": []}))
    del record["annotations"][1]
    found = read_objects(written(tmp_path, record))
    assert (len(found), list(found), "a.png" in found, "c.png" in found) == (
        2, ["a.png", "b.png"], True, False,
    )  # fmt: skip
    assert not found["b.png"].any()
    found["a.png"][:] = False  # is the caller's own
    assert np.array_equal(found["a.png"], rectangle((6, 8), 1, 2, 3, 2))
    with pytest.raises(KeyError):
        found["c.png"]


GOOD = coco(("a.png", (4, 4), {"bbox": [0, 0, 1, 1]}))


def changed(**annotation: Any) -> dict[str, Any]:
    return {**GOOD, "annotations": [{"image_id": 0} | annotation]}


@pytest.mark.parametrize(
    "record",
    [
        [], {}, 3, None, "text", {"images": []}, {"images": 3, "annotations": []},
        {"images": [{"id": 1}], "annotations": []},
        {"images": [{"id": 1, "file_name": "a", "height": "x", "width": 2}], "annotations": []},
        {"images": [{"id": 1, "file_name": "a", "height": -1, "width": 2}], "annotations": []},
        {**GOOD, "annotations": [{"image_id": 7, "bbox": [0, 0, 1, 1]}]},
        {**GOOD, "annotations": [3]},
        changed(), changed(bbox=None), changed(bbox=[1, 2, 3]), changed(bbox="abcd"),
        changed(bbox=[0, 0, float("nan"), 1]), changed(bbox=[0, 0, float("inf"), 1]),
        changed(segmentation={"counts": [3, 4]}), changed(segmentation={"counts": [20, -4]}),
        changed(segmentation={"counts": ["x"]}), changed(segmentation={"counts": "abc`1"}),
        changed(segmentation={"counts": [0.5, 15.5]}),
    ],
    ids=str,
)  # fmt: skip
def test_read_objects__bad_records(tmp_path: Path, record: Any) -> None:
    path = written(tmp_path, record)
    with pytest.raises(SourceError, match="is not COCO JSON with images and annotations") as caught:
        read_objects(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"PK\x03\x04"], ids=str)
def test_read_objects__bad_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "boxes.json"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="is not COCO JSON"):
        read_objects(path)


def test_read_objects__no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is no file: give the boxes\.json"):
        read_objects(tmp_path / "boxes.json")
    with pytest.raises(SourceError, match=r"is no file: give the boxes\.json"):
        read_objects(tmp_path / "gone" / "boxes.json")


def test_read_objects__a_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is no file: give the boxes\.json"):
        read_objects(tmp_path)


def one_place(mask: Mask, x: float, y: float, side: float) -> tuple[bool, float]:
    found = patch_finding(mask, np.array([x]), np.array([y]), Box(x, y, side, side))
    assert found.hit_rate in (0, 1)
    return found.hit_rate == 1, found.coverage


@pytest.mark.parametrize(
    ("x", "hit", "coverage"),
    [(0, True, 1.0), (2, True, 1.0), (4, True, 0.5), (5, False, 0.25), (6, False, 0.0)],
)
def test_patch_finding__object_smaller_than_the_patch(x: int, hit: bool, coverage: float) -> None:
    """A patch of 10 px must hold half of an object of 4 x 4 px at (2, 3)."""
    assert one_place(rectangle((20, 20), 2, 3, 4, 4), x, 0, 10) == (hit, coverage)


@pytest.mark.parametrize(
    ("x", "hit", "inside_px"),
    [(4, True, 16), (2, False, 8), (2.375, False, 9.5), (2.5, True, 10), (14, False, 8)],
)
def test_patch_finding__object_larger_than_the_patch(x: float, hit: bool, inside_px: float) -> None:
    """A patch of 4 px must lie with 9.6 of its 16 px inside an object of 12 x 10 px at (4, 0)."""
    mask = rectangle((20, 20), 4, 0, 12, 10)
    assert one_place(mask, x, 2, 4) == (hit, pytest.approx(inside_px / 120))


def test_patch_finding__object_a_little_larger_than_the_patch() -> None:
    """Half of an object of 18 px is a hit too, though less than 0.6 of the patch of 16 px."""
    mask = rectangle((20, 20), 0, 0, 18, 1)
    mask[0, 9:18] = False
    mask[10, 0:9] = True  # 9 px in one row, 9 px in another
    assert patch_finding(mask, np.array([0.0]), np.array([0.0]), Box(0, 0, 16, 1)).hit_rate == 1


def test_patch_finding__random_is_the_mean_over_all_places() -> None:
    rng = np.random.default_rng(0)
    mask = rng.random((12, 15)) < 0.3
    places = [(x, y) for y in range(8) for x in range(11)]
    xs, ys = np.arange(11.0), np.arange(8.0)
    found = patch_finding(mask, xs, ys, Box(0, 0, 5, 5))
    inside = [int(mask[y : y + 5, x : x + 5].sum()) for x, y in places]
    total = int(mask.sum())
    assert total > 25  # so that the rule of large objects counts
    hits = [n >= 0.5 * total or n >= 0.6 * 25 for n in inside]
    assert found.hit_rate == pytest.approx(sum(hits) / len(hits))
    assert found.coverage == pytest.approx(sum(inside) / len(inside) / total)


def small_run(path: Path, frames: dict[str, Frame]) -> Run:
    """A finished run of one class whose scores are all zero."""
    identity = Identity(
        classes=("cat",), dataset_fingerprint="d", dataset_origin={"source": "gone"},
        images=len(frames), prior="none", prior_origin={}, prior_fingerprint="p", resolution_px=32,
        cell_px=8, precision="float32",
        settings=ScoreSettings(timesteps=(500,), feature_grid=1, feature_dim=2),
    )  # fmt: skip
    run = create_run(path, identity)
    rows = [
        ShardRow(ImageRef(name, 0), "", one, b"", b"", no_score(one))
        for name, one in frames.items()
    ]
    run.write_shard(0, rows)
    run.gather_images()
    run.finish()
    return run


def no_score(frame: Frame) -> Score:
    maps = np.zeros((1, frame.proxy_height // 8, frame.proxy_width // 8), np.float32)
    return Score(maps, maps, np.zeros((1, 1, 2), np.float32))


def chosen(*places: tuple[str, float, Box]) -> ClassSelection:
    patches = tuple(
        Patch(name, 0, box, box, score, 0.0, 0, 0.0, rank)
        for rank, (name, score, box) in enumerate(places)
    )
    return ClassSelection("cat", 0, patches, tuple((n,) for n in range(len(patches))))


def whole(width: int, height: int) -> Frame:
    return Frame(width, height, Box(0, 0, width, height), 32, 32)


def test_check_selection__by_hand(tmp_path: Path) -> None:
    """Objects of 4 x 4 px in pictures of 16 x 16 px, patches of 8 px."""
    run = small_run(tmp_path / "run", {"cat/a.png": whole(16, 16), "cat/b.png": whole(16, 16)})
    objects = {
        "cat/a.png": rectangle((16, 16), 6, 6, 4, 4),
        "cat/b.png": rectangle((16, 16), 0, 0, 4, 4),
    }
    selection = chosen(
        ("cat/a.png", 0.9, Box(6, 6, 8, 8)),  # holds all of a
        ("cat/a.png", 0.1, Box(8, 8, 8, 8)),  # of a, only the best patch counts
        ("cat/b.png", 0.5, Box(3, 0, 8, 8)),  # holds a quarter of b
    )
    figures = check_selection(run, [selection], objects)
    assert figures["images"] == 2
    assert figures["hit_rate"] == 0.5
    assert figures["coverage"] == pytest.approx((1 + 0.25) / 2)
    assert figures["hit_rate_centre"] == 0.5
    assert figures["coverage_centre"] == pytest.approx(0.5)
    random = [slow_random(objects[name], 8) for name in ("cat/a.png", "cat/b.png")]
    assert figures["hit_rate_random"] == pytest.approx(np.mean([hit for hit, _ in random]))
    assert figures["coverage_random"] == pytest.approx(np.mean([cover for _, cover in random]))


def slow_random(mask: Mask, side: int) -> tuple[float, float]:
    hits, covers, total = [], [], int(mask.sum())
    for y in range(mask.shape[0] - side + 1):
        for x in range(mask.shape[1] - side + 1):
            inside = int(mask[y : y + side, x : x + side].sum())
            hits.append(inside >= total / 2 or (total > side**2 and inside >= 0.6 * side**2))
            covers.append(inside / total)
    return sum(hits) / len(hits), sum(covers) / len(covers)


def test_check_selection__random_and_centre_stay_in_what_the_prior_saw(tmp_path: Path) -> None:
    """Of a picture of 40 x 16 px the prior saw the middle, x from 12 to 28."""
    frame = Frame(40, 16, Box(12, 0, 16, 16), 32, 32)
    run = small_run(tmp_path / "run", {"cat/a.png": frame})
    selection = chosen(("cat/a.png", 1.0, Box(20, 8, 8, 8)))
    outside = {"cat/a.png": rectangle((16, 40), 0, 0, 8, 16)}
    figures = check_selection(run, [selection], outside)
    assert {figures[f"coverage{name}"] for name in ("", "_random", "_centre")} == {0.0}
    centre = {"cat/a.png": rectangle((16, 40), 16, 4, 8, 8)}
    assert check_selection(run, [selection], centre)["coverage_centre"] == 1


def test_check_selection__random_and_centre_of_wide_and_tall_pictures(tmp_path: Path) -> None:
    """Of 44 x 16 px the middle 32 x 16 px are seen at 64 x 32, of 12 x 24 px all, at 32 x 64."""
    frames = {
        "cat/wide.png": Frame(44, 16, Box(6, 0, 32, 16), 64, 32),
        "cat/tall.png": Frame(12, 24, Box(0, 0, 12, 24), 32, 64),
    }
    run = small_run(tmp_path / "run", frames)
    wide, tall = rectangle((16, 44), 30, 4, 8, 8), rectangle((24, 12), 3, 9, 6, 6)
    boxes = [frames["cat/wide.png"].to_source(Box(48, 8, 16, 16)), Box(3, 0, 6, 6)]
    assert boxes[0] == Box(30, 4, 8, 8)
    selection = chosen(("cat/wide.png", 1.0, boxes[0]), ("cat/tall.png", 1.0, boxes[1]))
    figures = check_selection(run, [selection], {"cat/wide.png": wide, "cat/tall.png": tall})
    assert figures["coverage"] == 0.5
    assert figures["coverage_centre"] == 0.5  # that of the tall one: (3, 9) is its middle
    random = [slow_random(wide[:, 6:38], 8), slow_random(tall, 6)]
    assert figures["hit_rate_random"] == pytest.approx(np.mean([hit for hit, _ in random]))
    assert figures["coverage_random"] == pytest.approx(np.mean([cover for _, cover in random]))


def test_check_selection__empty_masks_and_skipped_images_are_left_out(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", {name: whole(16, 16) for name in ("cat/a.png", "cat/b.png")})
    objects = {
        "cat/a.png": rectangle((16, 16), 0, 0, 4, 4), "cat/b.png": np.zeros((16, 16), bool),
    }  # fmt: skip
    box = Box(0, 0, 8, 8)
    selection = chosen(("cat/a.png", 1.0, box), ("cat/b.png", 1.0, box))
    assert check_selection(run, [selection], objects)["images"] == 1


@pytest.mark.parametrize(
    ("image_id", "names", "found"),
    [
        ("cat/a.png", ["cat/a.png", "dog/a.png"], "cat/a.png"),
        ("cat/a.png", ["train/cat/a.png", "train/dog/a.png"], "train/cat/a.png"),
        ("train/cat/a.png", ["cat/a.png", "dog/a.png"], "cat/a.png"),
        ("cat/a.png", ["a.png"], "a.png"),
        ("a.png", ["cat/a.png"], "cat/a.png"),
        ("a.png", ["cat/a.png", "dog/a.png"], None),
        ("fox/a.png", ["cat/a.png", "dog/a.png"], None),
        ("cat/a.png", ["train/cat/a.png", "val/cat/a.png"], None),
        ("a.png", ["cat/a.png", "dog/a.png", "a.png"], "a.png"),
        ("cat/a.jpg", ["cat/a.png"], None),
        ("cat/a.png", ["cat/ba.png"], None),
    ],
)
def test_check_selection__names_meet_where_their_ends_are_unique(
    tmp_path: Path, image_id: str, names: list[str], found: str | None
) -> None:
    """The right object lies under the patch, all others lie elsewhere."""
    run = small_run(tmp_path / "run", {image_id: whole(16, 16)})
    objects = {
        name: rectangle((16, 16), *((0, 0) if name == found else (12, 12)), 4, 4) for name in names
    }
    selection = chosen((image_id, 1.0, Box(0, 0, 8, 8)))
    if found is None:
        with pytest.raises(SourceError, match="none of the run's images is among"):
            check_selection(run, [selection], objects)
    else:
        assert check_selection(run, [selection], objects)["coverage"] == 1
