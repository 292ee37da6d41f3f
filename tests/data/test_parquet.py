"""Parquet files: columns, splits, row groups, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.converted import image_table, plain_table, write_photos
from support.sources import ids, opened

from dsel.data import open_dataset, parquet
from dsel.data.images import checksum
from dsel.errors import DselError, UnreadableImage
from dsel.types import Dataset

PHOTOS = {"cat": 3, "dog": 2}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos", PHOTOS)


def written(path: Path, table: pa.Table, **how: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **how)
    return path


def refusal(path: Path | str, **settings: object) -> str:
    with pytest.raises(DselError) as error:
        opened(path, **settings)
    return str(error.value)


def reasons(dataset: Dataset) -> dict[str, str]:
    found = {}
    for ref in dataset.refs:
        try:
            dataset.read(ref)
        except UnreadableImage as reason:
            found[ref.id] = str(reason)
    return found


def test_columns__are_named_where_several_fit(tmp_path, photos):
    table = image_table(photos)
    twice = table.append_column("mask", table.column("image"))
    coarse = plain_table(photos).append_column("label", pa.array(["pet"] * 5))
    plain = plain_table(photos).rename_columns(["photo", "file_name", "kind"])
    pairs = written(tmp_path / "pairs.parquet", twice.replace_schema_metadata(None))
    assert refusal(pairs) == (
        f"{pairs} has images in the columns image, mask: choose one with --image-column"
    )
    assert len(ids(opened(pairs, image_column="mask"))) == 5
    labels = written(tmp_path / "labels.parquet", coarse)
    assert refusal(labels) == (
        f"{labels} has several columns of labels: choose one with --label-column (class, label)"
    )
    assert opened(labels, label_column="class").classes == ("cat", "dog")
    assert opened(labels, label_column="label").classes == ("pet",)
    other = written(tmp_path / "other.parquet", plain)
    assert refusal(other) == (
        f"{other} has no column that is known to be the label: choose one with --label-column "
        "(file_name, kind)"
    )
    assert opened(other, label_column="kind").classes == ("cat", "dog")
    assert refusal(other, label_column="x").startswith("unknown label column 'x'; known are: file")
    assert refusal(other, image_column="kind", label_column="kind").startswith(
        f"{other}: kind has no images but string: give a column of bytes"
    )
    none = written(tmp_path / "none.parquet", pa.table({"label": [0, 1], "path": ["a", "b"]}))
    assert "has no column of images (bytes, or structs with bytes)" in refusal(none)


def test_labels__numbers_have_their_order_and_names_beside_them(tmp_path, photos):
    path = written(tmp_path / "x.parquet", image_table(photos).replace_schema_metadata(None))
    found = opened(path)
    assert found.classes == ("0", "1")
    assert ids(found)[-1] == "1/dog_1.jpg"
    (tmp_path / "classes.json").write_text('["Katze", "Hund"]')
    assert opened(path).classes == ("Katze", "Hund")
    assert opened(path, classes=("Hund",)).classes == ("Hund",)
    lines = [{"index": i, "folder": f, "name": f.upper()} for i, f in enumerate(("cat", "dog"))]
    (tmp_path / "classes.json").write_text(json.dumps(lines))
    assert ids(opened(path))[-1] == "dog/dog_1.jpg"
    assert opened(path).classes == ("CAT", "DOG")


def test_labels__the_order_of_class_label_is_kept(tmp_path, photos):
    table = image_table(photos)
    features = json.loads(table.schema.metadata[b"huggingface"])
    features["info"]["features"]["label"]["names"] = ["zebra", "dog", "ant"]
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    found = opened(written(tmp_path / "x.parquet", table))
    assert found.classes == ("zebra", "dog")
    assert found.structure.notes == ("no image is of the classes ant: they are left out",)
    features["info"]["features"]["label"]["names"] = ["zebra"]
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    path = written(tmp_path / "y.parquet", table)
    assert refusal(path) == "label 1 is beyond the 1 names of the classes"


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([0.5] * 5, "label must have texts or whole numbers, has double"),
        ([-1] * 5, "no row has a label"),
        ([None] * 5, "label must have texts or whole numbers, has null"),
    ],
)
def test_labels__that_are_none(tmp_path, photos, values, line):
    table = plain_table(photos).drop_columns("class").append_column("label", pa.array(values))
    assert line in refusal(written(tmp_path / "x.parquet", table))


def test_labels__rows_without_one_are_noted(tmp_path, photos):
    table = plain_table(photos).drop_columns("class")
    for labels in ([0, -1, 1, None, 1], ["0", "", "1", None, "1"]):
        path = written(tmp_path / "x.parquet", table.append_column("label", pa.array(labels)))
        found = opened(path)
        assert ids(found) == ["0/cat_0.png", "1/cat_2.png", "1/dog_1.jpg"]
        assert found.structure.notes == ("2 of 5 images have no label and are left out",)


def test_ids__rows_without_a_name_or_with_the_same_one_are_numbered(tmp_path, photos):
    table = plain_table(photos)
    bare = opened(written(tmp_path / "bare.parquet", table.drop_columns("file_name")))
    assert ids(bare) == [*(f"cat/{n:08d}" for n in range(3)), "dog/00000003", "dog/00000004"]
    names = pa.array(["1.png", "1.png", "2.png", "1.png", ""])
    same = table.drop_columns("file_name").append_column("file_name", names)
    found = opened(written(tmp_path / "same.parquet", same))
    assert ids(found) == [
        "cat/00000000_1.png", "cat/00000001_1.png", "cat/2.png", "dog/00000004", "dog/1.png",
    ]  # fmt: skip
    assert "2 images have the name of another one" in found.structure.notes[0]


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("/data/cat/train/cat/deep/1.png", "cat/deep/1.png"),
        ("/data/1.png", "cat/1.png"),
        ("train/cat/deep/cat/1.png", "cat/deep/cat/1.png"),
        ("train/1.png", "cat/train/1.png"),
        ("../../etc/./1.png", "cat/etc/1.png"),
        ("a\\b.png", "cat/a/b.png"),
    ],
)
def test_ids__are_those_of_a_folder(tmp_path, photos, name, id_):
    table = plain_table(photos).slice(0, 1).drop_columns("file_name")
    table = table.append_column("file_name", pa.array([name]))
    assert ids(opened(written(tmp_path / "x.parquet", table))) == [id_]


def test_folder__splits_and_subsets(tmp_path, photos):
    table = image_table(photos)
    root = tmp_path / "root"
    for number in (0, 1):
        written(root / f"small/train-{number:05d}-of-00002.parquet", table.slice(2 * number, 2))
    written(root / "small/validation-00000-of-00001.parquet", table.slice(4))
    written(root / "large/test/0000.parquet", table)
    assert refusal(root) == f"{root} has the subsets large, small: choose one with --subset"
    small = opened(root, subset="small", classes=("cat", "dog"))
    assert (small.structure.split, len(small.refs)) == ("train", 4)
    assert small.structure.notes == ("the split train is read, and not validation",)
    assert len(opened(root, subset="small", split="val").refs) == 1
    assert opened(root, subset="large").structure.split == "test"
    assert len(opened(root, subset="small", split="none").refs) == 5
    assert refusal(root, subset="x") == "unknown subset 'x'; known are: large, small"
    assert refusal(root, subset="small", split="test").startswith("unknown split 'test'; known")
    again = open_dataset(str(root), type(SETTINGS).from_plain(_without_source(small.origin)))
    assert again.fingerprint == small.fingerprint


SETTINGS = parquet.SourceSettings()


def _without_source(origin: object) -> dict[str, object]:
    return {name: value for name, value in dict(origin).items() if name != "source"}


def test_files__patterns(tmp_path, photos):
    table = image_table(photos)
    for number in range(3):
        written(tmp_path / f"part-{number}.parquet", table.slice(2 * number, 2))
    assert len(ids(opened(tmp_path / "part-*.parquet"))) == 5
    assert len(ids(opened(tmp_path / "part-{0..1}.parquet"))) == 4
    assert len(ids(opened(tmp_path / "part-{0,2}.parquet"))) == 3
    line = f"{tmp_path}/part-{{0..3}}.parquet: there is no file {tmp_path}/part-3.parquet"
    assert refusal(tmp_path / "part-{0..3}.parquet") == line
    assert "must count upwards" in refusal(tmp_path / "part-{3..0}.parquet")
    line = "names its files, so they are no splits: omit --split, got 'test'"
    assert line in refusal(tmp_path / "part-*.parquet", split="test")


def test_files__with_other_columns(tmp_path, photos):
    table = image_table(photos)
    written(tmp_path / "root/a.parquet", table)
    written(tmp_path / "root/b.parquet", table.drop_columns("label"))
    assert "b.parquet has no column label, which others have" in refusal(tmp_path / "root")
    texts = table.drop_columns("label").append_column("label", pa.array(["x"] * 5))
    written(tmp_path / "root/b.parquet", texts)
    assert "have columns of other types" in refusal(tmp_path / "root")


def test_read__row_groups_in_any_order_and_few_of_them_in_memory(tmp_path, photos, monkeypatch):
    path = written(tmp_path / "x.parquet", image_table(photos), row_group_size=1)
    folder = opened(photos)
    expected = {ref.id: checksum(folder.read(ref)) for ref in folder.refs}
    monkeypatch.setattr(parquet, "GROUPS_BYTES", 1)
    found = opened(path)
    rng = np.random.default_rng(0)
    for at in rng.integers(0, 5, 40):
        ref = found.refs[at]
        assert checksum(found.read(ref)) == expected[ref.id]
        assert len(found._fetch.__self__._kept) == 1


def test_read__a_row_without_bytes_follows_no_path(tmp_path, photos):
    secret = next(photos.rglob("*.png"))
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    good = {"bytes": secret.read_bytes(), "path": "good.png"}
    images = pa.array([{"bytes": None, "path": str(secret)}, None, good], kind)
    path = written(tmp_path / "x.parquet", pa.table({"image": images, "label": ["a"] * 3}))
    found = opened(path)
    line = "has no bytes in the table; dsel follows no paths"
    assert reasons(found) == {f"a/{secret.name}": line, "a/00000001": line}


def test_read__row_groups_beyond_the_limit(tmp_path, photos, monkeypatch):
    table = image_table(photos)
    path = written(tmp_path / "x.parquet", table, use_dictionary=False, compression="none")
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 1000)
    assert "write it with smaller row groups, such as 100 rows" in refusal(path)
    # A dictionary of one value unpacks to a hundred times what the footer says.
    value = table.slice(0, 1).column("image").combine_chunks().field("bytes")[0].as_py()
    many = pa.table({"image": pa.array([value] * 300, pa.binary()), "label": ["a"] * 300})
    bomb = written(tmp_path / "bomb.parquet", many)
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 100 * len(value))
    found = opened(bomb)
    with pytest.raises(UnreadableImage, match="is in a row group of more than"):
        found.read(found.refs[0])


def test_read__a_damaged_row_group_is_a_reason(tmp_path, photos):
    path = written(
        tmp_path / "x.parquet", image_table(photos), row_group_size=3, compression="none",
        use_dictionary=False, column_encoding=None,
    )  # fmt: skip
    data = bytearray(path.read_bytes())
    group = pq.ParquetFile(path).metadata.row_group(0)
    chunk = next(c for c in map(group.column, range(3)) if c.path_in_schema == "image.bytes")
    data[chunk.data_page_offset : chunk.data_page_offset + 20] = b"\xff" * 20
    path.write_bytes(data)
    found = reasons(opened(path))
    assert set(found) == {"cat/cat_0.png", "cat/cat_1.jpg", "cat/cat_2.png"}
    assert set(found.values()) == {"is in a damaged row group of x.parquet"}


def test_open__a_damaged_file(tmp_path, photos):
    path = written(tmp_path / "x.parquet", image_table(photos))
    path.write_bytes(path.read_bytes()[:-20])
    assert "is not a readable Parquet file, or only a part of one" in refusal(path)


def test_fingerprint__changes_with_an_image_and_not_with_the_place(tmp_path, photos):
    first = written(tmp_path / "a/x.parquet", image_table(photos))
    second = written(tmp_path / "b/y.parquet", image_table(photos))
    assert opened(first).fingerprint == opened(second).fingerprint
    file = next(photos.rglob("*.png"))
    file.write_bytes(file.read_bytes() + b"\0")
    third = written(tmp_path / "c/x.parquet", image_table(photos))
    assert opened(third).fingerprint != opened(first).fingerprint
