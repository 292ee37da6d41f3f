"""Class names to the labels of a prior: however they are written, and what is no list of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsel.errors import PriorError, SettingError
from dsel.priors.labels import Labels, find_labels, read_labels

NAMES = [("tench", "Tinca tinca"), ("chain saw", "chainsaw"), ("church",)]


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "name", ["chain saw", "chain_saw", "Chain  Saw", "CHAINSAW", " chain_saw "]
)
def test_find__however_it_is_written(name):
    assert Labels(NAMES, 3).find(name) == 1


def test_find__no_name_is_the_null_class():
    assert Labels(NAMES, 3).find("") == 3
    assert Labels(NAMES, 0).find("") == 0


def test_find__unknown_name_has_near_ones():
    with pytest.raises(SettingError) as error:
        Labels(NAMES, 3).find("chain-saws")
    assert str(error.value) == (
        "the prior has no label 'chain-saws'; similar ones are: chainsaw, chain saw; use one "
        "of them in classes.json"
    )
    assert error.value.fields == {"name": "chain-saws", "near": ["chainsaw", "chain saw"]}


def test_find__unknown_name_that_nothing_is_near_to():
    names = [(f"thing {number}",) for number in range(9)]
    with pytest.raises(
        SettingError, match="similar ones are: thing 0, thing 1, thing 2, thing 3, thing 4;"
    ):
        Labels(names, 9).find("qqqq")


def test_find__a_first_name_is_the_label_s_own():
    """ImageNet has a polecat, and a skunk that is called polecat too."""
    for names in (
        [("polecat", "fitch"), ("skunk", "polecat")],
        [("skunk", "polecat"), ("polecat",)],
    ):
        labels = Labels(names, 2)
        assert names[labels.find("Polecat")][0] == "polecat"
        assert names[labels.find("skunk")][0] == "skunk"


@pytest.mark.parametrize(
    "names", [[("crane",), ("crane",)], [("bird", "crane"), ("machine", "crane")]]
)
def test_find__a_name_of_two_labels_is_refused(names):
    with pytest.raises(SettingError) as error:
        Labels(names, 2).find("crane")
    assert str(error.value) == (
        "labels 0 and 1 of the prior are both named 'crane': give each a name of its own with "
        "--labels"
    )


@pytest.mark.parametrize(
    "content",
    [
        ["tench, Tinca tinca", "chain saw,chainsaw", "church"],
        [["tench", "Tinca tinca"], ["chain saw", " chainsaw"], ["church"]],
        {"0": "tench, Tinca tinca", "1": "chain saw, chainsaw", "2": "church"},
        {"2": ["church"], "1": "chain saw, chainsaw, ", "0": ["tench", "Tinca tinca"]},
        {"_class_name": "DiTPipeline", "id2label": {
            "0": "tench, Tinca tinca", "1": "chain saw, chainsaw", "2": "church",
        }},
    ],
)  # fmt: skip
def test_read_labels__lists_and_numbered_names(tmp_path, content):
    assert read_labels(write(tmp_path / "names.json", content)) == NAMES


@pytest.mark.parametrize(
    "content",
    [
        {}, [], 3, "names", None, [""], ["a", ""], [[]], ["a", 3], [["a", 3]], [{"0": "a"}],
        {"a": 0}, {"1": "a"}, {"0": "a", "2": "b"}, {"0": "a", "x": "b"}, {"id2label": ["a", 3]},
        {"id2label": {}}, {"00": "a"}, {"0": {"0": "a"}},
    ],
)  # fmt: skip
def test_read_labels__what_holds_no_names(tmp_path, content):
    path = write(tmp_path / "names.json", json.dumps(content))
    with pytest.raises(PriorError) as error:
        read_labels(path)
    assert str(error.value) == (
        f'{path} has no class names: it must be a list of names in label order, or map "0", "1" '
        "... to names"
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_read_labels__in_any_encoding_of_unicode(tmp_path, encoding):
    (tmp_path / "names.json").write_text('["chât", "犬"]', encoding)
    assert read_labels(tmp_path / "names.json") == [("chât",), ("犬",)]


@pytest.mark.parametrize("content", ["", "{", "[1,", "\N{BULLET}", "[" * 100_000])
def test_read_labels__what_is_no_json(tmp_path, content):
    with pytest.raises(PriorError) as error:
        read_labels(write(tmp_path / "names.json", content))
    assert "names.json cannot be read as JSON: " in str(error.value)
    assert "\n" not in str(error.value)


def test_read_labels__other_bytes_and_no_file(tmp_path):
    (tmp_path / "names.json").write_bytes(b"\xff\xfe\x00")
    for name in ("names.json", "absent.json", "."):
        with pytest.raises(PriorError, match="cannot be read as JSON: "):
            read_labels(tmp_path / name)


def test_find_labels__the_file_given_then_the_index_then_the_list_beside_it(tmp_path):
    folder = tmp_path
    assert find_labels(folder, str(write(folder / "given.json", ["a"]))) == [("a",)]
    write(folder / "classes.json", ["b"])
    assert find_labels(folder, "") == [("b",)]
    write(folder / "model_index.json", {"_class_name": "DiTPipeline"})
    assert find_labels(folder, "") == [("b",)]
    write(folder / "model_index.json", {"id2label": {"0": "c"}})
    assert find_labels(folder, "") == [("c",)]
    assert find_labels(folder, str(folder / "given.json")) == [("a",)]


def test_find_labels__none_there(tmp_path):
    with pytest.raises(PriorError) as error:
        find_labels(tmp_path, "")
    assert str(error.value) == (
        f"{tmp_path} has no names of its labels: give --labels FILE, a JSON list of class names in "
        "label order"
    )


def test_find_labels__imagenet_in_the_order_of_its_ids(tmp_path):
    names = find_labels(tmp_path, "imagenet")
    assert len(names) == 1000
    assert [names[label][0] for label in (0, 217, 482, 497)] == [
        "tench", "English springer", "cassette player", "church",
    ]  # fmt: skip
    labels = Labels(names, null=1000)
    assert [labels.find(first) for first, *_ in names] == list(range(1000))
