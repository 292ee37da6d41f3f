"""The public functions return what the page shows, and errors in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, get_type_hints

import gradio as gr
import numpy as np
import pytest
from support.page import PATCH_KEYS
from support.synthetic import synthetic_run

from dsel.app.public_api import functions
from dsel.app.state import AppState


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("public") / "run"
    synthetic_run(path, classes=2, per_class=5)
    return AppState(path)


def test_functions__of_a_run(state: AppState) -> None:
    classes, patches, explanation, heat_maps = functions(state)
    assert classes() == ["disc", "square"]
    first = patches("square", "patch_px=32")[0]
    assert tuple(first) == PATCH_KEYS
    assert first["box"][2:] == [32, 32]
    found = explanation("square", first["id"], "patch_px=32")
    assert found["patch"] == first
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


def test_patches__count_from_1_as_the_page(state: AppState) -> None:
    _, patches, explanation, _ = functions(state)
    found = patches("disc", "ipc=2")
    assert [one["rank"] for one in found] == [1, 2, 3, 4, 5]
    assert [one["kept"] for one in found] == [[1], [2], [], [], []]
    assert min(one["cluster"] for one in found) == 1
    assert {one["nth"] for one in found} == {1}
    shown = explanation("disc", found[1]["id"], "ipc=2")
    assert (shown["placement"]["rank"], shown["placement"]["images"]) == (2, [2])
    assert shown["sentence"].endswith("kept at IPC 2 as image 2.")
    rank, size = shown["placement"]["rank_in_cluster"], shown["placement"]["cluster_size"]
    cluster = shown["placement"]["cluster"]
    assert f"rank {rank} of {size} in cluster {cluster} of 2" in shown["sentence"]
    assert shown["place"] == 1
    assert shown["losses"]["saved"] == pytest.approx(
        1 - shown["losses"]["conditional"] / shown["losses"]["unconditional"]
    )


@pytest.mark.parametrize("page", [0, 2, -1, 999])
def test_patches__a_page_that_does_not_exist(state: AppState, page: int) -> None:
    _, patches, _, _ = functions(state)
    assert len(patches("disc", "", 1)) == 5
    with pytest.raises(gr.Error, match=f"page must be between 1 and 1 for 5 patches.*got {page}"):
        patches("disc", "", page)


@pytest.mark.parametrize("before", ["", "?", "http://127.0.0.1:7860/?", "https://x.hf.space/a?"])
def test_patches__the_link_that_the_page_copies(state: AppState, before: str) -> None:
    _, patches, _, _ = functions(state)
    link = f"{before}class=square&image=square%2F000001&tab=compare&a=ipc%3D3&patch_px=16&__theme=x"
    assert patches("disc", link)[0]["box"][2:] == [16, 16]


def test_patches__a_link_to_another_run_needs_its_token(state: AppState) -> None:
    _, patches, _, _ = functions(state)
    with pytest.raises(gr.Error, match="this app shows one run only"):
        patches("disc", "run=abc&ipc=2")


def test_explanation__of_a_banned_image_has_no_patch(state: AppState) -> None:
    *_, explanation, _ = functions(state)
    found = explanation("disc", "disc/000000", "bans=disc/000000")
    assert (found["patch"], found["placement"], found["losses"]) == (None, None, None)
    assert (found["place"], found["curve"]) == (0, [])
    assert found["sentence"] == "This image is banned, so it is never kept."


def test_functions__results_have_the_declared_keys(state: AppState) -> None:
    _, patches, explanation, heat_maps = functions(state)
    declared = {one.__name__: get_type_hints(one)["return"] for one in functions(state)}
    assert declared["classes"] == list[str]
    found: dict[str, Any] = {
        "patches": patches("disc")[0],
        "explanation": explanation("disc", "disc/000000"),
        "heat_maps": heat_maps("disc", "disc/000000"),
    }
    for name, result in found.items():
        kind = declared[name].__args__[0] if name == "patches" else declared[name]
        assert set(result) == set(get_type_hints(kind))


INFO = """
import json, sys
from pathlib import Path
from dsel.app import build_app
from dsel.app.state import AppState
print(json.dumps(build_app(AppState(Path(sys.argv[1]))).get_api_info()["named_endpoints"]))
"""


def test_functions__are_described(state: AppState) -> None:
    command = [sys.executable, "-c", INFO, str(state.first.run.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    described = json.loads(done.stdout.splitlines()[-1])
    assert set(described) == {"/classes", "/patches", "/explanation", "/heat_maps"}
    for one in described.values():
        assert len(one["description"].split()) > 5
    (returned,) = described["/patches"]["returns"]
    assert returned["type"]["items"]["properties"]["rank"] == {"type": "integer"}
    (returned,) = described["/explanation"]["returns"]
    assert returned["type"]["properties"]["sentence"] == {"type": "string"}
