"""Zip files as datasets: the same images as their folder, and no harm from hostile ones."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.toyset import QUICK, dataset_of, finish, scored_run, toy_prior, write_pictures

from dsel.cli.commands import main
from dsel.data import zip_entries, zip_file
from dsel.errors import DselError, SettingError, SourceError, UnreadableImage
from dsel.pipeline.score import score
from dsel.runs import open_run
from dsel.types import Dataset, ImageRef

DEFLATED = zipfile.ZIP_DEFLATED
FIELDS = {
    "flags": (8, "<H"), "method": (10, "<H"), "crc": (16, "<L"), "packed": (20, "<L"),
    "size": (24, "<L"), "offset": (42, "<L"),
}  # fmt: skip
"""Where the directory's record of an entry has what."""


def png(colour: str = "red", width: int = 6) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, 4), colour).save(stream, "PNG")
    return stream.getvalue()


PNG = png()
PETS = dict.fromkeys(("dog/2.png", "dog/1.png", "cat/b.png", "cat/deep/er/c.png"), PNG)


def pack(path: Path, entries: Mapping[str, bytes] = PETS, method: int = DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def pack_folder(folder: Path, path: Path, top: str = "") -> Path:
    """Zip a folder as programs do: with entries for folders, in the order of the disk."""
    with zipfile.ZipFile(path, "w", DEFLATED) as archive:
        for found in folder.rglob("*"):
            archive.write(found, f"{top}{found.relative_to(folder)}")
    return path


def patch(path: Path, name: bytes, **fields: int) -> Path:
    """Change what the directory says of an entry."""
    raw = bytearray(path.read_bytes())
    record = raw.rindex(name) - 46
    assert raw[record : record + 4] == b"PK\x01\x02"
    for field, value in fields.items():
        at, code = FIELDS[field]
        struct.pack_into(code, raw, record + at, value)
    path.write_bytes(raw)
    return path


def rename(path: Path, old: bytes, new: bytes) -> Path:
    """Write other bytes for a name, in the directory and in the entry's own header."""
    assert len(old) == len(new)
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


def opened(path: Path, **settings: object) -> Dataset:
    return dataset_of(path, **settings)


def ids(dataset: Dataset) -> list[str]:
    return [ref.id for ref in dataset.refs]


def reasons(dataset: Dataset) -> dict[str, str]:
    """Why images cannot be read, by id, of those that cannot."""
    found = {}
    for ref in dataset.refs:
        try:
            dataset.read(ref)
        except UnreadableImage as error:
            found[ref.id] = str(error)
    return found


def with_entry(path: Path, info: zipfile.ZipInfo | str, data: bytes = PNG) -> Path:
    """Pets, and one more entry."""
    with zipfile.ZipFile(pack(path), "a", DEFLATED) as archive:
        archive.writestr(info, data)
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return pack(tmp_path / "pets.zip")


# --- the same as the folder --------------------------------------------------------------------


LAYOUTS = {
    "classes": ["dog/2.png", "dog/1.png", "cat/Z.png", "cat/a.png", "cat/deep/er/c.png"],
    "split": ["train/cat/1.png", "train/dog/1.png", "val/cat/2.png", "readme.txt"],
    "one split": ["val/cat/1.png", "val/dog/2.png"],
    "names": ["cat/1.png", "dog/1.png", "classes.json"],
    "names in split": ["train/cat/1.png", "train/dog/1.png", "train/classes.json"],
    "wnids": ["train/n01440764/1.png", "train/n02012849/x.png", "train/n00000001/1.png"],
    "hidden": ["cat/1.png", "cat/.DS_Store", "cat/Thumbs.db", ".git/x.png", "__MACOSX/cat/._1.png"],
    "odd": ["cat/1.png", "cat/note.txt", "cat/x.jpg/1.png", "cat/y.png/z/1.png"],
    "unicode": ["chién/ü.png", "猫/写真 1.png"],
    "deep": ["cat/day/1.png", "dog/day/1.png", "dog/night/2.png"],
    "single": ["cat/1.png", "cat/day/1.png"],
    "exported": ["train/cat/1.png", "train/dog/1.png", "manifest.json", "patches.parquet"],
}


def photo(orientation: int) -> bytes:
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (6, 4)).save(stream, "JPEG", exif=exif)
    return stream.getvalue()


def test_orientation__of_a_photo_in_a_zip_and_in_a_folder(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "a.zip", {"cat/1.jpg": photo(6), "cat/2.jpg": photo(3), "cat/3.png": PNG}
    )
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "folder")
    for dataset in (dataset_of(path), dataset_of(tmp_path / "folder")):
        assert [dataset.orientation(ref) for ref in dataset.refs] == [6, 3, 1]


@pytest.mark.parametrize("top", ["", "photos/", "./"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_zip__gives_what_its_folder_gives(tmp_path: Path, layout: str, top: str) -> None:
    root = tmp_path / "root"
    for number, name in enumerate(LAYOUTS[layout]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(f"#0000{number:02x}", 6 + number))
        if name.endswith("classes.json"):
            (root / name).write_text(json.dumps({"cat": ["house cat", "puss"], "dog": "pup"}))
    folder, found = opened(root), opened(pack_folder(root, tmp_path / "x.zip", top))
    assert found.classes == folder.classes
    assert found.names == folder.names
    assert list(found.refs) == list(folder.refs)
    bad = reasons(folder)
    assert set(reasons(found)) == set(bad)
    for ref in folder.refs:
        assert ref.id in bad or np.array_equal(found.read(ref), folder.read(ref))


def test_zip__settings_choose_as_in_a_folder(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "x.zip", {f"photos/{s}/{n}": PNG for s in ("train", "val") for n in PETS}
    )
    found = opened(path, split="val", classes=("dog",), per_class=1)
    assert found.refs == [ImageRef("dog/1.png", 0)]
    assert (found.classes, found.names) == (("dog",), (("dog",),))
    assert ids(opened(path, split="val", classes=("cat",))) == ["cat/b.png", "cat/deep/er/c.png"]
    with pytest.raises(SettingError, match="unknown split 'dev'; known are: train, val"):
        opened(path, split="dev")
    with pytest.raises(SettingError, match="unknown class 'cow'; known are: cat, dog"):
        opened(path, classes=("cow",))


def test_zip__is_known_by_its_ending_alone(pets: Path, tmp_path: Path) -> None:
    assert opened(pets.rename(tmp_path / "P.ZIP")).classes == ("cat", "dog")
    (tmp_path / "folder.zip" / "cat").mkdir(parents=True)
    (tmp_path / "folder.zip" / "cat" / "1.png").write_bytes(PNG)
    assert ids(opened(tmp_path / "folder.zip")) == ["cat/1.png"]
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(SourceError, match=r"is not a file: give a \.zip file"):
        opened(tmp_path / "pipe.zip")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"x\.zip is empty: it must contain one folder of images per class"),
        (
            ["1.png", "2.png"],
            r"x\.zip contains images but no class folders: put each class's images",
        ),
        (["cat/1.png", "dog/"], "no images in class dog: add images, or choose other"),
        (["val/cat/1.png", "test/cat/1.png"], "has the splits test, val: choose one with --split"),
    ],
)
def test_zip__refusals_are_those_of_a_folder(
    tmp_path: Path, names: list[str], message: str
) -> None:
    path = pack(tmp_path / "x.zip", dict.fromkeys(names, PNG))
    with pytest.raises(SourceError, match=message):
        opened(path)


def test_zip__folders_that_are_no_classes(tmp_path: Path) -> None:
    names = ["cat/1.png", "dog/1.png", "w.gif/1.png", "classes.json/cat", ".git/x"]
    found = opened(pack(tmp_path / "x.zip", dict.fromkeys(names, PNG)))
    assert found.classes == ("cat", "classes.json", "dog")


@pytest.mark.parametrize("text", ["{", "3", '{"cat": 3}', "[" * 9999, "\0"])
def test_zip__a_wrong_classes_json(tmp_path: Path, text: str) -> None:
    path = with_entry(tmp_path / "x.zip", "classes.json", text.encode())
    with pytest.raises(SourceError, match=r"x\.zip/classes\.json") as caught:
        opened(path)
    assert "\n" not in str(caught.value)


def test_zip__a_classes_json_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_entry(tmp_path / "x.zip", "classes.json", b'{"cat": "tom"}')
    assert opened(path).classes == ("tom", "dog")
    monkeypatch.setattr(zip_file, "MAX_CLASSES_BYTES", 10)
    with pytest.raises(SourceError, match=r"classes\.json has 0 MiB; dsel reads at most 0 MiB"):
        opened(path)
    monkeypatch.undo()
    with pytest.raises(SourceError, match=r"classes\.json is encrypted"):
        opened(patch(path, b"classes.json", flags=1))
    with pytest.raises(SourceError, match=r"classes\.json is damaged: its checksum"):
        opened(patch(path, b"classes.json", flags=0, crc=1))


# --- kinds of zip files ------------------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize(("before", "after"), [(b"", b""), (b"#!/bin/sh\n" * 99, b"\0" * 999)])
def test_zip__methods_and_data_around(
    tmp_path: Path, method: int, before: bytes, after: bytes
) -> None:
    path = pack(tmp_path / "x.zip", method=method)
    path.write_bytes(before + path.read_bytes() + after)
    assert len(ids(opened(path))) == 4
    assert reasons(opened(path)) == {}


def test_zip__zip64_and_streams(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", DEFLATED) as archive:  # sizes stand behind the data
        for name in PETS:
            with archive.open(name, "w", force_zip64=True) as stream:
                stream.write(PNG)
    (tmp_path / "x.zip").write_bytes(pipe.getvalue())
    assert reasons(opened(tmp_path / "x.zip")) == {}


def test_zip__an_end_record_of_zip64(pets: Path) -> None:
    raw = pets.read_bytes()
    *_, count, size, start, _ = struct.unpack("<4s4H2LH", raw[-22:])
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(raw) - 22, 1)
    full = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    pets.write_bytes(raw[:-22] + end64 + locator + full)
    assert reasons(opened(pets)) == {}
    assert len(ids(opened(pets))) == 4


def test_zip__names_in_utf8_with_and_without_the_flag(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", {"chat/a_.png": PNG, "chat/b.png": PNG})
    found = opened(rename(path, b"a_.png", "é.png".encode()))  # as macOS writes them
    assert ids(found) == ["chat/b.png", "chat/é.png"]
    assert reasons(found) == {}


def test_zip__a_name_in_utf8_beside_an_older_one(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("cat/e.png")
    old, new = b"cat/\x82.png", "cat/é.png".encode()
    field = struct.pack("<BL", 1, zlib.crc32(old)) + new
    info.extra = struct.pack("<HH", 0x7075, len(field)) + field
    path = rename(with_entry(tmp_path / "x.zip", info), b"cat/e.png", old)
    assert "cat/é.png" in ids(opened(path))
    assert reasons(opened(path)) == {}


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../cat/1.png", "leads out of it"),
        ("cat/../../../etc/1.png", "leads out of it"),
        ("cat/..", "leads out of it"),
        ("/etc/cat/1.png", "is an absolute path"),
        ("//host/cat/1.png", "is an absolute path"),
        ("C:/cat/1.png", "is an absolute path"),
        ("c:1.png", "is an absolute path"),
        ("cat/..\\..\\1.png", "leads out of it"),
        ("..\\cat\\1.png", "leads out of it"),
        ("\\\\host\\cat\\1.png", "is an absolute path"),
        ("\\cat\\1.png", "is an absolute path"),
        ("C:\\cat\\1.png", "is an absolute path"),
        ("__MACOSX/../../x", "leads out of it"),
        ("cat/..\\\x01.png", "leads out of it"),
        ("cat/" + "a" * 1000 + ".png", "has more than 1000 characters, or is 20 folders deep"),
        ("a/" * 20 + "1.png", "has more than 1000 characters, or is 20 folders deep"),
    ],
)
def test_names__that_lead_out_refuse_the_archive(tmp_path: Path, name: str, why: str) -> None:
    path = with_entry(tmp_path / "x.zip", name)
    with pytest.raises(SourceError) as caught:
        opened(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is refused, because the name of its entry ")
    assert why in message
    assert len(message) < 400
    assert message.isprintable()


def test_names__that_lead_out_by_the_second_name(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("cat/e.png")
    field = struct.pack("<BL", 1, zlib.crc32(b"cat/\x82.png")) + b"../../e.png"
    info.extra = struct.pack("<HH", 0x7075, len(field)) + field
    path = rename(with_entry(tmp_path / "x.zip", info), b"cat/e.png", b"cat/\x82.png")
    with pytest.raises(SourceError, match="leads out of it"):
        opened(path)


def test_names__that_are_not_utf8_are_code_page_437(tmp_path: Path) -> None:
    path = with_entry(tmp_path / "x.zip", "cat/cafe.png")
    found = opened(rename(path, b"cafe", b"caf\x82"))
    assert "cat/café.png" in ids(found)
    assert reasons(found) == {}
    assert found.structure.notes == (
        "names in the zip file such as cat/café.png are not UTF-8 and are read as code page 437 "
        "(1 in all): check the names of the classes",
    )
    raw = path.read_bytes()
    record = raw.rindex(b"cat/caf\x82") - 46
    path.write_bytes(raw[: record + 8] + b"\0\x08" + raw[record + 10 :])
    with pytest.raises(SourceError, match="marks its names as UTF-8, and they are not"):
        opened(path)


def test_names__with_backslashes_are_paths(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("pets\\cat\\", "pets\\cat\\1.png", "pets\\dog/2.png", "pets\\dog\\in\\3.png"):
            info = zipfile.ZipInfo(name)
            info.create_system, info.filename = 0, name
            archive.writestr(info, b"" if name.endswith("\\") else PNG)
    found = opened(path)
    assert found.classes == ("cat", "dog")
    assert ids(found) == ["cat/1.png", "dog/2.png", "dog/in/3.png"]
    assert reasons(found) == {}


def test_names__with_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    for name, id_ in (("cat/a\x1b[2J.png", "cat/a\\x1b[2J.png"), ("cat/Icon\r", "cat/Icon\\r")):
        found = opened(with_entry(path, name))
        why = "has a control character in its name: rename it"
        assert reasons(found) == {id_: why}
    found = opened(rename(with_entry(path, "cat/a#.png"), b"a#.png", b"a\0.png"))
    assert list(reasons(found)) == ["cat/a\\x00.png"]
    assert opened(with_entry(path, "\x9b31m/1.png")).classes == ("\\x9b31m", "cat", "dog")


def test_names__that_occur_twice(tmp_path: Path) -> None:
    for again in ("cat/b.png", "./cat/b.png", "cat//b.png", "cat/./b.png"):
        path = pack(tmp_path / "x.zip")
        with pytest.MonkeyPatch.context() as patches, zipfile.ZipFile(path, "a") as archive:
            patches.setattr("warnings.warn", lambda *_, **__: None)
            archive.writestr(again, png("blue"))
        why = "has a name that occurs in the zip file more than once"
        assert reasons(opened(path)) == {"cat/b.png": why}
        assert ids(opened(path)) == sorted(PETS)


# --- entries that are not read -----------------------------------------------------------------


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (mode | 0o644) << 16
    return info


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc", "b.png"])
def test_entries__links_are_not_followed(tmp_path: Path, target: str) -> None:
    path = with_entry(tmp_path / "x.zip", special("cat/l.png", stat.S_IFLNK), target.encode())
    why = "is a symbolic link, which dsel does not follow in a zip file"
    assert reasons(opened(path)) == {"cat/l.png": why}
    path = with_entry(path, special("linked", stat.S_IFLNK), b"/etc")
    assert opened(path).classes == ("cat", "dog")
    path = with_entry(path, special("classes.json", stat.S_IFLNK), b"/etc/passwd")
    with pytest.raises(SourceError, match=r"classes\.json is a symbolic link"):
        opened(path)


def test_entries__that_are_no_images(tmp_path: Path) -> None:
    inner = pack(tmp_path / "inner.zip").read_bytes()
    entries = {
        "cat/notes": b"hello", "cat/more": inner, "cat/empty.png": b"",
        "cat/1.png": PNG, "cat/cut.png": PNG[:50], "cat/x.jpg/": b"",
    }  # fmt: skip
    path = pack(tmp_path / "x.zip", entries)
    with zipfile.ZipFile(path, "a") as archive:
        for kind in ("S_IFIFO", "S_IFCHR", "S_IFDIR"):
            archive.writestr(special(f"cat/{kind}", getattr(stat, kind)), PNG)
    found = reasons(opened(path))
    assert found.pop("cat/more").startswith("is not an image in a format that dsel reads")
    assert found.pop("cat/cut.png").startswith(("is cut off", "is damaged"))
    assert found == {
        "cat/notes": "is text, not an image",
        "cat/empty.png": "is empty (0 bytes)",
        "cat/x.jpg": "is a folder, not an image",
        "cat/S_IFIFO": "is a folder, a pipe or a device, not an image",
        "cat/S_IFCHR": "is a folder, a pipe or a device, not an image",
        "cat/S_IFDIR": "is a folder, a pipe or a device, not an image",
    }


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"flags": 1}, "is encrypted: zip it without a password"),
        ({"flags": 0x41}, "is encrypted: zip it without a password"),
        ({"method": 14}, "is packed by LZMA, which dsel does not read: zip it with deflate"),
        ({"method": 77}, "is packed by method 77, which dsel does not read"),
        ({"crc": 5}, "is damaged: its checksum differs from the one in the zip file"),
        ({"size": 10}, "is damaged: it unpacks to more than the 10 bytes that the zip file lists"),
        ({"size": 0}, "is damaged: it unpacks to more than the 0 bytes"),
        ({"size": len(PNG) + 1}, "is cut off in the zip file"),
        ({"packed": 9}, "is cut off in the zip file"),
        ({"packed": 2**31, "size": 2**31}, "has 2048 MiB; dsel reads at most 256 MiB of it"),
        ({"size": 2**31}, "would unpack to [0-9]+ times its size, as a zip bomb does"),
        ({"packed": 100_000}, "is damaged: it overlaps with another entry of the zip file"),
        ({"offset": 3}, "is damaged: its header in the zip file is missing"),
        ({"offset": 0}, "is damaged: its header in the zip file has another name"),
        ({"offset": 2**31}, "is damaged: the zip file's directory has an impossible offset"),
        ({"method": 0}, "is cut off in the zip file"),
        ({"method": 12}, "is damaged in the zip file: "),
    ],
)
def test_entries__wrong_headers(tmp_path: Path, fields: dict[str, int], why: str) -> None:
    path = pack(tmp_path / "x.zip", {"cat/0.png": PNG, "cat/1.png": PNG, "cat/2.png": PNG})
    found = reasons(opened(patch(path, b"cat/1.png", **fields)))
    reason = found.pop("cat/1.png")
    assert re.match(why, reason), reason
    assert set(found) <= {"cat/0.png"}  # the entry before it may seem to reach into it
    assert found == {} or "offset" in fields


def test_entries__damaged_data(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", method=zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    raw[raw.index(PNG) + 20] ^= 1
    path.write_bytes(raw)
    (name,) = (ref.id for ref in opened(path).refs if ref.id == next(iter(PETS)))
    assert reasons(opened(path)) == {
        name: "is damaged: its checksum differs from the one in the zip file"
    }


def test_entries__none_that_can_be_read_refuses_the_archive(pets: Path) -> None:
    for name in PETS:
        patch(pets, name.encode(), flags=1)
    with pytest.raises(SourceError, match=r"none of its 4 images can be read; cat/b\.png is encry"):
        opened(pets)


# --- bombs -------------------------------------------------------------------------------------


def test_bombs__one_entry_that_unpacks_to_too_much(tmp_path: Path) -> None:
    path = with_entry(tmp_path / "x.zip", "cat/bomb.png", bytes(8 << 20))
    reason = reasons(opened(path))["cat/bomb.png"]
    assert reason.startswith("would unpack to 10")
    assert reason.endswith(" times its size, as a zip bomb does; dsel unpacks to at most 300 times")


def test_bombs__a_header_that_lies_is_unpacked_no_further_than_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The 64 MiB are said to be 1000 bytes: no more than that is ever made of them."""
    most: list[int] = []
    make = zlib.decompressobj

    class Watched:
        def __init__(self, bits: int) -> None:
            self._inner = make(bits)

        def decompress(self, data: bytes, most_bytes: int) -> bytes:
            unpacked = self._inner.decompress(data, most_bytes)
            most.append(len(unpacked))
            return unpacked

        eof = False

    path = with_entry(tmp_path / "x.zip", "cat/bomb.png", bytes(64 << 20))
    found = opened(patch(path, b"cat/bomb.png", size=1000))
    monkeypatch.setattr(zip_entries.zlib, "decompressobj", Watched)
    with pytest.raises(UnreadableImage, match="unpacks to more than the 1000 bytes"):
        found.read(ImageRef("cat/bomb.png", 0))
    assert most == [1001]


def test_bombs__entries_that_share_their_data(tmp_path: Path) -> None:
    """As in David Fifield's: each record names the same packed bytes, or some within another's."""
    names = [f"cat/{number}.png" for number in range(9)]
    path = pack(tmp_path / "x.zip", dict.fromkeys(names, PNG))
    for name in names[1:]:
        patch(path, name.encode(), offset=0)
    found = reasons(opened(path))
    assert set(found) >= set(names[1:])
    path = pack(path, {"cat/a.png": PNG, "cat/b.png": PNG, "cat/c.png": PNG}, zipfile.ZIP_STORED)
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("cat/b.png").header_offset + len(PNG)
    patch(path, b"cat/a.png", packed=size, size=size)  # reaches over the whole of the next
    assert reasons(opened(path)) == {
        "cat/a.png": "is damaged: it overlaps with another entry of the zip file"
    }


def test_bombs__totals_are_capped_before_anything_is_unpacked(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patches:
        patches.setattr(zip_entries, "MAX_ENTRIES", 3)
        with pytest.raises(SourceError, match=r"pets\.zip has more than 3 entries, the most"):
            opened(pets)
    with monkeypatch.context() as patches:
        patches.setattr(zip_entries, "MAX_DIRECTORY_BYTES", 100)
        with pytest.raises(SourceError, match=r"its directory takes [0-9]+ bytes; at most 100 are"):
            opened(pets)
    for name in PETS:
        patch(pets, name.encode(), size=0xFFFFFFF0)
    with monkeypatch.context() as patches:
        patches.setattr(zip_entries, "MAX_TOTAL_BYTES", 15 << 30)
        with pytest.raises(SourceError, match=r"would unpack to 16 GiB; .* at most 15 GiB"):
            opened(pets)


def test_bombs__records_that_take_long(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("cat/1.png")
    info.extra = b"\xff\xff\0\0" * 2000
    with pytest.raises(SourceError, match="8000 extra bytes at a name; at most 4096"):
        opened(with_entry(tmp_path / "x.zip", info))


def test_bombs__a_directory_with_a_huge_size(pets: Path) -> None:
    raw = bytearray(pets.read_bytes())
    struct.pack_into("<L", raw, len(raw) - 10, 0xFFFFFF00)
    pets.write_bytes(raw)
    with pytest.raises(SourceError, match="is not a readable zip file"):
        opened(pets)


# --- damage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"<html>", PNG, b"PK\x05\x06" + b"\xff" * 18]
)
def test_damage__no_zip_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.zip is not a readable zip file") as caught:
        opened(tmp_path / "x.zip")
    assert "\n" not in str(caught.value)


def test_damage__cut_off(pets: Path) -> None:
    raw = pets.read_bytes()
    for keep in range(0, len(raw), 7):
        pets.write_bytes(raw[:keep])
        with pytest.raises(SourceError, match="is not a readable zip file, or only a part"):
            opened(pets)


def test_damage__raises_nothing_else(tmp_path: Path) -> None:
    entries = {**PETS, "classes.json": b'{"cat": "tom"}', "é/1.png": PNG}
    raw = pack(tmp_path / "x.zip", entries).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(400):
        hurt = bytearray(raw)
        low = int(rng.integers(2)) * raw.index(b"PK\x01\x02")  # half of them in the directory
        for at in rng.integers(low, len(raw), int(rng.integers(1, 5))):
            hurt[at] = int(rng.integers(256))
        (tmp_path / "x.zip").write_bytes(hurt)
        with suppress(DselError):
            reasons(opened(tmp_path / "x.zip"))


def test_damage__the_archive_goes_away_or_changes(pets: Path) -> None:
    found = opened(pets)
    raw = pets.read_bytes()
    pets.write_bytes(raw[:60])
    assert len(reasons(found)) == 4
    pets.unlink()
    assert set(reasons(found).values()) == {"cannot be opened: No such file or directory"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_damage__no_permission(pets: Path) -> None:
    pets.chmod(0)
    with pytest.raises(SourceError, match="no permission to read"):
        opened(pets)


# --- reading -----------------------------------------------------------------------------------


def test_read__only_what_is_listed(pets: Path) -> None:
    found = opened(pets, per_class=1)
    for id_ in ("../cat/b.png", "cat/deep/er/c.png", "/etc/passwd", ""):
        with pytest.raises(UnreadableImage, match="is not in the dataset"):
            found.read(ImageRef(id_, 0))


def test_read__lists_once_extracts_nothing_and_keeps_no_file_open(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = opened(pets)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    handles = set(Path("/proc/self/fd").iterdir()) if Path("/proc/self/fd").is_dir() else set()
    assert reasons(found) == {}
    assert list(pets.parent.iterdir()) == [pets]
    if handles:
        assert len(set(Path("/proc/self/fd").iterdir())) <= len(handles)


def many(count: int) -> Iterator[tuple[str, bytes]]:
    for number in range(count):
        stream = io.BytesIO()
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(stream, "BMP")
        yield f"c{number % 5}/{number:04d}.bmp", stream.getvalue()


def test_read__from_many_threads(tmp_path: Path) -> None:
    found = opened(pack(tmp_path / "x.zip", dict(many(500))))
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(found.read, found.refs))
    for ref, pixels in zip(found.refs, pictures, strict=True):
        number = int(ref.id[3:7])
        drawn = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        assert np.array_equal(pixels, drawn)


# --- fingerprint and origin --------------------------------------------------------------------


def test_fingerprint__follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    before = opened(pack(path)).fingerprint
    assert (
        opened(pack(path, dict(reversed(PETS.items())), zipfile.ZIP_STORED)).fingerprint == before
    )
    assert opened(pack(tmp_path / "y.zip", {f"top/{n}": PNG for n in PETS})).fingerprint == before
    other = bytearray(PNG)
    other[-1] ^= 1  # as many bytes
    kinds = [
        opened(pack(path, {**PETS, "dog/1.png": bytes(other)})),
        opened(pack(path, {**PETS, "dog/3.png": PNG})),
        opened(pack(path, {**PETS, "classes.json": b'{"cat": "tom"}'})),
        opened(pack(path, {**PETS, "classes.json": b'{"cat": ["cat", "tom"]}'})),
        opened(pack(path), classes=("cat",)),
        opened(path, per_class=1),
    ]
    assert len({before, *(found.fingerprint for found in kinds)}) == 7


def test_origin__opens_the_same_dataset_again(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pets.parent)
    first = opened(Path("pets.zip"), classes=("cat",), per_class=1)
    monkeypatch.chdir("/")
    assert reasons(first) == {}
    stored = json.loads(json.dumps(first.origin))
    source, classes = stored.pop("source"), tuple(stored.pop("classes"))
    assert source == str(pets.resolve())
    again = opened(Path(source), classes=classes, **stored)
    assert (again.fingerprint, ids(again)) == (first.fingerprint, ids(first))


# --- from end to end ---------------------------------------------------------------------------


def test_score__a_zip_as_its_folder(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pictures", {"cat": 4, "dog": 4})
    (root / "cat" / "notes.txt").write_text("hello")
    path = pack_folder(root, tmp_path / "pictures.zip", "pictures/")
    from_folder, from_zip = scored_run(root, tmp_path / "a"), scored_run(path, tmp_path / "b")
    assert [(row.id, row.reason) for row in from_zip.images] == [
        (row.id, row.reason) for row in from_folder.images
    ]
    for index in range(2):
        one, other = from_folder.class_scores(index), from_zip.class_scores(index)
        assert one.ids == other.ids
        assert np.array_equal(one.buckets[0].gap, other.buckets[0].gap)
    # As text, since unknown standard errors are NaN.
    assert repr(from_zip.read_selection()[1]) == repr(from_folder.read_selection()[1])


def test_score__resumes_and_refuses_another_content(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pictures", {"cat": 4, "dog": 4})
    path = pack_folder(root, tmp_path / "x.zip")
    scored_run(path, tmp_path / "run")
    found = opened(path)
    finish(score(found, toy_prior(found.classes), tmp_path / "run", QUICK))
    (root / "cat" / "00.png").write_bytes(PNG)
    other = opened(pack_folder(root, path))
    with pytest.raises(DselError):
        finish(score(other, toy_prior(other.classes), tmp_path / "run", QUICK))
    assert open_run(tmp_path / "run").identity.dataset_origin["source"] == str(path)


def test_command_line__takes_a_zip(
    pets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(pets), "--run", str(tmp_path / "run"), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["work"]["images"] == 4
    pets.write_bytes(b"PK")
    assert main(["score", str(pets), "--run", str(tmp_path / "run"), "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"dsel: {pets} is not a readable zip file")
    assert error.count("\n") == 1
