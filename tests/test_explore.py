"""An open run answers at once, with what the engine would say, and without torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import CELL_PX, MIXED, PX, TIMESTEPS, Drawn, draw, write_run
from toyset import SMALL, finish

from dsel.config import ExportSettings, SelectSettings
from dsel.engine import export, select
from dsel.errors import SettingError
from dsel.explore import Explorer
from dsel.pictures import decode
from dsel.runs import open_run

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
    return Explorer(open_run(run_path))


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
    signed = explorer.maps(1, 2, SelectSettings(gap="signed"))
    assert np.allclose(signed.combined, slow, atol=1e-5)
    helped = sum(np.where(gap[t] > 0, gap[t], 0) / losses[t] for t in range(6)) / 6
    assert np.allclose(explorer.maps(1, 2).combined, helped, atol=1e-5)
    assert (gap < 0).any()


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
        assert patch.score == pytest.approx(max(means.values()), rel=1e-5)
        assert means[patch.box.x, patch.box.y] == pytest.approx(patch.score, rel=1e-5)


def test_select__the_same_settings_again_cost_nothing(explorer):
    assert explorer.select(0, SMALL) is explorer.select(0, replace(SMALL))
    assert explorer.select(0, SMALL) is not explorer.select(0, replace(SMALL, ipc=1))


def test_rows__skipped_images_are_left_out(explorer):
    assert explorer.scores(0).ids == tuple(f"cat/{n:06d}" for n in (0, 1, 2, 4, 5, 6))
    assert explorer.row_of(0, "cat/000004") == 3
    assert len(explorer.thumbnails(0)) == len(explorer.layout(0)) == 6
    assert explorer.scores(2).ids == ("emu/000000",)


def test_proxy__is_the_image_of_its_row(explorer):
    for row, image in enumerate(explorer.run.class_rows(0)):
        whole = decode(explorer.run.pictures([image], "proxy")[0])
        assert np.array_equal(explorer.proxy(0, row), whole)
        assert whole.shape == (image.frame.proxy_height, image.frame.proxy_width, 3)


def test_pictures__any_order_over_shards(explorer):
    rows = list(explorer.run.class_rows(0))
    backward = explorer.run.pictures(rows[::-1], "thumbnail")
    assert backward == explorer.run.pictures(rows, "thumbnail")[::-1]


def test_layout__has_a_finite_place_for_each_image(explorer):
    for index, name in enumerate(CLASSES):
        places = explorer.layout(index)
        assert places.shape == (len(explorer.scores(index).ids), 2), name
        assert np.isfinite(places).all()


@pytest.mark.parametrize("chosen", [SMALL, SelectSettings(ipc=2, groups=1, factor=2)])
def test_preview__is_what_is_exported(explorer, tmp_path, chosen):
    selections = [explorer.select(index, chosen) for index in range(3)]
    run = explorer.run
    run.write_selection(chosen, selections)
    finish(export(run, tmp_path, ExportSettings(pixels="proxy", image_px=30)))
    for index, name in enumerate(CLASSES):
        for distilled in explorer.preview(index, chosen, 30):
            path = tmp_path / f"train/{name}/{name}_id{distilled.number:05d}.png"
            assert np.array_equal(distilled.pixels, decode(path))
    run.write_selection(SMALL, [explorer.select(index, SMALL) for index in range(3)])


def test_preview__default_size_is_the_priors(explorer):
    assert explorer.preview(0, SMALL)[0].pixels.shape == (PX, PX, 3)
    assert len(explorer.preview(2, SMALL)) == 1


def test_explore__loads_no_heavy_library(run_path):
    program = (
        "import sys; from pathlib import Path; from dsel.explore import Explorer; "
        "from dsel.runs import open_run; from dsel.config import SelectSettings; "
        f"e = Explorer(open_run(Path({str(run_path)!r}))); e.maps(0, 0); e.thumbnails(0); "
        "e.preview(0, SelectSettings(ipc=2)); e.layout(0); "
        "print(sorted({'torch', 'diffusers', 'transformers', 'umap', 'gradio'} & set(sys.modules)))"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
