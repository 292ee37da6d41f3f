"""Tar shards: keys, labels, members that are no images, and what is refused."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import pytest
from support.converted import add_member, write_photos
from support.sources import ids, opened

from dsel.errors import DselError, UnreadableImage


@pytest.fixture(scope="session")
def png(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    root = write_photos(tmp_path_factory.mktemp("one"), {"a": 1})
    return next(root.rglob("*.png")).read_bytes()


def shard(path: Path, members: dict[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            add_member(tar, name, content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path, **settings: object) -> str:
    with pytest.raises(DselError) as error:
        opened(path, **settings)
    return str(error.value)


def test_labels__cls_json_text_or_the_folder(tmp_path, png):
    path = shard(
        tmp_path / "x.tar",
        {
            "cat/1.jpg": png, "cat/1.txt": "a caption", "cat/1.json": '{"label": "K", "kind": 7}',
            "dog/2.png": png, "dog/2.txt": "another", "dog/2.json": '{"label": "H", "kind": 5}',
        },
    )  # fmt: skip
    assert ids(opened(path)) == ["H/dog/2.png", "K/cat/1.jpg"]
    assert ids(opened(path, label_column="none")) == ["cat/1.jpg", "dog/2.png"]
    assert opened(path, label_column="txt").classes == ("a caption", "another")
    kinds = opened(path, label_column="kind")
    assert (kinds.classes, kinds.structure.notes) == (
        ("dog", "cat"),
        (),
    )  # 5 and 7, by their folders
    assert refusal(path, label_column="x") == (
        f"{path}: cat/1 has no label 'x': give an extension or a field of the JSON with "
        "--label-column (txt, label, kind)"
    )


def test_labels__numbers_with_names_beside_them(tmp_path, png):
    path = shard(tmp_path / "x.tar", {"1.cls": "1", "1.png": png, "2.cls": "0\n", "2.png": png})
    assert opened(path).classes == ("0", "1")
    (tmp_path / "classes.json").write_text('["Katze", "Hund"]')
    found = opened(path)
    assert found.classes == ("Katze", "Hund")
    assert ids(found) == ["0/2.png", "1/1.png"]


def test_labels__numbers_of_one_folder_each(tmp_path, png):
    """Numbers give the order, and folders in the keys the names; unless these are others."""
    one = {"cat/1.png": png, "cat/1.cls": "1", "dog/2.png": png, "dog/2.cls": "0"}
    path = shard(tmp_path / "x.tar", one)
    assert opened(path).classes == ("dog", "cat")
    assert ids(opened(path)) == ["dog/2.png", "cat/1.png"]
    path = shard(tmp_path / "y.tar", {**one, "dog/3.png": png, "dog/3.cls": "1"})
    assert ids(opened(path)) == ["0/dog/2.png", "1/cat/1.png", "1/dog/3.png"]


def test_labels__that_are_not_clear(tmp_path, png):
    path = shard(tmp_path / "x.tar", {"1.png": png, "1.txt": "a cat"})
    assert refusal(path) == (
        f"{path}: it is not clear what the label is: give an extension or a field of the JSON with "
        "--label-column (txt)"
    )
    two = shard(tmp_path / "y.tar", {"a/1.png": png, "a/1.json": '{"label": 1, "class": 2}'})
    assert "--label-column (label, class)" in refusal(two)
    some = shard(tmp_path / "z.tar", {"1.png": png, "1.cls": "0", "2.png": png, "3.cls": "1"})
    found = opened(some)
    assert ids(found) == ["0/1.png"]
    assert found.structure.notes == (
        "1 samples have no image and are left out",
        "1 of 2 images have no label and are left out",
    )


def test_images__of_several_extensions(tmp_path, png):
    path = shard(tmp_path / "x.tar", {"a/1.left.png": png, "a/1.right.png": png})
    assert refusal(path) == (
        f"{path}: a/1 has several images (left.png, right.png): choose an extension with "
        "--image-column"
    )
    assert ids(opened(path, image_column="left.png")) == ["a/1.left.png"]


def test_members__names_are_keys_alone(tmp_path, png):
    """Absolute names and .. lead nowhere; links and hidden files are not read."""
    outside = tmp_path / "outside.png"
    outside.write_bytes(png)
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        add_member(tar, f"{outside}", png)
        add_member(tar, "../../b/2.png", png)
        add_member(tar, "./a/._1.png", b"resource")
        link = tarfile.TarInfo("a/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        tar.addfile(link)
        folder = tarfile.TarInfo("a")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    found = opened(path, label_column="none")
    where = outside.parent.name
    assert sorted(ids(found)) == sorted([f"{where}/outside.png", "b/2.png", "a/link.png"])
    by_id = {ref.id: ref for ref in found.refs}
    assert found.read(by_id["b/2.png"]).shape[2] == 3
    with pytest.raises(
        UnreadableImage, match="is a link in the tar file, which dsel does not foll"
    ):
        found.read(by_id["a/link.png"])


def test_folder__of_shards_by_split(tmp_path, png):
    root = tmp_path / "root"
    for split in ("train", "val"):
        for number in (0, 1):
            name = f"{split}{number}"
            shard(root / f"{split}-{number:06d}.tar", {f"{name}.png": png, f"{name}.cls": "0"})
    assert ids(opened(root)) == ["0/train0.png", "0/train1.png"]
    assert ids(opened(root, split="val")) == ["0/val0.png", "0/val1.png"]
    assert ids(opened(root / "val-{000000..000001}.tar")) == ["0/val0.png", "0/val1.png"]


def test_folder__keys_that_every_shard_begins_with(tmp_path, png):
    for number in (0, 1):
        members = {"000.png": png, "000.cls": "0", "001.png": png, "001.cls": "0"}
        shard(tmp_path / f"s-{number}.tar", members)
    assert ids(opened(tmp_path)) == [f"0/{row:08d}_00{row % 2}.png" for row in range(4)]


def test_damage__a_cut_off_file_and_others(tmp_path, png):
    path = shard(tmp_path / "x.tar", {"a/1.png": png, "a/2.png": png})
    whole = path.read_bytes()
    (tmp_path / "y.tar").write_bytes(whole[: 512 + 1024 * (len(png) // 1024 + 1) + 300])
    assert "is not a readable tar file, or only a part of one" in refusal(tmp_path / "y.tar")
    (tmp_path / "z.tar").write_bytes(gzip.compress(whole))
    assert "a compressed one must be unpacked" in refusal(tmp_path / "z.tar")
    empty = shard(tmp_path / "e.tar", {"a/1.txt": "text"})
    assert refusal(empty) == f"{empty} has no images: none of its members has the name of one"


def test_damage__a_file_that_became_shorter(tmp_path, png):
    path = shard(tmp_path / "x.tar", {"a/1.png": png})
    found = opened(path)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(UnreadableImage, match="is cut off in the tar file"):
        found.read(found.refs[0])
