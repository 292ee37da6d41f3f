"""Choosing classes, limiting images, and opening any kind of source."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from support.sources import ids, opened, save_arrays

from dsel.config import SourceSettings
from dsel.config.base import fingerprint
from dsel.data import READERS, open_dataset
from dsel.data.base import first_name, further_names, limit, restrict
from dsel.data.images import MAX_PIXELS
from dsel.errors import SettingError, SourceError, UnreadableImage
from dsel.types import ImageRef

ALL = SourceSettings()


def test_restrict__keeps_the_datasets_order() -> None:
    assert restrict("abcd", "ca") == ("a", "c")
    assert restrict("abcd", ()) == ("a", "b", "c", "d")


def test_restrict__an_unknown_class_lists_at_most_twenty() -> None:
    with pytest.raises(SettingError, match=r"unknown class 'dodo'; known are: 0, 1, .*19, and 980"):
        restrict([str(number) for number in range(1000)], ["dodo"])


def test_limit__takes_the_first_of_each_class() -> None:
    refs = [ImageRef(str(number), number % 2) for number in range(6)]
    assert [ref.id for ref in limit(refs, SourceSettings(per_class=2))] == ["0", "1", "2", "3"]
    assert limit(refs, ALL) == refs


def test_limit__a_seed_takes_a_sample_that_only_ids_and_seed_decide() -> None:
    """Those with the smallest hashes; a sample contains each smaller one, in the same order."""
    refs = [ImageRef(f"{number:03d}", number % 2) for number in range(200)]

    def sample(count: int, seed: int, of: list[ImageRef] = refs) -> list[str]:
        return [r.id for r in limit(of, SourceSettings(per_class=count, sample_seed=seed))]

    def draw(id_: str) -> str:
        return hashlib.sha256(f"7\0{id_}".encode()).hexdigest()

    slow = [sorted((r.id for r in refs if r.class_index == c), key=draw)[:10] for c in (0, 1)]
    assert sample(10, 7) == sorted(slow[0] + slow[1])
    assert set(sample(10, 7)) < set(sample(30, 7))
    assert sample(10, 7, refs[::2]) == sorted(slow[0])
    assert sorted(sample(10, 7, refs[::-1])) == sample(10, 7)
    assert sample(10, 7) != sample(10, 8)
    assert sample(500, 7) == [ref.id for ref in refs]


def test_first_name__any_name_of_a_class_leads_to_its_first() -> None:
    names = [("crane bird", "crane"), ("construction crane", "crane"), ("harp",), ("organ", "harp")]
    assert first_name("organ", names) == "organ"
    assert first_name("harp", names) == "harp"  # a first name wins over another's second
    assert first_name("dodo", names) == "dodo"
    line = "class name 'crane' is ambiguous: use crane bird or construction crane"
    with pytest.raises(SettingError, match=line):
        first_name("crane", names)


def test_further_names__only_of_classes_with_more_than_one() -> None:
    assert further_names([("cat",), ("dog", "hound")]) == [["dog", "hound"]]
    assert further_names([("cat",)]) == []


def test_open_dataset__an_unknown_source_says_what_is_right(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b")
    right = "give an image folder, a .zip, .npz, .parquet or .tar file, hf://user/name, or the word"
    for source in (tmp_path / "table.csv", tmp_path / "gone", Path("a" * 5000), Path("nul\0")):
        with pytest.raises(SourceError) as caught:
            open_dataset(str(source), ALL)
        assert right in str(caught.value) or "too long" in str(caught.value)


def test_open_dataset__each_reader_is_imported_when_asked_for() -> None:
    code = (
        "import sys, dsel.data; "
        "sys.exit(any(m.startswith('dsel.data.') or m == 'PIL' for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert {"toybox", "folder", "arrays", "zip", "parquet", "webdataset", "hub"} < set(READERS)


def test_origin__opens_the_same_dataset_again(pets: Path) -> None:
    first = opened(pets, classes=("cat",), per_class=2)
    stored = json.loads(json.dumps(first.origin))
    source, classes = stored.pop("source"), tuple(stored.pop("classes"))
    again = open_dataset(source, SourceSettings(classes=classes, **stored))
    assert again.fingerprint == first.fingerprint
    assert ids(again) == ids(first)


def test_readers__satisfy_the_protocol(pets: Path, tmp_path: Path) -> None:
    for source in (pets, save_arrays(tmp_path / "a.npz"), "toybox"):
        found = open_dataset(str(source), ALL)
        assert len(found.fingerprint) == len(fingerprint("x"))
        assert len({ref.id for ref in found.refs}) == len(found.refs)
        assert {ref.class_index for ref in found.refs} == set(range(len(found.classes)))
        assert found.read(found.refs[-1]).shape[2] == 3
        assert found.names == tuple((name,) for name in found.classes)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_open_dataset__a_limit_of_megapixels(tmp_path: Path, kind: str) -> None:
    """A lower limit refuses larger files, names another dataset, and stands in its origin."""
    root = tmp_path / "pets"
    for name, side in (("cat/large.png", 1100), ("cat/small.png", 900)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("1", (side, 1000)).save(root / name)
    source = str(root) if kind == "folder" else shutil.make_archive(str(root), "zip", root)
    usual, low = (open_dataset(source, s) for s in (ALL, SourceSettings(max_megapixels=1)))
    assert [usual.read(ref).shape[1] for ref in usual.refs] == [1100, 900]
    with pytest.raises(UnreadableImage) as caught:
        low.read(low.refs[0])
    assert str(caught.value) == (
        "1100 x 1000 px is more than the limit of 1 megapixel (--max-megapixels)"
    )
    assert low.read(low.refs[1]).shape == (1000, 900, 3)
    assert low.fingerprint != usual.fingerprint
    assert "max_megapixels" not in usual.origin
    again = SourceSettings.from_plain({k: v for k, v in low.origin.items() if k != "source"})
    assert open_dataset(source, again).fingerprint == low.fingerprint
    assert ALL.max_px == MAX_PIXELS
