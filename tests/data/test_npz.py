"""Arrays in .npz files: what is read, and what is refused before it is loaded."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from support.sources import ids, opened, save_arrays

from dsel.errors import SourceError, UnreadableImage
from dsel.types import ImageRef


def test_arrays__reads_images_by_class(tmp_path: Path) -> None:
    path = save_arrays(tmp_path / "a.npz")
    found = opened(path)
    assert found.classes == ("cat", "dog")
    assert ids(found) == ["d", "b", "e", "c", "a"]
    images = np.load(path)["images"]
    assert np.array_equal(found.read(found.refs[0]), images[1])
    assert ids(opened(path, classes=("dog",), per_class=2)) == ["e", "c"]
    assert opened(path, classes=("dog",)).refs[0].class_index == 0
    with pytest.raises(UnreadableImage):
        found.read(ImageRef("zz", 0))


def test_arrays__gray_images_and_ids_without_names(tmp_path: Path) -> None:
    gray = np.arange(30, dtype=np.uint8).reshape(5, 2, 3)
    found = opened(save_arrays(tmp_path / "a.npz", images=gray, names=None))
    assert ids(found)[:2] == ["00000001", "00000003"]
    assert np.array_equal(found.read(found.refs[0]), np.stack([gray[1]] * 3, -1))
    alike = opened(save_arrays(tmp_path / "b.npz", names=np.array(["same"] * 5)))
    assert ids(alike)[:2] == ["00000001", "00000003"]


def test_arrays__fingerprint_follows_the_content(tmp_path: Path) -> None:
    one, other = (
        save_arrays(tmp_path / "a.npz"),
        save_arrays(tmp_path / "b.npz", labels=np.array([0, 1, 1, 0, 1])),
    )
    prints = {
        opened(one).fingerprint,
        opened(other).fingerprint,
        opened(one, per_class=1).fingerprint,
    }
    assert len(prints) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": None}, "has no images: an .npz dataset has images, labels, classes; this one"),
        ({"classes": None, "labels": None}, "has no labels, classes"),
        ({"images": np.zeros((5, 2, 2, 4), np.uint8)}, r"images must be uint8 .*\(5, 2, 2, 4\)"),
        ({"images": np.zeros((5, 2, 2, 3))}, "images must be uint8 .* got float64"),
        ({"labels": np.zeros(4, int)}, r"labels must be whole numbers of shape \(5,\), one per"),
        ({"labels": np.zeros(5)}, "labels must be whole numbers"),
        ({"labels": np.array([0, 1, 2, 0, 1])}, "labels must be between 0 and 1, .* got 0 to 2"),
        ({"labels": np.array([0, -1, 1, 0, 1])}, "labels must be between 0 and 1"),
        ({"labels": np.zeros(5, int)}, "no images in class dog"),
        ({"classes": np.array(["cat", "cat"])}, "class names must differ"),
        ({"names": np.array(["a"])}, r"names must have shape \(5,\)"),
        ({"classes": np.array([{}, {}])}, "classes contains pickled Python objects"),
        ({"images": np.zeros((0, 2, 2, 3), np.uint8), "labels": np.zeros(0, int)}, "images must"),
    ],
)
def test_arrays__refusals(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        opened(save_arrays(tmp_path / "a.npz", **changes))


class Trap:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, ("trapped",)


def test_arrays__never_unpickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_arrays(tmp_path / "a.npz", names=np.array([Trap()] * 5, dtype=object))
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Trap()))
    for name in ("a.npz", "b.npz"):
        with pytest.raises(SourceError):
            opened(tmp_path / name)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY", b"<html>"])
def test_arrays__not_a_zip(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(SourceError, match=r"is not a readable .npz file"):
        opened(tmp_path / "a.npz")


def test_arrays__damaged_bytes_raise_nothing_else(tmp_path: Path) -> None:
    raw = save_arrays(tmp_path / "a.npz").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(150):
        hurt = bytearray(raw)
        for at in rng.integers(0, len(raw), 4):
            hurt[at] = int(rng.integers(256))
        (tmp_path / "a.npz").write_bytes(hurt[: int(rng.integers(len(raw) // 2, len(raw) + 1))])
        with suppress(SourceError):
            opened(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("shape", "message"), [("(2000000, 224, 224, 3)", "280 GiB"), ("(9, 9, 9, 3)", "is cut off")]
)
def test_arrays__a_bomb_is_refused_by_its_header(tmp_path: Path, shape: str, message: str) -> None:
    with zipfile.ZipFile(save_arrays(tmp_path / "a.npz", images=None), "a") as archive:
        stream = io.BytesIO()
        header = {"descr": "|u1", "fortran_order": False, "shape": tuple(json.loads(
            shape.replace("(", "[").replace(")", "]")))}  # fmt: skip
        np.lib.format.write_array_header_1_0(stream, header)
        archive.writestr("images.npy", stream.getvalue())
    with pytest.raises(SourceError, match=message):
        opened(tmp_path / "a.npz")


def test_arrays__real_cifar(test_data: Path) -> None:
    found = opened(test_data / "cifar10" / "cifar10_test.npz", per_class=3)
    assert found.classes[3] == "cat"
    assert len(found.refs) == 30
    assert all(ref.id.startswith("cat/") for ref in found.refs if ref.class_index == 3)
    assert found.read(found.refs[0]).shape == (32, 32, 3)
