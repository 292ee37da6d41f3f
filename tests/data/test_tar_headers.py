"""Headers of tar archives, compared with those that Python's tarfile reads."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest

from dsel.data import tar_headers
from dsel.data.tar_headers import NO_FILE, tar_files

Member = tuple[str, int, int]


def reference(content: bytes) -> list[Member]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        return [
            (one.name, one.offset_data, one.size if one.isreg() and not one.sparse else NO_FILE)
            for one in tar
            if not one.isdir()
        ]


def found(content: bytes) -> list[Member]:
    return [(one.name, one.offset, one.size) for one in tar_files(io.BytesIO(content))]


def archive(kind: int, mtime: float = 0, **pax: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind, pax_headers=pax) as tar:
        names = ["a.jpg", "a.cls", "d/", "d/é.png", 25 * "long/" + "x.jpg", "u" * 99]
        if kind != tarfile.USTAR_FORMAT:
            names.append("y" * 300 + ".jpg")
        for size, name in enumerate(names, 509):
            member = tarfile.TarInfo(name)
            member.mtime = mtime
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            else:
                member.size = size
                tar.addfile(member, io.BytesIO(b"x" * size))
        for link in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            member = tarfile.TarInfo("link.jpg")
            member.type, member.linkname = link, "z" * (120 if kind != tarfile.USTAR_FORMAT else 9)
            tar.addfile(member)
        empty = tarfile.TarInfo("empty.jpg")
        tar.addfile(empty)
    return stream.getvalue()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where the library is asked."""
    monkeypatch.setattr(tar_headers, "_by_library", lambda _: pytest.fail("not read directly"))


KINDS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("mtime", [0, 1.25])
def test_tar_files__like_tarfile(kind: int, mtime: float) -> None:
    content = archive(kind, mtime)
    assert found(content) == reference(content)
    assert len(found(content)) == 8 + (kind == tarfile.PAX_FORMAT)


def test_tar_files__unusual_headers_are_tarfiles() -> None:
    """Long names of links in GNU's way, a header for all files, and an unknown type."""
    for content in (archive(tarfile.GNU_FORMAT), archive(tarfile.PAX_FORMAT, comment="all")):
        assert found(content) == reference(content)
    odd = bytearray(archive(tarfile.USTAR_FORMAT))
    odd[156:157] = b"7"  # contiguous, which is read as a file
    odd[148:156] = b"%06o\0 " % (sum(odd[:148]) + sum(odd[156:512]) + 8 * ord(" "))
    assert found(bytes(odd)) == reference(bytes(odd))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:1000],  # in the bytes of a file
        lambda content: content[:1300],  # in a header
        lambda content: content[:1536],  # between two files, without an end
        lambda content: content[:0],
        lambda content: b"\0" * 1024 + content[:0],
        lambda content: b"no tar file" * 100 + content,
        lambda content: content[:1024] + b"?" * 512 + content[1536:],
    ],
)
def test_tar_files__damage_like_tarfile(damage: Callable[[bytes], bytes]) -> None:
    content = damage(archive(tarfile.PAX_FORMAT))
    outcomes = []
    for read in (reference, found):
        try:
            outcomes.append(read(content))
        except tarfile.TarError as error:
            outcomes.append([str(error)])
    assert outcomes[0] == outcomes[1]


def test_tar_files__the_stream_may_be_moved_between_two() -> None:
    content = archive(tarfile.PAX_FORMAT, 1.5)
    stream, names = io.BytesIO(content), []
    for one in tar_files(stream):
        stream.seek(0)
        names.append(one.name)
    assert names == [name for name, _, _ in reference(content)]
