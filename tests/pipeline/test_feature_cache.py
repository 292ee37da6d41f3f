"""Features of a model, stored in the run for later selections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.stored import flip
from support.toyset import (
    SMALL,
    finish,
    scored_run,
    tree,
)

from dsel.errors import DamageError, SettingError
from dsel.pipeline.select import select
from dsel.types import Notice


class Namer:
    """Describes a picture by its mean colour, and counts how often it is asked."""

    fingerprint = "mean colour"

    def __init__(self) -> None:
        self.asked = 0

    def describe(self, pictures):
        self.asked += len(pictures)
        return np.stack([picture.mean((0, 1)) for picture in pictures]).astype(np.float32)


def test_select__a_model_has_the_threads_of_the_run(source, tmp_path):
    """Features of another number of threads would differ in their last digits."""
    run = scored_run(source, tmp_path / "run")
    run.identity = replace(run.identity, threads=3)
    before, seen = torch.get_num_threads(), set()

    class Threads(Namer):
        def describe(self, pictures):
            seen.add(torch.get_num_threads())
            return super().describe(pictures)

    finish(select(run, SMALL.replace(features="reencode"), Threads()))
    assert seen == {3}
    assert torch.get_num_threads() == before


def test_select__features_of_a_model_are_kept(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    settings, namer = SMALL.replace(features="reencode"), Namer()
    finish(select(run, settings, namer))
    assert namer.asked == 6
    once = repr(run.read_selection())  # as text, since unknown standard errors are NaN
    finish(select(run, settings.replace(clusters=1), namer))
    finish(select(run, settings))  # the model is needed no more
    assert namer.asked == 6
    assert repr(run.read_selection()) == once
    missing = (
        r"compute them with dsel select .* --patch-px 8 --features reencode --clusters 2 --ipc 2$"
    )
    with pytest.raises(SettingError, match=missing):
        finish(select(run, settings.replace(patch_px=8)))
    namer.fingerprint = "another"
    finish(select(run, settings, namer))
    assert namer.asked == 12


def test_select__a_model_is_asked_again_for_moved_boxes_only(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    settings, namer = SMALL.replace(features="reencode"), Namer()
    finish(select(run, settings, namer))
    assert namer.asked == 6
    unmoved = settings.replace(pins=("cat/02.png",), bans=("cat/01.png", "dog/00.png"))
    finish(select(run, unmoved))
    moved = unmoved.replace(moves=("cat/03.png@0,1", "cat/02.png@3,0"))
    with pytest.raises(
        SettingError, match=r"compute them with dsel select .* --moves=cat/03.png@0,1 "
    ):
        finish(select(run, moved))
    finish(select(run, moved, namer))
    assert namer.asked == 6 + 4  # of the class that the moved boxes are of
    finish(select(run, moved.replace(moves=moved.moves[::-1], bans=())))


def test_select__damaged_features_are_computed_again(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    settings, namer = SMALL.replace(features="reencode"), Namer()
    finish(select(run, settings, namer))
    whole = tree(run.path)
    path = sorted(run.path.glob("features/*/00001.safetensors"))[0]
    flip(path, -1)
    with pytest.raises(DamageError, match=r"00001\.safetensors is damaged: .*; run the same dsel"):
        finish(select(run, settings))
    events = finish(select(run, settings, namer))
    assert f"{path} is made again: its checksum does not match" in [
        event.text for event in events if isinstance(event, Notice)
    ]
    assert tree(run.path) == whole
