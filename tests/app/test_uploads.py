"""Uploads are received within quotas, and found by the path that was returned for them alone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from dsel.app.quota import Quota, Quotas
from dsel.app.uploads import AT_ONCE, IMAGES, KEEP_S, ZIPS, Uploads
from dsel.errors import QuotaError, SettingError, StorageError

T = TypeVar("T")
KEY = "0a" * 32
QUOTAS = Quotas(each=Quota(uploads=3, upload_bytes=20), total=Quota(uploads=5, upload_bytes=30))


async def parts(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def receive(
    uploads: Uploads, content: bytes = b"12345", name: str = "pets.zip", visitor: str = "a",
    size: int | None = None,
) -> str:  # fmt: skip
    size = len(content) if size is None else size
    middle = len(content) // 2
    return finished(uploads.receive(name, size, parts(content[:middle], content[middle:]), visitor))


def finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread: the browser's driver may keep a loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    (tmp_path / "secret.zip").write_bytes(b"secret")
    return Uploads(tmp_path / "uploads", 10, QUOTAS)


def test_receive__is_found_by_its_path(uploads: Uploads) -> None:
    path = receive(uploads)
    assert len(path) == 64 + len("/pets.zip")
    assert uploads.find(path, ZIPS).read_bytes() == b"12345"
    assert receive(uploads) != path  # another visitor does not learn the path from the content


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("../../etc/cron.zip", "cron.zip"),
        ("C:\\pets\\Cat é.ZIP", "Cat é.ZIP"),
        ("a\nb\x00.zip", "a_b_.zip"),
        (".zip", "file.zip"),
        ("..", "file."),
        ("", "file"),
        ("x" * 400 + ".zip", "x" * 144 + ".zip"),
        ("猫" * 200 + ".zip", "猫" * 48 + ".zip"),
    ],
)
def test_receive__names(uploads: Uploads, name: str, stored: str) -> None:
    path = receive(uploads, name=name)
    assert path.partition("/")[2] == stored
    assert [file.name for file in (uploads.folder / path).parent.iterdir()] == [stored]


def test_receive__too_large_or_broken_off_leaves_nothing(uploads: Uploads) -> None:
    with pytest.raises(SettingError, match="the file has 0 MiB; at most 0 MiB can be uploaded"):
        receive(uploads, size=11)
    for size in (4, 6):
        with pytest.raises(SettingError, match=r"the upload of pets.zip broke off"):
            receive(uploads, size=size)
    assert list(uploads.folder.iterdir()) == []


def test_receive__a_full_disk(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Any) -> Any:
        class Usage:
            free = 1 << 20

        return Usage

    monkeypatch.setattr("dsel.app.uploads.shutil.disk_usage", full)
    with pytest.raises(StorageError, match="the disk is almost full"):
        receive(uploads)
    assert list(uploads.folder.iterdir()) == []


def test_receive__a_disk_that_becomes_full(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dsel.app.uploads.to_thread.run_sync", fail)
    with pytest.raises(StorageError) as caught:
        receive(uploads)
    assert "pets.zip" in str(caught.value)
    assert str(uploads.folder) not in str(caught.value)
    assert list(uploads.folder.iterdir()) == []


def test_receive__quotas(uploads: Uploads) -> None:
    for _ in range(2):
        receive(uploads, b"0123456789")
    with pytest.raises(QuotaError, match="the uploads of one visitor may be at most 0 MiB"):
        receive(uploads)
    receive(uploads, b"0123456789", visitor="b")
    with pytest.raises(QuotaError, match="of all visitors"):
        receive(uploads, visitor="b")
    assert receive(uploads, b"0123456789", visitor="")  # a local visitor has none
    again = Uploads(uploads.folder, 10, QUOTAS)  # an app that is started again counts what is there
    with pytest.raises(QuotaError, match="of all visitors"):
        receive(again, visitor="c")


def test_receive__files_of_one_visitor(uploads: Uploads) -> None:
    for _ in range(3):
        receive(uploads, b"1")
    with pytest.raises(QuotaError, match="at most 3 here, and 3 are in use: they are removed a"):
        receive(uploads, b"1")


def test_receive__only_so_many_at_once(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", 10)

    async def slow(gate: asyncio.Event) -> AsyncIterator[bytes]:
        await gate.wait()
        yield b"1"

    async def all_at_once() -> list[Any]:
        gate = asyncio.Event()
        calls = [uploads.receive("a.zip", 1, slow(gate), str(n)) for n in range(20)]
        tasks = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0.05)
        gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = finished(all_at_once())
    refused = [one for one in found if isinstance(one, QuotaError)]
    assert len(refused) == 20 - AT_ONCE
    assert "16 files are being uploaded already" in str(refused[0])
    assert sum(isinstance(one, str) for one in found) == AT_ONCE


def test_sweep__removes_what_is_older_than_a_day(tmp_path: Path) -> None:
    now = [1000.0]
    uploads = Uploads(tmp_path / "uploads", 10, QUOTAS, clock=lambda: now[0])
    for _ in range(3):
        path = receive(uploads)
    uploads.sweep()
    assert uploads.find(path, ZIPS)
    now[0] += KEEP_S + 1
    uploads.sweep()
    assert list(uploads.folder.iterdir()) == []
    assert receive(uploads)


@pytest.mark.parametrize(
    "path",
    [
        "", ".", "pets.zip", "/etc/passwd", "{folder}", KEY, f"{KEY}/", f"{KEY}/.", f"{KEY}/..",
        "../secret.zip", f"{KEY}/../../secret.zip", f"{KEY}/..\\secret.zip", f"{KEY}/none.zip",
        f"{KEY}/link.zip", f"{KEY}/folder.zip", f"{KEY}/pipe.zip", "1b" * 32 + "/secret.zip",
        "other/pets.zip", f"{KEY}/pets\0.zip", "a\0b", "{folder}/" + KEY + "/pets.zip",
        f"{KEY}/" + "x" * 300 + ".zip",
    ],
)  # fmt: skip
def test_find__other_paths(uploads: Uploads, path: str) -> None:
    folder = uploads.folder
    (folder / KEY / "folder.zip").mkdir(parents=True)
    (folder / KEY / "pets.zip").write_bytes(b"12345")
    (folder / KEY / "link.zip").symlink_to(folder.parent / "secret.zip")
    os.mkfifo(folder / KEY / "pipe.zip")
    (folder / "other").mkdir()
    (folder / "other" / "pets.zip").write_bytes(b"")
    (folder / ("1b" * 32)).symlink_to(folder.parent)
    with pytest.raises(SettingError, match="was not uploaded here"):
        uploads.find(path.replace("{folder}", str(folder)), ZIPS)


def test_find__too_large_or_of_another_kind(uploads: Uploads) -> None:
    path = receive(uploads)
    with pytest.raises(SettingError, match=r"pets.zip must end in .jpg"):
        uploads.find(path, IMAGES)
    with pytest.raises(SettingError, match=r"pets.zip has 0 MiB; at most 0 MiB"):
        Uploads(uploads.folder, 4).find(path, ZIPS)
