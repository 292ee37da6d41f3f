"""What is read of each layout of folders, and what is refused: splits, classes and other files."""

from __future__ import annotations

import itertools
import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from support.sources import ids, opened, put, save_arrays

from dsel.data.split_names import kind_of, kinds_of
from dsel.errors import SettingError, SourceError
from dsel.types import Dataset


def make(root: Path, *names: str) -> Path:
    """Write a tree: pictures where the name says so, and a line of text elsewhere."""
    for name in names:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        elif path.suffix in (".png", ".jpg"):
            put(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('{"about": "it"}')
    return root


def packed(root: Path) -> Path:
    """Pack a tree, with entries for its folders."""
    path = root.with_name(f"{root.name}.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for found in sorted(root.rglob("*")):
            archive.write(found, found.relative_to(root))
    return path


def counts(dataset: Dataset) -> dict[str, int]:
    number = Counter(ref.class_index for ref in dataset.refs)
    return {name: number[index] for index, name in enumerate(dataset.classes)}


def refusal(path: Path, **settings: object) -> str:
    with pytest.raises((SourceError, SettingError)) as caught:
        opened(path, **settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- the grid ---------------------------------------------------------------------------------


SPELLINGS = {  # the split that is read, and another
    "none": ("", ""),
    "lower": ("train", "test"),
    "upper": ("TRAIN", "VAL"),
    "capital": ("Train", "Valid"),
    "ing": ("Training", "Testing"),
    "set": ("training_set", "test_set"),
    "joined": ("TrainSet", "TestSet"),
    "seg": ("seg_train", "seg_test"),
    "images": ("train_images", "eval_images"),
    "before": ("images-train", "images-dev"),
    "year": ("train2017", "val2017"),
    "others": ("flowers_train", "flowers_holdout"),
    "long": ("Training Data", "Validation Data"),
    "doubled": ("seg_train/seg_train", "seg_test/seg_test"),
    "inside": ("train/images", "validation/images"),
    "wrapped": ("archive/data/train", "archive/data/dev"),
}
SYSTEM = (
    "@eaDir/1.png", "$RECYCLE.BIN/a/1.png", "__pycache__/a.png", "lost+found/1.png", ".git/a/1.png",
    "__MACOSX/cat/1.png", ".ipynb_checkpoints/1.png", "Thumbs.db", ".DS_Store", "desktop.ini",
)  # fmt: skip
GRID = list(
    itertools.product(SPELLINGS, (True, False), (True, False), (True, False), (True, False))
)


@pytest.mark.parametrize(("spelling", "classes", "sidecars", "system", "zipped"), GRID)
def test_grid(
    tmp_path: Path, spelling: str, classes: bool, sidecars: bool, system: bool, zipped: bool
) -> None:
    """With class folders the training split is read; without them the source is refused."""
    split, other = SPELLINGS[spelling]
    names = []
    for folder, number in ((split, 3), (other, 2)):
        for name in ("cat", "dog"):
            below = f"{name}/" if classes else f"{name}_"
            names += [f"{folder}/{below}{n}.png".lstrip("/") for n in range(number)]
            if sidecars:
                names += [f"{folder}/{below}{n}.{'json' if n else 'txt'}" for n in range(number)]
            if system:
                names += [f"{folder}/{name}/{one}" for one in SYSTEM if classes]
    names += [f"{folder}/{one}" for one in SYSTEM for folder in {split, ""} if system]
    root = make(tmp_path / "root", *(name.lstrip("/") for name in names))
    path = packed(root) if zipped else root
    if not classes:
        message = refusal(path)
        expected = "contains images but no class folders" if not split else "class folders"
        assert expected in message or "looks like pictures" in message
        return
    found = opened(path, per_class=2)
    assert counts(found) == {"cat": 2, "dog": 2}
    assert counts(opened(path)) == {"cat": 3, "dog": 3}
    assert ids(found) == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert found.structure.folders == ("cat", "dog")
    top = "archive/data/" if spelling == "wrapped" else ""
    assert found.structure.split == (top + split.removeprefix(top).split("/")[0] if split else "")
    left_out = [note for note in found.structure.notes if "left out" in note]
    assert len(left_out) == sidecars
    if split:
        end = split.removeprefix("archive/data/").split("/")[0]
        assert f"the split {end} is read, and not" in found.structure.notes[0]
        named = other.removeprefix("archive/data/").split("/")[0]
        assert counts(opened(path, split=named)) == {"cat": 2, "dog": 2}


# --- splits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("train", "train"), ("Training", "train"), ("trn", "train"), ("TRAIN_SET", "train"),
        ("trainval", "train"), ("train_val", "train"), ("trainset", "train"),
        ("Train-256", "train"),
        ("ILSVRC2012_img_train", "train"), ("traindata", "train"), ("val", "val"), ("valid", "val"),
        ("Validation Images", "val"), ("dev", "dev"), ("Test", "test"), ("testing_set", "test"),
        ("eval", "test"), ("hold-out", "test"), ("held_out", "test"), ("seg_pred", "other"),
        ("unlabeled", "other"),
        ("trains", ""), ("strain", ""), ("test tube", ""), ("contest", ""), ("devil", ""),
        ("n02102040", ""), ("", ""), ("images", ""), ("valley", ""), ("train_test", ""),
    ],
)  # fmt: skip
def test_kind_of__a_name_alone(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_kinds_of__siblings_that_differ_in_the_split_alone() -> None:
    assert kinds_of(["dogs_train", "dogs_test"]) == {"dogs_train": "train", "dogs_test": "test"}
    assert kinds_of(["test tube", "beaker"]) == {}
    assert kinds_of(["unlabeled", "extra"]) == {}
    assert kinds_of(["train", "unlabeled"]) == {"train": "train", "unlabeled": "other"}


def test_split__is_named_in_any_spelling(tmp_path: Path) -> None:
    root = make(tmp_path, "Training/cat/1.png", "Testing/cat/2.png", "Testing/cat/3.png")
    for split in ("Testing", "testing", "test", "TEST"):
        assert ids(opened(root, split=split)) == ["cat/2.png", "cat/3.png"]
    assert "unknown split 'val'; known are: Testing, Training" in refusal(root, split="val")


@pytest.mark.parametrize("zipped", [True, False])
def test_split__is_recorded_as_the_source_spells_it(tmp_path: Path, zipped: bool) -> None:
    """So that held-out images of the same split are noticed, however it was named."""
    root = make(tmp_path / "root", "a/Training/cat/1.png", "a/Testing/cat/2.png")
    path = packed(root) if zipped else root
    for split in ("", "train", "Training", "a/Training"):
        found = opened(path, split=split)
        assert found.origin["split"] == "a/Training"
        assert ids(opened(path, split=found.origin["split"])) == ids(found) == ["cat/1.png"]


@pytest.mark.parametrize(
    "names", [("train/1.png",), ("train/1.png", "test/2.png"), ("Training/1.png", "valid/2.png")]
)
def test_split__without_class_folders(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = make(tmp_path, *names)
    message = refusal(root)
    assert " without class folders: put each class's images in a folder named after" in message
    assert message.endswith("give --split none if these folders are the classes")
    assert opened(root, split="none").classes == tuple(sorted(n.split("/")[0] for n in names))


def test_split__a_test_without_labels_is_no_hindrance(tmp_path: Path) -> None:
    root = make(tmp_path, "seg_train/seg_train/sea/1.png", "seg_pred/seg_pred/2.png")
    found = opened(make(root, "seg_test/seg_test/sea/3.png"))
    assert (found.classes, ids(found)) == (("sea",), ["sea/1.png"])
    root = make(tmp_path / "b", "train/cat/1.png", "train/dog/1.png", "test/2.png", "sample.csv")
    assert counts(opened(root)) == {"cat": 1, "dog": 1}


def test_split__two_of_one_kind(tmp_path: Path) -> None:
    root = make(tmp_path, "train/cat/1.png", "Train/cat/2.png", "test/cat/3.png")
    assert "has the splits Train, test, train: choose one with --split" in refusal(root)
    assert ids(opened(root, split="Train")) == ["cat/2.png"]


def test_split__inside_of_classes(tmp_path: Path) -> None:
    root = make(tmp_path, *(f"{c}/{s}/1.png" for c in ("cat", "dog") for s in ("train", "test")))
    assert "has splits inside of its classes (cat/test, cat/train)" in refusal(root)
    assert counts(opened(root, split="none")) == {"cat": 2, "dog": 2}


def test_split__inside_of_a_folder_called_like_one(tmp_path: Path) -> None:
    root = make(tmp_path, "test_data/train/cat/1.png", "test_data/val/cat/2.png")
    assert ids(opened(root)) == ["cat/1.png"]


def test_split__files_without_suffix(tmp_path: Path) -> None:
    for name in ("train/cat/0001", "train/dog/0002", "val/cat/0003"):
        put(tmp_path / name)
    assert ids(opened(tmp_path)) == ["cat/0001", "dog/0002"]


# --- a class that is called like a split ------------------------------------------------------


def test_class__called_train(tmp_path: Path) -> None:
    root = make(
        tmp_path, *(f"{name}/{n}.png" for name in ("train", "bus", "car") for n in range(2))
    )
    assert counts(opened(root)) == {"bus": 2, "car": 2, "train": 2}
    assert opened(make(tmp_path / "in", "all/Train/1.png", "all/Bus/1.png")).classes == (
        "Bus", "Train",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train/steam/1.png", "bus/1.png", "car/1.png"), "train"),
        (("train/steam/1.png", "bus/red/1.png"), "train"),
        (("test/1.png", "cat/1.png", "dog/1.png"), "test"),
        (("training_set/1.png", "cat/1.png"), "training_set"),
        (("train/1.png", "images/1.png"), "train"),
        (("dev/1.png", "ops/1.png"), "dev"),
    ],
)
def test_class__or_split_is_asked(tmp_path: Path, names: tuple[str, ...], splits: str) -> None:
    root = make(tmp_path, *names)
    message = refusal(root)
    assert f"has folders named like splits ({splits}) beside others (" in message
    assert f"give --split {splits}, or --split none if these folders are the classes" in message
    folders = tuple(sorted({name.split("/")[0] for name in names}))
    assert opened(root, split="none").classes == folders


def test_class__folders_beside_two_splits_are_left_out(tmp_path: Path) -> None:
    root = make(tmp_path, "train/good/1.png", "test/good/2.png", "test/bad/3.png")
    found = opened(make(root, "ground_truth/bad/3.png"))
    assert ids(found) == ["good/1.png"]
    assert found.structure.notes == ("the split train is read, and not ground_truth, test",)


# --- layouts that are no class folders --------------------------------------------------------


OTHER = {
    "yolo": (["images/1.jpg", "labels/1.txt", "data.yaml"], "a YOLO dataset"),
    "yolo of splits": (["images/train/1.jpg", "images/val/2.jpg", "labels/train/1.txt"], "a YOLO"),
    "yolo in splits": (
        ["train/images/1.jpg", "train/labels/1.txt", "valid/images/2.jpg", "valid/labels/2.txt"],
        "a YOLO dataset",
    ),
    "voc": (
        ["VOCdevkit/VOC2012/JPEGImages/1.jpg", "VOCdevkit/VOC2012/Annotations/1.xml",
         "VOCdevkit/VOC2012/ImageSets/Main/cat_train.txt"],
        "a Pascal VOC dataset",
    ),
    "two voc": (
        [f"VOC{year}/{name}" for year in (2007, 2012)
         for name in ("JPEGImages/1.jpg", "Annotations/1.xml")],
        "a Pascal VOC dataset",
    ),
    "coco": (
        ["annotations/instances_train2017.json", "train2017/1.jpg", "val2017/2.jpg"], "a COCO",
    ),
    "coco images": (["annotations/instances.json", "images/1.jpg"], "a COCO dataset"),
    "masks": (["images/1.png", "masks/1.png"], "pictures and labels in folders of their own"),
    "pets": (
        ["images/1.jpg", "annotations/trimaps/1.png", "annotations/xmls/1.xml"],
        "pictures and labels in folders of their own (annotations, images)",
    ),
    "table": (["images/1.png", "images/2.png", "labels.csv"], "pictures and labels in folders"),
    "tiny": (["val/images/1.jpg", "val/val_annotations.txt"], "pictures and labels in folders"),
    "arrow": (["train/data-0.arrow", "test/data-0.arrow"], "a folder of Arrow"),
    "tfrecord": (["a/train.tfrecord", "a/val.tfrecord"], "a folder of TFRecord files"),
    "zips": (["train.zip", "test.zip"], "a folder of zip files"),
    "lmdb": (["lmdb/data.mdb", "lmdb/lock.mdb"], "a folder of an LMDB database"),
}  # fmt: skip


PACKED = {
    "parquet": (["data/train-0000.parquet"], "a folder of Parquet files"),
    "tar": (["shard-0000.tar", "shard-0001.tar"], "a folder of tar files"),
    "saved": (["state.json", "data-00000-of-00001.arrow"], "a folder of Arrow files"),
}
"""What dsel reads as a folder, and not in a zip file."""


@pytest.mark.parametrize("layout", PACKED)
def test_layout__of_packed_files_in_a_zip_file(tmp_path: Path, layout: str) -> None:
    names, looks = PACKED[layout]
    assert f" looks like {looks}" in refusal(packed(make(tmp_path / "root", *names)))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("layout", OTHER)
def test_layout__that_is_no_class_folders(tmp_path: Path, layout: str, zipped: bool) -> None:
    names, looks = OTHER[layout]
    root = make(tmp_path / "root", *names)
    assert f" looks like {looks}" in refusal(packed(root) if zipped else root)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "names",
    [
        ["images/cat/1.jpg", "images/dog/1.jpg", "images.txt", "parts/parts.txt"],
        ["Images/cat/1.jpg", "Images/dog/1.jpg", "Annotation/cat/1", "lists/train.txt"],
        ["top/images/cat/1.jpg", "top/images/dog/1.jpg", "top/labels/cat/1.txt"],
        ["101_Things/cat/1.jpg", "101_Things/dog/1.jpg", "Annotations/cat/1.mat"],
        [
            "Data/CLS-LOC/train/cat/1.jpg",
            "Data/CLS-LOC/train/dog/1.jpg",
            "Data/CLS-LOC/val/1.jpg",
            "Annotations/CLS-LOC/train/cat/1.xml",
            "ImageSets/CLS-LOC/val.txt",
        ],
        ["Train/cat/1.jpg", "Train/dog/1.jpg", "Test/1.jpg", "Meta/1.jpg", "Train.csv"],
        ["images/train/cat/1.jpg", "images/train/dog/1.jpg", "images/test/cat/2.jpg", "meta/a.csv"],
    ],
)
def test_layout__class_folders_below_images(tmp_path: Path, names: list[str], zipped: bool) -> None:
    root = make(tmp_path / "root", *names)
    assert ids(opened(packed(root) if zipped else root)) == ["cat/1.jpg", "dog/1.jpg"]


def test_layout__may_be_classes_after_all(tmp_path: Path) -> None:
    root = make(tmp_path, "images/1.png", "masks/1.png")
    assert opened(root, split="none").classes == ("images", "masks")


# --- other files and folders ------------------------------------------------------------------


def test_arrays__that_are_strays_beside_class_folders(tmp_path: Path) -> None:
    root = make(tmp_path, "cat/1.png", "dog/1.png")
    save_arrays(root / "features.npz")
    assert ids(opened(root)) == ["cat/1.png", "dog/1.png"]
    parts = make(tmp_path / "parts", "cache/", "notes/about.txt", "__pycache__/a.png")
    save_arrays(parts / "train.npz")
    assert opened(parts).classes == ("cat", "dog")
    assert opened(parts).structure.split == "train.npz"


def test_arrays__parts_that_are_not_read_are_noted(tmp_path: Path) -> None:
    for name in ("train", "test"):
        save_arrays(tmp_path / f"{name}.npz")
    found = opened(tmp_path)
    assert found.structure.split == "train.npz"
    assert found.structure.notes == (
        f"test.npz in {tmp_path} are not read: choose a part with --split",
    )


def test_sidecars__by_suffix_or_by_the_name_of_their_picture(tmp_path: Path) -> None:
    names = ["1.png", "1.txt", "2.png", "2.aes", "3.png.aes", "3.png", "4.json", "LICENSE", "5"]
    root = make(tmp_path, *(f"cat/{name}" for name in names))
    found = opened(root)
    assert ids(found) == ["cat/1.png", "cat/2.png", "cat/3.png", "cat/5"]
    assert found.structure.notes == (
        "5 files are no pictures by their names and are left out, such as cat/1.txt",
    )
    assert ids(opened(root, per_class=3)) == ids(found)[:3]


def test_class__with_folders_inside_is_noted(tmp_path: Path) -> None:
    root = make(tmp_path, "animals/cat/1.png", "animals/dog/2.png", "things/car/1.png")
    found = opened(root)
    assert counts(found) == {"animals": 2, "things": 1}
    assert found.structure.notes == (
        "animals is one class, with the images of all folders in it (cat, dog)",
    )


def test_class__without_a_picture(tmp_path: Path) -> None:
    root = make(tmp_path, "cat/1.png", "dog/about.txt", "eel/", "fox/Thumbs.db")
    assert "no images in class dog, eel, fox: add images, or choose other" in refusal(root)
    assert counts(opened(root, classes=("cat",))) == {"cat": 1}


@pytest.mark.parametrize("zipped", [True, False])
def test_class__names_that_differ_in_case_alone(tmp_path: Path, zipped: bool) -> None:
    root = make(tmp_path / "root", "Cat/1.png", "cat/2.png", "dog/3.png")
    if len(list(root.iterdir())) < 3:
        pytest.skip("this file system ignores case")
    path = packed(root) if zipped else root
    assert "the classes 'Cat' and 'cat' have the same name but for their case" in refusal(path)
    assert counts(opened(path, classes=("Cat", "cat"))) == {"Cat": 1, "cat": 1}
    (root / "classes.json").write_text('{"Cat": "big cat"}')
    path = packed(root) if zipped else root
    assert opened(path).classes == ("big cat", "cat", "dog")


# --- order and names --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folders", "order"),
    [
        (range(12), [str(n) for n in range(12)]),
        (["10", "9", "1", "02"], ["1", "02", "9", "10"]),
        (["class_10", "class_9", "class_1"], ["class_1", "class_9", "class_10"]),
        (["10", "9", "cat"], ["10", "9", "cat"]),
        (["a10", "b9"], ["a10", "b9"]),
    ],
)
def test_order__of_numbers(tmp_path: Path, folders: list[object], order: list[str]) -> None:
    root = make(tmp_path, *(f"{folder}/a.png" for folder in folders))
    assert opened(root).structure.folders == tuple(order)
    (root / "classes.json").write_text(json.dumps([f"name of {name}" for name in order]))
    assert opened(root).classes == tuple(f"name of {name}" for name in order)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("zipped", [True, False])
def test_names__in_any_encoding_of_unicode(tmp_path: Path, encoding: str, zipped: bool) -> None:
    root = make(tmp_path / "root", "cat/1.png", "dog/1.png")
    (root / "classes.json").write_text('{"cat": "chât", "dog": "犬"}', encoding)
    assert opened(packed(root) if zipped else root).classes == ("chât", "犬")


def test_names__whose_keys_match_nothing_or_only_some(tmp_path: Path) -> None:
    root = make(tmp_path, "cat/1.png", "dog/1.png")
    (root / "classes.json").write_text('{"0": "cat", "1": "dog"}')
    assert refusal(root).endswith(
        "names none of the class folders: its keys are 0, 1; the folders are cat, dog"
    )
    (root / "classes.json").write_text('{"cat": "house cat", "Dog": "hot dog"}')
    found = opened(root)
    assert found.classes == ("house cat", "dog")
    assert found.structure.notes == (
        f"{root / 'classes.json'} has no name for dog: their folders name these",
        f"{root / 'classes.json'} names folders that are not there: Dog",
    )
    (root / "classes.json").write_text('{"cat": "house cat", "dog": "hot dog", "eel": "fish"}')
    assert opened(root).structure.notes == ()


def test_names__composed_and_decomposed_letters_are_the_same(tmp_path: Path) -> None:
    root = make(tmp_path, "cafe\u0301/1.png", "dog/1.png")
    (root / "classes.json").write_text(json.dumps({"caf\xe9": "coffee", "dog": "hot dog"}))
    assert opened(root).classes == ("coffee", "hot dog")


def test_names__the_order_of_an_export_is_kept(tmp_path: Path) -> None:
    root = make(tmp_path, "train/a/1.png", "train/b/1.png")
    lines = [
        {"index": 0, "name": "zebra", "folder": "b"},
        {"index": 1, "name": "ant", "folder": "a"},
    ]
    (root / "classes.json").write_text(json.dumps(lines))
    found = opened(root)
    assert (found.classes, found.structure.folders) == (("zebra", "ant"), ("b", "a"))
    assert [ref.class_index for ref in found.refs] == [0, 1]
