"""Image folders: what is listed, what is refused, and that nothing disappears silently."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from support.sources import ids, opened, put

from dsel.errors import SettingError, SourceError, UnreadableImage
from dsel.types import ImageRef


def test_image_folder__lists_classes_and_images_in_order(pets: Path) -> None:
    found = opened(pets)
    assert found.classes == ("cat", "dog")
    assert ids(found) == ["cat/a.png", "cat/b.png", "cat/deep/er/c.png", "dog/1.png", "dog/2.png"]
    assert [ref.class_index for ref in found.refs] == [0, 0, 0, 1, 1]
    assert found.read(found.refs[2])[0, 0].tolist() == [255, 0, 0]


def test_image_folder__chosen_classes_and_limit(pets: Path) -> None:
    found = opened(pets, classes=("dog",), per_class=1)
    assert found.classes == ("dog",)
    assert found.refs == [ImageRef("dog/1.png", 0)]
    with pytest.raises(SettingError, match="unknown class 'cow'; known are: cat, dog"):
        opened(pets, classes=("cow",))


@pytest.mark.parametrize("layout", ["train", "val", "train val test", "train val notes", "inner"])
def test_image_folder__finds_the_split(tmp_path: Path, layout: str) -> None:
    for split in layout.split():
        put(tmp_path / split / f"cat-{split}" / "1.png")
    if "notes" in layout:
        (tmp_path / "notes" / "readme.txt").write_text("about")
    (tmp_path / "readme.txt").write_text("about")
    assert opened(tmp_path).classes == (f"cat-{layout.split()[0]}",)


def test_image_folder__a_named_split(tmp_path: Path) -> None:
    put(tmp_path / "test" / "cat" / "1.png")
    put(tmp_path / "val" / "cat" / "2.png")
    assert ids(opened(tmp_path, split="val")) == ["cat/2.png"]
    with pytest.raises(SourceError, match="has the splits test, val: choose one with --split"):
        opened(tmp_path)
    for name in ("dev", "..", "/"):
        with pytest.raises(SettingError, match=r"unknown split .*; known are: test, val"):
            opened(tmp_path, split=name)


@pytest.mark.parametrize("beside", ["LICENSE", "photos/README.md", "photos/labels.csv"])
def test_image_folder__a_single_folder_may_stand_around_everything(
    tmp_path: Path, beside: str
) -> None:
    for name in ("train/cat/1.png", "train/dog/1.png", "val/cat/2.png"):
        put(tmp_path / "photos" / name)
    (tmp_path / beside).write_text("about")
    (tmp_path / "photos" / "classes.json").write_text('{"cat": "house cat"}')
    assert opened(tmp_path).classes == ("house cat", "dog")
    assert ids(opened(tmp_path)) == ["cat/1.png", "dog/1.png"]
    assert ids(opened(tmp_path, split="val")) == ["cat/2.png"]
    assert opened(tmp_path, split="photos").structure.split == "photos/train"
    assert ids(opened(tmp_path, split="photos/val")) == ["cat/2.png"]
    with pytest.raises(SettingError, match="unknown split 'dev'; known are: train, val"):
        opened(tmp_path, split="dev")


def test_image_folder__a_single_class_with_folders_in_it(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/day/2.png"):
        put(tmp_path / name)
    assert ids(opened(tmp_path)) == ["cat/1.png", "cat/day/2.png"]


def test_image_folder__a_class_may_be_called_train(tmp_path: Path) -> None:
    put(tmp_path / "train" / "1.png")
    put(tmp_path / "bus" / "1.png")
    assert opened(tmp_path).classes == ("bus", "train")


def test_image_folder__classes_with_only_subfolders(tmp_path: Path) -> None:
    put(tmp_path / "cat" / "day" / "1.png")
    put(tmp_path / "dog" / "day" / "1.png")
    assert opened(tmp_path).classes == ("cat", "dog")


def test_image_folder__what_is_no_image_is_listed_with_its_reason(pets: Path) -> None:
    (pets / "cat" / "notes").write_text("hello")
    put(pets / "cat" / "folder.jpg" / "inside.png")
    (pets / "cat" / "broken_link.png").symlink_to("gone.png")
    (pets / "cat" / "loop.png").symlink_to("loop.png")
    os.mkfifo(pets / "cat" / "pipe")
    found = opened(pets, classes=("cat",))
    reasons = {}
    for ref in found.refs:
        try:
            found.read(ref)
        except UnreadableImage as error:
            reasons[ref.id] = str(error)
    assert reasons == {
        "cat/notes": "is text, not an image",
        "cat/folder.jpg": "is a folder, not an image",
        "cat/broken_link.png": "cannot be opened: No such file or directory",
        "cat/loop.png": "cannot be opened: Too many levels of symbolic links",
        "cat/pipe": "is a pipe or a device, not an image",
    }
    assert "cat/folder.jpg/inside.png" in ids(found)


def test_image_folder__passes_over_hidden_files_and_files_beside_the_classes(pets: Path) -> None:
    before = ids(opened(pets))
    for name in ("cat/.DS_Store", "cat/._a.png", "cat/Thumbs.db", "dog/desktop.ini", "boxes.json"):
        (pets / name).write_bytes(b"x")
    put(pets / ".git" / "x.png")
    put(pets / "__MACOSX" / "x.png")
    assert ids(opened(pets)) == before


def test_image_folder__refusals_name_what_is_wrong(tmp_path: Path) -> None:
    put(tmp_path / "flat" / "1.png")
    with pytest.raises(SourceError, match="contains images but no class folders: put each class's"):
        opened(tmp_path / "flat")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        SourceError, match="is empty: it must contain one folder of images per class"
    ):
        opened(tmp_path / "empty")
    put(tmp_path / "half" / "cat" / "1.png")
    (tmp_path / "half" / "dog").mkdir()
    with pytest.raises(SourceError, match="no images in class dog: add images, or choose other"):
        opened(tmp_path / "half")
    assert opened(tmp_path / "half", classes=("cat",)).classes == ("cat",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_image_folder__no_permission(pets: Path) -> None:
    (pets / "cat").chmod(0)
    try:
        with pytest.raises(SourceError, match="no permission to read"):
            opened(pets)
    finally:
        (pets / "cat").chmod(0o755)


def test_image_folder__links_go_round_once(pets: Path) -> None:
    (pets / "cat" / "again").symlink_to(pets / "cat")
    (pets / "cat" / "up").symlink_to(pets)
    (pets / "cat" / "out").symlink_to(put(pets.parent / "far" / "z.png").parent)
    assert ids(opened(pets, classes=("cat",))) == [
        "cat/a.png", "cat/b.png", "cat/deep/er/c.png", "cat/out/z.png",
    ]  # fmt: skip


def test_image_folder__a_name_that_is_not_text(pets: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        put(pets / "cat" / "x.png").rename(pets / "cat" / name)
    except OSError:
        pytest.skip("this filesystem takes only UTF-8 names")
    found = opened(pets, classes=("cat",))
    assert "cat/caf\\xe9.png" in ids(found)
    "".join(ids(found)).encode()
    assert all(found.read(ref).shape == (4, 6, 3) for ref in found.refs)


def test_image_folder__refs_of_others_do_not_lead_out(pets: Path) -> None:
    put(pets.parent / "secret.png")
    found = opened(pets)
    for id_ in ("../secret.png", "cat/../../secret.png", str(pets.parent / "secret.png")):
        with pytest.raises(UnreadableImage, match="outside"):
            found.read(ImageRef(id_, 0))


def test_image_folder__fingerprint_follows_the_content(pets: Path) -> None:
    def prints() -> list[str]:
        return [opened(pets).fingerprint, opened(pets, classes=("cat",)).fingerprint]

    before = prints()
    assert before == prints()
    assert before[0] != before[1]
    os.utime(pets / "dog" / "1.png", ns=(1, 1))  # a copy has other times, and is the same data
    assert before == prints()
    with (pets / "dog" / "1.png").open("ab") as file:
        file.write(b"more")
    assert [a == b for a, b in zip(before, prints(), strict=True)] == [False, True]
    put(pets / "cat" / "new.png")
    assert before[1] != prints()[1]


def test_image_folder__real_photos(test_data: Path) -> None:
    found = opened(test_data / "photos" / "imagenette224")
    assert found.classes[:3] == ("tench", "English springer", "cassette player")
    assert Counter(ref.class_index for ref in found.refs) == dict.fromkeys(range(10), 200)
    assert found.read(found.refs[0]).shape == (224, 224, 3)
    assert len(opened(test_data / "photos" / "imagenette224", split="val").refs) == 600


def test_image_folder__odd_files_are_all_accounted_for(test_data: Path) -> None:
    with pytest.raises(SourceError, match="no class folders"):
        opened(test_data / "odd" / "files")
    found = opened(test_data / "odd")
    listed = {ref.id.split("/")[1] for ref in found.refs}
    on_disk = {path.name for path in (test_data / "odd" / "files").iterdir()}
    assert on_disk - listed == {".DS_Store", "._photo.jpg", "Thumbs.db"}
