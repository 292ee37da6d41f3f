"""Every format of an export is read by its real consumer: pictures, labels, order, bytes."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.classifiers import save_teacher
from support.layouts import minimax_folder, rded_folder, torchvision_folder
from support.stored import flip, record_of, rewrite
from support.toyset import (
    QUICK,
    SMALL,
    dataset_of,
    finish,
    scored_run,
    toy_prior,
    tree,
    write_pictures,
)

import dsel
from dsel.config import ExportSettings, SelectSettings
from dsel.config.export import FORMAT_NAMES
from dsel.data.images import decode, encode
from dsel.errors import SourceError, StorageError
from dsel.exports import FORMATS, zip_bytes, zip_folder
from dsel.exports.formats import Record
from dsel.exports.layouts import Sre2l
from dsel.exports.parquet import DATA, HubDataset, ParquetImages
from dsel.exports.web_dataset import WebDataset, _Shards
from dsel.pipeline.distill import distill
from dsel.pipeline.export import compose_images, export, plan_export
from dsel.pipeline.select import select
from dsel.pipeline.verify import check_records, verify
from dsel.runs import Run
from dsel.students.exported import read_export
from dsel.types import Distilled, Done, Notice, Pixels, Started

ALL = ExportSettings(format=FORMAT_NAMES)
FOLDERS = ("ant_2", "cat", "dog")
MOSAIC = SelectSettings(ipc=2, clusters=1, factor=2, per_image=4)
LEAVES_FILES_OPEN = pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning",
    "ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning",
)
"""Of webdataset, which closes its tar files when they are collected."""

Samples = list[tuple[Pixels, int]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    work = tmp_path_factory.mktemp("formats")
    source = write_pictures(work / "pictures", dict.fromkeys(FOLDERS, 4))
    (source / "classes.json").write_text(
        json.dumps({"ant_2": "ant, é", "cat": "Cat", "dog": "Dog"})
    )
    return scored_run(source, work / "run")


@pytest.fixture(scope="module")
def out(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export in all formats; tests must not write to it."""
    folder = tmp_path_factory.mktemp("formats") / "out"
    finish(export(run, folder, ALL))
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    names = [["Dog"], ["Cat"], ["ant, é"]]
    return str(save_teacher(tmp_path_factory.mktemp("teachers") / "t", names))


def composed(run: Run, settings: ExportSettings = ALL) -> list[Distilled]:
    chosen, selections = run.read_selection()
    return list(compose_images(run, selections, chosen, settings))


def samples_of(run: Run) -> Samples:
    return [(one.pixels, one.class_index) for one in composed(run)]


def as_jpeg(samples: Samples, quality: int = 90) -> Samples:
    return [(decode(encode(pixels, "jpeg", quality)), label) for pixels, label in samples]


def assert_same(found: Iterable[tuple[object, int]], expected: Samples) -> None:
    """The same pictures and labels in the same order."""
    listed = [(np.asarray(pixels), label) for pixels, label in found]
    assert [label for _, label in listed] == [label for _, label in expected]
    for (pixels, _), (wanted, _) in zip(listed, expected, strict=True):
        assert np.array_equal(pixels, wanted)


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text("utf-8"))


def largest(folder: Path) -> Path:
    """The largest file that the manifest lists."""
    listed = [folder / name for name in manifest_of(folder)["checksums"]]
    return max(listed, key=lambda path: path.stat().st_size)


def damage_of(path: Path) -> list[str]:
    return [event.text for event in verify(path) if isinstance(event, Notice)]


def test_formats__are_those_of_the_setting() -> None:
    assert tuple(FORMATS) == FORMAT_NAMES
    assert all(kind.name == name and kind.purpose for name, kind in FORMATS.items())


def test_export__several_formats_have_a_folder_each(run, out):
    assert sorted(path.name for path in out.iterdir()) == sorted(FORMAT_NAMES)
    for name in FORMAT_NAMES:
        manifest = manifest_of(out / name)
        assert (manifest["complete"], manifest["export"]["format"]) == (True, [name])
        assert [image["class"] for image in manifest["images"]] == [
            run.identity.classes[one.class_index] for one in composed(run)
        ]


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_export__one_format_is_that_of_several(run, out, tmp_path, name):
    """Directly in OUT, with the same bytes; and again, after damage, the same bytes."""
    settings = ExportSettings(format=(name,))
    finish(export(run, tmp_path / "one", settings))
    assert tree(tmp_path / "one") == tree(out / name)
    victim = largest(tmp_path / "one")
    flip(victim, victim.stat().st_size // 2)
    events = finish(export(run, tmp_path / "one", settings))
    assert any(isinstance(e, Notice) and "is written again" in e.text for e in events)
    assert tree(tmp_path / "one") == tree(out / name)


def test_export__the_zip_is_that_of_the_folder(run, out, tmp_path):
    done = finish(export(run, tmp_path / "set.zip", ALL))[-1]
    assert isinstance(done, Done)
    packed = zip_folder(out, tmp_path / "folder.zip").read_bytes()
    assert (tmp_path / "set.zip").read_bytes() == packed
    assert damage_of(tmp_path / "set.zip") == []
    sizes = {path.relative_to(out).as_posix(): path.stat().st_size for path in files_of(out)}
    assert len(packed) == zip_bytes(sizes) == done.figures["bytes"]
    finish(export(run, tmp_path / "set.zip", ALL))
    with pytest.raises(StorageError, match="holds another export, made with other settings"):
        finish(export(run, tmp_path / "set.zip", ExportSettings(format="folder,csv")))


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_export__foreign_and_other_files_are_left_alone(run, tmp_path):
    several = ExportSettings(format="csv,rded")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("work")
    with pytest.raises(StorageError, match=r"holds other files, such as thesis\.tex"):
        finish(export(run, tmp_path / "mine", several))
    (tmp_path / "sub/csv").mkdir(parents=True)
    (tmp_path / "sub/csv/table.csv").write_text("work")
    with pytest.raises(StorageError, match=r"sub/csv holds other files, such as table\.csv"):
        finish(export(run, tmp_path / "sub", several))
    assert tree(tmp_path / "sub").keys() == {"csv/table.csv"}
    finish(export(run, tmp_path / "one", ExportSettings(format="csv")))
    with pytest.raises(StorageError, match="holds an export in one format: choose a new folder"):
        finish(export(run, tmp_path / "one", several))
    finish(export(run, tmp_path / "two", several))
    with pytest.raises(StorageError, match="holds other files, such as csv"):
        finish(export(run, tmp_path / "two", ExportSettings(format="csv")))
    finish(export(run, tmp_path / "two", ExportSettings(format="csv,minimax")))
    assert damage_of(tmp_path / "two") == []


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_export__interrupted_leaves_nothing_half_written(run, tmp_path, name):
    events = export(run, tmp_path, ExportSettings(format=(name,)))
    for _, _ in zip(range(4), events, strict=False):
        pass
    events.close()
    found = manifest_of(tmp_path)
    assert found["complete"] is False
    left = {path.name for path in files_of(tmp_path)} - {"manifest.json"}
    assert all(path.endswith((".png", ".jpg")) for path in left)
    finish(export(run, tmp_path, ExportSettings(format=(name,))))
    assert damage_of(tmp_path) == []


def test_folder__torchvision(run, out):
    assert_same(torchvision_folder(out / "folder/train"), samples_of(run))
    assert read_export(out).path == out / "folder"  # the one that dsel reads
    assert len(dsel.torch_dataset(out)) == 6
    with pytest.raises(SourceError, match="is an export in the format csv, and dsel reads image"):
        read_export(out / "csv")


@pytest.mark.parametrize("quality", [90, 30])
def test_layouts__published_loaders(run, tmp_path, quality):
    settings = ExportSettings(format="folder,rded,sre2l,minimax", quality=quality)
    finish(export(run, tmp_path, settings))
    expected = samples_of(run)
    lossy = as_jpeg(expected, quality)
    assert_same(rded_folder(tmp_path / "rded", 3, 2), lossy)
    assert_same(torchvision_folder(tmp_path / "sre2l"), lossy)
    assert_same(minimax_folder(tmp_path / "minimax", list(FOLDERS), 2), expected)
    assert (tmp_path / "rded/00002/class00002_id00001.jpg").is_file()
    assert (tmp_path / "sre2l/new001/class001_id000.jpg").is_file()
    assert (tmp_path / "minimax/ant_2/1.png").is_file()


def test_sre2l__folders_sort_as_the_classes() -> None:
    """Published code has three digits, which do not sort beyond 1000 classes."""
    kind = Sre2l()
    assert kind.folder(999, "", 1000) == "new999"
    names = [kind.folder(index, "", 1200) for index in range(1200)]
    assert names == sorted(names)


def test_parquet__datasets(run, out, tmp_path):
    from datasets import ClassLabel, load_dataset

    found = load_dataset(str(out / "parquet"), split="train", cache_dir=str(tmp_path))
    assert found.features["label"] == ClassLabel(names=["ant, é", "Cat", "Dog"])
    assert_same(((row["image"], row["label"]) for row in found), samples_of(run))
    patches = load_dataset(str(out / "parquet"), "patches", split="train", cache_dir=str(tmp_path))
    images = manifest_of(out / "parquet")["images"]
    assert len(patches) == 12
    for row in patches:
        if row["image"] is None:
            continue
        (patch,) = images[row["image"]]["patches"]
        assert (row["image_id"], row["rank"]) == (patch["image_id"], patch["rank"])
        assert {side: row[f"cut_{side}"] for side in patch["cut_box"]} == patch["cut_box"]
    assert sum(row["image"] is not None for row in patches) == 6


def test_parquet__the_card(run, out):
    from huggingface_hub import DatasetCard

    card = DatasetCard.load(out / "parquet/README.md")
    assert [one["config_name"] for one in card.data.configs] == ["default", "patches"]
    assert card.data.size_categories == ["n<1K"]
    assert [one["splits"][0]["num_examples"] for one in card.data.dataset_info] == [6, 12]
    assert "Images of 32 x 32 px in 3 classes, at most 2 per class, selected from" in card.text
    assert str(Path(run.identity.dataset_origin["source"]).parent) not in card.text
    with Image.open(out / "parquet/preview.webp") as preview:
        assert preview.size == (96, 32)


@LEAVES_FILES_OPEN
@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp"])
def test_webdataset__shards(run, tmp_path, file_format):
    import webdataset

    settings = ExportSettings(format="webdataset", file_format=file_format, quality=80)
    finish(export(run, tmp_path, settings))
    tar = str(tmp_path / "train-00000.tar")
    found = webdataset.WebDataset(tar, shardshuffle=False).decode("rgb8")
    rows = list(found.to_tuple("png;jpg;webp", "cls", "json"))
    expected = [
        (decode(encode(pixels, file_format, 80)), label) for pixels, label in samples_of(run)
    ]
    assert_same(((pixels, label) for pixels, label, _ in rows), expected)
    assert [story for _, _, story in rows] == manifest_of(tmp_path)["images"]


@pytest.mark.parametrize("kind", [HubDataset, WebDataset])
def test_files__a_new_one_begins_at_a_size(run, tmp_path, kind):
    chosen, selections = run.read_selection()
    plan = plan_export(run, selections, chosen, ExportSettings(format=kind.name), 32, True)
    sink = (
        ParquetImages(kind(), plan, tmp_path, None, DATA, file_bytes=1)
        if kind is HubDataset
        else _Shards(plan, tmp_path, None, shard_bytes=1)
    )
    images = composed(run)
    places = [sink.append(one, encode(one.pixels, "png")) for one in images]
    names = sink.close().keys()
    assert len(names) == len(images) == 6
    entries = [
        {"file": place, "class": run.identity.classes[one.class_index]}
        for place, one in zip(places, images, strict=True)
    ]
    manifest = {"images": entries, "classes": run.identity.classes}
    assert list(kind().records(tmp_path, manifest)) == list(kind().expected(manifest))


def test_coco__pycocotools(run, out):
    from pycocotools.coco import COCO

    boxes = COCO(str(out / "coco/coco.json"))
    rows = {row.id: row for row in run.images}
    images = manifest_of(out / "coco")["images"]
    patches = {p["image_id"]: (p, one["class"]) for one in images for p in one["patches"]}
    assert len(boxes.anns) == len(patches) == 6
    for box in boxes.anns.values():
        picture = boxes.loadImgs(box["image_id"])[0]
        patch, name = patches[picture["file_name"]]
        frame = rows[picture["file_name"]].frame
        assert (picture["width"], picture["height"]) == (frame.source_width, frame.source_height)
        assert box["bbox"] == [patch["source_box"][s] for s in ("x", "y", "width", "height")]
        assert boxes.loadCats(box["category_id"])[0]["name"] == name
        assert (box["rank"], box["score"]) == (patch["rank"], patch["score"])


def test_croissant__mlcroissant(run, out):
    import mlcroissant

    described = mlcroissant.Dataset(str(out / "croissant/croissant.json"))
    assert not described.metadata.ctx.issues.errors
    rows = list(described.records("images"))
    assert_same(((row["images/image"], row["images/label"]) for row in rows), samples_of(run))
    names = [row["classes/name"] for row in described.records("classes")]
    assert [n.decode() if isinstance(n, bytes) else n for n in names] == ["ant, é", "Cat", "Dog"]


def test_csv__rows(run, out):
    _, selections = run.read_selection()
    with (out / "csv/selection.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = [(one.name, patch) for one in selections for patch in one.patches]
    assert len(rows) == len(expected) == 12
    for row, (name, patch) in zip(rows, expected, strict=True):
        assert (row["class_name"], row["image_id"]) == (name, patch.image_id)
        assert float(row["score"]) == patch.score
        assert float(row["cut_width"]) == patch.cut_box.width
        assert row["image"] == (str(patch.rank) if patch.rank < 2 else "")
    assert "nan" not in (out / "csv/selection.csv").read_text("utf-8").lower()


def test_ddranking__tensors_alone(run, out):
    images = torch.load(out / "ddranking/images.pt", weights_only=True)
    labels = torch.load(out / "ddranking/labels.pt", weights_only=True)
    assert (images.shape, images.dtype, labels.dtype) == (
        (6, 3, 32, 32),
        torch.float32,
        torch.int64,
    )
    pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert_same(zip(pixels, labels.tolist(), strict=True), samples_of(run))
    assert not (out / "ddranking/soft_labels.pt").exists()


@LEAVES_FILES_OPEN
def test_export__a_teachers_labels_are_in_the_formats_that_hold_them(run, teacher, tmp_path):
    import mlcroissant
    import webdataset
    from datasets import load_dataset

    settings = ALL.replace(teacher=teacher)
    events = finish(export(run, tmp_path / "all", settings))
    said = [event.text for event in events if isinstance(event, Notice)]
    assert said == [
        "coco, csv, rded, sre2l, minimax: no place for a teacher's labels, which are left out"
    ]
    folder = read_export(tmp_path / "all")
    expected = folder.soft_labels(unpack=False).probabilities.astype(np.float32)
    assert expected.shape == (6, 3)
    rows = load_dataset(str(tmp_path / "all/parquet"), split="train", cache_dir=str(tmp_path / "c"))
    assert np.array_equal(np.array(rows["soft_label"], np.float32), expected)
    tar = str(tmp_path / "all/webdataset/train-00000.tar")
    shards = webdataset.WebDataset(tar, shardshuffle=False).decode()
    assert np.array_equal(np.stack([row["soft.npy"] for row in shards]), expected)
    soft = torch.load(tmp_path / "all/ddranking/soft_labels.pt", weights_only=True)
    assert np.array_equal(soft.numpy(), expected)
    described = mlcroissant.Dataset(str(tmp_path / "all/croissant/croissant.json"))
    found = [row["images/soft_label"] for row in described.records("images")]
    assert np.allclose(np.array(found, np.float32), expected)
    assert damage_of(tmp_path / "all") == []
    alone = tmp_path / "alone"
    finish(export(run, alone, settings.replace(format=("parquet",))))  # labelled beside it
    assert tree(alone) == tree(tmp_path / "all/parquet")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_export__nothing_is_labelled_for_formats_without_labels(run, teacher, tmp_path):
    events = finish(export(run, tmp_path, ExportSettings(format="rded,csv", teacher=teacher)))
    assert [one.stage for one in events if isinstance(one, Started)] == ["export"]
    said = [event.text for event in events if isinstance(event, Notice)]
    assert said == ["csv, rded: no place for a teacher's labels, which are left out"]


def test_export__mosaics_in_every_format(run, tmp_path):
    finish(select(run, MOSAIC))
    try:
        finish(export(run, tmp_path, ALL))
        expected = samples_of(run)
        assert_same(torchvision_folder(tmp_path / "minimax"), expected)
        assert damage_of(tmp_path) == []
        content = json.loads((tmp_path / "coco/coco.json").read_text("utf-8"))
        kept = {
            (patch["image_id"], patch["rank"])
            for image in manifest_of(tmp_path / "coco")["images"]
            for patch in image["patches"]
        }
        assert len(content["annotations"]) == len(kept)
    finally:
        finish(select(run, SMALL))


def test_export__one_pass_over_the_images(run, tmp_path):
    events = finish(export(run, tmp_path, ALL))
    assert [event for event in events if isinstance(event, Started)] == [
        Started("export", 6, "images")
    ]


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_verify__whole_and_damaged(out, tmp_path, name):
    folder = tmp_path / name
    shutil.copytree(out / name, folder)
    assert damage_of(folder) == []
    victim = largest(folder)
    flip(victim, victim.stat().st_size // 2)
    (line,) = damage_of(folder)
    assert line.startswith(f"{victim} is damaged: it")
    victim.unlink()
    (line,) = damage_of(folder)
    assert line == f"{victim} is missing: export the set again"


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("folder", "train/eel/0.png"),
        ("parquet", "data/train-00001.parquet"),
        ("rded", "00003/x.jpg"),
    ],
)
def test_verify__files_that_loaders_would_read_besides(out, tmp_path, name, extra):
    folder = tmp_path / name
    shutil.copytree(out / name, folder)
    for path in (folder / "notes.txt", folder / ".git/config", folder / extra):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    assert damage_of(folder) == [
        f"{folder / extra} is not part of the export, but loaders read it: remove it"
    ]


class _Changed:
    """The manifest of an export with its images changed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.manifest = folder, manifest_of(folder)

    def problem(self) -> str:
        with pytest.raises(dsel.DselError) as caught:
            check_records(self.folder, self.manifest)
        return str(caught.value.fields["problem"])


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_check_records__order_counts_and_labels(out, name):
    check_records(out / name, manifest_of(out / name))
    fewer = _Changed(out / name)
    del fewer.manifest["images"][-1]
    assert fewer.problem().startswith("it does not list ")
    more = _Changed(out / name)
    last = json.loads(json.dumps(more.manifest["images"][-1]))
    last["file"] += "x"
    last["patches"][0]["rank"] = 99
    more.manifest["images"].append(last)
    assert more.problem().endswith("which is not there")
    swapped = _Changed(out / name)
    images = swapped.manifest["images"]
    images[0]["file"], images[1]["file"] = images[1]["file"], images[0]["file"]
    images[0]["patches"], images[1]["patches"] = images[1]["patches"], images[0]["patches"]
    for number, image in enumerate(images[:2]):
        image["patches"][0]["rank"] = number
    assert " is where it lists " in swapped.problem()
    if name not in ("coco", "csv"):  # their order follows from the classes
        labelled = _Changed(out / name)
        labelled.manifest["images"][0]["class"] = "Dog"
        assert labelled.problem().endswith("as class 2, not 0")


def test_verify__labels_are_those_of_the_source(run, tmp_path):
    finish(export(run, tmp_path, ExportSettings(format="ddranking")))
    manifest = record_of(tmp_path / "manifest.json")
    manifest["images"][0]["patches"][0]["image_id"] = "dog/03.png"
    rewrite(tmp_path / "manifest.json", manifest)
    (line,) = damage_of(tmp_path)
    assert "it lists dog/03.png as 'ant, é', and the source has it as 'Dog'" in line


def test_record__compares_by_value() -> None:
    assert Record("a", 1) == Record("a", 1) != Record("a", 2)


def test_encode__quality_changes_lossy_formats_alone(run):
    pixels = composed(run)[0].pixels
    sizes = [len(encode(pixels, "webp", quality)) for quality in (10, 95)]
    assert sizes[0] < sizes[1]
    assert encode(pixels, "png", 10) == encode(pixels, "png", 95)
    assert Image.open(io.BytesIO(encode(pixels, "webp"))).format == "WEBP"


def test_distill__several_formats_resume(tmp_path):
    """The run and a folder per format share OUT."""
    source = write_pictures(tmp_path / "pictures", {"cat": 3, "dog": 3})
    settings = (QUICK, SMALL, ExportSettings(format="csv,minimax"))
    for _ in range(2):
        dataset = dataset_of(source)
        prior = toy_prior(dataset.classes)
        finish(distill(dataset, prior, tmp_path / "out/run", tmp_path / "out", settings))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["csv", "minimax", "run"]
    assert damage_of(tmp_path / "out") == []
