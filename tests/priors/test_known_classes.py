"""The classes that a prior was trained on, as its own folder names them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dsel.assets import DEMO_PRIOR, asset
from dsel.data.toybox import CLASSES
from dsel.priors.known_classes import (
    TRAINED_ON,
    known_classes,
    unknown_classes,
    write_known_classes,
)
from dsel.priors.weights import weights_fingerprint


def test_known_classes__of_the_demo_prior() -> None:
    assert known_classes("demo") == CLASSES
    assert known_classes(str(asset(DEMO_PRIOR))) == CLASSES


def test_known_classes__where_nothing_is_named(tmp_path: Path) -> None:
    assert known_classes(str(tmp_path)) == known_classes("owner/name") == ()
    for content in ("", "[]", '{"classes": 3}', "{}"):
        (tmp_path / TRAINED_ON).write_text(content)
        assert known_classes(str(tmp_path)) == ()


def test_write_known_classes__round_trip(tmp_path: Path) -> None:
    write_known_classes(tmp_path, ["cat", "rubber duck"])
    assert known_classes(str(tmp_path)) == ("cat", "rubber duck")


@pytest.mark.parametrize(
    ("classes", "unknown"),
    [(("cat",), []), (("Rubber_Duck", "fish", "CAT"), ["fish"]), ((), [])],
)
def test_unknown_classes__whatever_their_case(classes: tuple[str, ...], unknown: list[str]) -> None:
    assert unknown_classes(classes, ("cat", "rubber duck")) == unknown


def test_weights_fingerprint__what_a_prior_was_trained_on_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "prior"
    shutil.copytree(asset(DEMO_PRIOR), folder)
    before = weights_fingerprint(folder)
    (folder / TRAINED_ON).unlink()
    assert weights_fingerprint(folder) == before
