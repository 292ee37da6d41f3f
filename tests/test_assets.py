"""The files that ship with dsel."""

from __future__ import annotations

import json
import re

from support.sources import IMAGENETTE

from dsel import assets


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
