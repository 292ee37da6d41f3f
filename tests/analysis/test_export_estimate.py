"""The estimate of an export agrees with the export."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.synthetic import synthetic_run
from support.toyset import finish, scored_run, write_pictures

from dsel.analysis.explorer import Explorer
from dsel.analysis.export_estimate import MOST_ROWS, ExportEstimate, estimate_export
from dsel.analysis.spread import spread
from dsel.cache import Cache
from dsel.config import ExportSettings, SelectSettings
from dsel.config.export import FORMAT_NAMES
from dsel.errors import RunError, SettingError
from dsel.exports import zip_bytes, zip_folder
from dsel.pipeline.export import export_selections
from dsel.runs import Run, open_run

DEMO_RUN = Path(__file__).parents[2] / "assets/demo_run"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return synthetic_run(tmp_path_factory.mktemp("estimate") / "run", classes=3, per_class=12)


@pytest.fixture(scope="module")
def demo() -> Explorer:
    return Explorer(open_run(DEMO_RUN), Cache())


def exported(
    explorer: Explorer, select: SelectSettings, export: ExportSettings, folder: Path
) -> tuple[dict[str, int], int]:
    """The bytes of the image files of each class, and of the zip file."""
    selections = [explorer.select(index, select) for index in range(len(explorer.classes))]
    arguments = (explorer.run, selections, select)
    finish(export_selections(*arguments, folder / "set", export))
    finish(export_selections(*arguments, folder / "set.zip", export))
    images = {
        name: sum(file.stat().st_size for file in (folder / "set/train" / name).glob("*"))
        for name in explorer.classes
    }
    return images, (folder / "set.zip").stat().st_size


PROXY = ExportSettings(pixels="proxy")
JPEG = ExportSettings(pixels="proxy", file_format="jpeg")


@pytest.mark.parametrize(
    ("select", "export"),
    [
        (SelectSettings(), PROXY),
        (SelectSettings(), JPEG),
        (SelectSettings(ipc=20, patch_px=128), PROXY),
        (SelectSettings(ipc=3, patch_px=32), ExportSettings(pixels="proxy", image_px=64)),
        (SelectSettings(ipc=5, factor=2), PROXY),
        (SelectSettings(ipc=10, factor=2, patch_px=48), PROXY),  # many patches appear twice
        (SelectSettings(ipc=4, factor=3, patch_px=64), JPEG),
        (SelectSettings(cut="patch"), PROXY),
        (SelectSettings(cut="context", context=1.7, drop_lowest=0.3), PROXY),
        (SelectSettings(cut="patch", tile_scale="native"), PROXY),
        (SelectSettings(ipc=5, cut="patch", patch_px=32, tile_scale="native", factor=2), JPEG),
    ],
    ids=[
        "png", "jpeg", "whole", "small", "mosaic", "repeats", "jpeg mosaic", "patch", "context",
        "native", "native mosaic",
    ],
)  # fmt: skip
def test_estimate_export__within_two_percent_on_the_demo_run(demo, tmp_path, select, export):
    estimate = estimate_export(demo, select, export, Cache())
    images, size = exported(demo, select, export, tmp_path)
    assert estimate.zip_bytes == pytest.approx(size, rel=0.02)
    assert estimate.images_bytes == pytest.approx(sum(images.values()), rel=0.02)
    for one in estimate.classes_bytes:
        assert one.images_bytes == pytest.approx(images[one.name], rel=0.15)


@pytest.mark.parametrize("file_format", ["png", "jpeg"])
def test_estimate_export__from_the_demo_runs_source(demo, tmp_path, monkeypatch, file_format):
    """The source is rendered, which takes long, so that few images stand for all."""
    monkeypatch.setattr("dsel.analysis.export_estimate.LIMIT_S", 600.0)  # however busy it is here
    select, export = SelectSettings(ipc=2), ExportSettings(file_format=file_format)
    estimate = estimate_export(demo, select, export)
    assert (estimate.pixels, estimate.source_problem, estimate.source_message) == ("source", "", "")
    _, size = exported(demo, select, export, tmp_path)
    assert estimate.zip_bytes == pytest.approx(size, rel=0.02)


@pytest.mark.parametrize(
    ("select", "export"),
    [
        (SelectSettings(ipc=4), PROXY),
        (SelectSettings(ipc=20), ExportSettings(file_format="jpeg", image_px=64)),
        (SelectSettings(ipc=2, factor=2), ExportSettings()),
    ],
)
def test_estimate_export__counts(run, tmp_path, select, export) -> None:
    explorer = Explorer(run)
    estimate = estimate_export(explorer, select, export, Cache())
    images, size = exported(explorer, select, export, tmp_path)
    files = [path for path in (tmp_path / "set").rglob("*") if path.is_file()]
    assert (estimate.files, estimate.images, estimate.classes) == (len(files), len(files) - 4, 3)
    assert [one.name for one in estimate.classes_bytes] == list(explorer.classes)
    assert sum(one.images for one in estimate.classes_bytes) == estimate.images
    assert sum(one.images_bytes for one in estimate.classes_bytes) == estimate.images_bytes
    assert estimate.zip_bytes == pytest.approx(size, rel=0.02)
    assert estimate.images_bytes == pytest.approx(sum(images.values()), rel=0.03)
    assert estimate.image_px == (export.image_px or 128)
    assert estimate.pixels == "proxy"
    assert estimate.source_problem == ("missing" if export.pixels == "auto" else "")
    assert bool(estimate.source_message) == (export.pixels == "auto")
    assert estimate.sampled == estimate.images


def test_estimate_export__all_but_the_images_is_exact_for_jpeg(run, tmp_path) -> None:
    explorer, select = Explorer(run), SelectSettings(ipc=5)
    estimate = estimate_export(explorer, select, JPEG, Cache())
    images, size = exported(explorer, select, JPEG, tmp_path)
    assert {one.name: one.images_bytes for one in estimate.classes_bytes} == images
    assert estimate.zip_bytes == size


def test_estimate_export__large_sets_are_extrapolated(demo, tmp_path, monkeypatch) -> None:
    select = SelectSettings(ipc=5)
    assert MOST_ROWS > 400
    monkeypatch.setattr("dsel.analysis.export_estimate.MOST_ROWS", 100)
    estimate = estimate_export(demo, select, JPEG, Cache())
    _, size = exported(demo, select, JPEG, tmp_path)
    assert estimate.zip_bytes != size
    assert estimate.zip_bytes == pytest.approx(size, rel=0.02)


def test_zip_bytes__by_hand() -> None:
    assert zip_bytes({}) == 22
    assert zip_bytes({"a": 10, "bé": 0}) == 22 + 2 * 76 + 2 * 1 + 2 * 3 + 10


def test_spread__from_the_first_to_the_last() -> None:
    assert spread([], 4) == []
    assert spread([7], 4) == [7]
    assert spread(range(3), 4) == [0, 1, 2]
    assert spread(range(10), 4) == [0, 3, 6, 9]
    assert spread(range(1000), 4) == [0, 333, 666, 999]


def test_estimate_export__short_classes(run) -> None:
    estimate = estimate_export(Explorer(run), SelectSettings(ipc=13), ExportSettings(), Cache())
    assert [(short.name, short.images) for short in estimate.short] == [
        ("disc", 12), ("square", 12), ("bar", 12),
    ]  # fmt: skip


def test_estimate_export__refuses_what_the_export_would(run) -> None:
    for select, export, error in (
        (SelectSettings(factor=8), ExportSettings(image_px=4), SettingError),
        (SelectSettings(bans=("nobody",)), ExportSettings(), SettingError),
        (SelectSettings(), ExportSettings(pixels="source"), RunError),
    ):
        with pytest.raises(error):
            estimate_export(Explorer(run), select, export, Cache())


def test_estimate_export__from_the_source(tmp_path: Path) -> None:
    scored = scored_run(write_pictures(tmp_path / "pets", {"cat": 3, "dog": 3}), tmp_path / "run")
    estimate = estimate_export(Explorer(scored), SelectSettings(ipc=2), ExportSettings(), Cache())
    assert (estimate.pixels, estimate.source_problem) == ("source", "")
    write_pictures(tmp_path / "pets", {"cat": 4})
    changed = estimate_export(Explorer(scored), SelectSettings(ipc=2), ExportSettings(), Cache())
    assert (changed.pixels, changed.source_problem) == ("proxy", "changed")
    assert "has changed since the run was scored" in changed.source_message
    for file in (tmp_path / "pets").rglob("*.*"):
        file.unlink()
    broken = estimate_export(Explorer(scored), SelectSettings(ipc=2), ExportSettings(), Cache())
    assert broken.source_problem == "unreadable"


def test_estimate_export__is_kept(run) -> None:
    cache, explorer = Cache(), Explorer(run)
    first: ExportEstimate = estimate_export(explorer, SelectSettings(), ExportSettings(), cache)
    assert estimate_export(explorer, SelectSettings(), ExportSettings(), cache) is first


@pytest.mark.parametrize("name", [*FORMAT_NAMES, ",".join(FORMAT_NAMES)])
def test_estimate_export__every_format(demo, tmp_path, name):
    """Files are counted, and sizes are near: those of tables and tensors are nearly exact."""
    select = SelectSettings(ipc=5, factor=2)
    settings = PROXY.replace(format=(name,), file_format="webp", quality=70)
    estimate = estimate_export(demo, select, settings, Cache())
    selections = [demo.select(index, select) for index in range(len(demo.classes))]
    events = finish(export_selections(demo.run, selections, select, tmp_path / "set", settings))
    size = zip_folder(tmp_path / "set", tmp_path / "set.zip").stat().st_size
    assert estimate.zip_bytes == pytest.approx(size, rel=0.02)
    files = [path for path in (tmp_path / "set").rglob("*") if path.is_file()]
    assert estimate.files == len(files)
    assert estimate.images == events[-1].figures["images"]
    assert sum(one.images_bytes for one in estimate.classes_bytes) == estimate.images_bytes


def test_estimate_export__of_a_large_set_in_every_format(tmp_path):
    """Its tables are sampled, too."""
    run = synthetic_run(tmp_path / "run", classes=2, per_class=30)
    explorer = Explorer(run, Cache())
    select = SelectSettings(ipc=30, clusters=1)
    settings = PROXY.replace(format=FORMAT_NAMES, image_px=8)
    whole = estimate_export(explorer, select, settings, Cache())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dsel.analysis.export_estimate.MOST_ROWS", 15)
        sampled = estimate_export(explorer, select, settings, Cache())
    assert sampled.files == whole.files
    assert sampled.zip_bytes == pytest.approx(whole.zip_bytes, rel=0.02)
