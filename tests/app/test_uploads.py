"""What a visitor may bring in, and who counts as the app's own user."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import Headers

from dsel.app.uploads import (
    PICTURES,
    ZIPS,
    checked_upload,
    comes_from_here,
    is_bound_here,
    place_of,
)
from dsel.errors import SettingError

HASH = "0a" * 32


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """Gradio's folder with an upload in it, beside a file that is none."""
    folder = tmp_path / "gradio"
    (folder / HASH).mkdir(parents=True)
    (folder / HASH / "pets.zip").write_bytes(b"12345")
    (tmp_path / "secret.zip").write_bytes(b"secret")
    return folder


def test_checked_upload__what_was_uploaded(uploads: Path) -> None:
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
def test_checked_upload__what_was_not(uploads: Path, path: str) -> None:
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
        checked_upload(path, uploads, PICTURES, 100)


def test_checked_upload__a_pipe(uploads: Path) -> None:
    os.mkfifo(uploads / HASH / "pipe.zip")
    with pytest.raises(SettingError, match="was not uploaded here"):
        checked_upload(str(uploads / HASH / "pipe.zip"), uploads, ZIPS, 100)


@pytest.mark.parametrize(
    ("host", "share", "environment", "here"),
    [
        (None, False, {}, True),
        ("127.0.0.1", False, {}, True),
        ("localhost", False, {}, True),
        ("::1", False, {}, True),
        ("0.0.0.0", False, {}, False),
        ("192.168.1.5", False, {}, False),
        (None, True, {}, False),
        (None, False, {"GRADIO_SERVER_NAME": "0.0.0.0"}, False),
        ("127.0.0.1", False, {"GRADIO_SERVER_NAME": "0.0.0.0"}, True),
        (None, False, {"GRADIO_SHARE": "True"}, False),
        (None, False, {"GRADIO_SHARE": "False"}, True),
        (None, False, {"SPACE_ID": "me/dsel"}, False),
        ("127.0.0.1", False, {"SYSTEM": "spaces"}, False),
    ],
)
def test_is_bound_here(host: str | None, share: bool, environment: Any, here: bool) -> None:
    assert is_bound_here(host, share, environment) is here


def request(client_host: str | None, /, **headers: str) -> Any:
    client = None if client_host is None else SimpleNamespace(host=client_host)
    return SimpleNamespace(
        client=client, headers=Headers({k.replace("_", "-"): v for k, v in headers.items()})
    )


@pytest.mark.parametrize(
    ("asked", "here"),
    [
        (request("127.0.0.1", host="127.0.0.1:7860"), True),
        (request("::1", host="[::1]:7860"), True),
        (request("127.0.0.1", host="LocalHost:7860", origin="http://localhost:7860"), True),
        (request("192.168.1.9", host="127.0.0.1:7860"), False),
        (request("127.0.0.1", host="dsel.example.org"), False),
        (request("127.0.0.1", host="127.0.0.1:7860", origin="https://evil.example"), False),
        (request("127.0.0.1", host="127.0.0.1:7860", origin="null"), False),
        (request("127.0.0.1", host="localhost", x_forwarded_for="127.0.0.1"), False),
        (request("127.0.0.1", host="localhost", forwarded="for=1.2.3.4"), False),
        (request("127.0.0.1"), False),
        (request(None, host="localhost"), False),
        (None, False),
    ],
)
def test_comes_from_here(asked: Any, here: bool) -> None:
    assert comes_from_here(asked) is here


def test_place_of__a_space_allows_less() -> None:
    space = place_of(environment={"SPACE_ID": "me/dsel", "DSEL_PRIORS": "a/b c/d"})
    assert (space.here, space.priors) == (False, ("demo", "a/b", "c/d"))
    assert (space.upload_bytes, space.images) == (512 << 20, 5000)
    here = place_of(environment={})
    assert (here.here, here.upload_bytes, here.evaluations) == (True, 2 << 30, 0)
    assert place_of("0.0.0.0", environment={}).evaluations
