"""An open run answers at once, with what the engine would say, and without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.selecting import select_class
from support.synthetic import CELL_PX, MIXED, PX, TIMESTEPS, Drawn, draw, write_run
from support.toyset import SMALL, finish

from dsel.analysis.baselines import BASELINES
from dsel.analysis.explorer import Explorer
from dsel.analysis.listing import Changing, Listing
from dsel.analysis.localization import check_selection, read_ground_truth
from dsel.cache import SHARED, Cache
from dsel.config import ExportSettings, SelectSettings
from dsel.core.clustering import unit_features
from dsel.core.gap_maps import image_bucket, smoothed
from dsel.data.images import decode
from dsel.errors import SettingError, SourceError
from dsel.pipeline import selector as steps
from dsel.pipeline.export import compose_images, export
from dsel.pipeline.select import select
from dsel.runs import open_run
from dsel.types import Box, ClassSelection, Distilled

OF_THE_BOX = ("box", "cut", "score", "standard_error", "margin")
CLASSES = {"cat": 7, "dog": 3, "emu": 2}
SKIPPED = {(0, 3), (2, 1)}


def drawn(class_index: int, number: int) -> Drawn | None:
    """A picture of the next size; two were skipped."""
    if (class_index, number) in SKIPPED:
        return None
    return draw(class_index, number, 0, MIXED[number % len(MIXED)])


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of pictures of five shapes, in shards of five."""
    path = tmp_path_factory.mktemp("work") / "run"
    run = write_run(path, CLASSES, {"source": str(path / "gone")}, drawn, shard_size=5)
    finish(select(run, SMALL))
    return path


def stored(explorer: Explorer, class_index: int, row: int) -> tuple[np.ndarray, np.ndarray]:
    """The conditional losses and the gaps of an image as they lie in its bucket, (T, h, w)."""
    for bucket in explorer.scores(class_index).buckets:
        if row in bucket.rows:
            at = bucket.rows.tolist().index(row)
            return bucket.conditional[at].astype(np.float32), bucket.gap[at].astype(np.float32)
    raise AssertionError(row)


@pytest.fixture
def explorer(run_path: Path) -> Explorer:
    return Explorer(open_run(run_path), Cache())


def test_class_index__by_name(explorer):
    assert [explorer.class_index(name) for name in CLASSES] == [0, 1, 2]
    with pytest.raises(SettingError, match="unknown class 'cow'; known are: cat, dog, emu"):
        explorer.class_index("cow")


def test_maps__add_up(explorer):
    frames = explorer.scores(0).frames
    assert len({(frame.proxy_width, frame.proxy_height) for frame in frames}) == 4
    for row, frame in enumerate(frames):
        maps, (conditional, gap) = explorer.maps(0, row), stored(explorer, 0, row)
        shape = frame.proxy_height // CELL_PX, frame.proxy_width // CELL_PX
        assert maps.gap.shape == maps.combined.shape == maps.conditional.shape == shape
        assert maps.gap.dtype == maps.unconditional.dtype == maps.combined.dtype == np.float32
        assert np.allclose(maps.unconditional - maps.conditional, maps.gap, atol=1e-6)
        assert np.allclose(maps.gap, gap.mean(axis=0))
        assert np.allclose(maps.conditional, conditional.mean(axis=0))


def test_maps__combined_divides_each_timestep_by_its_loss(explorer):
    losses = explorer.geometry.losses
    _, gap = stored(explorer, 1, 2)
    slow = sum(gap[t] / losses[t] for t in range(6)) / 6
    signed = explorer.maps(1, 2, SelectSettings(locate="signed", smooth=0))
    assert np.allclose(signed.combined, slow, atol=1e-5)
    helped = sum(np.where(gap[t] > 0, gap[t], 0) / losses[t] for t in range(6)) / 6
    positive = explorer.maps(1, 2, SelectSettings(locate="positive", smooth=0))
    assert np.allclose(positive.combined, helped, atol=1e-5)
    assert (gap < 0).any()
    bucket = image_bucket(explorer.scores(1), 2)
    difference = bucket.difference[0].astype(np.float32)
    shares = sum(difference[t] / losses[t] for t in range(6)) / 6
    located = explorer.maps(1, 2, SelectSettings(locate="difference", smooth=0))
    assert np.allclose(located.combined, shares, atol=1e-5)
    assert np.allclose(located.difference, difference.mean(axis=0), atol=1e-6)
    smooth = explorer.maps(1, 2, SelectSettings(locate="difference", smooth=1.5))
    assert np.allclose(smooth.combined, smoothed(shares, 1.5), atol=1e-5)
    assert np.array_equal(smooth.difference, located.difference)


@pytest.mark.parametrize(
    "settings",
    [
        SelectSettings(locate="positive"),
        SelectSettings(locate="difference", smooth=1.5),
        SelectSettings(timesteps=(300,), locate="signed"),
    ],
)
def test_ranges__hold_every_map_of_the_class(explorer, settings):
    found = explorer.ranges(0, settings)
    every = [explorer.maps(0, row, settings) for row in range(len(explorer.scores(0).ids))]
    for name in ("conditional", "unconditional", "gap", "difference", "combined"):
        values = np.concatenate([getattr(maps, name).ravel() for maps in every])
        ends = getattr(found, name)
        assert (ends.low, ends.high) == pytest.approx((values.min(), values.max()), abs=1e-6)
    assert explorer.ranges(0, settings.replace(patch_px=16, ipc=3)) is found


def test_misplaced__boxes_that_larger_patches_push_out(explorer):
    wide, square = "cat/000001", "cat/000000"
    moves = (f"{square}@64,64", f"{wide}@128,0")
    settings = SelectSettings(patch_px=64, moves=moves)
    assert explorer.misplaced(settings) == ()
    assert explorer.misplaced(settings.replace(patch_px=72)) == (square,)
    assert explorer.misplaced(settings.replace(patch_px=128)) == (square,)
    gone = settings.replace(moves=("cow@999,0", f"{wide}@200,0"))
    assert explorer.misplaced(gone) == (wide,)
    assert explorer.misplaced(SelectSettings()) == ()


def test_maps__of_chosen_timesteps(explorer):
    _, gap = stored(explorer, 0, 1)
    maps = explorer.maps(0, 1, SelectSettings(timesteps=(300,)))
    assert np.array_equal(maps.gap, gap[TIMESTEPS.index(300)])
    both = explorer.maps(0, 1, SelectSettings(timesteps=(400, 200)))
    assert np.allclose(both.gap, gap[[0, 2]].mean(axis=0))
    with pytest.raises(SettingError, match="timestep 350 was not scored in this run; scored are"):
        explorer.maps(0, 1, SelectSettings(timesteps=(350,)))


def test_select__is_the_engines_choice(explorer):
    _, kept = explorer.run.read_selection()
    live = [explorer.select(index, SMALL) for index in range(3)]
    assert repr(live) == repr(list(kept))


def test_select__box_is_the_best_of_the_combined_map(explorer):
    """By the slow definition: all boxes of whole cells, one by one."""
    settings = SelectSettings(patch_px=24, ipc=1)
    selected = explorer.select(0, settings)
    for patch in selected.patches:
        combined = explorer.maps(0, explorer.row_of(0, patch.image_id)).combined
        rows, columns = combined.shape
        means = {
            (8 * x, 8 * y): combined[y : y + 3, x : x + 3].mean()
            for y in range(rows - 2)
            for x in range(columns - 2)
        }
        best = max(means.values())
        assert means[patch.box.x, patch.box.y] == pytest.approx(best, rel=1e-5)


def test_select__the_same_settings_again_cost_nothing(explorer):
    assert explorer.select(0, SMALL) is explorer.select(0, SMALL.replace())
    assert explorer.select(0, SMALL) is explorer.select(0, SMALL.replace(ipc=5))
    assert explorer.select(0, SMALL) is explorer.select(0, SMALL.replace(ipc=1))
    assert explorer.select(0, SMALL) is not explorer.select(0, SMALL.replace(clusters=1))


LEVERS = (
    {}, {"ipc": 1}, {"clusters": 0}, {"clusters": 1}, {"within": "centroid"}, {"across": "pooled"},
    {"factor": 2}, {"patch_px": 32}, {"timesteps": (300,)}, {"locate": "signed"},
    {"score": "positive"}, {"rank_by": "patch"}, {"cut": "context"}, {"drop_lowest": 0.3},
    {"stride_px": 3},
    {"per_image": 2, "patch_px": 40}, {"pins": ("cat/000004", "cat/000001")},
    {"bans": ("cat/000002",)}, {"moves": ("cat/000005@3,7",)},
    {"bans": ("cat/000002",), "pins": ("cat/000006",), "clusters": 3, "within": "centroid"},
)  # fmt: skip


def test_select__any_order_of_moves_gives_what_a_fresh_start_gives(explorer):
    """Steps are cached separately, so no settings may get what belongs to others."""
    rng = np.random.default_rng(0)
    scores, geometry = explorer.run.class_scores(0), explorer.geometry
    for number in rng.integers(0, len(LEVERS), 40):
        settings = SMALL.replace(**LEVERS[number])
        expected = select_class(scores, geometry, settings)
        assert repr(explorer.select(0, settings)) == repr(expected), LEVERS[number]


@pytest.fixture
def counted(explorer, monkeypatch):
    """How often each step of a selection runs."""
    counts = Counter()
    for name in ("combined_maps", "locate_class", "score_class", "cluster_patches", "rank_class"):
        step = getattr(steps, name)

        def run(*values, step=step, name=name, **named):
            counts[name] += 1
            return step(*values, **named)

        monkeypatch.setattr(steps, name, run)
    explorer.select(0, SMALL)
    counts.clear()
    return counts


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({"ipc": 5}, []),
        ({"ipc": 1}, []),
        ({"within": "centroid"}, ["rank"]),
        ({"cut": "patch"}, ["rank"]),
        ({"drop_lowest": 0.5}, ["rank"]),
        ({"tile_scale": "native"}, []),
        ({"rank_by": "patch"}, ["score", "cluster", "rank"]),
        ({"score": "positive"}, ["score", "cluster", "rank"]),
        ({"across": "pooled"}, ["rank"]),
        ({"factor": 2}, ["rank"]),
        ({"pins": ("cat/000001",)}, ["rank"]),
        ({"clusters": 3}, ["cluster", "rank"]),
        ({"clusters": 0, "ipc": 3}, ["cluster", "rank"]),
        ({"bans": ("cat/000001",)}, ["cluster", "rank"]),
        ({"patch_px": 40}, ["locate", "score", "cluster", "rank"]),
        ({"stride_px": 5}, ["locate", "score", "cluster", "rank"]),
        ({"moves": ("cat/000001@0,0",)}, ["locate", "score", "cluster", "rank"]),
        ({"timesteps": (200,)}, ["combined", "locate", "score", "cluster", "rank"]),
        ({"locate": "signed"}, ["locate", "score", "cluster", "rank"]),
        ({"smooth": 3.0}, ["combined", "locate", "score", "cluster", "rank"]),
    ],
    ids=str,
)
def test_select__a_move_repeats_no_earlier_step(explorer, counted, change, steps):
    explorer.select(0, SMALL.replace(**change))
    assert [name.partition("_")[0] for name in counted] == steps
    # Those that locate, and those that score, which are never smoothed.
    maps = 2 * ("timesteps" in change) + ("smooth" in change)
    assert counted.pop("combined_maps", 0) == maps
    assert set(counted.values()) <= {1}


def test_select__features_that_a_model_gave(explorer):
    """They are those that the engine kept; without them there is one clear line."""
    asked = SMALL.replace(features="reencode", patch_px=40)
    with pytest.raises(SettingError, match="reencode features of these patches are not in the run"):
        explorer.select(0, asked)

    class Colours:
        fingerprint = "colours"

        def describe(self, pictures):
            return np.stack([picture.mean(axis=(0, 1)) for picture in pictures]).astype(np.float32)

    finish(select(explorer.run, asked, Colours()))
    _, kept = explorer.run.read_selection()
    assert repr([explorer.select(index, asked) for index in range(3)]) == repr(list(kept))
    assert explorer.quality(0, asked).clusters == 2
    finish(select(explorer.run, SMALL))


def test_row_of__unknown_image(explorer):
    with pytest.raises(SettingError, match="class 'cat' has no scored image 'cat/000003'"):
        explorer.row_of(0, "cat/000003")


def test_rows__skipped_images_are_left_out(explorer):
    assert explorer.scores(0).ids == tuple(f"cat/{n:06d}" for n in (0, 1, 2, 4, 5, 6))
    assert explorer.row_of(0, "cat/000004") == 3
    assert len(explorer.layout(0)) == 6
    assert explorer.scores(2).ids == ("emu/000000",)


def test_proxy__is_the_image_of_its_row(explorer):
    for row, image in enumerate(explorer.run.class_rows(0)):
        whole = decode(explorer.run.image_bytes([image], "proxy")[0])
        assert np.array_equal(explorer.proxy(0, row), whole)
        assert whole.shape == (image.frame.proxy_height, image.frame.proxy_width, 3)


def test_pictures__any_order_over_shards(explorer):
    rows = list(explorer.run.class_rows(0))
    backward = explorer.run.image_bytes(rows[::-1], "thumbnail")
    assert backward == explorer.run.image_bytes(rows, "thumbnail")[::-1]


def test_layout__has_a_finite_place_for_each_image(explorer):
    for index, name in enumerate(CLASSES):
        places = explorer.layout(index)
        assert places.shape == (len(explorer.scores(index).ids), 2), name
        assert np.isfinite(places).all()


def composed(
    explorer: Explorer, selected: ClassSelection, chosen: SelectSettings, image_px: int = 0
) -> list[Distilled]:
    """The distilled images of a class, cut from proxies."""
    settings = ExportSettings(pixels="proxy", image_px=image_px)
    return list(compose_images(explorer.run, [selected], chosen, settings))


@pytest.mark.parametrize("chosen", [SMALL, SelectSettings(ipc=2, clusters=1, factor=2)])
def test_compose_images__is_what_is_exported(explorer, tmp_path, chosen):
    selections = [explorer.select(index, chosen) for index in range(3)]
    run = explorer.run
    run.write_selection(chosen, selections)
    finish(export(run, tmp_path, ExportSettings(pixels="proxy", image_px=30)))
    for index, name in enumerate(CLASSES):
        for distilled in composed(explorer, selections[index], chosen, 30):
            path = tmp_path / f"train/{name}/{name}_id{distilled.number:05d}.png"
            assert np.array_equal(distilled.pixels, decode(path))
    run.write_selection(SMALL, [explorer.select(index, SMALL) for index in range(3)])


def test_compose_images__default_size_is_the_priors(explorer):
    assert composed(explorer, explorer.select(0, SMALL), SMALL)[0].pixels.shape == (PX, PX, 3)
    assert len(composed(explorer, explorer.select(2, SMALL), SMALL)) == 1


def test_explanation__of_every_image(explorer):
    selected = explorer.select(0, SMALL)
    for patch in selected.patches:
        explanation = explorer.explanation(0, patch.image_id, SMALL)
        assert explanation.patch.image_id == patch.image_id
        assert (explanation.patch.box, explanation.source_box) == (patch.box, patch.source_box)
        assert explanation.best[0].box == patch.box
        kept = patch.rank < SMALL.ipc
        assert explanation.placement.images == ((patch.rank,) if kept else ())
        assert ("; not kept at IPC 2." in explanation.sentence) != kept
        assert [moment.timestep for moment in explanation.curve] == list(TIMESTEPS)
    with pytest.raises(SettingError, match="has no scored image 'cat/000003'"):
        explorer.explanation(0, "cat/000003", SMALL)


def test_values__are_those_of_the_maps(explorer):
    row = explorer.row_of(0, "cat/000004")
    maps = explorer.maps(0, row)
    found = explorer.values(0, "cat/000004", SelectSettings(), 20, 60)
    assert (found.row, found.column) == (60 // CELL_PX, 20 // CELL_PX)
    for name in ("conditional", "unconditional", "gap", "difference", "combined"):
        shown = getattr(maps, name)[found.row, found.column]
        assert getattr(found.mean, name) == pytest.approx(shown, abs=1e-6)


def test_gallery__and_what_was_skipped(explorer):
    page = explorer.gallery(0, SMALL, Listing(sort="name"))
    assert [row.image_id for row in page.rows] == list(explorer.scores(0).ids)
    sides = [(frame.proxy_width, frame.proxy_height) for frame in explorer.scores(0).frames]
    assert [(row.width_px, row.height_px) for row in page.rows] == sides
    assert [row.image_id for row in explorer.skipped(0).rows] == ["cat/000003"]
    assert explorer.skipped(0).rows[0].reason == "is damaged: it was drawn so"
    assert explorer.skipped(1).total == 0
    assert sum(card.size for card in explorer.cluster_cards(0, SMALL)) == 6


def test_files__are_what_is_stored(explorer):
    ids = ["cat/000006", "cat/000000"]
    for kind in ("thumbnail", "proxy"):
        rows = [row for name in ids for row in explorer.run.class_rows(0) if row.id == name]
        assert explorer.files(0, ids, kind) == explorer.run.image_bytes(rows, kind)


def test_lasso__finds_places_in_the_plane(explorer):
    places = explorer.layout(0).astype(float)
    low, high = places.min(axis=0) - 1, places.max(axis=0) + 1
    whole = [low, (high[0], low[1]), high, (low[0], high[1])]
    assert explorer.lasso(0, whole) == explorer.scores(0).ids
    x, y = places[2]
    near = [(x - 1e-3, y - 1e-3), (x + 1e-3, y - 1e-3), (x, y + 1e-3)]
    assert explorer.lasso(0, near) == (explorer.scores(0).ids[2],)
    assert explorer.lasso(0, []) == ()


def test_quality__slow_definition(explorer):
    """Distances in the space in which the class was clustered."""
    located = explorer.located(0, SMALL)
    points = dict(zip(explorer.scores(0).ids, unit_features(located.features), strict=True))
    selected = explorer.select(0, SMALL)
    kept = [points[patch.image_id] for patch in selected.patches[:2]]
    nearest = [min(np.linalg.norm(one - other) for other in kept) for one in points.values()]
    found = explorer.quality(0, SMALL)
    assert found.coverage_distance == pytest.approx(np.mean(nearest), abs=1e-3)
    assert (found.patches, found.kept, found.short) == (6, 2, 0)
    every = explorer.quality_overall(SMALL)
    assert (every.classes, every.patches, every.short_classes) == (3, 10, ("emu",))


def test_compare__two_settings(explorer):
    other = SMALL.replace(patch_px=32, ipc=3)
    found = explorer.compare(0, SMALL, other)
    a, b = explorer.select(0, SMALL), explorer.select(0, other)
    assert {change.image_id for change in found.changes} == set(explorer.scores(0).ids)
    assert (found.kept.a, found.kept.b) == (2, 3)
    kept = {p.image_id for p in a.patches[:2]} & {p.image_id for p in b.patches[:3]}
    assert found.kept.same_images == len(kept)
    assert found.moves.sum() == 6
    assert explorer.compare_overall(SMALL, SMALL).kept.box_share == 1
    assert explorer.compare_overall(SMALL, other).images == 10


@pytest.mark.parametrize("kind", BASELINES)
def test_baseline__is_composed_as_the_choice_is(explorer, kind):
    baseline = explorer.baseline(0, SMALL, kind)
    shown = composed(explorer, baseline, SMALL, 24)
    chosen = composed(explorer, explorer.select(0, SMALL), SMALL, 24)
    assert [image.pixels.shape for image in shown] == [(24, 24, 3)] * len(chosen)
    for number, image in enumerate(shown):
        (patch,) = image.patches
        assert repr(patch) == repr(baseline.patches[baseline.images[number][0]])
        assert patch.image_id == chosen[number].patches[0].image_id
        assert np.array_equal(image.pixels, explorer.cut(patch, 24, 24))


@pytest.mark.parametrize("kind", BASELINES)
def test_baseline_images__the_baselines_boxes_in_the_chosen_order(explorer, kind):
    baseline = explorer.baseline(0, SMALL, kind, 3)
    chosen = explorer.distilled(0, SMALL)
    for image, other in zip(explorer.baseline_images(0, SMALL, kind, 3), chosen, strict=True):
        for view, chosen_view in zip(image, other, strict=True):
            patch = baseline.patches[view.rank]
            assert (view.image_id, view.box, view.score) == (patch.image_id, patch.box, patch.score)
            own = {name: getattr(chosen_view, name) for name in OF_THE_BOX}
            assert replace(view, **own) == chosen_view


def test_distilled__the_patches_of_the_composed_images(explorer):
    for settings in (SMALL, SelectSettings(ipc=2, clusters=1, factor=2)):
        views = explorer.distilled(0, settings)
        images = composed(explorer, explorer.select(0, settings), settings, 24)
        assert [[(v.image_id, v.rank, v.box) for v in image] for image in views] == [
            [(p.image_id, p.rank, p.box) for p in image.patches] for image in images
        ]
        assert all(n in v.kept for n, image in enumerate(views) for v in image)


def test_changes__rows_and_the_row_of_one_image(explorer):
    other = SMALL.replace(patch_px=32, per_image=2)
    page = explorer.changes(0, SMALL, other, Changing())
    assert page.total == 6
    assert {(len(row.a), len(row.b)) for row in page.rows} == {(1, 2)}
    assert explorer.change(0, SMALL, other, page.rows[2].image_id) == page.rows[2]
    assert explorer.change(0, SMALL, other, "cow") is None


def test_near_duplicates__views_of_the_pairs(explorer):
    settings = SMALL.replace(ipc=6)
    pairs = explorer.quality(0, settings).near_duplicates
    found = explorer.near_duplicates(0, settings, 99)
    assert [(a.rank, b.rank) for a, b in found] == list(pairs)
    assert all(view.kept for pair in found for view in pair)
    assert explorer.near_duplicates(0, settings, 1) == found[:1]


def test_replacements__none_that_is_kept(explorer):
    kept = {view.image_id for image in explorer.distilled(0, SMALL) for view in image}
    found = explorer.replacements(0, SMALL, min(kept))
    offered = {view.image_id for view in (*found.cluster, *found.others)}
    assert offered
    assert not kept & offered


def test_override_statuses__with_their_classes(explorer):
    settings = SMALL.replace(pins=("dog/000001",), bans=("cow",))
    found = explorer.override_statuses(settings)
    assert [(one.kind, one.class_index, bool(one.problem)) for one in found] == [
        ("pin", 1, False), ("ban", -1, True),
    ]  # fmt: skip


def write_boxes(run) -> None:
    """The true box of each scored image: one in the midst of its proxy."""
    rows = [row for row in run.images if row.frame]
    images = [
        {"id": n, "file_name": f"photos/{row.id}", "height": row.frame.source_height,
         "width": row.frame.source_width}
        for n, row in enumerate(rows)
    ]  # fmt: skip
    boxes = [row.frame.to_source(Box(40, 30, 50, 40)) for row in rows]
    annotations = [
        {"image_id": n, "bbox": [box.x, box.y, box.width, box.height]}
        for n, box in enumerate(boxes)
    ]
    run.objects_path.write_text(json.dumps({"images": images, "annotations": annotations}))


def test_localization__is_what_the_command_line_prints(explorer):
    assert explorer.ground_truth() is None
    assert explorer.localization(0, SMALL) == explorer.localization_overall(SMALL) == ()
    write_boxes(explorer.run)
    try:
        truth = read_ground_truth(explorer.run, explorer.run.objects_path)
        selections = [explorer.select(index, SMALL) for index in range(3)]
        expected = check_selection(explorer.run, selections, truth)
        found = {one.kind: one for one in explorer.localization_overall(SMALL)}
        assert {one.images for one in found.values()} == {expected["images"]} == {10}
        for kind, ending in (("chosen", ""), ("random", "_random"), ("centre", "_centre")):
            assert found[kind].hit_rate == pytest.approx(expected[f"hit_rate{ending}"])
            assert found[kind].coverage == pytest.approx(expected[f"coverage{ending}"])
        assert found["whole"].coverage == pytest.approx(1, abs=0.02)
    finally:
        explorer.run.objects_path.unlink()


def test_localization__broken_boxes_are_one_clear_line(explorer):
    explorer.run.objects_path.write_text("{")
    try:
        with pytest.raises(
            SourceError, match=r"boxes\.json is not COCO JSON with images"
        ) as caught:
            explorer.localization(0, SMALL)
        assert "\n" not in str(caught.value)
    finally:
        explorer.run.objects_path.unlink()


def test_cache__is_shared_and_freed_with_the_explorer(run_path):
    before = SHARED.bytes
    explorer = Explorer(open_run(run_path))
    explorer.select(0, SMALL)
    assert SHARED.bytes > before
    del explorer
    assert SHARED.bytes == before


def test_cache__stays_in_its_bounds(run_path):
    """With room for nothing or for little, answers are the same."""
    plenty = Explorer(open_run(run_path), Cache())
    expected = repr([plenty.select(index, SMALL) for index in range(3)])
    for limit in (0, 5_000, 50_000):
        cache = Cache(limit)
        tight = Explorer(open_run(run_path), cache)
        assert repr([tight.select(index, SMALL) for index in range(3)]) == expected
        tight.proxy(0, 0)
        assert cache.bytes <= limit


def test_threads__each_gets_its_own_answer(run_path):
    """Sixteen threads move all levers at once."""
    fresh = open_run(run_path)
    wanted = [(n % 3, SMALL.replace(**LEVERS[n % 12])) for n in range(36)]
    expected = [
        repr(select_class(fresh.class_scores(index), fresh.geometry, settings))
        for index, settings in wanted
    ]
    explorer = Explorer(open_run(run_path), Cache())
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda one: repr(explorer.select(*one)), wanted))
    assert found == expected


def test_explore__loads_no_heavy_library(run_path):
    program = (
        "import sys; from pathlib import Path; from dsel.analysis.explorer import Explorer; "
        "from dsel.runs import open_run; from dsel.config import SelectSettings; "
        f"e = Explorer(open_run(Path({str(run_path)!r}))); e.maps(0, 0); "
        "e.distilled(0, SelectSettings(ipc=2)); e.layout(0); e.quality_overall(SelectSettings()); "
        "e.explanation(0, 'cat/000000', SelectSettings()); "
        "e.baseline_images(0, SelectSettings(), 'random'); "
        "print(sorted({'torch', 'diffusers', 'transformers', 'umap', 'gradio'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
