"""Named slices of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsel.errors import DamageError, SettingError
from dsel.runs.slices import Slice, delete_slice, list_slices, read_slice, write_slice


def test_slices__written_listed_read_replaced_and_deleted(tmp_path: Path) -> None:
    assert list_slices(tmp_path) == ()
    odd, even = Slice("odd ones", ("a/1", "a/3")), Slice("../even", ("b/2",))
    write_slice(tmp_path, odd)
    write_slice(tmp_path, even)
    assert list_slices(tmp_path) == (even, odd)
    assert read_slice(tmp_path, "../even") == even
    write_slice(tmp_path, Slice("odd ones", ("a/5",)))
    assert read_slice(tmp_path, "odd ones").ids == ("a/5",)
    delete_slice(tmp_path, "odd ones")
    delete_slice(tmp_path, "odd ones")
    assert [one.name for one in list_slices(tmp_path)] == ["../even"]
    assert [path.parent.name for path in tmp_path.rglob("*.json")] == ["slices"]


def test_read_slice__unknown(tmp_path: Path) -> None:
    write_slice(tmp_path, Slice("odd", ("a/1",)))
    with pytest.raises(SettingError, match="unknown slice 'even'; known are: odd"):
        read_slice(tmp_path, "even")


@pytest.mark.parametrize("name", ["", " odd", "x" * 81, "two\nlines", "half \ud83d"])
def test_slice__names_that_are_none(name: str) -> None:
    with pytest.raises(SettingError, match="the name of a slice must"):
        Slice(name, ("a/1",))


def test_list_slices__a_damaged_one(tmp_path: Path) -> None:
    write_slice(tmp_path, Slice("odd", ("a/1",)))
    path = next(tmp_path.rglob("*.json"))
    path.write_bytes(path.read_bytes().replace(b"a/1", b"a/2"))
    with pytest.raises(DamageError, match="delete it and save the slice again"):
        list_slices(tmp_path)
