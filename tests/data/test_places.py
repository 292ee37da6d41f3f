"""Places by path or URL: what they spell, ranges, and errors of file systems in one line."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from support.converted import as_parquet, as_remote, write_photos
from support.sources import opened

from dsel.config import SourceSettings
from dsel.data import open_dataset
from dsel.data.places import TRIES, Place, is_pattern, is_url, place_of
from dsel.errors import SourceError, UnreadableImage


class Failing:
    """A file system whose calls raise errors in turn, and then give bytes."""

    protocol = "far"

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), 0

    def cat_file(self, _path: str, start: int, end: int) -> bytes:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return b"0123456789"[start:end]

    def isfile(self, _path: str) -> bool:
        raise self.errors[0]


def far(*errors: Exception) -> Place:
    return Place(Failing(*errors), "b/x", "far://b/x")


@pytest.mark.parametrize("text", ["s3://b/x", "hf://buckets/u/n", "memory:///x", "HTTPS://h/x"])
def test_is_url__and_not_a_path(text):
    assert is_url(text)
    assert not any(map(is_url, ("C:/x", "a:b", "/s3:/b", "x//y", "://x")))


def test_is_pattern__names_with_braces_are_names():
    assert all(map(is_pattern, ("a{0..3}.tar", "a{b,c}", "*.parquet")))
    assert not any(map(is_pattern, ("a{b}.tar", "{}", "a{0.3}")))


def test_part__is_asked_for_again():
    place = far(OSError("reset"), OSError("reset"))
    assert place.part(2, 3) == b"234"
    assert place.fs.calls == TRIES
    with pytest.raises(SourceError, match="far://b/x cannot be read: reset"):
        far(*[OSError("reset")] * TRIES).part(0, 1)


def test_part__a_file_that_is_gone_is_a_reason():
    place = far(FileNotFoundError("x"))
    with pytest.raises(UnreadableImage, match="cannot be opened: there is no such file"):
        place.part(0, 1)
    assert place.fs.calls == 1


def test_errors__of_access_and_of_clients_are_one_line():
    with pytest.raises(SourceError) as error:
        far(PermissionError("403")).is_file()
    assert str(error.value) == (
        "no access to far://b/x: check its name, its permissions and your credentials"
    )
    client = type("NoCredentialsError", (Exception,), {"__module__": "botocore.exceptions"})
    with pytest.raises(SourceError, match="far://b/x cannot be read: Unable to locate"):
        far(client("Unable to locate credentials\nmore")).is_file()
    with pytest.raises(ZeroDivisionError):  # a bug stays one
        far(ZeroDivisionError()).is_file()


@pytest.mark.parametrize(
    ("source", "install"),
    [("s3://b/x", "s3fs"), ("https://h/x", '"dsel[hub]"'), ("x://y", "get x")],
)
def test_place_of__without_its_library(monkeypatch, source, install):
    def fail(_: str) -> None:
        raise ImportError("get x")

    monkeypatch.setattr(fsspec.core, "url_to_fs", fail)
    with pytest.raises(SourceError) as error:
        place_of(source)
    end = install if install.startswith("get") else f"pip install {install}"
    assert str(error.value) == f"{source} needs a library that is not installed: {end}"


def test_open_dataset__urls_that_lead_nowhere():
    for source in ("memory://nowhere/x.parquet", "memory://nowhere/x", "memory://nowhere/x.zip"):
        with pytest.raises(SourceError, match="there is no such file or folder; give an image"):
            open_dataset(source, SourceSettings())
    with pytest.raises(SourceError, match="nope://x cannot be opened: Protocol not known: nope"):
        open_dataset("nope://x", SourceSettings())


def test_read__a_row_group_that_cannot_be_reached_stops_the_work(tmp_path, monkeypatch):
    """The network's fault is no reason to skip an image, which no later call would try again."""
    photos = write_photos(tmp_path / "photos", {"cat": 2})
    (tmp_path / "made").mkdir()
    source = as_remote(as_parquet)(photos, tmp_path / "made")
    found = open_dataset(source, SourceSettings())

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("reset by peer")

    with monkeypatch.context() as patches:
        patches.setattr(fsspec.implementations.memory.MemoryFileSystem, "open", fail)
        with pytest.raises(SourceError, match="cannot be read: reset by peer"):
            found.read(found.refs[0])
    assert found.read(found.refs[0]).shape == opened(photos).read(found.refs[0]).shape


def test_place__of_a_path_is_local(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"0123")
    place = place_of(str(tmp_path)) / "x"
    assert (place.is_local, str(place), place.size()) == (True, str(tmp_path / "x"), 4)
    assert place.parent.files == {"x": 4}
    assert place.part(3, 9) == b"3"
