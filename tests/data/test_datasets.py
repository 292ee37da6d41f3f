"""Datasets: what the readers list, what they refuse, and that nothing vanishes in silence."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dsel import assets
from dsel.config import SourceSettings
from dsel.config.base import fingerprint
from dsel.data import READERS, open_dataset, toybox
from dsel.data.base import first_name, further_names, limit, restrict
from dsel.data.images import decode
from dsel.data.toybox_dataset import RENDERER_VERSION, ToyboxScenes, run_lengths, write_toybox
from dsel.errors import SettingError, SourceError, StorageError, UnreadableImage
from dsel.types import Dataset, Done, ImageRef, Progress, Started

ALL = SourceSettings()


def put(path: Path, colour: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), colour).save(path, "PNG")
    return path


def ids(dataset: Dataset) -> list[str]:
    return [ref.id for ref in dataset.refs]


def opened(path: Path, **settings: object) -> Dataset:
    return open_dataset(str(path), SourceSettings(**settings))


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    root = tmp_path / "pets"
    for name in ("dog/2.png", "dog/1.png", "cat/b.png", "cat/a.png", "cat/deep/er/c.png"):
        put(root / name)
    return root


# --- base --------------------------------------------------------------------------------------


def test_restrict__keeps_the_datasets_order() -> None:
    assert restrict("abcd", "ca") == ("a", "c")
    assert restrict("abcd", ()) == ("a", "b", "c", "d")


def test_restrict__an_unknown_class_lists_at_most_twenty() -> None:
    with pytest.raises(SettingError, match=r"unknown class 'dodo'; known are: 0, 1, .*19, and 980"):
        restrict([str(number) for number in range(1000)], ["dodo"])


def test_limit__takes_the_first_of_each_class() -> None:
    refs = [ImageRef(str(number), number % 2) for number in range(6)]
    assert [ref.id for ref in limit(refs, 2)] == ["0", "1", "2", "3"]
    assert limit(refs, 0) == refs


def test_first_name__any_name_of_a_class_leads_to_its_first() -> None:
    names = [("crane bird", "crane"), ("construction crane", "crane"), ("harp",), ("organ", "harp")]
    assert first_name("organ", names) == "organ"
    assert first_name("harp", names) == "harp"  # a first name wins over another's second
    assert first_name("dodo", names) == "dodo"
    with pytest.raises(SettingError, match="class 'crane' may be crane bird or construction crane"):
        first_name("crane", names)


def test_further_names__only_of_classes_with_more_than_one() -> None:
    assert further_names([("cat",), ("dog", "hound")]) == [["dog", "hound"]]
    assert further_names([("cat",)]) == []


# --- open_dataset ------------------------------------------------------------------------------


def test_open_dataset__an_unknown_source_says_what_is_right(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b")
    right = "give an image folder, an .npz or .zip file, or the word toybox"
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
    assert set(READERS) == {"toybox", "folder", "arrays", "zip"}


def test_origin__opens_the_same_dataset_again(pets: Path) -> None:
    first = opened(pets, classes=("cat",), per_class=2)
    stored = json.loads(json.dumps(first.origin))
    source, classes = stored.pop("source"), tuple(stored.pop("classes"))
    again = open_dataset(source, SourceSettings(classes=classes, **stored))
    assert again.fingerprint == first.fingerprint
    assert ids(again) == ids(first)


# --- image folder ------------------------------------------------------------------------------


def test_image_folder__lists_classes_and_images_in_order(pets: Path) -> None:
    found = opened(pets)
    assert found.classes == ("cat", "dog")
    assert ids(found) == ["cat/a.png", "cat/b.png", "cat/deep/er/c.png", "dog/1.png", "dog/2.png"]
    assert [ref.class_index for ref in found.refs] == [0, 0, 0, 1, 1]
    assert found.read(found.refs[2])[0, 0].tolist() == [255, 0, 0]


def test_image_folder__chosen_classes_and_limit(pets: Path) -> None:
    found = opened(pets, classes=("dog",), per_class=1)
    assert found.classes == ("dog",)
    assert found.refs == [ImageRef("dog/1.png", 0)]
    with pytest.raises(SettingError, match="unknown class 'cow'; known are: cat, dog"):
        opened(pets, classes=("cow",))


@pytest.mark.parametrize("layout", ["train", "val", "train val test", "train val notes", "inner"])
def test_image_folder__finds_the_split(tmp_path: Path, layout: str) -> None:
    for split in layout.split():
        put(tmp_path / split / f"cat-{split}" / "1.png")
    if "notes" in layout:
        (tmp_path / "notes" / "readme.txt").write_text("about")
    (tmp_path / "readme.txt").write_text("about")
    assert opened(tmp_path).classes == (f"cat-{layout.split()[0]}",)


def test_image_folder__a_named_split(tmp_path: Path) -> None:
    put(tmp_path / "test" / "cat" / "1.png")
    put(tmp_path / "val" / "cat" / "2.png")
    assert ids(opened(tmp_path, split="val")) == ["cat/2.png"]
    with pytest.raises(SourceError, match="has the splits test, val: choose one with --split"):
        opened(tmp_path)
    for name in ("dev", "..", "/"):
        with pytest.raises(SettingError, match=r"unknown split .*; known are: test, val"):
            opened(tmp_path, split=name)


@pytest.mark.parametrize("beside", ["LICENSE", "photos/README.md", "photos/labels.csv"])
def test_image_folder__a_single_folder_may_stand_around_everything(
    tmp_path: Path, beside: str
) -> None:
    for name in ("train/cat/1.png", "train/dog/1.png", "val/cat/2.png"):
        put(tmp_path / "photos" / name)
    (tmp_path / beside).write_text("about")
    (tmp_path / "photos" / "classes.json").write_text('{"cat": "house cat"}')
    assert opened(tmp_path).classes == ("house cat", "dog")
    assert ids(opened(tmp_path)) == ["cat/1.png", "dog/1.png"]
    assert ids(opened(tmp_path, split="val")) == ["cat/2.png"]
    assert opened(tmp_path, split="photos").classes == ("train", "val")
    with pytest.raises(SettingError, match="unknown split 'dev'; known are: train, val"):
        opened(tmp_path, split="dev")


def test_image_folder__a_single_class_with_folders_in_it(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/day/2.png"):
        put(tmp_path / name)
    assert ids(opened(tmp_path)) == ["cat/1.png", "cat/day/2.png"]


def test_image_folder__a_class_may_be_called_train(tmp_path: Path) -> None:
    put(tmp_path / "train" / "1.png")
    put(tmp_path / "bus" / "1.png")
    assert opened(tmp_path).classes == ("bus", "train")


def test_image_folder__classes_with_only_subfolders(tmp_path: Path) -> None:
    put(tmp_path / "cat" / "day" / "1.png")
    put(tmp_path / "dog" / "day" / "1.png")
    assert opened(tmp_path).classes == ("cat", "dog")


def test_image_folder__what_is_no_image_is_listed_with_its_reason(pets: Path) -> None:
    (pets / "cat" / "notes.txt").write_text("hello")
    put(pets / "cat" / "folder.jpg" / "inside.png")
    (pets / "cat" / "broken_link.png").symlink_to("gone.png")
    (pets / "cat" / "loop.png").symlink_to("loop.png")
    os.mkfifo(pets / "cat" / "pipe")
    found = opened(pets, classes=("cat",))
    reasons = {}
    for ref in found.refs:
        try:
            found.read(ref)
        except UnreadableImage as error:
            reasons[ref.id] = str(error)
    assert reasons == {
        "cat/notes.txt": "is text, not an image",
        "cat/folder.jpg": "is a folder, not an image",
        "cat/broken_link.png": "cannot be opened: No such file or directory",
        "cat/loop.png": "cannot be opened: Too many levels of symbolic links",
        "cat/pipe": "is a pipe or a device, not an image",
    }
    assert "cat/folder.jpg/inside.png" in ids(found)


def test_image_folder__passes_over_hidden_files_and_files_beside_the_classes(pets: Path) -> None:
    before = ids(opened(pets))
    for name in ("cat/.DS_Store", "cat/._a.png", "cat/Thumbs.db", "dog/desktop.ini", "boxes.json"):
        (pets / name).write_bytes(b"x")
    put(pets / ".git" / "x.png")
    put(pets / "__MACOSX" / "x.png")
    assert ids(opened(pets)) == before


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
    with pytest.raises(SettingError, match="class 'pet' may be house cat or hot dog"):
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


def test_image_folder__refusals_name_what_is_wrong(tmp_path: Path) -> None:
    put(tmp_path / "flat" / "1.png")
    with pytest.raises(SourceError, match="contains images but no class folders: put each class's"):
        opened(tmp_path / "flat")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        SourceError, match="is empty: it must contain one folder of images per class"
    ):
        opened(tmp_path / "empty")
    put(tmp_path / "half" / "cat" / "1.png")
    (tmp_path / "half" / "dog").mkdir()
    with pytest.raises(SourceError, match="no images in class dog: add images, or choose other"):
        opened(tmp_path / "half")
    assert opened(tmp_path / "half", classes=("cat",)).classes == ("cat",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_image_folder__no_permission(pets: Path) -> None:
    (pets / "cat").chmod(0)
    try:
        with pytest.raises(SourceError, match="no permission to read"):
            opened(pets)
    finally:
        (pets / "cat").chmod(0o755)


def test_image_folder__links_go_round_once(pets: Path) -> None:
    (pets / "cat" / "again").symlink_to(pets / "cat")
    (pets / "cat" / "up").symlink_to(pets)
    (pets / "cat" / "out").symlink_to(put(pets.parent / "far" / "z.png").parent)
    assert ids(opened(pets, classes=("cat",))) == [
        "cat/a.png", "cat/b.png", "cat/deep/er/c.png", "cat/out/z.png",
    ]  # fmt: skip


def test_image_folder__a_name_that_is_not_text(pets: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        put(pets / "cat" / "x.png").rename(pets / "cat" / name)
    except OSError:
        pytest.skip("this filesystem takes only UTF-8 names")
    found = opened(pets, classes=("cat",))
    assert "cat/caf\\xe9.png" in ids(found)
    "".join(ids(found)).encode()
    assert all(found.read(ref).shape == (4, 6, 3) for ref in found.refs)


def test_image_folder__refs_of_others_do_not_lead_out(pets: Path) -> None:
    put(pets.parent / "secret.png")
    found = opened(pets)
    for id_ in ("../secret.png", "cat/../../secret.png", str(pets.parent / "secret.png")):
        with pytest.raises(UnreadableImage, match="outside"):
            found.read(ImageRef(id_, 0))


def test_image_folder__fingerprint_follows_the_content(pets: Path) -> None:
    def prints() -> list[str]:
        return [opened(pets).fingerprint, opened(pets, classes=("cat",)).fingerprint]

    before = prints()
    assert before == prints()
    assert before[0] != before[1]
    os.utime(pets / "dog" / "1.png", ns=(1, 1))  # a copy has other times, and is the same data
    assert before == prints()
    with (pets / "dog" / "1.png").open("ab") as file:
        file.write(b"more")
    assert [a == b for a, b in zip(before, prints(), strict=True)] == [False, True]
    put(pets / "cat" / "new.png")
    assert before[1] != prints()[1]


def test_image_folder__real_photos(test_data: Path) -> None:
    found = opened(test_data / "photos" / "imagenette224")
    assert found.classes[:3] == ("tench", "English springer", "cassette player")
    assert Counter(ref.class_index for ref in found.refs) == dict.fromkeys(range(10), 200)
    assert found.read(found.refs[0]).shape == (224, 224, 3)
    assert len(opened(test_data / "photos" / "imagenette224", split="val").refs) == 600


def test_image_folder__odd_files_are_all_accounted_for(test_data: Path) -> None:
    with pytest.raises(SourceError, match="no class folders"):
        opened(test_data / "odd" / "files")
    found = opened(test_data / "odd")
    listed = {ref.id.split("/")[1] for ref in found.refs}
    on_disk = {path.name for path in (test_data / "odd" / "files").iterdir()}
    assert on_disk - listed == {".DS_Store", "._photo.jpg", "Thumbs.db"}


# --- the class names of ImageNet ---------------------------------------------------------------


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


def test_imagenet_names__a_thousand_classes_with_first_names_that_differ() -> None:
    table = assets.imagenet_names()
    assert len(table) == 1000
    assert all(re.fullmatch("n[0-9]{8}", wnid) for wnid in table)
    assert list(table) == sorted(table)  # the order in which models number the classes
    assert len({names[0].casefold() for names in table.values()}) == 1000
    word = re.compile(r"[A-Za-z]+([-' ][A-Za-z]+)*")
    odd = {name for names in table.values() for name in names if not word.fullmatch(name)}
    assert odd == {"jack-o'-lantern", "R.V."}
    assert all(len(set(names)) == len(names) for names in table.values())


IMAGENETTE = {
    "n01440764": "tench", "n02102040": "English springer", "n02979186": "cassette player",
    "n03000684": "chain saw", "n03028079": "church", "n03394916": "French horn",
    "n03417042": "garbage truck", "n03425413": "gas pump", "n03445777": "golf ball",
    "n03888257": "parachute",
}  # fmt: skip


def test_imagenet_names__known_classes() -> None:
    table = assets.imagenet_names()
    assert {wnid: table[wnid][0] for wnid in IMAGENETTE} == IMAGENETTE
    assert table["n03126707"] == ("construction crane", "crane")
    assert table["n02113186"] == ("Cardigan Welsh corgi", "Cardigan")
    assert table["n02963159"] == ("cardigan",)
    assert table["n03710637"] == ("maillot",)
    assert table["n03710721"] == ("tank suit", "maillot")
    assert table["n04356056"][0] == "sunglasses"


def test_imagenet_names__carry_their_licence() -> None:
    stored = json.loads(assets.asset(assets.IMAGENET_CLASSES).read_text("utf-8"))
    assert stored["licence"] == "WordNet"
    assert "Copyright 2006 by Princeton University" in " ".join(stored["licence_text"])


# --- arrays ------------------------------------------------------------------------------------


def save(path: Path, **changes: object) -> Path:
    parts: dict[str, object] = {
        "images": np.arange(5 * 2 * 3 * 3, dtype=np.uint8).reshape(5, 2, 3, 3),
        "labels": np.array([1, 0, 1, 0, 1]),
        "names": np.array([b"e", b"d", b"c", b"b", b"a"]),
        "classes": np.array(["cat", "dog"]),
    }
    parts |= changes
    np.savez(path, **{key: part for key, part in parts.items() if part is not None})
    return path


def test_arrays__reads_images_by_class(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz")
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
    found = opened(save(tmp_path / "a.npz", images=gray, names=None))
    assert ids(found)[:2] == ["00000001", "00000003"]
    assert np.array_equal(found.read(found.refs[0]), np.stack([gray[1]] * 3, -1))
    alike = opened(save(tmp_path / "b.npz", names=np.array(["same"] * 5)))
    assert ids(alike)[:2] == ["00000001", "00000003"]


def test_arrays__fingerprint_follows_the_content(tmp_path: Path) -> None:
    one, other = (
        save(tmp_path / "a.npz"),
        save(tmp_path / "b.npz", labels=np.array([0, 1, 1, 0, 1])),
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
        opened(save(tmp_path / "a.npz", **changes))


class Trap:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, ("trapped",)


def test_arrays__never_unpickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a.npz", names=np.array([Trap()] * 5, dtype=object))
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
    raw = save(tmp_path / "a.npz").read_bytes()
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
    with zipfile.ZipFile(save(tmp_path / "a.npz", images=None), "a") as archive:
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


# --- toybox ------------------------------------------------------------------------------------


def test_toybox__lists_a_hundred_scenes_per_class() -> None:
    found = open_dataset("toybox", ALL)
    assert found.classes == toybox.CLASSES
    assert Counter(ref.class_index for ref in found.refs) == dict.fromkeys(range(10), 100)
    assert found.refs[12].id == f"{toybox.CLASSES[0]}/{toybox.CLASSES[0]}_00012.png"


def test_toybox__a_subset_changes_no_scene() -> None:
    name = toybox.CLASSES[7]
    every = ToyboxScenes(SourceSettings(per_class=2, scene_seed=3))
    some = ToyboxScenes(SourceSettings(per_class=1, scene_seed=3, classes=(name,)))
    (ref,) = some.refs
    assert ref == ImageRef(f"{name}/{name}_00000.png", 0)
    assert np.array_equal(some.read(ref), every.read(every.refs[14]))
    scene = some.scene(ref)
    assert np.array_equal(scene.pixels, some.read(ref))
    x, y, width, height = scene.box
    assert scene.mask[y : y + height, x : x + width].sum() == scene.mask.sum() > 0


def test_toybox__fingerprint_and_refusals() -> None:
    variants = [{}, {"scene_seed": 1}, {"per_class": 7}, {"classes": (toybox.CLASSES[1],)}]
    prints = {open_dataset("toybox", SourceSettings(**v)).fingerprint for v in variants}
    assert len(prints) == 4
    same = open_dataset("toybox", SourceSettings(per_class=100)).fingerprint
    assert same in prints
    with pytest.raises(SettingError, match="unknown class 'cow'; known are: "):
        open_dataset("toybox", SourceSettings(classes=("cow",)))
    with pytest.raises(SourceError, match="toybox has no splits"):
        open_dataset("toybox", SourceSettings(split="train"))
    for id_ in ("cow/000000", toybox.CLASSES[0], f"{toybox.CLASSES[0]}/-1"):
        with pytest.raises(UnreadableImage):
            ToyboxScenes(ALL).read(ImageRef(id_, 0))


def unrolled(counts: list[int], size: list[int]) -> np.ndarray:
    """Decode COCO's run lengths, the slow way."""
    flat = [place % 2 == 1 for place, count in enumerate(counts) for _ in range(count)]
    return np.array(flat).reshape(size[1], size[0]).T


@pytest.mark.parametrize("fill", [None, False, True])
def test_run_lengths__round_trip(fill: bool | None) -> None:
    mask = np.random.default_rng(0).random((5, 7)) > 0.5
    if fill is not None:
        mask[:] = fill
    assert np.array_equal(unrolled(run_lengths(mask), [5, 7]), mask)
    assert run_lengths(np.array([[0, 1], [0, 1], [1, 1]], bool)) == [2, 4]


def files(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_write_toybox__pictures_boxes_and_masks(tmp_path: Path) -> None:
    events = list(write_toybox(tmp_path / "a", per_class=1, seed=2))
    assert events[0] == Started("toybox", 10, "images", 0)
    assert events.count(Progress()) == 10
    assert isinstance(events[-1], Done)
    coco = json.loads((tmp_path / "a" / "boxes.json").read_text())
    assert [c["name"] for c in coco["categories"]] == list(toybox.CLASSES)
    assert coco["info"]["renderer"] == RENDERER_VERSION
    for image, box in zip(coco["images"], coco["annotations"], strict=True):
        scene = toybox.render_scene(2, box["category_id"] - 1, 0)
        assert np.array_equal(decode(tmp_path / "a" / image["file_name"]), scene.pixels)
        assert (image["width"], image["height"]) == (128, 128)
        assert tuple(box["bbox"]) == scene.box
        assert box["area"] == scene.mask.sum()
        assert np.array_equal(unrolled(**box["segmentation"]), scene.mask)
        assert box["image_id"] == image["id"]
    found = opened(tmp_path / "a")
    assert sorted(found.classes) == sorted(toybox.CLASSES)
    assert len(found.refs) == 10


def test_write_toybox__goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    list(write_toybox(whole, per_class=1))
    events = write_toybox(stopped, per_class=1)
    for _ in range(5):
        next(events)
    events.close()
    journal = stopped / ".boxes.jsonl"
    journal.write_text(journal.read_text()[:-20])  # killed in the middle of a line
    (stopped / toybox.CLASSES[0] / f".{toybox.CLASSES[0]}_00000.png.tmp").write_bytes(b"half")
    started, *rest = write_toybox(stopped, per_class=1)
    assert started.done == 3
    assert rest.count(Progress()) == 7
    again = files(stopped)
    assert again.pop(f"{toybox.CLASSES[0]}/.{toybox.CLASSES[0]}_00000.png.tmp") == b"half"
    assert again == files(whole)
    assert next(write_toybox(whole, per_class=1)) == Started("toybox", 10, "images", 10)


def test_write_toybox__finished_sets_grow_and_lost_files_come_back(tmp_path: Path) -> None:
    list(write_toybox(tmp_path / "a", per_class=1))
    before = files(tmp_path / "a")
    (tmp_path / "a" / toybox.CLASSES[3] / f"{toybox.CLASSES[3]}_00000.png").unlink()
    assert next(write_toybox(tmp_path / "a", per_class=1)).done == 9
    list(write_toybox(tmp_path / "a", per_class=1))
    assert files(tmp_path / "a") == before


def test_write_toybox__refuses_what_is_not_its_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    put(mine / toybox.CLASSES[0] / f"{toybox.CLASSES[0]}_00000.png")
    with pytest.raises(StorageError, match=r"holds other files, such as .*choose an empty folder"):
        list(write_toybox(mine, per_class=1))
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes" / "boxes.json").write_text('{"images": []}')
    with pytest.raises(StorageError, match="not the toybox's"):
        list(write_toybox(tmp_path / "boxes", per_class=1))
    list(write_toybox(tmp_path / "a", per_class=1))
    before = files(tmp_path / "a")
    with pytest.raises(StorageError, match=r"'seed': 0.*choose an empty folder, or the same seed"):
        list(write_toybox(tmp_path / "a", per_class=1, seed=1))
    assert files(tmp_path / "a") == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        list(write_toybox(tmp_path / "file", per_class=1))


def test_write_toybox__many_processes_write_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(write_toybox(tmp_path / "one", per_class=1))
    monkeypatch.setattr("dsel.data.toybox_dataset._SCENES_PER_WORKER", 4)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    list(write_toybox(tmp_path / "two", per_class=1))
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_readers__satisfy_the_protocol(pets: Path, tmp_path: Path) -> None:
    for source in (pets, save(tmp_path / "a.npz"), "toybox"):
        found = open_dataset(str(source), ALL)
        assert len(found.fingerprint) == len(fingerprint("x"))
        assert len({ref.id for ref in found.refs}) == len(found.refs)
        assert {ref.class_index for ref in found.refs} == set(range(len(found.classes)))
        assert found.read(found.refs[-1]).shape[2] == 3
        assert found.names == tuple((name,) for name in found.classes)
