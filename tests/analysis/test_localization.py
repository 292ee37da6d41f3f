"""Hit rates and coverage by hand and by the slow definition."""

from __future__ import annotations

from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest
from support.drawn import frame_of, geometry, scores_of, selection_of
from support.selecting import select_class

from dsel.analysis.explorer import Explorer
from dsel.analysis.localization import (
    ClassObjects,
    Localization,
    baseline_rates,
    best_patches,
    check_selection,
    class_objects,
    is_hit,
    localization,
    localization_overall,
    random_rate,
)
from dsel.cache import Cache
from dsel.config import ScoreSettings, SelectSettings
from dsel.core.box_search import summed_area
from dsel.core.integral_image import Tables
from dsel.errors import SourceError
from dsel.runs import Identity, Run, create_run, open_run
from dsel.runs.coco_masks import Mask
from dsel.runs.ground_truth import GroundTruth, Matched, read_ground_truth
from dsel.runs.schema import ShardRow
from dsel.types import (
    Box,
    ClassImages,
    ClassScores,
    ClassSelection,
    Frame,
    Frames,
    ImageRef,
    Patch,
    Score,
)

DEMO_RUN = Path(__file__).parents[2] / "assets/demo_run"


def rectangle(shape: tuple[int, int], x: int, y: int, width: int, height: int) -> Mask:
    mask = np.zeros(shape, bool)
    mask[y : y + height, x : x + width] = True
    return mask


def truth_of(masks: dict[str, Mask]) -> GroundTruth:
    found = {name: (mask,) for name, mask in masks.items()}
    return GroundTruth(found, Matched(len(masks), len(masks), len(masks), 0))


def images_of(frames: dict[str, Frame]) -> ClassImages:
    return ClassImages(tuple(frames), Frames.of(list(frames.values())))


def objects_of(masks: dict[str, Mask], frames: dict[str, Frame] | None = None) -> ClassObjects:
    """The objects of images that the prior saw whole, at the size of the source."""
    same = {
        name: Frame(mask.shape[1], mask.shape[0], Box(0, 0, *mask.shape[::-1]), *mask.shape[::-1])
        for name, mask in masks.items()
    }
    return class_objects(images_of(frames or same), truth_of(masks))


def one_patch(mask: Mask, box: Box) -> tuple[bool, float]:
    """Hit and coverage of one patch of one image."""
    objects = objects_of({"a": mask})
    patch = Patch("a", 0, box, box, box, 1.0, 0.1, 1.0, 0.1, 0.0, 0, 0.0, 0)
    found, *_ = localization(objects, selection_of([patch]), baseline_rates(objects, box.width))
    assert (found.kind, found.images) == ("chosen", 1)
    assert found.hit_rate in (0, 1)
    return found.hit_rate == 1, found.coverage


@pytest.mark.parametrize(
    ("x", "hit", "coverage"),
    [(0, True, 1.0), (2, True, 1.0), (4, True, 0.5), (5, False, 0.25), (6, False, 0.0)],
)
def test_localization__object_smaller_than_the_patch(x: int, hit: bool, coverage: float) -> None:
    """A patch of 10 px must hold half of an object of 4 x 4 px at (2, 3)."""
    assert one_patch(rectangle((20, 20), 2, 3, 4, 4), Box(x, 0, 10, 10)) == (hit, coverage)


@pytest.mark.parametrize(
    ("x", "hit", "inside_px"),
    [(4, True, 16), (2, False, 8), (2.375, False, 9.5), (2.5, True, 10), (14, False, 8)],
)
def test_localization__object_larger_than_the_patch(x: float, hit: bool, inside_px: float) -> None:
    """A patch of 4 px must lie with 9.6 of its 16 px inside an object of 12 x 10 px at (4, 0)."""
    mask = rectangle((20, 20), 4, 0, 12, 10)
    assert one_patch(mask, Box(x, 2, 4, 4)) == (hit, pytest.approx(inside_px / 120))


def test_localization__object_a_little_larger_than_the_patch() -> None:
    """Half of an object of 18 px is a hit too, though less than 0.6 of the patch of 16 px."""
    mask = rectangle((20, 20), 0, 0, 18, 1)
    mask[0, 9:18] = False
    mask[10, 0:9] = True  # 9 px in one row, 9 px in another
    assert one_patch(mask, Box(0, 0, 16, 1)) == (True, 0.5)


@pytest.mark.parametrize("density", [0.05, 0.3, 0.9])
def test_random_rate__is_the_mean_over_all_positions(density: float) -> None:
    rng = np.random.default_rng(0)
    mask = rng.random((12, 15)) < density
    table = summed_area(mask[None].astype(float))[0].astype(np.int32)
    found = random_rate(table, Box(0, 0, 15, 12), 5, 5)
    assert found == pytest.approx(slow_random(mask, 5))


def test_random_rate__positions_beside_the_object_count() -> None:
    """An object of 3 x 2 px at (20, 7) in a view of 40 x 30 px."""
    mask = rectangle((30, 40), 20, 7, 3, 2)
    (objects,) = [objects_of({"a": mask})]
    rates = baseline_rates(objects, 6).random
    assert (rates.hit[0], rates.coverage[0]) == pytest.approx(slow_random(mask, 6))


def test_random_rate__fractional_patches_by_interpolation() -> None:
    """Patches of 2.5 px, every pixel a quarter of one mask pixel."""
    mask = np.random.default_rng(1).random((8, 9)) < 0.4
    quarters = np.kron(mask, np.ones((4, 4)))
    inside = [
        quarters[4 * y : 4 * y + 10, 4 * x : 4 * x + 10].sum() / 16 for y in range(6)
        for x in range(7)
    ]  # fmt: skip
    table = summed_area(mask[None].astype(float))[0].astype(np.int32)
    hit, coverage = random_rate(table, Box(0, 0, 9, 8), 2.5, 2.5)
    total = mask.sum()
    assert coverage == pytest.approx(np.mean(inside) / total)
    assert hit == np.mean([n >= total / 2 or (total > 6.25 and n >= 0.6 * 6.25) for n in inside])


def test_is_hit__rounding_decides_nothing() -> None:
    almost = np.array([2.0 - 1e-12, 2.0, 1.99])
    assert is_hit(almost, 4.0, 16.0).tolist() == [True, True, False]
    assert is_hit(np.array([9.6 - 1e-12, 9.5]), 100.0, 16.0).tolist() == [True, False]


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
    return Score(*[maps] * 5, np.zeros((1, 1, 2), np.float32))


def chosen(*places: tuple[str, float, Box]) -> ClassSelection:
    """Patches by their boxes in the source, all 16 px wide in the proxy."""
    patches = tuple(
        Patch(name, 0, Box(0, 0, 16, 16), box, box, score, 0, score, 0, 0.0, 0, 0.0, rank)
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
    figures = check_selection(run, [selection], truth_of(objects))
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
    figures = check_selection(run, [selection], truth_of(outside))
    assert {figures[f"coverage{name}"] for name in ("", "_random", "_centre")} == {0.0}
    centre = {"cat/a.png": rectangle((16, 40), 16, 4, 8, 8)}
    assert check_selection(run, [selection], truth_of(centre))["coverage_centre"] == 1


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
    figures = check_selection(
        run, [selection], truth_of({"cat/wide.png": wide, "cat/tall.png": tall})
    )
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
    assert check_selection(run, [selection], truth_of(objects))["images"] == 1


def test_check_selection__a_selection_without_images_with_objects(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", {name: whole(16, 16) for name in ("cat/a.png", "cat/b.png")})
    truth = truth_of({"cat/a.png": rectangle((16, 16), 0, 0, 4, 4)})
    for selections in ([chosen(("cat/b.png", 1.0, Box(0, 0, 8, 8)))], []):
        with pytest.raises(
            SourceError, match="none of the 1 images with a true object has a patch"
        ):
            check_selection(run, selections, truth)


def test_check_selection__says_how_the_objects_fit(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", {"cat/a.png": whole(16, 16)})
    masks = {"cat/a.png": (rectangle((16, 16), 0, 0, 4, 4),)}
    truth = GroundTruth(masks, Matched(3, 1, 7, 5, ("crowd regions left out: 2",)))
    figures = check_selection(run, [chosen(("cat/a.png", 1.0, Box(0, 0, 8, 8)))], truth)
    fit = {name: one for name, one in figures.items() if "rate" not in name and "cov" not in name}
    assert fit == {
        "images": 1, "run_images": 3, "run_images_with_objects": 1, "file_images": 7,
        "file_images_not_in_run": 5, "notes": ("crowd regions left out: 2",),
    }  # fmt: skip


GEOMETRY = geometry((200, 500), [0.5, 0.25], 48)
SETTINGS = SelectSettings(locate="signed", smooth=0, rank_by="patch", patch_px=20, ipc=3)
SHAPES = ((6, 6), (6, 9), (8, 6), (6, 9), (6, 6))


def drawn(shapes: tuple[tuple[int, int], ...] = SHAPES) -> ClassScores:
    rng = np.random.default_rng(0)
    return scores_of([rng.normal(size=(2, *shape)) * 0.1 for shape in shapes])


def masks_of(scores: ClassScores) -> dict[str, Mask]:
    """A few true pixels of most images, in the upright source; the last one has none."""
    rng = np.random.default_rng(0)
    masks = {}
    for row, (image_id, frame) in enumerate(zip(scores.ids, scores.frames, strict=True)):
        mask = np.zeros((frame.source_height, frame.source_width), bool)
        y, x = rng.integers(0, 60, 2)
        mask[y : y + 30, x : x + 25] = rng.random((30, 25)) < (0.5 if row % 2 else 2)
        masks[image_id] = mask
    masks[scores.ids[-1]][:] = False
    return masks


def slow_rates(mask: Mask, boxes: list[Box]) -> tuple[float, float]:
    """Means over boxes of whole pixels."""
    hits, covers, total = [], [], int(mask.sum())
    for box in boxes:
        x, y, width, height = (int(at) for at in (box.x, box.y, box.width, box.height))
        assert (x, y, width, height) == (box.x, box.y, box.width, box.height)
        inside, area = int(mask[y : y + height, x : x + width].sum()), width * height
        hits.append(inside >= total / 2 or (total > area and inside >= 0.6 * area))
        covers.append(inside / total)
    return float(np.mean(hits)), float(np.mean(covers))


@pytest.mark.parametrize("settings", [SETTINGS, SETTINGS.replace(per_image=2, patch_px=24)])
def test_localization__slow_definition(settings: SelectSettings) -> None:
    scores = drawn()
    masks = masks_of(scores)
    frames = dict(zip(scores.ids, scores.frames, strict=True))
    selected = select_class(scores, GEOMETRY, settings)
    objects = class_objects(images_of(frames), truth_of(masks))
    found = localization(objects, selected, baseline_rates(objects, settings.patch_px))
    best = {patch.image_id: patch.source_box for patch in best_patches(selected)}
    boxes: dict[str, list[list[Box]]] = {"chosen": [], "random": [], "centre": [], "whole": []}
    side = 2 * settings.patch_px  # sources are twice as large as proxies
    for name in scores.ids[:-1]:
        view = frames[name].view
        free = view.width - side, view.height - side
        boxes["chosen"].append([best[name]])
        boxes["random"].append([
            Box(view.x + x, view.y + y, side, side)
            for y in range(int(free[1]) + 1) for x in range(int(free[0]) + 1)
        ])  # fmt: skip
        boxes["centre"].append([Box(view.x + free[0] / 2, view.y + free[1] / 2, side, side)])
        boxes["whole"].append([view])
    assert [one.kind for one in found] == list(boxes)
    for one in found:
        slow = [
            slow_rates(masks[name], mine)
            for name, mine in zip(scores.ids, boxes[one.kind], strict=False)
        ]
        assert one.images == len(slow) == 4
        assert (one.hit_rate, one.coverage) == pytest.approx(np.mean(slow, axis=0))


def test_localization__images_without_objects_or_patches_do_not_count() -> None:
    scores = drawn()
    selected = select_class(scores, GEOMETRY, SETTINGS.replace(bans=("cat/1",)))
    frames = dict(zip(scores.ids, scores.frames, strict=True))
    masks = {name: mask for name, mask in masks_of(scores).items() if name in scores.ids[:3]}
    objects = class_objects(images_of(frames), truth_of(masks))
    found = localization(objects, selected, baseline_rates(objects, 20))
    assert {one.images for one in found} == {2}  # cat/0 and cat/2
    nothing = class_objects(images_of(frames), truth_of({}))
    none = localization(nothing, selected, baseline_rates(nothing, 20))
    assert [(one.images, isnan(one.hit_rate), isnan(one.coverage)) for one in none] == [
        (0, True, True)
    ] * 4


def test_class_objects__keeps_no_more_than_the_objects_boxes() -> None:
    mask = np.zeros((96, 116), bool)
    mask[10:13, 20:25] = True
    frames = {"cat/0": frame_of(6, 6), "cat/1": frame_of(6, 9)}
    objects = class_objects(images_of(frames), truth_of({"cat/1": mask}))
    assert (objects.ids, objects.x.tolist(), objects.y.tolist()) == (("cat/1",), [20], [10])
    assert objects.pixels.tolist() == [15]
    assert isinstance(objects.tables, Tables)
    assert objects.tables.flat.size == 4 * 6


def test_localization_overall__every_image_counts_the_same() -> None:
    classes = [
        (Localization("chosen", 1, 1.0, 0.5), Localization("whole", 1, 1.0, 1.0)),
        (Localization("chosen", 3, 0.5, 0.1), Localization("whole", 3, 0.0, 1.0)),
        (Localization("chosen", 0, nan, nan), Localization("whole", 0, nan, nan)),
    ]
    chosen, whole = localization_overall(classes)
    assert (chosen.kind, chosen.images, whole.kind) == ("chosen", 4, "whole")
    assert (chosen.hit_rate, chosen.coverage) == pytest.approx((0.625, 0.2))
    assert (whole.hit_rate, whole.coverage) == (0.25, 1.0)
    assert isnan(localization_overall(classes[2:])[0].hit_rate)
    assert localization_overall([()]) == localization_overall([]) == ()


def test_localization__the_demo_run_in_the_app_and_on_the_command_line() -> None:
    """The figures that `dsel check` printed before the app had the same ones."""
    explorer, settings = Explorer(open_run(DEMO_RUN), Cache()), SelectSettings(patch_px=32)
    selections = [explorer.select(index, settings) for index in range(len(explorer.classes))]
    run = explorer.run
    figures = check_selection(run, selections, read_ground_truth(run, run.objects_path))
    assert figures["run_images_with_objects"] == figures["run_images"] == 1000
    assert (figures["file_images_not_in_run"], figures["notes"]) == (0, ())
    assert figures["images"] == 1000
    assert figures["hit_rate"] == 0.906
    assert figures["hit_rate_random"] == pytest.approx(0.1419, abs=5e-5)
    assert figures["hit_rate_centre"] == 0.333
    shown = explorer.localization_overall(settings)
    for one, name in zip(shown, ("", "_random", "_centre"), strict=False):
        assert one.images == 1000
        assert one.hit_rate == pytest.approx(figures[f"hit_rate{name}"])
        assert one.coverage == pytest.approx(figures[f"coverage{name}"])
    assert shown[3] == Localization("whole", 1000, 1.0, 1.0)
