"""Rows come back as the records that they were."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsel.files import read_table, table_bytes, write_atomically
from dsel.runs.images import Images
from dsel.runs.schema import (
    IMAGES,
    PATCHES,
    PROXIES,
    ImageRow,
    ShardRow,
    box_columns,
    patch_row,
    patches_table,
    proxy_row,
    read_patches,
)
from dsel.types import Box, ClassSelection, Frame, ImageRef, Patch

numbers = st.floats(-1e6, 1e6)
boxes = st.builds(Box, numbers, numbers, numbers, numbers)
counts = st.integers(0, 2**31 - 1)
frames = st.builds(Frame, counts, counts, boxes, counts, counts)
patches = st.builds(
    Patch, st.text(max_size=20), counts, boxes, boxes, boxes, numbers, numbers,
    numbers, st.just(math.nan), st.floats(0, 9) | st.just(math.nan), counts, numbers, counts,
)  # fmt: skip


def through_parquet(folder: Path, rows: list[dict], schema: pa.Schema) -> list[dict]:
    write_atomically(folder / "x.parquet", table_bytes(rows, schema))
    return read_table(folder / "x.parquet", schema).to_pylist()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@settings(max_examples=40, deadline=None)
@given(found=st.lists(patches, max_size=4))
def test_patch__round_trip(folder: Path, found: list[Patch]) -> None:
    selected = ClassSelection("cat", 3, tuple(replace(one, class_index=3) for one in found), ())
    write_atomically(folder / "x.parquet", table_bytes(patches_table([selected]), PATCHES))
    table = read_table(folder / "x.parquet", PATCHES)
    assert table["class_name"].to_pylist() == ["cat"] * len(found)
    # repr, since a margin that is NaN equals no other
    assert repr(read_patches(table, 3)) == repr(selected.patches)


@settings(max_examples=40, deadline=None)
@given(cats=st.lists(patches, max_size=4), dogs=st.lists(patches, max_size=4))
def test_patches_table__has_the_bytes_of_its_rows(cats: list[Patch], dogs: list[Patch]) -> None:
    classes = [
        ClassSelection(name, index, tuple(replace(one, class_index=index) for one in found), ())
        for index, (name, found) in enumerate([("cat", cats), ("dog", dogs)])
    ]
    rows = [patch_row(selected, one) for selected in classes for one in selected.patches]
    assert table_bytes(patches_table(classes), PATCHES) == table_bytes(rows, PATCHES)


@settings(max_examples=40, deadline=None)
@given(
    name=st.text(max_size=20), class_index=counts, frame=frames, shard=counts, row=counts,
    map_row=counts, proxy=st.binary(max_size=50), orientation=st.integers(1, 8),
)  # fmt: skip
def test_proxy_row__round_trip_of_a_scored_image(
    folder: Path, name: str, class_index: int, frame: Frame,
    shard: int, row: int, map_row: int, proxy: bytes, orientation: int,
) -> None:  # fmt: skip
    item = ShardRow(
        ImageRef(name, class_index), "", frame, proxy, proxy[::-1], None, name, orientation
    )
    (line,) = through_parquet(folder, [proxy_row(item, shard, row, map_row)], PROXIES)
    (image,) = Images(pa.Table.from_pylist([line], IMAGES))
    place = shard, row, map_row
    stored = ImageRow(name, class_index, *place, frame, "", name, orientation)
    assert image == stored
    assert (line["status"], line["proxy"], line["thumbnail"]) == ("scored", proxy, proxy[::-1])


def test_proxy_row__round_trip_of_a_skipped_image(tmp_path: Path) -> None:
    item = ShardRow(ImageRef("cat/1.png", 2), "is empty (0 bytes)")
    (line,) = through_parquet(tmp_path, [proxy_row(item, 5, -1, -1)], PROXIES)
    (image,) = Images(pa.Table.from_pylist([line], IMAGES))
    assert image == ImageRow("cat/1.png", 2, 5, -1, -1, None, "is empty (0 bytes)")
    assert line["status"] == "skipped"
    assert line["width"] is None


def test_images__are_the_proxies_without_image_bytes() -> None:
    assert [*IMAGES.names, "proxy", "thumbnail"] == PROXIES.names
    assert len(set(PROXIES.names)) == len(PROXIES.names)


def test_patch_row__fills_every_column() -> None:
    boxes = Box(1, 2, 3, 4), Box(5, 6, 7, 8), Box(4, 5, 9, 9)
    one = Patch("a", 0, *boxes, 0.5, 0.05, 0.4, 0.04, 0.1, 2, 0.3, 9)
    row = patch_row(ClassSelection("cat", 0, (one,), ((0,),)), one)
    assert list(row) != []
    assert sorted(row) == sorted(PATCHES.names)
    assert (row["x"], row["source_x"], row["cut_x"], row["rank"], row["cluster"]) == (1, 5, 4, 9, 2)
    assert (row["score"], row["picture_score"]) == (0.5, 0.4)
    assert (row["standard_error"], row["picture_standard_error"]) == (0.05, 0.04)


def test_proxy_row__fills_every_column() -> None:
    row = proxy_row(ShardRow(ImageRef("a", 0)), 0, 0, 0)
    assert sorted(row) == sorted(PROXIES.names)


def test_box_columns__by_hand() -> None:
    assert box_columns("p_", Box(1, 2, 3, 4)) == {
        "p_x": 1, "p_y": 2, "p_width": 3, "p_height": 4,
    }  # fmt: skip
