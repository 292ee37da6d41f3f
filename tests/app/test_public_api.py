"""The public functions return what the page shows, and errors in one line."""

from __future__ import annotations

import gradio as gr
import numpy as np
import pytest
from support.page import PATCH_KEYS
from support.synthetic import synthetic_run

from dsel.app.public_api import functions
from dsel.app.state import AppState


def test_functions__of_a_run(tmp_path) -> None:
    synthetic_run(tmp_path / "run", classes=2, per_class=5)
    classes, patches, explanation, heat_maps = functions(AppState(tmp_path / "run"))
    assert classes() == ["disc", "square"]
    first = patches("square", "patch_px=32")[0]
    assert tuple(first) == PATCH_KEYS
    assert first["box"][2:] == [32, 32]
    found = explanation("square", first["id"], "patch_px=32")
    assert {key: found["patch"][key] for key in PATCH_KEYS} == first
    assert np.array(heat_maps("disc", "disc/000000")["gap"]).shape == (16, 16)
    with pytest.raises(gr.Error, match="unknown class"):
        patches("cat")
    for call in (
        lambda link: patches("square", link),
        lambda link: explanation("square", first["id"], link),
        lambda link: heat_maps("square", first["id"], link),
    ):
        with pytest.raises(gr.Error, match="ipc must be at most 1024 for remote visitors"):
            call("ipc=2000")
        with pytest.raises(gr.Error, match="ipc must be at most 1024 for remote visitors"):
            call("clusters=10000&ipc=100000")
        with pytest.raises(gr.Error, match="ipc must be at most 1024 for remote visitors"):
            call("a=ipc%3D100000")
        with pytest.raises(gr.Error, match="link must be a text, got 3"):
            call(3)
        with pytest.raises(gr.Error, match="a link must have at most") as caught:
            call("x" * 600_000)
        assert len(str(caught.value)) < 700
    with pytest.raises(gr.Error, match="page must be a whole number, got 'x'"):
        patches("square", page="x")  # type: ignore[arg-type]
    with pytest.raises(gr.Error) as caught:
        patches("x" * 200_000)
    assert len(str(caught.value)) < 700
