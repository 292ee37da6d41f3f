"""Values as JSON carries them: records, numbers, packed arrays, patches."""

from __future__ import annotations

import math

import numpy as np
from support.page import PATCH_KEYS, unpacked
from support.synthetic import MIXED, synthetic_run

from dsel.analysis.explorer import Explorer
from dsel.app.wire import packed, patch_wires, plain
from dsel.config import SelectSettings
from dsel.config.overrides import Corner
from dsel.types import Box


def test_plain__values_that_json_cannot_hold() -> None:
    assert plain({"a": (math.nan, np.float32(0.5), Box(1, 2, 3, math.inf))}) == {
        "a": [None, 0.5, {"x": 1, "y": 2, "width": 3, "height": None}]
    }


def test_packed__big_endian_and_strided_arrays() -> None:
    values = np.arange(6, dtype=">f4").reshape(2, 3)[:, ::2]
    assert np.array_equal(unpacked(dict(packed(values))), values)


def test_patch_wires__kept_pinned_moved_and_nth(tmp_path) -> None:
    explorer = Explorer(synthetic_run(tmp_path / "run", classes=1, per_class=6, sizes=MIXED))
    settings = SelectSettings(patch_px=32, per_image=2, ipc=3, pins=("disc/000002",))
    settings = settings.with_overrides(settings.overrides.move("disc/000001", Corner(5, 9)))
    selected = explorer.select(0, settings)
    wire = patch_wires(selected, explorer.scores(0), settings)
    wires = [wire(patch) for patch in selected.patches]
    assert all(tuple(one) == PATCH_KEYS for one in wires)
    assert [one["rank"] for one in wires] == list(range(len(wires)))
    assert [one["kept"] for one in wires[:4]] == [[0], [1], [2], []]
    assert [(one["id"], one["nth"]) for one in wires if one["pinned"]] == [("disc/000002", 0)]
    assert [(one["id"], one["box"]) for one in wires if one["moved"]] == [
        ("disc/000001", [5, 9, 32, 32])
    ]
    assert sorted(one["nth"] for one in wires if one["id"] == "disc/000004") == [0, 1]
    frames = dict(zip(explorer.scores(0).ids, explorer.scores(0).frames, strict=True))
    for one in wires:
        frame = frames[one["id"]]
        assert one["size"] == [frame.proxy_width, frame.proxy_height]


def test_patch_wires__a_baseline_patch_has_its_own_box_and_score(tmp_path) -> None:
    explorer = Explorer(synthetic_run(tmp_path / "run", classes=1, per_class=6))
    settings = SelectSettings(ipc=2)
    wire = patch_wires(explorer.select(0, settings), explorer.scores(0), settings)
    (chosen, *_), (whole, *_) = (
        [wire(patch) for patch in selected.patches]
        for selected in (explorer.select(0, settings), explorer.baseline(0, settings, "whole"))
    )
    assert whole["box"] == [0, 0, *whole["size"]]
    assert whole["score"] < chosen["score"]
    assert whole["margin"] is None
    same = ("id", "cluster", "rank", "nth", "kept")
    assert [whole[key] for key in same] == [chosen[key] for key in same]
