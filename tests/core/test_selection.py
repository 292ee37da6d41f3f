"""One class from its scores to its ranked patches, on drawn gap maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dsel.config import SelectSettings
from dsel.core.selection import (
    Located,
    check_overrides,
    combined_gap,
    image_bucket,
    locate_class,
    patch_size,
    ranking_scores,
    select_class,
    timestep_columns,
)
from dsel.errors import SettingError
from dsel.types import Box, Bucket, ClassScores, ClassSelection, Frame, Geometry, Patch

PX, CELL_PX, CELLS = 64, 8, 8
GEOMETRY = Geometry((200, 500), np.array([1.0, 2.0], np.float32), CELL_PX, PX)


SHAPES = ((CELLS, CELLS), (CELLS, 2 * CELLS), (CELLS, CELLS + 3), (CELLS + 2, CELLS))
"""Heights and widths of maps in cells: a square, two wide ones, and a tall one."""


def class_scores(
    n: int, seed: int = 0, identical: bool = False, shapes: tuple[tuple[int, int], ...] = SHAPES[:1]
) -> ClassScores:
    """Gap maps of noise with one bright square of 4 x 4 cells; features of three kinds.

    The images have the shapes in turn.
    """
    rng = np.random.default_rng(seed)
    turns = [shapes[i % len(shapes)] for i in range(n)]
    maps = [rng.normal(size=(2, *shape)) * 0.05 for shape in turns]
    for one, (rows, columns) in zip(maps, turns, strict=True):
        x, y = rng.integers(0, columns - 3), rng.integers(0, rows - 3)
        one[:, y : y + 4, x : x + 4] += rng.uniform(1, 2)
    features = rng.normal(size=(n, 4, 4, 6)) * 0.1
    features += np.eye(6)[rng.integers(0, 3, n)][:, None, None, :] * 5
    if identical:
        features = np.ones_like(features)
    return ClassScores(
        name="cat", index=2,
        ids=tuple(f"cat/{i}" for i in range(n)),
        frames=tuple(frame(*shape) for shape in turns),
        buckets=tuple(bucket_of(maps, turns, shape) for shape in sorted(set(turns))),
        features=features.astype(np.float16),
        refined=np.zeros(n, bool),
    )  # fmt: skip


def frame(rows: int, columns: int) -> Frame:
    """What a proxy of so many cells shows at half the scale, 10 px from the left of its source."""
    width, height = columns * CELL_PX, rows * CELL_PX
    return Frame(2 * width + 22, 2 * height, Box(10, 0, 2 * width, 2 * height), width, height)


def bucket_of(
    maps: list[np.ndarray], turns: list[tuple[int, int]], shape: tuple[int, int]
) -> Bucket:
    rows = [n for n, other in enumerate(turns) if other == shape]
    gap = np.stack([maps[row] for row in rows]).astype(np.float16)
    return Bucket(np.array(rows), gap - np.float16(1), gap)


def squares(n: int) -> tuple[ClassScores, Bucket]:
    """The scores of a class of squares, and the one bucket that holds them."""
    scores = class_scores(n)
    (bucket,) = scores.buckets
    return scores, bucket


def with_gap(scores: ClassScores, gap: np.ndarray) -> ClassScores:
    return replace(scores, buckets=(replace(scores.buckets[0], gap=gap),))


def alone(scores: ClassScores, row: int) -> ClassScores:
    """The class as if it had this image only."""
    bucket = image_bucket(scores, row)
    one = slice(row, row + 1)
    return replace(
        scores, ids=scores.ids[one], frames=scores.frames[one], features=scores.features[one],
        buckets=(replace(bucket, rows=np.array([0])),),
    )  # fmt: skip


def selected(n: int, **settings: object) -> ClassSelection:
    return select_class(class_scores(n), GEOMETRY, SelectSettings(**settings))


def plain(found: ClassSelection) -> str:
    """All of a selection in words: a margin that is NaN equals no other one."""
    return repr(found)


def test_combined_gap__each_timestep_on_its_own_scale() -> None:
    _, bucket = squares(3)
    gap = bucket.gap.astype(np.float64)
    np.testing.assert_allclose(
        combined_gap(bucket, GEOMETRY, SelectSettings(gap="signed")),
        gap[:, 0] / 2 + gap[:, 1] / 4,
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        combined_gap(bucket, GEOMETRY, SelectSettings(gap="signed", timesteps=(500,))),
        gap[:, 1] / 2,
        rtol=1e-5,
        atol=1e-6,
    )


def test_timestep_columns__by_hand() -> None:
    assert timestep_columns((), (7, 3, 9)) == [0, 1, 2]
    assert timestep_columns((9, 7), (7, 3, 9)) == [2, 0]
    with pytest.raises(SettingError, match="timestep 4 was not scored in this run; scored are 7,"):
        timestep_columns((9, 4), (7, 3, 9))


def test_select_class__unknown_timestep() -> None:
    with pytest.raises(SettingError, match=r"timestep 300 was not scored .* scored are 200, 500"):
        selected(4, timesteps=(300,))


def test_select_class__a_subset_of_timesteps_reads_only_those() -> None:
    scores, bucket = squares(5)
    gap = bucket.gap.copy()
    gap[:, 1] = np.nan  # were it read, nothing would be found
    found = select_class(with_gap(scores, gap), GEOMETRY, SelectSettings(timesteps=(200,)))
    expected = select_class(scores, GEOMETRY, SelectSettings(timesteps=(200,)))
    assert plain(found) == plain(expected)
    assert len(found.patches) == 5


def test_patch_size__half_by_default() -> None:
    assert patch_size(SelectSettings(), GEOMETRY) == 32
    assert patch_size(SelectSettings(patch_px=20), GEOMETRY) == 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch_px": 65}, "patch size must be between 1 and 64 px for 64 x 64 px images, got 65"),
        ({"per_image": 5}, "at most 4 patches of 32 px fit side by side in 64 x 64 px, got 5"),
        ({"patch_px": 33, "per_image": 2}, "at most 1 patches of 33 px"),
    ],
)
def test_patch_size__says_what_would_be_right(settings: dict[str, int], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        selected(3, **settings)


def test_locate_class__finds_the_bright_square() -> None:
    scores, bucket = squares(6)
    located = locate_class(scores, GEOMETRY, SelectSettings())
    maps = combined_gap(bucket, GEOMETRY, SelectSettings())
    for n in range(6):
        assert located.image[n] == n
        row, column = int(located.y[n] / 8), int(located.x[n] / 8)
        inside = maps[n, row : row + 4, column : column + 4]
        assert inside.min() > 0.5
        assert located.score[n] == pytest.approx(inside.mean(), rel=1e-5)
        assert np.isfinite(located.margin[n]) == any(  # is there room for another box beside it?
            place in (0, 4) for place in (row, column)
        )


def test_locate_class__stride_of_one_pixel_is_never_worse() -> None:
    scores = class_scores(6)
    coarse = locate_class(scores, GEOMETRY, SelectSettings(patch_px=20))
    fine = locate_class(scores, GEOMETRY, SelectSettings(patch_px=20, stride_px=1))
    assert (fine.score >= coarse.score - 1e-9).all()


def test_select_class__boxes_in_source_pixels_by_hand() -> None:
    found = selected(4)
    for patch in found.patches:
        box, source = patch.box, patch.source_box
        assert (box.width, box.height) == (32, 32)
        assert (source.width, source.height) == (64, 64)
        assert (source.x, source.y) == (10 + 2 * box.x, 2 * box.y)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("factor", [1, 2])
def test_select_class__small_classes(n: int, factor: int) -> None:
    """Ten clusters are asked for, and there are fewer patches than that."""
    found = selected(n, ipc=10, factor=factor)
    assert (found.name, found.index) == ("cat", 2)
    assert [patch.rank for patch in found.patches] == list(range(n))
    assert {patch.image_id for patch in found.patches} == {f"cat/{i}" for i in range(n)}
    assert len({patch.cluster for patch in found.patches}) == n
    assert all(patch.class_index == 2 for patch in found.patches)
    assert len(found.images) == n
    assert all(len(image) == factor**2 for image in found.images)
    best = max(found.patches, key=lambda patch: patch.score)
    assert (best.rank, best.cluster) == (0, 0)


def test_select_class__no_scored_images() -> None:
    assert selected(0) == ClassSelection("cat", 2, (), ())


def test_select_class__identical_features_are_one_cluster() -> None:
    scores = class_scores(8, identical=True)
    found = select_class(scores, GEOMETRY, SelectSettings(ipc=5))
    assert {patch.cluster for patch in found.patches} == {0}
    order = [patch.score for patch in found.patches]
    assert order == sorted(order, reverse=True)


def test_select_class__every_ipc_is_a_head_when_k_is_fixed() -> None:
    pools = [plain(selected(40, clusters=3, ipc=ipc)) for ipc in (1, 5, 40)]
    assert pools[0] == pools[1] == pools[2]


def test_select_class__per_image_boxes_are_apart_and_only_the_first_has_a_margin() -> None:
    found = selected(6, patch_px=24, per_image=3, stride_px=1)
    by_image: dict[str, list] = {}
    for patch in sorted(found.patches, key=lambda patch: -patch.score):
        by_image.setdefault(patch.image_id, []).append(patch)
    assert len(by_image) == 6
    for patches in by_image.values():
        assert 1 <= len(patches) <= 3
        assert all(np.isnan(patch.margin) for patch in patches[1:])
        for one in range(len(patches)):
            for other in range(one):
                a, b = patches[one].box, patches[other].box
                assert max(abs(a.x - b.x), abs(a.y - b.y)) >= 24


def test_select_class__an_image_with_room_for_one_gives_one() -> None:
    """Two boxes of half the side are asked for; round a box in the middle no second one fits."""
    scores, bucket = squares(2)
    gap = np.zeros_like(bucket.gap)
    gap[0, :, 2:6, 2:6] = 1
    gap[1, :, 0:4, 0:4] = 1
    found = select_class(with_gap(scores, gap), GEOMETRY, SelectSettings(per_image=2))
    assert sorted(patch.image_id for patch in found.patches) == ["cat/0", "cat/1", "cat/1"]


def test_select_class__mosaics_come_from_one_cluster_and_use_each_patch_once() -> None:
    found = selected(50, factor=2, clusters=3)
    clusters = [patch.cluster for patch in found.patches]
    sizes = [clusters.count(cluster) for cluster in range(3)]
    full = found.images[: sum(size // 4 for size in sizes)]
    assert len(full) >= 9
    assert all(len({clusters[position] for position in image}) == 1 for image in found.images)
    used = [position for image in full for position in image]
    assert len(used) == len(set(used))
    turns = [clusters[image[0]] for image in full]
    assert turns[:3] == [0, 1, 2]


def test_select_class__images_point_into_the_ranked_patches() -> None:
    found = selected(9, clusters=2)
    assert found.images == tuple((position,) for position in range(9))


def test_ranking_scores__by_hand() -> None:
    score = np.array([5.0, 1.0, 4.0, 2.0])
    refined = np.array([False, True, False, True])
    np.testing.assert_allclose(ranking_scores(score, refined), [1, 1, 0, 2], atol=1e-6)
    assert np.argsort(-ranking_scores(score, refined)).tolist() == [3, 1, 0, 2]
    apart = np.array([0.5, 1.0, 0.2, 2.0])
    np.testing.assert_allclose(ranking_scores(apart, refined), apart, atol=1e-6)
    for all_alike in (np.zeros(4, bool), np.ones(4, bool)):
        assert ranking_scores(score, all_alike) is score


@pytest.mark.parametrize("across", ["pooled", "round-robin"])
def test_select_class__few_draws_stand_behind_many(across: str) -> None:
    scores = class_scores(20)
    refined = np.arange(20) % 3 == 0
    settings = SelectSettings(ipc=3, across=across)
    found = select_class(replace(scores, refined=refined), GEOMETRY, settings)
    by_score = {p.image_id: p.score for p in select_class(scores, GEOMETRY, settings).patches}
    assert {p.image_id: p.score for p in found.patches} == by_score
    clusters = [found.patches] if across == "pooled" else [
        [p for p in found.patches if p.cluster == cluster] for cluster in range(3)
    ]  # fmt: skip
    for cluster in clusters:
        many = [bool(refined[int(p.image_id.removeprefix("cat/"))]) for p in cluster]
        assert many == sorted(many, reverse=True)


def test_select_class__same_arguments_same_selection() -> None:
    settings = {"ipc": 6, "factor": 2, "stride_px": 3, "within": "centroid"}
    assert plain(selected(40, **settings)) == plain(selected(40, **settings))


def test_select_class__other_images_do_not_move_a_box() -> None:
    for shapes in (SHAPES[:1], SHAPES):
        scores = class_scores(10, shapes=shapes)
        together = {p.image_id: p for p in select_class(scores, GEOMETRY, SelectSettings()).patches}
        for row, image_id in enumerate(scores.ids):
            (patch,) = select_class(alone(scores, row), GEOMETRY, SelectSettings()).patches
            assert patch.box == together[image_id].box
            assert patch.source_box == together[image_id].source_box
            assert patch.score == together[image_id].score
            assert repr(patch.margin) == repr(together[image_id].margin)


# --- classes of many shapes --------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        SelectSettings(),
        SelectSettings(patch_px=20, stride_px=4, per_image=2, timesteps=(500,)),
        SelectSettings(patch_px=64, gap="signed"),
    ],
)
def test_locate_class__each_image_as_it_would_be_alone(settings: SelectSettings) -> None:
    scores = class_scores(13, seed=3, shapes=SHAPES)
    located = locate_class(scores, GEOMETRY, settings)
    assert (np.diff(located.image) >= 0).all()
    for row in range(13):
        one = locate_class(alone(scores, row), GEOMETRY, settings)
        mine = located.image == row
        for name in ("x", "y", "score", "margin", "features"):
            there, expected = getattr(located, name)[mine], getattr(one, name)
            assert np.array_equal(there, expected, equal_nan=True), (row, name)


def test_locate_class__boxes_by_the_slow_definition() -> None:
    """All boxes of whole cells on each map, one by one: the first of the largest means wins."""
    scores = class_scores(12, seed=5, shapes=SHAPES)
    located = locate_class(scores, GEOMETRY, SelectSettings(patch_px=24))
    assert located.image.tolist() == list(range(12))
    for row in range(12):
        maps = combined_gap(image_bucket(scores, row), GEOMETRY, SelectSettings())[0]
        rows, columns = SHAPES[row % len(SHAPES)]
        assert maps.shape == (rows, columns)
        means = {
            (8 * x, 8 * y): maps[y : y + 3, x : x + 3].mean(dtype=np.float64)
            for y in range(rows - 2)
            for x in range(columns - 2)
        }
        best = max(means, key=means.__getitem__)
        assert (located.x[row], located.y[row]) == best
        assert located.score[row] == pytest.approx(means[best], abs=1e-6)


def test_locate_class__features_come_from_under_the_box() -> None:
    """Each feature names its grid column and row: the middle of the box, as a share, comes back."""
    scores = class_scores(12, seed=7, shapes=SHAPES)
    grid = 16
    columns, rows = np.meshgrid(np.arange(grid) + 0.5, np.arange(grid) + 0.5)
    spread = np.stack([columns, rows], axis=-1) / grid  # (g, g, 2)
    scores = replace(scores, features=np.repeat(spread[None], 12, axis=0).astype(np.float16))
    located = locate_class(scores, GEOMETRY, SelectSettings())
    for row, one in enumerate(scores.frames):
        middle = (located.x[row] + 16) / one.proxy_width, (located.y[row] + 16) / one.proxy_height
        assert located.features[row] == pytest.approx(middle, abs=0.02)
    assert max(located.x) > PX - 32  # some lie where a square has no place


def test_select_class__patches_of_many_shapes_lie_inside_their_sources() -> None:
    scores = class_scores(24, shapes=SHAPES)
    found = select_class(scores, GEOMETRY, SelectSettings(ipc=5))
    frames = dict(zip(scores.ids, scores.frames, strict=True))
    assert sorted(patch.image_id for patch in found.patches) == sorted(scores.ids)
    for patch in found.patches:
        seen, source = frames[patch.image_id], patch.source_box
        assert 0 <= patch.box.x <= seen.proxy_width - 32
        assert 0 <= patch.box.y <= seen.proxy_height - 32
        assert source == Box(10 + 2 * patch.box.x, 2 * patch.box.y, 64, 64)
        assert source.x + 64 <= seen.source_width
        assert source.y + 64 <= seen.source_height


def test_patch_size__is_held_against_the_shorter_side() -> None:
    scores = class_scores(8, shapes=SHAPES[1:])
    with pytest.raises(SettingError, match="between 1 and 64 px for 64 x 64 px images, got 65"):
        select_class(scores, GEOMETRY, SelectSettings(patch_px=65))
    found = select_class(scores, GEOMETRY, SelectSettings(patch_px=64))
    assert len(found.patches) == 8


def test_image_bucket__by_hand() -> None:
    scores = class_scores(9, shapes=SHAPES)
    for row in range(9):
        bucket = image_bucket(scores, row)
        assert bucket.rows.tolist() == [row]
        assert bucket.gap.shape == bucket.conditional.shape == (1, 2, *SHAPES[row % 4])
    with pytest.raises(IndexError, match="has 9 scored images, no row 9"):
        image_bucket(scores, 9)


# --- decisions by hand -------------------------------------------------------------------------


def by_image(found: ClassSelection) -> dict[str, list[Patch]]:
    """The patches of each image, best first."""
    images: dict[str, list[Patch]] = {}
    for patch in sorted(found.patches, key=lambda patch: np.isnan(patch.margin)):
        images.setdefault(patch.image_id, []).append(patch)
    return images


def test_select_class__a_moved_box_by_the_slow_definition() -> None:
    """At any pixel, on maps of any shape: mean over its pixels, lead over all boxes beside it."""
    scores = class_scores(8, seed=2, shapes=SHAPES)
    for row, (x, y) in enumerate([(0, 0), (17, 3), (32, 32), (5, 31), (1, 2), (96, 32), (8, 16)]):
        moves = (f"cat/{row}@{x},{y}",)
        found = locate_class(scores, GEOMETRY, SelectSettings(moves=moves))
        maps = combined_gap(image_bucket(scores, row), GEOMETRY, SelectSettings())[0]
        pixels = maps.astype(np.float64).repeat(CELL_PX, 0).repeat(CELL_PX, 1)
        assert (found.x[row], found.y[row]) == (x, y)
        mean = pixels[y : y + 32, x : x + 32].mean()
        assert found.score[row] == pytest.approx(mean, abs=1e-9)
        beside = [
            pixels[top : top + 32, left : left + 32].mean()
            for top in range(0, pixels.shape[0] - 31, CELL_PX)
            for left in range(0, pixels.shape[1] - 31, CELL_PX)
            if abs(top - y) >= 32 or abs(left - x) >= 32
        ]
        lead = mean - max(beside) if beside else np.nan
        assert found.margin[row] == pytest.approx(lead, abs=1e-8, nan_ok=True)


def test_select_class__a_moved_box_carries_its_features_and_source_box() -> None:
    scores = class_scores(6, seed=7)
    grid = np.stack(np.meshgrid(np.arange(16) + 0.5, np.arange(16) + 0.5), axis=-1) / 16
    scores = replace(scores, features=np.repeat(grid[None], 6, axis=0).astype(np.float16))
    settings = SelectSettings(moves=("cat/3@20,12",))
    located = locate_class(scores, GEOMETRY, settings)
    assert located.features[3] == pytest.approx(((20 + 16) / PX, (12 + 16) / PX), abs=1e-3)
    (patch,) = by_image(select_class(scores, GEOMETRY, settings))["cat/3"]
    assert patch.box == Box(20, 12, 32, 32)
    assert patch.source_box == Box(10 + 2 * 20, 2 * 12, 64, 64)
    before = locate_class(scores, GEOMETRY, SelectSettings())
    for name in ("x", "y", "score", "margin", "features"):
        one, other = (np.delete(getattr(part, name), 3, axis=0) for part in (located, before))
        assert np.array_equal(one, other, equal_nan=True), name


def test_select_class__a_box_moved_to_where_it_is_changes_nothing() -> None:
    scores = class_scores(9, shapes=SHAPES)
    settings = SelectSettings(patch_px=24, per_image=2, ipc=3)
    before = select_class(scores, GEOMETRY, settings)
    moves = tuple(
        f"{image_id}@{patches[0].box.x:.0f},{patches[0].box.y:.0f}"
        for image_id, patches in by_image(before).items()
    )
    assert len(moves) == 9
    assert plain(select_class(scores, GEOMETRY, settings.replace(moves=moves))) == plain(before)


def test_select_class__a_move_replaces_the_best_of_several_patches() -> None:
    scores = class_scores(6, shapes=SHAPES[1:2])  # 128 x 64 px
    settings = SelectSettings(patch_px=24, per_image=3)
    before = by_image(select_class(scores, GEOMETRY, settings))
    for image_id, patches in before.items():
        x, y = (96, 33) if patches[0].box.x < 64 else (3, 5)
        moved = settings.replace(moves=(f"{image_id}@{x},{y}",))
        after = by_image(select_class(scores, GEOMETRY, moved))[image_id]
        assert after[0].box == Box(x, y, 24, 24)
        assert all(patch.box != patches[0].box for patch in after)
        for one in range(len(after)):
            for other in range(one):
                a, b = after[one].box, after[other].box
                assert max(abs(a.x - b.x), abs(a.y - b.y)) >= 24
        untouched = all(max(abs(p.box.x - x), abs(p.box.y - y)) >= 24 for p in patches)
        kept = {p.box for p in patches[1:]} == {p.box for p in after[1:]}
        assert kept or not untouched


def test_select_class__bans_leave_the_class_as_if_the_images_were_not_there() -> None:
    scores = class_scores(12, shapes=SHAPES)
    settings = SelectSettings(ipc=3, factor=2, patch_px=24, per_image=2)
    banned = settings.replace(bans=("cat/11", "dog/1", "cat/10"))
    few = class_scores(12, shapes=SHAPES)
    few = replace(
        few, ids=few.ids[:10], frames=few.frames[:10], features=few.features[:10],
        buckets=tuple(
            replace(b, rows=b.rows[b.rows < 10], conditional=b.conditional[b.rows < 10],
                    gap=b.gap[b.rows < 10])
            for b in few.buckets
        ),
    )  # fmt: skip
    expected = select_class(few, GEOMETRY, settings)
    assert plain(select_class(scores, GEOMETRY, banned)) == plain(expected)
    every = settings.replace(bans=scores.ids)
    assert select_class(scores, GEOMETRY, every) == ClassSelection("cat", 2, (), ())


def test_select_class__banned_images_are_described_and_left_out() -> None:
    """So that what a model said of a class need not be asked for again after a ban."""
    asked = []

    def describe(scores: ClassScores, located: Located) -> np.ndarray:
        asked.append(located.image.tolist())
        return located.features

    scores = class_scores(7)
    settings = SelectSettings(bans=("cat/3",))
    found = select_class(scores, GEOMETRY, settings, describe)
    assert asked == [list(range(7))]
    assert plain(found) == plain(select_class(scores, GEOMETRY, settings))


def test_select_class__pins_come_first_and_nothing_else_changes() -> None:
    scores = class_scores(30, shapes=SHAPES)
    settings = SelectSettings(clusters=4, ipc=5)
    before = select_class(scores, GEOMETRY, settings)
    pins = (before.patches[20].image_id, "dog/1", before.patches[3].image_id)
    after = select_class(scores, GEOMETRY, settings.replace(pins=pins))
    order = [20, 3, *(n for n in range(30) if n not in (3, 20))]
    expected = [replace(before.patches[n], rank=rank) for rank, n in enumerate(order)]
    assert repr(after.patches) == repr(tuple(expected))
    assert after.images == before.images  # patches that stand alone are images in ranked order


def test_select_class__a_pin_takes_the_best_of_several_patches_where_it_was_moved() -> None:
    scores = class_scores(6)
    settings = SelectSettings(patch_px=24, per_image=2, pins=("cat/4",), moves=("cat/4@7,9",))
    first, *others = select_class(scores, GEOMETRY, settings).patches
    assert (first.image_id, first.box) == ("cat/4", Box(7, 9, 24, 24))
    assert "cat/4" in {patch.image_id for patch in others}


@pytest.mark.parametrize("ipc", [1, 3])
def test_select_class__pinned_patches_lead_the_first_mosaics(ipc: int) -> None:
    settings = SelectSettings(clusters=3, factor=2)
    scores = class_scores(50)
    clusters: dict[int, list[str]] = {}
    for patch in select_class(scores, GEOMETRY, settings).patches:
        clusters.setdefault(patch.cluster, []).append(patch.image_id)
    pins = (clusters[2][-1], clusters[0][-1], clusters[2][-2])
    found = select_class(scores, GEOMETRY, settings.replace(pins=pins, ipc=ipc))
    named = [[found.patches[p].image_id for p in image] for image in found.images]
    assert named[0] == [pins[0], pins[2], *clusters[2][:2]]
    assert named[1] == [pins[1], *clusters[0][:3]]
    assert named[2] == clusters[1][:4]  # the cluster that led no image yet
    assert [patch.image_id for patch in found.patches[:3]] == list(pins)


def test_select_class__overrides_of_other_classes_say_nothing() -> None:
    settings = SelectSettings(ipc=3, factor=2)
    other = {"pins": ("dog/1",), "bans": ("cat",), "moves": ("dog/2@999,0",)}
    assert plain(selected(12, ipc=3, factor=2, **other)) == plain(
        select_class(class_scores(12), GEOMETRY, settings)
    )


def test_select_class__a_moved_box_must_lie_in_its_picture() -> None:
    scores = class_scores(4, shapes=SHAPES[1:2])
    message = r"'cat/1' in moves must be between 0,0 and 96,32 for a 32 px .* picture, got 97,0"
    with pytest.raises(SettingError, match=message):
        select_class(scores, GEOMETRY, SelectSettings(moves=("cat/1@97,0",)))


FRAMES = {"cat/0": frame(8, 8), "cat/1": frame(8, 16), "dog/0": None}


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"pins": ("cat/1", "cat/0"), "moves": ("cat/1@96,32", "cat/0@32,0")},
        {"bans": ("dog/0", "cat/0")},
    ],
)
def test_check_overrides__what_fits(overrides: dict[str, tuple[str, ...]]) -> None:
    check_overrides(SelectSettings(**overrides), GEOMETRY, FRAMES)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"pins": ("cat/2",)}, "unknown image 'cat/2' in pins: ids look like 'cat/0'"),
        ({"bans": ("",)}, "unknown image '' in bans: ids look like 'cat/0'"),
        ({"moves": ("cow@0,0",)}, "unknown image 'cow' in moves: ids look like 'cat/0'"),
        ({"pins": ("dog/0",)}, "image 'dog/0' in pins has no patch, since it was skipped when the "
         "run was scored: take another image"),
        ({"moves": ("dog/0@0,0",)}, "image 'dog/0' in moves has no patch, since it was skipped "
         "when the run was scored: take another image"),
        ({"moves": ("cat/0@33,0",)}, "the corner of image 'cat/0' in moves must be between 0,0 and "
         "32,32 for a 32 px patch in its 64 x 64 px picture, got 33,0"),
    ],
)  # fmt: skip
def test_check_overrides__one_clear_line(
    overrides: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(SettingError) as caught:
        check_overrides(SelectSettings(**overrides), GEOMETRY, FRAMES)
    assert str(caught.value) == message
