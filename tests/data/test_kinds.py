"""Every kind of source: the same classes, ids and pixels as the folder that it was made of."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from support.converted import KINDS, write_photos
from support.sources import ids, opened

from dsel.config import SourceSettings
from dsel.data import open_dataset
from dsel.data.images import checksum
from dsel.types import Dataset

pytest.importorskip("datasets")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_photos(tmp_path_factory.mktemp("photos") / "p", {"n02": 5, "n01": 4, "n10": 3})
    (root / "classes.json").write_text(json.dumps({"n01": ["tench", "Tinca tinca"], "n02": "dog"}))
    return root


@pytest.fixture(scope="session")
def source_of(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Converts the photos to a kind, once."""
    made: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patches:
        import datasets

        patches.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))

        def source(kind: str) -> str:
            if kind not in made:
                made[kind] = KINDS[kind](photos, tmp_path_factory.mktemp(kind.replace(" ", "-")))
            return made[kind]

        yield source


def content(dataset: Dataset) -> list[tuple[str, int, int, str]]:
    """Everything that scoring sees of the images."""
    return [
        (ref.id, ref.class_index, dataset.orientation(ref), checksum(dataset.read(ref)))
        for ref in dataset.refs
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_open_dataset__each_kind_has_the_same_classes_ids_and_pixels(kind, source_of, photos):
    folder, found = opened(photos), open_dataset(source_of(kind), SourceSettings())
    assert found.names == folder.names
    assert found.names[0] == ("tench", "Tinca tinca")
    assert found.structure.folders == ("n01", "n02", "n10")
    assert content(found) == content(folder)
    assert {ref.id: found.orientation(ref) for ref in found.refs}["n01/n01_1.jpg"] == 6


@pytest.mark.parametrize("kind", KINDS)
def test_open_dataset__each_kind_takes_the_same_sample(kind, source_of, photos):
    for how in ({"per_class": 2}, {"per_class": 2, "sample_seed": 3}, {"classes": ("dog", "n10")}):
        settings = SourceSettings(**how)
        assert ids(open_dataset(source_of(kind), settings)) == ids(opened(photos, **how))


@pytest.mark.parametrize("kind", KINDS)
def test_open_dataset__each_kind_opens_again_by_its_origin(kind, source_of):
    first = open_dataset(source_of(kind), SourceSettings(per_class=2, sample_seed=1))
    stored = json.loads(json.dumps(first.origin))
    again = open_dataset(stored.pop("source"), SourceSettings.from_plain(stored))
    assert again.fingerprint == first.fingerprint
    assert ids(again) == ids(first)
    assert open_dataset(source_of(kind), SourceSettings(per_class=3)).fingerprint not in (
        first.fingerprint,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_open_dataset__each_kind_travels_to_another_process(kind, source_of):
    found = open_dataset(source_of(kind), SourceSettings())
    copy = pickle.loads(pickle.dumps(found))
    assert content(copy) == content(found)
