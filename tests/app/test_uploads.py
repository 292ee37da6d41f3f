"""Paths that visitors send are accepted only if Gradio stored them as uploads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dsel.app.uploads import IMAGES, ZIPS, checked_upload
from dsel.errors import SettingError

HASH = "0a" * 32


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """Gradio's folder with an upload in it, and a file outside."""
    folder = tmp_path / "gradio"
    (folder / HASH).mkdir(parents=True)
    (folder / HASH / "pets.zip").write_bytes(b"12345")
    (tmp_path / "secret.zip").write_bytes(b"secret")
    return folder


def test_checked_upload__an_upload(uploads: Path) -> None:
    upload = uploads / HASH / "pets.zip"
    assert checked_upload(str(upload), uploads, ZIPS, 5) == upload.resolve()
    upload.rename(upload.with_suffix(".ZIP"))
    assert checked_upload(str(upload.with_suffix(".ZIP")), uploads, ZIPS, 5).suffix == ".ZIP"


@pytest.mark.parametrize(
    "path",
    [
        "", ".", "pets.zip", "/etc/passwd", "{folder}", "{folder}/" + HASH,
        "{folder}/../secret.zip",
        "{folder}/" + HASH + "/../../secret.zip", "{folder}/" + HASH + "/..",
        "{folder}/" + HASH + "/none.zip", "{folder}/" + HASH + "/link.zip",
        "{folder}/" + HASH + "/folder.zip", "{folder}/" + "1b" * 32 + "/secret.zip",
        "{folder}/other/pets.zip", "{folder}/" + HASH + "/pets\0.zip", "a\0b",
    ],
)  # fmt: skip
def test_checked_upload__other_paths(uploads: Path, path: str) -> None:
    (uploads / HASH / "link.zip").symlink_to(uploads.parent / "secret.zip")
    (uploads / HASH / "folder.zip").mkdir()
    (uploads / "other").mkdir()
    (uploads / "other" / "pets.zip").write_bytes(b"")
    (uploads / ("1b" * 32)).symlink_to(uploads.parent)
    with pytest.raises(SettingError, match="was not uploaded here"):
        checked_upload(path.replace("{folder}", str(uploads)), uploads, ZIPS, 100)


def test_checked_upload__too_large_or_of_another_kind(uploads: Path) -> None:
    path = str(uploads / HASH / "pets.zip")
    with pytest.raises(SettingError, match=r"pets.zip has 0 MiB; at most 0 MiB"):
        checked_upload(path, uploads, ZIPS, 4)
    with pytest.raises(SettingError, match=r"pets.zip must end in .jpg"):
        checked_upload(path, uploads, IMAGES, 100)


def test_checked_upload__a_pipe(uploads: Path) -> None:
    os.mkfifo(uploads / HASH / "pipe.zip")
    with pytest.raises(SettingError, match="was not uploaded here"):
        checked_upload(str(uploads / HASH / "pipe.zip"), uploads, ZIPS, 100)
