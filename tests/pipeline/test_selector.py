"""One class from its scores to its ranked patches, on drawn gap maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.drawn_class import (
    GEOMETRY,
    SHAPES,
    alone,
    class_scores,
    plain,
    squares,
    with_gap,
)
from support.selecting import BY_PATCH, OneClass, select_class

from dsel.cache import Cache
from dsel.config import SelectSettings
from dsel.config.base import settings_of
from dsel.errors import SettingError
from dsel.pipeline.selector import READS, Selector, narrowed
from dsel.types import Box, ClassScores, ClassSelection


def selected(n: int, **settings: object) -> ClassSelection:
    return select_class(class_scores(n), GEOMETRY, BY_PATCH.replace(**settings))


def test_select__unknown_timestep() -> None:
    with pytest.raises(SettingError, match=r"timestep 300 was not scored .* scored are 200, 500"):
        selected(4, timesteps=(300,))


def test_select__a_subset_of_timesteps_reads_only_those() -> None:
    scores, bucket = squares(5)
    gap = bucket.gap.copy()
    gap[:, 1] = np.nan  # were it read, nothing would be found
    found = select_class(with_gap(scores, gap), GEOMETRY, SelectSettings(timesteps=(200,)))
    expected = select_class(scores, GEOMETRY, SelectSettings(timesteps=(200,)))
    assert plain(found) == plain(expected)
    assert len(found.patches) == 5


def test_select__boxes_in_source_pixels_by_hand() -> None:
    found = selected(4)
    for patch in found.patches:
        box, source = patch.box, patch.source_box
        assert (box.width, box.height) == (32, 32)
        assert (source.width, source.height) == (64, 64)
        assert (source.x, source.y) == (10 + 2 * box.x, 2 * box.y)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("factor", [1, 2])
def test_select__small_classes(n: int, factor: int) -> None:
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


def test_select__no_scored_images() -> None:
    assert selected(0) == ClassSelection("cat", 2, (), ())


def test_select__identical_features_are_one_cluster() -> None:
    scores = class_scores(8, identical=True)
    found = select_class(scores, GEOMETRY, BY_PATCH.replace(ipc=5))
    assert {patch.cluster for patch in found.patches} == {0}
    order = [patch.score for patch in found.patches]
    assert order == sorted(order, reverse=True)


def test_select__every_ipc_is_a_head_when_k_is_fixed() -> None:
    pools = [plain(selected(40, clusters=3, ipc=ipc)) for ipc in (1, 5, 40)]
    assert pools[0] == pools[1] == pools[2]


def test_select__per_image_boxes_are_apart_and_only_the_first_has_a_margin() -> None:
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


def test_select__an_image_with_room_for_one_gives_one() -> None:
    """Two boxes of half the side are asked for; round a box in the middle no second one fits."""
    scores, bucket = squares(2)
    gap = np.zeros_like(bucket.gap)
    gap[0, :, 2:6, 2:6] = 1
    gap[1, :, 0:4, 0:4] = 1
    settings = SelectSettings(per_image=2, locate="positive", smooth=0)
    found = select_class(with_gap(scores, gap), GEOMETRY, settings)
    assert sorted(patch.image_id for patch in found.patches) == ["cat/0", "cat/1", "cat/1"]


def test_select__mosaics_come_from_one_cluster_and_use_each_patch_once() -> None:
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


def test_select__images_point_into_the_ranked_patches() -> None:
    found = selected(9, clusters=2)
    assert found.images == tuple((position,) for position in range(9))


@pytest.mark.parametrize("across", ["pooled", "round-robin"])
def test_select__few_draws_stand_behind_many(across: str) -> None:
    scores = class_scores(20)
    refined = np.arange(20) % 3 == 0
    settings = BY_PATCH.replace(ipc=3, across=across)
    found = select_class(replace(scores, refined=refined), GEOMETRY, settings)
    by_score = {p.image_id: p.score for p in select_class(scores, GEOMETRY, settings).patches}
    assert {p.image_id: p.score for p in found.patches} == by_score
    clusters = [found.patches] if across == "pooled" else [
        [p for p in found.patches if p.cluster == cluster] for cluster in range(3)
    ]  # fmt: skip
    for cluster in clusters:
        many = [bool(refined[int(p.image_id.removeprefix("cat/"))]) for p in cluster]
        assert many == sorted(many, reverse=True)


def test_select__drop_lowest_ranks_the_rest_as_if_the_dropped_were_not_there() -> None:
    scores = class_scores(20, shapes=SHAPES)
    settings = SelectSettings(clusters=3, within="centroid")
    every = select_class(scores, GEOMETRY, settings)
    found = select_class(scores, GEOMETRY, settings.replace(drop_lowest=0.4))
    least = sorted(every.patches, key=lambda patch: patch.picture_score)[:8]
    assert found.dropped == set(range(12, 20))
    dropped = [patch.image_id for patch in found.patches[12:]]
    assert dropped == [patch.image_id for patch in least[::-1]]
    assert found.images == tuple((rank,) for rank in range(12))
    assert set(found.kept(100_000)) == set(range(12))
    for cluster in range(3):  # the clusters are those of all patches
        mine = [p.image_id for p in every.patches if p.cluster == cluster]
        kept = [p.image_id for p in found.patches[:12] if p.cluster == cluster]
        assert kept == [image_id for image_id in mine if image_id not in dropped]


def test_select__pins_are_never_dropped() -> None:
    scores = class_scores(10)
    settings = SelectSettings(drop_lowest=0.5)
    lowest = select_class(scores, GEOMETRY, settings).patches[-1].image_id
    found = select_class(scores, GEOMETRY, settings.replace(pins=(lowest,)))
    assert found.patches[0].image_id == lowest
    assert found.dropped == set(range(6, 10))


@pytest.mark.parametrize("factor", [1, 2])
def test_select__a_cut_that_repeats_a_better_one_is_dropped(factor: int) -> None:
    """The whole picture once per image, however many patches it has."""
    scores = class_scores(8)
    settings = SelectSettings(patch_px=24, per_image=3, clusters=2, factor=factor)
    found = select_class(scores, GEOMETRY, settings)
    cuts = select_class(scores, GEOMETRY, settings.replace(cut="patch"))
    kept = sorted(found.patches[rank].image_id for rank in found.kept(1000))
    assert kept == sorted(scores.ids)
    assert len(found.patches) == len(cuts.patches) > 8
    assert cuts.dropped == frozenset()
    best = {}  # the patch that was located first stays, which is the best by the locating map
    alone = SelectSettings(patch_px=24, rank_by="patch", cut="patch")
    for patch in select_class(scores, GEOMETRY, alone).patches:
        best[patch.image_id] = patch.box
    assert {found.patches[r].image_id: found.patches[r].box for r in found.kept(1000)} == best


def test_select__cuts_in_source_pixels_by_hand() -> None:
    """Proxies of 64 px show their sources at half the scale, 10 px from the left."""
    for patch in select_class(class_scores(6), GEOMETRY, SelectSettings()).patches:
        assert patch.cut_box == Box(10, 0, 128, 128)
    for patch in select_class(class_scores(6), GEOMETRY, SelectSettings(cut="patch")).patches:
        assert patch.cut_box == patch.source_box
    wide = class_scores(4, shapes=((8, 16),))
    for patch in select_class(wide, GEOMETRY, SelectSettings()).patches:
        left = min(max(patch.box.x - 16, 0), 64)
        assert patch.cut_box == Box(10 + 2 * left, 0, 128, 128)


@pytest.mark.parametrize("rank_by", ["patch", "picture"])
def test_select__ranks_by_the_score_that_is_asked_for(rank_by: str) -> None:
    found = select_class(
        class_scores(20), GEOMETRY, SelectSettings(rank_by=rank_by, across="pooled")
    )
    scores = [p.score if rank_by == "patch" else p.picture_score for p in found.patches]
    assert scores == sorted(scores, reverse=True)


def test_select__same_arguments_same_selection() -> None:
    settings = {"ipc": 6, "factor": 2, "stride_px": 3, "within": "centroid"}
    assert plain(selected(40, **settings)) == plain(selected(40, **settings))


def test_select__other_images_do_not_move_a_box() -> None:
    for shapes in (SHAPES[:1], SHAPES):
        scores = class_scores(10, shapes=shapes)
        together = {p.image_id: p for p in select_class(scores, GEOMETRY, SelectSettings()).patches}
        for row, image_id in enumerate(scores.ids):
            (patch,) = select_class(alone(scores, row), GEOMETRY, SelectSettings()).patches
            assert patch.box == together[image_id].box
            assert patch.source_box == together[image_id].source_box
            assert patch.score == together[image_id].score
            assert repr(patch.margin) == repr(together[image_id].margin)


def test_select__patches_of_many_shapes_lie_inside_their_sources() -> None:
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


OTHER = SelectSettings(
    patch_px=24, stride_px=3, per_image=2, timesteps=(500,), locate="signed", score="positive",
    smooth=0.75,
    rank_by="patch", clusters=3, discriminative_share=0.5, ipc=4, within="centroid",
    across="pooled", drop_lowest=0.2, cut="context", context=2.0, factor=2, tile_scale="native",
    features="clip", feature_model="model", baseline="rded", baseline_seed=1, teacher="model",
    pins=("cat/1",), bans=("cat/2",), moves=("cat/3@1,2",),
)  # fmt: skip
"""Every setting is another one than the default."""


def test_narrowed__keeps_what_a_step_reads_and_nothing_else() -> None:
    default = SelectSettings()
    for step, names in READS.items():
        found = narrowed(OTHER, step)
        for name in settings_of(SelectSettings):
            assert getattr(OTHER, name) != getattr(default, name), name
            if name not in ("clusters", "ipc"):
                expected = OTHER if name in names else default
                assert getattr(found, name) == getattr(expected, name), (step, name)
        assert found.k == (OTHER.k if "k" in names else default.k)


def test_narrowed__the_last_step_reads_every_setting_but_the_form_of_images() -> None:
    declared = set(settings_of(SelectSettings)) - {"clusters", "ipc", "tile_scale"}
    of_baselines = {"baseline", "baseline_seed", "teacher"}
    assert set(READS["selection"]) == declared - of_baselines | {"k"}
    of_ranking = {"within", "pins", "across", "drop_lowest"}
    assert set(READS["baseline"]) == declared - of_ranking | {"k"}
    assert set(READS["choice"]) < set(READS["baseline"])


@pytest.mark.parametrize(("clusters", "ipc"), [(0, 7), (7, 1), (7, 100_000), (0, 100_000)])
def test_narrowed__clusters_and_ipc_count_as_the_number_of_clusters(
    clusters: int, ipc: int
) -> None:
    found = narrowed(SelectSettings(clusters=clusters, ipc=ipc), "selection")
    assert found.k == (clusters or ipc)
    same = SelectSettings(ipc=clusters or ipc, within="score")
    assert narrowed(same.replace(within="centroid", ipc=9), "scored") == narrowed(same, "scored")
    wanted = SelectSettings(clusters=clusters, ipc=ipc, within="score")
    assert narrowed(wanted, "selection") == narrowed(same, "selection")


def test_select__more_images_than_clusters_may_be_asked_for() -> None:
    found = select_class(class_scores(5), GEOMETRY, SelectSettings(ipc=100_000))
    assert len(found.images) == 5


class CountingRun(OneClass):
    """Counts how often the scores are read."""

    read = 0

    def class_scores(self, class_index: int) -> ClassScores:
        type(self).read += 1
        return super().class_scores(class_index)


def test_selector__without_a_cache_scores_are_read_once_per_selection_and_not_kept() -> None:
    class Run(CountingRun):
        pass

    selector = Selector(Run(class_scores(9), GEOMETRY))
    for count in (1, 2):
        selector.select(2, SelectSettings(ipc=3))
        assert Run.read == count
    assert selector._cache.bytes == 0


def test_selector__with_a_cache_gives_the_same_and_keeps_it() -> None:
    class Run(CountingRun):
        pass

    scores = class_scores(9, shapes=SHAPES)
    cache = Cache()
    selector = Selector(Run(scores, GEOMETRY), cache)
    for ipc in (3, 2, 3):
        settings = SelectSettings(ipc=ipc)
        found = selector.select(2, settings)
        assert plain(found) == plain(select_class(scores, GEOMETRY, settings))
        assert selector.select(2, settings) is found
    assert Run.read == 1
    assert cache.bytes > 0
    del selector
    assert cache.bytes == 0
