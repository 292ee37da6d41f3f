"""Values as JSON carries them: records, numbers, packed arrays, patches."""

from __future__ import annotations

import math

import numpy as np
from support.page import PATCH_KEYS, unpacked
from support.synthetic import MIXED, synthetic_run

from dsel.analysis.explorer import Explorer
from dsel.analysis.listing import Listing
from dsel.app.wire import packed, patch_wire, plain
from dsel.config import SelectSettings
from dsel.types import Box


def test_plain__values_that_json_cannot_hold() -> None:
    assert plain({"a": (math.nan, np.float32(0.5), Box(1, 2, 3, math.inf))}) == {
        "a": [None, 0.5, {"x": 1, "y": 2, "width": 3, "height": None}]
    }


def test_packed__big_endian_and_strided_arrays() -> None:
    values = np.arange(6, dtype=">f4").reshape(2, 3)[:, ::2]
    assert np.array_equal(unpacked(dict(packed(values))), values)


def test_patch_wire__of_every_patch(tmp_path) -> None:
    explorer = Explorer(synthetic_run(tmp_path / "run", classes=1, per_class=6, sizes=MIXED))
    settings = SelectSettings(patch_px=32, per_image=2, ipc=3, pins=("disc/000002",))
    views = explorer.gallery(0, settings, Listing()).rows
    frames = dict(zip(explorer.scores(0).ids, explorer.scores(0).frames, strict=True))
    for view in views:
        wire, frame = patch_wire(view), frames[view.image_id]
        assert tuple(wire) == PATCH_KEYS
        assert wire["size"] == [frame.proxy_width, frame.proxy_height]
        assert wire["box"][2:] == [32, 32]
        assert (wire["rank"], wire["kept"]) == (view.rank, list(view.kept))


def test_patch_wire__a_baseline_patch_has_its_own_box_and_score(tmp_path) -> None:
    explorer = Explorer(synthetic_run(tmp_path / "run", classes=1, per_class=6))
    settings = SelectSettings(ipc=2)
    chosen = patch_wire(explorer.distilled(0, settings)[0][0])
    whole = patch_wire(explorer.baseline_images(0, settings, "whole")[0][0])
    assert whole["box"] == [0, 0, *whole["size"]]
    assert whole["score"] < chosen["score"]
    assert whole["margin"] is None
