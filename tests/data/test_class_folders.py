"""The names of class folders: classes.json, and ImageNet's by WordNet id."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from support.sources import IMAGENETTE, ids, opened, put

from dsel import assets
from dsel.config.base import fingerprint
from dsel.errors import SettingError, SourceError, StorageError


@pytest.mark.parametrize(
    "stored",
    [
        {"cat": "house cat", "dog": "hot dog"},
        {"cat": {"name": "house cat", "wnid": "n1"}, "dog": {"name": "hot dog"}},
        ["house cat", "hot dog"],
    ],
)
def test_image_folder__classes_json_gives_readable_names(pets: Path, stored: object) -> None:
    (pets / "classes.json").write_text(json.dumps(stored))
    assert opened(pets).classes == ("house cat", "hot dog")
    assert opened(pets, classes=("hot dog",)).classes == ("hot dog",)
    assert ids(opened(pets, classes=("dog",))) == ["dog/1.png", "dog/2.png"]


def test_image_folder__names_stay_exact_and_become_unique(pets: Path) -> None:
    put(pets / "n02012849_crane" / "1.png")
    assert opened(pets).classes == ("cat", "dog", "n02012849_crane")
    (pets / "classes.json").write_text('{"cat": "pet", "dog": "pet"}')
    assert opened(pets).classes == ("pet (cat)", "pet (dog)", "n02012849_crane")


@pytest.mark.parametrize(
    ("stored", "names"),
    [
        ({"cat": ["house cat", "puss"]}, (("house cat", "puss"), ("dog",))),
        ({"cat": ["house cat", "puss", "house cat"]}, (("house cat", "puss"), ("dog",))),
        ({"cat": {"name": "puss", "names": ["tom", "puss"]}}, (("puss", "tom"), ("dog",))),
        ({"cat": {"names": ["house cat", "puss"]}}, (("house cat", "puss"), ("dog",))),
        ([["house cat", "puss"], "hot dog"], (("house cat", "puss"), ("hot dog",))),
        ([{"name": "house cat"}, {"name": "hot dog"}], (("house cat",), ("hot dog",))),
        ([{"folder": "dog", "name": "d", "names": ["e"]}], (("cat",), ("d", "e"))),
        ({"cat": ["pet", "puss"], "dog": ["pet"]}, (("pet (cat)", "puss"), ("pet (dog)",))),
    ],
)  # fmt: skip
def test_image_folder__classes_json_gives_more_names(
    pets: Path, stored: object, names: tuple[tuple[str, ...], ...]
) -> None:
    (pets / "classes.json").write_text(json.dumps(stored))
    found = opened(pets)
    assert found.names == names
    assert found.classes == tuple(first for first, *_ in names)


def test_image_folder__a_class_is_chosen_by_any_of_its_names(pets: Path) -> None:
    put(pets / "n1" / "1.png")
    stored = {"cat": ["house cat", "pet", "n1"], "dog": ["hot dog", "pet"], "n1": ["thing", "cat"]}
    (pets / "classes.json").write_text(json.dumps(stored))
    for wanted, folder in (("house cat", "cat"), ("cat", "cat"), ("n1", "n1"), ("thing", "n1")):
        assert {ref.id.split("/")[0] for ref in opened(pets, classes=(wanted,)).refs} == {folder}
    assert opened(pets, classes=("dog", "hot dog")).names == (("hot dog", "pet"),)
    with pytest.raises(
        SettingError, match="class name 'pet' is ambiguous: use house cat or hot dog"
    ):
        opened(pets, classes=("pet",))
    with pytest.raises(SettingError, match="unknown class 'Pet'; known are: house cat, hot dog"):
        opened(pets, classes=("Pet",))


def test_image_folder__only_further_names_change_the_fingerprint(pets: Path) -> None:
    def print_of(stored: object) -> str:
        (pets / "classes.json").write_text(json.dumps(stored))
        return opened(pets).fingerprint

    plain = opened(pets).fingerprint
    assert print_of({"cat": ["cat"]}) == print_of({"cat": {"name": "cat"}}) == plain
    assert len({plain, print_of({"cat": ["cat", "a"]}), print_of({"cat": ["cat", "b"]})}) == 3
    sizes = {ref.id: (pets / ref.id).stat().st_size for ref in opened(pets).refs}
    lines = "".join(f"{int('dog' in id_)}\0{id_}\0{size}\n" for id_, size in sizes.items())
    # as it was before a class could have more than one name
    parts = (["cat", "dog"], hashlib.sha256(lines.encode()).hexdigest())
    assert plain == fingerprint("image folder", *parts)


@pytest.mark.parametrize(
    "text", ["{", "3", '["one"]', '{"cat": 3}', '{"cat": ""}', "\0", "[" * 9999]
)
def test_image_folder__a_wrong_classes_json(pets: Path, text: str) -> None:
    (pets / "classes.json").write_text(text)
    with pytest.raises(SourceError, match=r"classes\.json"):
        opened(pets)


@pytest.mark.parametrize(
    "value",
    [[], [""], ["puss", 3], {}, {"wnid": "n1"}, {"name": "puss", "names": None}, {"names": [[]]}],
)
def test_image_folder__wrong_names_of_a_class(pets: Path, value: object) -> None:
    (pets / "classes.json").write_text(json.dumps({"cat": value}))
    right = (
        r'classes\.json: cat must have a name or a list of names, such as \["tench", "Tinca tinca"]'
    )
    with pytest.raises(SourceError, match=right) as caught:
        opened(pets)
    assert "\n" not in str(caught.value)


def test_image_folder__a_name_that_folders_cannot_tell_apart(pets: Path) -> None:
    put(pets / "x" / "1.png")
    (pets / "classes.json").write_text('{"cat": "pet", "dog": "pet", "x": "pet (cat)"}')
    with pytest.raises(SourceError, match="class names must differ"):
        opened(pets)


@pytest.fixture
def wnids(tmp_path: Path) -> Path:
    """Two classes of ImageNet, and an id that is none of its classes."""
    root = tmp_path / "imagenet"
    for folder in ("n01440764", "n02012849", "n00000001"):
        put(root / "train" / folder / "1.png")
    return root


def test_wnids__take_the_names_of_imagenet(wnids: Path) -> None:
    found = opened(wnids)
    assert found.classes == ("n00000001", "tench", "crane bird")
    assert found.names == (("n00000001",), ("tench", "Tinca tinca"), ("crane bird", "crane"))
    assert ids(found)[1] == "n01440764/1.png"
    for name in ("n01440764", "tench", "Tinca tinca"):
        assert opened(wnids, classes=(name,)).classes == ("tench",)
    assert opened(wnids / "train").fingerprint == found.fingerprint


def test_wnids__only_where_all_folders_are(wnids: Path) -> None:
    put(wnids / "train" / "n0201284_crane" / "1.png")
    assert opened(wnids).classes == ("n00000001", "n01440764", "n02012849", "n0201284_crane")


def test_wnids__may_have_words_behind_them(tmp_path: Path) -> None:
    for folder in ("n01440764_tench", "n02102040-springer", "n02012849", "n02012849_bird"):
        put(tmp_path / folder / "1.png")
    assert opened(tmp_path).classes == (
        "tench", "crane bird (n02012849)", "crane bird (n02012849_bird)", "English springer",
    )  # fmt: skip
    assert opened(tmp_path, classes=("n01440764_tench",)).classes == ("tench",)


def test_wnids__a_classes_json_wins(wnids: Path) -> None:
    (wnids / "classes.json").write_text('{"n01440764": "fish"}')
    assert opened(wnids).names == (("n00000001",), ("fish",), ("crane bird", "crane"))
    (wnids / "classes.json").write_text('["a", "b", ["c", "d"]]')
    assert opened(wnids).names == (("a",), ("b",), ("c", "d"))


def test_wnids__the_layout_of_imagenette_without_its_names(tmp_path: Path) -> None:
    for folder in IMAGENETTE:
        put(tmp_path / "train" / folder / "1.png")
        put(tmp_path / "val" / folder / "1.png")
    assert opened(tmp_path).classes == tuple(IMAGENETTE.values())
    assert opened(tmp_path, split="val").classes == tuple(IMAGENETTE.values())


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{}", '{"classes": 3}', '{"classes": {"n1": "tench"}}']
)
def test_wnids__a_broken_table_is_named_and_only_read_for_wnids(
    wnids: Path, pets: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    monkeypatch.setattr(assets, "asset", lambda name: wnids.parent / name)
    if text is not None:
        (wnids.parent / assets.IMAGENET_CLASSES).write_text(text)
    with pytest.raises(StorageError, match=r"cannot be read from .*: install dsel again"):
        opened(wnids)
    assert opened(pets).classes == ("cat", "dog")
    (wnids / "classes.json").write_text('["a", "b", "c"]')
    assert opened(wnids).classes == ("a", "b", "c")
