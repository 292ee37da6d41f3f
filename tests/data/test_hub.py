"""Hugging Face datasets: spellings, splits, columns by feature, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from support.converted import image_table, write_photos
from support.sources import ids, opened

from dsel.config import SourceSettings
from dsel.data import hub, open_dataset
from dsel.data.hub import open_hub
from dsel.errors import DselError, UnreadableImage

datasets = pytest.importorskip("datasets")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    return image_table(write_photos(tmp_path_factory.mktemp("hub") / "p", {"cat": 3, "dog": 2}))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def saved(path: Path, **splits: pa.Table) -> Path:
    parts = {name: datasets.Dataset(one) for name, one in splits.items()}
    datasets.DatasetDict(parts).save_to_disk(str(path))
    return path


def refusal(source: Path | str, **settings: object) -> str:
    with pytest.raises(DselError) as error:
        opened(source, **settings)
    return str(error.value)


def test_saved__splits(tmp_path, table):
    path = saved(tmp_path / "s", train=table, validation=table.slice(3))
    assert len(ids(opened(path))) == 5
    assert ids(opened(path, split="val")) == ["dog/dog_0.png", "dog/dog_1.jpg"]
    assert opened(path, split="val").structure.notes == (
        "no image is of the classes cat: they are left out",
    )
    assert opened(path).origin["split"] == "train"
    line = "unknown split 'test'; known are: train, validation"
    assert refusal(path, split="test") == line
    other = saved(tmp_path / "o", validation=table, test=table)
    assert refusal(other) == f"{other} has the splits test, validation: choose one with --split"


def test_saved__columns_by_feature(tmp_path, table):
    image = {"image": table.column("image"), "label": table.column("label")}
    label = datasets.ClassLabel(names=["pet"])
    features = datasets.Features(image=datasets.Image(), label=label, coarse=label)
    both = pa.table({**image, "label": [0] * 5, "coarse": [0] * 5}, features.arrow_schema)
    path = saved(tmp_path / "s", train=both)
    assert refusal(path) == (
        f"{path} has several columns of labels: choose one with --label-column (label, coarse)"
    )
    assert opened(path, label_column="coarse").classes == ("pet",)


def test_saved__a_path_outside_is_not_read(tmp_path, table, cache):
    """Not even if it is a picture; files of the dataset's own folder and of downloads are."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(table.column("image")[0].as_py()["bytes"])
    images = [{"bytes": None, "path": str(secret)}, table.column("image")[1].as_py()]
    features = datasets.Features(image=datasets.Image(), label=datasets.Value("string"))
    made = datasets.Dataset(pa.table({"image": images, "label": ["a", "a"]}, features.arrow_schema))
    found = open_hub_of(made, (tmp_path / "elsewhere",))
    with pytest.raises(UnreadableImage, match="is outside of the dataset"):
        found(0)
    assert found(1) == images[1]["bytes"]
    assert open_hub_of(made, (tmp_path,))(0) == secret.resolve()


def open_hub_of(made, folders):
    return hub._Images(made.with_format("arrow"), "image", True, folders).fetch


def test_clone__of_several_subsets(tmp_path, table):
    import pyarrow.parquet as pq

    root = tmp_path / "clone"
    lines = []
    for name in ("small", "large"):
        (root / name).mkdir(parents=True)
        pq.write_table(table, root / name / "train.parquet")
        lines.append(f"- config_name: {name}\n  data_files: {name}/*.parquet\n")
    (root / "README.md").write_text(f"---\nconfigs:\n{''.join(lines)}---\n")
    assert "choose a subset with --subset" in refusal(root)
    assert "large" in refusal(root)
    found = opened(root, subset="large")
    assert (len(found.refs), found.origin["subset"]) == (5, "large")


def loaded_from(table, monkeypatch):
    """Stand in for the Hub: what the library is asked for."""
    asked = []

    def load(name, subset=None, *, revision=None):
        asked.append((name, subset, revision))
        parts = {"train": datasets.Dataset(table), "test": datasets.Dataset(table.slice(3))}
        return datasets.DatasetDict(parts)

    monkeypatch.setattr(datasets, "load_dataset", load)
    return asked


@pytest.mark.parametrize(
    ("source", "settings", "asked", "split"),
    [
        ("hf://user/name", {}, ("user/name", None, None), "train"),
        ("hf://user/name:plain", {}, ("user/name", "plain", None), "train"),
        ("hf://user/name:plain:test", {}, ("user/name", "plain", None), "test"),
        ("hf://user/name::test", {}, ("user/name", None, None), "test"),
        ("hf://user/name@v1:plain", {"split": "test"}, ("user/name", "plain", "v1"), "test"),
        ("hf://user/na.me-1", {"subset": "a"}, ("user/na.me-1", "a", None), "train"),
    ],
)
def test_hub__spellings(table, monkeypatch, source, settings, asked, split):
    calls = loaded_from(table, monkeypatch)
    found = opened(source, **settings)
    assert calls == [asked]
    assert found.structure.split == split
    assert found.classes == (("cat", "dog") if split == "train" else ("dog",))
    stored = dict(found.origin)
    assert stored["source"] == source
    again = open_dataset(stored.pop("source"), SourceSettings.from_plain(stored))
    assert again.fingerprint == found.fingerprint


def test_hub__refused_spellings(table, monkeypatch):
    loaded_from(table, monkeypatch)
    right = "give hf://user/name, hf://user/name:subset or hf://user/name:subset:split"
    for source in ("hf://name", "hf://user/name:a:b:c", "hf://user/name/x", "hf://../name/x"):
        assert right in refusal(source)
    line = "hf://user/name::test has the split 'test': omit --split, got 'train'"
    assert refusal("hf://user/name::test", split="train") == line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            FileNotFoundError("Dataset 'a/b' doesn't exist"),
            "cannot be found, or you have no access",
        ),
        (ConnectionError("no route"), "hf://a/b cannot be loaded: no route"),
        (
            RuntimeError("Dataset scripts are no longer supported"),
            "scripts are no longer supported",
        ),
        (ValueError("Config name is missing. Pick: ['x', 'y']"), "choose a subset with --subset"),
    ],
)
def test_hub__errors_are_one_line(monkeypatch, error, line):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(datasets, "load_dataset", fail)
    assert line in refusal("hf://a/b")
    assert "\n" not in refusal("hf://a/b")


def test_hub__without_the_library(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(DselError) as error:
        open_hub("hf://a/b", SourceSettings())
    assert str(error.value) == ('hf://a/b needs the datasets library: pip install "dsel[hub]"')
