"""Folders whose classes are in a metadata file, and when that file says the classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.converted import write_metadata
from support.sources import ids, opened, put

from dsel.errors import DselError, UnreadableImage


def refusal(path: Path, **settings: object) -> str:
    with pytest.raises(DselError) as error:
        opened(path, **settings)
    return str(error.value)


def folder(root: Path, labels: dict[str, object], *, name: str = "metadata.csv", column="label"):
    for file in labels:
        put(root / file)
    rows = [{"file_name": file, column: label} for file, label in labels.items()]
    write_metadata(root / name, rows)
    return root


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "metadata.parquet"])
def test_labels__texts_and_numbers(tmp_path, name):
    texts = folder(tmp_path / "t", {"2.png": "dog", "1.png": "cat", "x/3.png": "dog"}, name=name)
    assert ids(opened(texts)) == ["cat/1.png", "dog/2.png", "dog/x/3.png"]
    numbers = folder(tmp_path / "n", {"1.png": 10, "2.png": 2, "3.png": 10}, name=name)
    assert opened(numbers).classes == ("2", "10")
    (numbers / "classes.json").write_text('{"2": "cat", "10": "dog"}')
    assert opened(numbers).classes == ("cat", "dog")


def test_columns__are_named_where_several_fit(tmp_path):
    root = tmp_path / "root"
    for name in ("1.png", "2.png"):
        put(root / name)
    rows = [{"file_name": f"{n}.png", "text": f"no {n}", "kind": "ab"[n - 1]} for n in (1, 2)]
    write_metadata(root / "metadata.jsonl", rows)
    assert refusal(root) == (
        f"{root}/metadata.jsonl has no column that is known to be the label: choose one with "
        "--label-column (text, kind)"
    )
    assert opened(root, label_column="kind").classes == ("a", "b")
    assert refusal(root, label_column="x") == "unknown label column 'x'; known are: text, kind"
    write_metadata(root / "metadata.jsonl", [row | {"label": 1, "class": 2} for row in rows])
    assert "several columns of labels: choose one with --label-column (label, class)" in (
        refusal(root)
    )
    write_metadata(root / "metadata.jsonl", [{"image": "1.png", "label": "a"}])
    assert "has no column file_name; its columns are image, label: name that" in refusal(root)
    assert ids(opened(root, image_column="image")) == ["a/1.png"]


def test_class_folders__beside_metadata(tmp_path):
    """Metadata without labels changes nothing; labels that are the folders neither."""
    root = folder(tmp_path / "root", {"cat/1.png": "x", "dog/2.png": "y"}, column="text")
    assert opened(root).classes == ("cat", "dog")
    folder(root, {"cat/1.png": "cat", "dog/2.png": "dog"})
    put(root / "dog/3.png")
    assert ids(opened(root)) == ["cat/1.png", "dog/2.png", "dog/3.png"]
    folder(root, {"cat/1.png": "kitten", "dog/2.png": "puppy"})
    assert refusal(root) == (
        f"{root} has class folders, and other labels in metadata.csv: give --label-column label, "
        "or --label-column none if the folders are the classes"
    )
    assert opened(root, label_column="none").classes == ("cat", "dog")
    found = opened(root, label_column="label")
    assert ids(found) == ["kitten/cat/1.png", "puppy/dog/2.png"]
    assert found.structure.notes == ("metadata.csv does not list 1 images, such as dog/3.png",)


def test_splits__with_metadata_of_their_own(tmp_path):
    for split in ("train", "test"):
        folder(tmp_path / split, {f"{split}.png": "cat"})
    assert ids(opened(tmp_path)) == ["cat/train.png"]
    assert opened(tmp_path).structure.split == "train"
    assert ids(opened(tmp_path, split="test")) == ["cat/test.png"]


def test_files__that_are_missing_or_outside(tmp_path):
    put(tmp_path / "secret.png")
    listed = {"1.png": "a", "2.png": "a"}
    root = folder(tmp_path / "root", listed)
    (root / "2.png").unlink()
    rows = [{"file_name": name, "label": "a"} for name in (*listed, "../secret.png")]
    write_metadata(root / "metadata.csv", rows)
    found = opened(root)
    reasons = {}
    for ref in found.refs:
        try:
            found.read(ref)
        except UnreadableImage as reason:
            reasons[ref.id] = str(reason)
    assert reasons == {
        "a/2.png": "cannot be opened: No such file or directory",
        "a/secret.png": "is outside of the dataset",
    }


def test_metadata__that_cannot_be_read(tmp_path):
    put(tmp_path / "1.png")
    for name, text in (("metadata.jsonl", '{"file_name"'), ("metadata.parquet", "PAR1")):
        (tmp_path / name).write_text(text)
        assert f"{tmp_path}/{name} cannot be read: " in refusal(tmp_path)
        (tmp_path / name).unlink()
    (tmp_path / "metadata.csv").write_bytes(b"file_name,label\n\xff\xfe,a\n")
    assert f"{tmp_path}/metadata.csv cannot be read: " in refusal(tmp_path)
    (tmp_path / "metadata.jsonl").write_text("")
    assert refusal(tmp_path) == (
        f"{tmp_path} has metadata.jsonl and metadata.csv: keep one of them"
    )


def test_settings__without_metadata(tmp_path):
    put(tmp_path / "cat/1.png")
    assert opened(tmp_path, label_column="none").classes == ("cat",)
    line = "is an image folder, which has no label column: omit --label-column, got 'x'"
    assert line in refusal(tmp_path, label_column="x")
