"""Exports: their layout, that every pixel can be traced to its source, and equal bytes."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.stored import flip
from support.toyset import QUICK, SMALL, dataset_of, finish, scored_run, tree, write_pictures

from dsel.analysis.explorer import Explorer
from dsel.config import ExportSettings, SelectSettings
from dsel.data.images import (
    crop,
    decode,
)
from dsel.errors import RunError, SettingError, StorageError
from dsel.exports import zip_folder
from dsel.exports.base import class_folders
from dsel.pipeline.export import export, export_selections
from dsel.pipeline.held_out import match_classes
from dsel.pipeline.select import select
from dsel.runs import Run, open_run
from dsel.students.exported import read_export
from dsel.types import Box, Done, Notice

ODD_NAMES = {"a": "a/b", "b": "A_B", "c": "..", "d": " dot. ", "e": 'say "é"?', "f": "a\\b"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose source stays where it is; tests must not write to it."""
    folder = tmp_path_factory.mktemp("work")
    return scored_run(write_pictures(folder / "pictures", {"cat": 4, "dog": 4}), folder / "run")


@pytest.fixture
def work(tmp_path: Path) -> Run:
    """A run with its source, both to be spoilt."""
    return scored_run(write_pictures(tmp_path / "pictures", {"cat": 4, "dog": 3}), tmp_path / "run")


def manifest_of(out: Path) -> dict:
    return json.loads((out / "manifest.json").read_text("utf-8"))


def notices(events) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def test_export__layout(run, tmp_path):
    out = tmp_path / "out"
    done = finish(export(run, out, ExportSettings()))[-1]
    assert sorted(tree(out)) == [
        "README.md",
        "classes.json",
        "manifest.json",
        "patches.parquet",
        "train/cat/cat_id00000.png",
        "train/cat/cat_id00001.png",
        "train/dog/dog_id00000.png",
        "train/dog/dog_id00001.png",
    ]
    images = list((out / "train").rglob("*.png"))
    assert {decode(path).shape for path in images} == {(32, 32, 3)}
    assert isinstance(done, Done)
    assert done.figures == {
        "images": 4, "bytes": sum(path.stat().st_size for path in images), "folder": str(out),
    }  # fmt: skip
    dataset = dataset_of(out)  # what was written is a dataset again
    assert dataset.classes == ("cat", "dog")
    assert len(dataset.refs) == 4


def test_export__manifest_records_the_run(run, tmp_path):
    finish(export(run, tmp_path / "out", ExportSettings()))
    record = manifest_of(tmp_path / "out")
    chosen, selections = run.read_selection()
    assert record["complete"] is True
    assert record["classes"] == ["cat", "dog"]
    assert record["run"] == run.identity.fingerprint
    assert record["selection"] == run.selection_name(chosen)
    assert record["format"] == "dsel export 5"
    assert record["select"]["ipc"] == 2
    assert record["score"]["precision"] == "float32"
    assert not {"device", "decoders", "rows_per_call"} & set(record["score"])
    assert record["images"][0]["file"] == "train/cat/cat_id00000.png"
    assert {image["class"] for image in record["images"]} == {"cat", "dog"}
    assert set(record["versions"]) >= {"numpy", "pillow", "torch"}
    rows = pq.read_table(tmp_path / "out/patches.parquet").to_pylist()
    assert len(rows) == sum(len(selected.patches) for selected in selections) == 8
    assert [row["rank"] for row in rows if row["class_name"] == "dog"] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "chosen", [SMALL.replace(drop_lowest=0.3), SelectSettings(ipc=3, clusters=1, factor=2)]
)
def test_export__table_says_where_each_patch_is(work, tmp_path, chosen):
    """The first image that shows it and its tile there, or nothing."""
    finish(select(work, chosen))
    finish(export(work, tmp_path / "out", ExportSettings(image_px=31)))
    shown = {}
    for image in manifest_of(tmp_path / "out")["images"]:
        for patch in image["patches"]:
            shown.setdefault((image["class"], patch["rank"]), (image["file"], patch["tile_box"]))
    rows = pq.read_table(tmp_path / "out/patches.parquet").to_pylist()
    assert len(rows) == 7
    for row in rows:
        file, box = shown.get((row["class_name"], row["rank"]), (None, {}))
        assert row["file"] == file
        for side in ("x", "y", "width", "height"):
            assert row[f"tile_{side}"] == box.get(side)
    assert (None in {row["file"] for row in rows}) == (chosen.factor == 1)


def test_export__manifest_records_the_overrides(run, tmp_path):
    selections = [Explorer(run).select(index, SMALL) for index in range(2)]
    finish(export_selections(run, selections, SMALL, tmp_path / "none", ExportSettings()))
    record = manifest_of(tmp_path / "none")
    assert record["overrides"] == {"pins": [], "bans": [], "moves": []}
    chosen = SMALL.replace(
        pins=("dog/03.png", "cat/01.png"), bans=("cat/00.png",), moves=("dog/03.png@2,5",)
    )
    selections = [Explorer(run).select(index, chosen) for index in range(2)]
    finish(export_selections(run, selections, chosen, tmp_path / "out", ExportSettings()))
    record = manifest_of(tmp_path / "out")
    assert record["overrides"] == {
        "pins": ["dog/03.png", "cat/01.png"],
        "bans": ["cat/00.png"],
        "moves": [{"image_id": "dog/03.png", "x": 2, "y": 5}],
    }
    assert record["select"]["moves"] == ["dog/03.png@2,5"]
    cat, _, dog, _ = record["images"]
    assert cat["patches"][0]["image_id"] == "cat/01.png"
    assert dog["patches"][0]["image_id"] == "dog/03.png"
    assert dog["patches"][0]["proxy_box"] == {"x": 2.0, "y": 5.0, "width": 16.0, "height": 16.0}
    rows = pq.read_table(tmp_path / "out/patches.parquet").to_pylist()
    assert "cat/00.png" not in {row["image_id"] for row in rows}


def traced(run: Run, record: dict, image: dict, kind: str) -> np.ndarray:
    """An exported image made anew from its lines in the manifest."""
    side = record["export"]["image_px"]
    source = Path(run.identity.dataset_origin["source"])
    rows = {row.id: row for row in run.images}
    made = np.zeros((side, side, 3), np.uint8)
    for patch in image["patches"]:
        cut, tile, row = Box(**patch["cut_box"]), patch["tile_box"], rows[patch["image_id"]]
        x, y, width, height = (int(tile[name]) for name in ("x", "y", "width", "height"))
        if kind == "source":
            pixels = decode(source / patch["image_id"])
        else:
            pixels = decode(run.image_bytes([row], "proxy")[0])
            cut = row.frame.to_proxy(cut)
        size = width, height
        if record["select"]["tile_scale"] == "native":
            size = tuple(min(round(patch["native_px"]), one) for one in size)
        content = crop(pixels, cut, *size)
        top, left = (height - size[1]) // 2, (width - size[0]) // 2
        for down in range(height):  # each pixel is the nearest one of the cut
            for across in range(width):
                nearest = (
                    min(max(down - top, 0), size[1] - 1),
                    min(max(across - left, 0), size[0] - 1),
                )
                made[y + down, x + across] = content[nearest]
    return made


@pytest.mark.parametrize("kind", ["source", "proxy"])
@pytest.mark.parametrize(
    ("chosen", "image_px"),
    [
        (SMALL, 0),
        (SMALL, 16),
        (SelectSettings(ipc=3, clusters=2, patch_px=9, stride_px=1, per_image=2), 33),
        (SelectSettings(ipc=1, clusters=1, factor=2), 0),
        (SelectSettings(ipc=3, clusters=2, factor=2, patch_px=11, per_image=4, cut="patch"), 21),
        (SelectSettings(ipc=2, clusters=1, factor=2, patch_px=12, cut="context"), 33),
        (SelectSettings(ipc=2, clusters=1, patch_px=12, cut="patch", tile_scale="native"), 0),
        (SelectSettings(ipc=1, clusters=1, factor=3, patch_px=8, per_image=4, cut="context",
                        context=1.3, tile_scale="native"), 64),
    ],
)  # fmt: skip
def test_export__manifest_has_the_origin_of_every_pixel(work, tmp_path, kind, chosen, image_px):
    finish(select(work, chosen))
    out = tmp_path / "out"
    finish(export(work, out, ExportSettings(image_px=image_px, pixels=kind)))
    record = manifest_of(out)
    assert record["export"]["pixels"] == kind
    assert record["images"]
    for image in record["images"]:
        assert len(image["patches"]) == chosen.factor**2
        made = decode(out / image["file"])
        assert made.shape == ((image_px or 32), (image_px or 32), 3)
        assert np.array_equal(made, traced(work, record, image, kind))


@pytest.mark.parametrize(
    "how", [ExportSettings(), ExportSettings(image_px=15, file_format="jpeg", pixels="proxy")]
)
def test_export__twice_gives_the_same_bytes(run, tmp_path, how):
    for name in ("one", "two"):
        finish(export(run, tmp_path / name, how))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_export__again_into_the_same_folder_gives_the_same_bytes(run, tmp_path):
    finish(export(run, tmp_path, ExportSettings()))
    before = tree(tmp_path)
    (tmp_path / "train/cat/cat_id00001.png").unlink()
    (tmp_path / "train/dog/.dog_id00000.png.99999.partial").write_bytes(b"half")
    finish(export(run, tmp_path, ExportSettings()))
    assert tree(tmp_path) == before


def test_export__equal_runs_made_at_another_speed_export_the_same_bytes(run, tmp_path):
    source = Path(run.identity.dataset_origin["source"])
    other = scored_run(source, tmp_path / "run", QUICK.replace(decoders=1, rows_per_call=4))
    finish(export(run, tmp_path / "one", ExportSettings()))
    finish(export(other, tmp_path / "two", ExportSettings()))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_export_selections__as_the_app_does_gives_the_same_bytes(run, tmp_path):
    """From selections in memory, and from those that were kept."""
    chosen, _ = run.read_selection()
    explorer = Explorer(open_run(run.path))
    made = [explorer.select(index, chosen) for index in range(2)]
    finish(export(run, tmp_path / "kept", ExportSettings()))
    finish(export_selections(run, made, chosen, tmp_path / "live", ExportSettings()))
    assert tree(tmp_path / "kept") == tree(tmp_path / "live")


def test_export__of_a_stored_selection_by_name(work, tmp_path):
    first = work.selection_name(SMALL)
    finish(select(work, SMALL.replace(ipc=1)))
    assert finish(export(work, tmp_path / "one", ExportSettings()))[-1].figures["images"] == 2
    named = finish(export(work, tmp_path / "two", ExportSettings(), first))
    assert named[-1].figures["images"] == 4
    with pytest.raises(RunError, match="has no selection nosuch; it has: "):
        finish(export(work, tmp_path / "three", ExportSettings(), "nosuch"))
    assert not (tmp_path / "three").exists()


def test_export__foreign_folder_is_refused_and_left_alone(run, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StorageError, match=r"holds other files, such as thesis\.tex: choose"):
        finish(export(run, tmp_path, ExportSettings()))
    assert set(tree(tmp_path)) == {"thesis.tex"}


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"fingerprint": 1}', '"text"'])
def test_export__foreign_manifest_is_refused_and_left_alone(run, tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(StorageError, match="choose a new folder"):
        finish(export(run, tmp_path, ExportSettings()))
    assert (tmp_path / "manifest.json").read_text() == content


@pytest.mark.parametrize(
    "how", [ExportSettings(image_px=20), ExportSettings(file_format="jpeg"), "selection", "proxy"]
)
def test_export__other_settings_are_refused(work, tmp_path, how):
    out = tmp_path / "out"
    finish(export(work, out, ExportSettings()))
    before = tree(out)
    if how == "selection":
        finish(select(work, SMALL.replace(ipc=1)))
    settings = how if isinstance(how, ExportSettings) else ExportSettings()
    settings = settings.replace(pixels="proxy") if how == "proxy" else settings
    with pytest.raises(StorageError, match="holds another export, made with other settings"):
        finish(export(work, out, settings))
    assert tree(out) == before


def test_export__manifest_lists_the_checksum_of_every_file(run, tmp_path):
    finish(export(run, tmp_path, ExportSettings()))
    assert manifest_of(tmp_path)["checksums"] == {
        name: checksum for name, checksum in tree(tmp_path).items() if name != "manifest.json"
    }


def test_export__a_changed_file_is_named_and_written_again(run, tmp_path):
    finish(export(run, tmp_path, ExportSettings()))
    whole = tree(tmp_path)
    flip(tmp_path / "train/dog/dog_id00001.png", 80)
    (tmp_path / "classes.json").unlink()
    events = finish(export(run, tmp_path, ExportSettings()))
    image = tmp_path / "train/dog/dog_id00001.png"
    assert [event.text for event in events if isinstance(event, Notice)] == [
        f"{tmp_path / 'classes.json'} is written again: it is missing",
        f"{image} is written again: it differs from its checksum in the manifest",
    ]
    assert tree(tmp_path) == whole


def test_export__a_file_in_the_way(run, tmp_path):
    (tmp_path / "out").write_text("")
    for out in (tmp_path / "out", tmp_path / "out/below"):
        with pytest.raises(StorageError, match="a file is in the way"):
            finish(export(run, out, ExportSettings()))


def test_export__unfinished_one_is_marked(run, tmp_path):
    events = export(run, tmp_path, ExportSettings())
    for _, _ in zip(range(3), events, strict=False):
        pass
    events.close()
    assert manifest_of(tmp_path)["complete"] is False


@pytest.mark.parametrize("image_px", [1, 7, 33, 100])
@pytest.mark.parametrize("file_format", ["png", "jpeg"])
def test_export__sizes_and_formats(run, tmp_path, image_px, file_format):
    how = ExportSettings(image_px=image_px, file_format=file_format)
    finish(export(run, tmp_path, how))
    suffix = {"png": ".png", "jpeg": ".jpg"}[file_format]
    images = [path for path in (tmp_path / "train").rglob("*") if path.is_file()]
    assert len(images) == 4
    for path in images:
        with Image.open(path) as image:
            assert (path.suffix, image.format) == (suffix, file_format.upper())
            assert (image.size, image.mode) == ((image_px, image_px), "RGB")


def test_export__jpeg_is_near_png(run, tmp_path):
    for file_format in ("png", "jpeg"):
        how = ExportSettings(file_format=file_format, image_px=64)
        finish(export(run, tmp_path / file_format, how))
    exact = decode(tmp_path / "png/train/cat/cat_id00000.png").astype(int)
    lossy = decode(tmp_path / "jpeg/train/cat/cat_id00000.jpg").astype(int)
    assert 0 < np.abs(exact - lossy).mean() < 6


def test_export__image_too_small_for_its_tiles(work, tmp_path):
    finish(select(work, SelectSettings(ipc=1, clusters=1, factor=2)))
    with pytest.raises(SettingError, match="image px must be at least 2 for 2 x 2 mosaics, got 1"):
        finish(export(work, tmp_path / "out", ExportSettings(image_px=1)))
    assert not (tmp_path / "out").exists()


def test_export__source_gone_is_an_error(work, tmp_path):
    shutil.rmtree(tmp_path / "pictures")
    events = finish(export(work, tmp_path / "out", ExportSettings()))
    assert len(notices(events)) == 1
    assert notices(events)[0].startswith(
        "cutting from the run's proxies, since the source cannot be read: "
    )
    assert manifest_of(tmp_path / "out")["export"]["pixels"] == "proxy"
    with pytest.raises(RunError, match="the source cannot be read: "):
        finish(export(work, tmp_path / "strict", ExportSettings(pixels="source")))
    assert not (tmp_path / "strict").exists()


def test_export__source_changed_is_an_error(work, tmp_path):
    Image.new("RGB", (50, 50)).save(tmp_path / "pictures/cat/new.png")
    events = finish(export(work, tmp_path / "out", ExportSettings()))
    assert notices(events) == [
        "cutting from the run's proxies, since the source has changed since the run was scored"
    ]
    with pytest.raises(RunError, match="score it again, or use --pixels proxy"):
        finish(export(work, tmp_path / "strict", ExportSettings(pixels="source")))
    finish(export(work, tmp_path / "proxy", ExportSettings(pixels="proxy")))


def test_export__nothing_is_written_to_the_run(run, tmp_path):
    before = tree(run.path)
    finish(export(run, tmp_path, ExportSettings()))
    assert tree(run.path) == before


def test_export__folders_keep_the_names_of_the_source(tmp_path):
    """Sorted, they have the order of any other folders of the same classes."""
    folders = ("n01440764", "n02102040", "n02979186")
    source = write_pictures(tmp_path / "pictures/train", dict.fromkeys(folders, 2))
    held_out = write_pictures(tmp_path / "pictures/val", dict.fromkeys(folders, 2), seed=1)
    run = scored_run(source, tmp_path / "run")
    out = tmp_path / "out"
    finish(export(run, out, ExportSettings()))
    assert sorted(p.name for p in (out / "train").iterdir()) == list(folders)
    assert json.loads((out / "classes.json").read_text("utf-8")) == [
        {"index": 0, "name": "tench", "folder": "n01440764"},
        {"index": 1, "name": "English springer", "folder": "n02102040"},
        {"index": 2, "name": "cassette player", "folder": "n02979186"},
    ]
    again, validation = dataset_of(out), dataset_of(held_out)
    assert again.classes == validation.classes == run.identity.classes
    assert again.structure.folders == validation.structure.folders == folders
    assert match_classes(again.names, run.identity.classes) == (0, 1, 2)
    assert match_classes(validation.names, read_export(out).classes) == (0, 1, 2)


@pytest.mark.parametrize("readable", [{"b": "ant", "a": "zebra"}, ["zebra", "ant"], None])
def test_export__read_back_has_the_same_order_and_names(tmp_path, readable):
    source = write_pictures(tmp_path / "pictures", {"a": 2, "b": 2})
    if readable:
        (source / "classes.json").write_text(json.dumps(readable))
    run = scored_run(source, tmp_path / "run")
    finish(export(run, tmp_path / "out", ExportSettings()))
    again = dataset_of(tmp_path / "out")
    assert again.classes == run.identity.classes == (("zebra", "ant") if readable else ("a", "b"))
    assert again.structure.folders == ("a", "b")


def test_export__of_arrays_read_back_has_their_order(tmp_path):
    """Arrays have no folders: the order of their classes stands in classes.json alone."""
    images = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), np.uint8)
    arrays = {
        "images": images,
        "labels": np.arange(6) % 3,
        "classes": np.array(["dog", "a/b", "cat"]),
    }
    np.savez(tmp_path / "arrays.npz", **arrays)
    run = scored_run(tmp_path / "arrays.npz", tmp_path / "run")
    finish(export(run, tmp_path / "out", ExportSettings()))
    again = dataset_of(tmp_path / "out")
    assert again.classes == run.identity.classes == ("dog", "a/b", "cat")
    assert again.structure.folders == ("dog", "a_b", "cat")


def test_export__classes_named_like_splits_are_read_back(tmp_path):
    source = write_pictures(tmp_path / "pictures", {"train": 2, "bus": 2})
    run = scored_run(source, tmp_path / "run")
    finish(export(run, tmp_path / "out", ExportSettings()))
    assert dataset_of(tmp_path / "out").classes == ("bus", "train")
    assert dataset_of(tmp_path / "out", split="train").classes == ("bus", "train")


def test_export__odd_class_names(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3), np.uint8)
    names = np.array([*ODD_NAMES.values()])
    np.savez(tmp_path / "arrays.npz", images=images, labels=np.arange(12) % 6, classes=names)
    run = scored_run(tmp_path / "arrays.npz", tmp_path / "run")
    out = tmp_path / "out"
    finish(export(run, out, ExportSettings()))
    classes = json.loads((out / "classes.json").read_text("utf-8"))
    assert [line["name"] for line in classes] == list(ODD_NAMES.values())
    folders = [line["folder"] for line in classes]
    assert folders == ["a_b", "A_B_2", "class", "dot", "say _é__", "a_b_3"]
    assert sorted(path.name for path in (out / "train").iterdir()) == sorted(folders)
    for folder in folders:
        names = sorted(path.name for path in (out / "train" / folder).iterdir())
        assert names == [f"{folder}_id00000.png", f"{folder}_id00001.png"]
    names = ("train", "README.md", "classes.json", "manifest.json", "patches.parquet")
    assert set(out.iterdir()) == {out / name for name in names}


def test_export__long_class_names(tmp_path):
    long = ["very " * 60 + "long", "very " * 60 + "large", "鯨" * 200]
    source = write_pictures(tmp_path / "pictures", {"a": 1, "b": 1, "c": 1})
    (source / "classes.json").write_text(json.dumps(long))
    run = scored_run(source, tmp_path / "run")
    finish(export(run, tmp_path / "out", ExportSettings()))
    assert len(list((tmp_path / "out/train").rglob("*.png"))) == 3


def test_export__folder_names_that_are_not_text(tmp_path):
    """A folder may be called by any bytes; files may hold text alone."""
    write_pictures(tmp_path / "pictures", {"cat": 2, "dog": 2})
    try:
        (tmp_path / "pictures/dog").rename(tmp_path / "pictures" / os.fsdecode(b"d\xff"))
    except OSError:
        pytest.skip("this file system takes text alone")
    run = scored_run(tmp_path / "pictures", tmp_path / "run")
    finish(export(run, tmp_path / "out", ExportSettings()))
    assert sorted(p.name for p in (tmp_path / "out/train").iterdir()) == ["cat", "d_xff"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=80), unique=True, min_size=1, max_size=8))
def test_class_folders__are_safe_and_different(names):
    folders = class_folders(names)
    assert len({folder.lower() for folder in folders}) == len(names)
    for folder in folders:
        assert folder not in ("", ".", "..")
        assert folder == folder.strip(" .")
        assert not set(folder) & set('/\\:*?"<>|\0')
        assert len(folder.encode()) < 200


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (["cat", "dog"], ["cat", "dog"]),
        (["tench, Tinca tinca"], ["tench, Tinca tinca"]),
        (["a", "A", "a_2"], ["a", "A_2", "a_2_2"]),
        (["x/y", "x:y", "x_y"], ["x_y", "x_y_2", "x_y_3"]),
        (["..", "", "..."], ["class", "class_2", "class_3"]),
        (["猫", "ß"], ["猫", "ß"]),
    ],
)
def test_class_folders__by_hand(names, folders):
    assert list(class_folders(names)) == folders


def test_zip_folder__equal_content_gives_equal_bytes(run, tmp_path):
    packed = []
    for name in ("one", "two"):
        out = tmp_path / name
        finish(export(run, out, ExportSettings(image_px=8)))
        packed.append(zip_folder(out, tmp_path / f"{name}.zip").read_bytes())
    assert packed[0] == packed[1]
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(tree(tmp_path / "one"))
        assert archive.read("manifest.json") == (tmp_path / "one/manifest.json").read_bytes()
    assert not list(tmp_path.glob(".*.partial"))


def test_zip_folder__leaves_out_what_is_named_and_itself(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.json").write_text("{}")
    (tmp_path / "a.txt").write_text("a")
    for _ in range(2):
        zip_folder(tmp_path, tmp_path / "all.zip", leave_out=("run",))
        with zipfile.ZipFile(tmp_path / "all.zip") as archive:
            assert archive.namelist() == ["a.txt"]


def test_zip_folder__no_folder_for_it(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        zip_folder(tmp_path, tmp_path / "file/all.zip")


def test_export__into_a_zip_file(run, tmp_path):
    small = ExportSettings(image_px=8)
    finish(export(run, tmp_path / "set", small))
    wanted = zip_folder(tmp_path / "set", tmp_path / "packed.zip").read_bytes()
    out = tmp_path / "new" / "set.ZIP"
    for _ in range(2):  # the same again may take its place
        done = finish(export(run, out, small))[-1]
        assert out.read_bytes() == wanted
    assert done == Done("export", {"images": 4, "bytes": len(wanted), "file": str(out)})
    assert list(out.parent.iterdir()) == [out]


def test_export__a_zip_file_that_is_interrupted_leaves_nothing(run, tmp_path):
    events = export(run, tmp_path / "set.zip", ExportSettings(image_px=8))
    for _, _ in zip(range(3), events, strict=False):
        pass
    events.close()
    assert list(tmp_path.iterdir()) == []


def test_export__a_zip_file_of_others_stays(run, tmp_path):
    finish(export(run, tmp_path / "other.zip", ExportSettings(image_px=16)))
    (tmp_path / "text.zip").write_text("mine")
    (tmp_path / "folder.zip").mkdir()
    with zipfile.ZipFile(tmp_path / "foreign.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    before = tree(tmp_path)
    for name, message in (
        ("other", "another export"), ("text", "is not an export"),
        ("folder", "is a folder, not a file"), ("foreign", "is not an export"),
    ):  # fmt: skip
        with pytest.raises(StorageError, match=message):
            finish(export(run, tmp_path / f"{name}.zip", ExportSettings(image_px=8)))
    assert tree(tmp_path) == before
