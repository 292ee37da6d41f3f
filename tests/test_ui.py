"""The app without a browser: views are pure, handlers answer, nothing is written to the run."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from synthetic import CELL_PX, MIXED, PX, TIMESTEPS, synthetic_run

from dsel.config import ExportSettings, SelectSettings
from dsel.engine import export_selections
from dsel.errors import RunError
from dsel.explore import Explorer
from dsel.exports import zip_folder
from dsel.records import Box, ClassSelection, Frame, Patch
from dsel.runs import open_run
from dsel.settings import settings_of
from dsel.ui import build_app, views
from dsel.ui.handlers import CONTROLS, Handlers, chosen_of, select_settings

ROOT = Path(__file__).parent.parent
DEFAULTS = (64, 0, 10, list(TIMESTEPS), "positive", "score", "round-robin", 1)


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ui") / "run"
    synthetic_run(path, classes=3, per_class=60)
    return path


@pytest.fixture(scope="module")
def mixed_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of wide, square and tall pictures."""
    path = tmp_path_factory.mktemp("ui") / "mixed"
    synthetic_run(path, classes=2, per_class=15, sizes=MIXED)
    return path


@pytest.fixture
def handlers(run_path: Path) -> Handlers:
    return Handlers(Explorer(open_run(run_path)))


def _patch(image: str, rank: int = 0, group: int = 0, x: float = 32, margin: float = 0.5) -> Patch:
    box = Box(x, 16, 64, 64)
    return Patch(image, 0, box, Box(2 * x, 32, 128, 128), 0.1234, margin, group, 0.2, rank)


def _selected(count: int, groups: int = 3) -> ClassSelection:
    patches = tuple(_patch(f"cat/{n}", n, n % groups) for n in range(count))
    return ClassSelection("cat", 0, patches, tuple((n,) for n in range(count)))


def _gallery(selected: ClassSelection, chosen: str, frame: Frame) -> views.Panel:
    ids = [patch.image_id for patch in selected.patches]
    picture = np.zeros((96, 96, 3), np.uint8)
    return views.gallery(selected, dict.fromkeys(ids, picture), dict.fromkeys(ids, frame), chosen)


def _frame(width: int, height: int) -> Frame:
    return Frame(width, height, Box(0, 0, width, height), width, height)


def _image(handlers: Handlers, *values: Any) -> Any:
    return json.loads(handlers.show(*values)[2])


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _reference_zip(run_path: Path, settings: SelectSettings, folder: Path) -> bytes:
    explorer = Explorer(open_run(run_path))
    selections = [explorer.select(i, settings) for i in range(len(explorer.classes))]
    for _ in export_selections(
        explorer.run, selections, settings, folder / "set", ExportSettings()
    ):
        pass
    return zip_folder(folder / "set", folder / "set.zip").read_bytes()


def test_gallery__boxes_in_percent_and_the_chosen_one_marked() -> None:
    panel = _gallery(_selected(3), "cat/1", _frame(128, 128))
    assert [figure.box for figure in panel.figures] == [(25, 12.5, 50, 50)] * 3
    assert [figure.selected for figure in panel.figures] == [False, True, False]
    assert panel.figures[2].caption == "rank 3 · score 0.123"
    assert panel.figures[2].group == 2
    assert panel.figures[0].aspect == 1
    assert panel.note == "3 patches, best first"


def test_gallery__boxes_on_wide_and_tall_pictures() -> None:
    """A patch of 64 px at (32, 16) is a quarter of 256 px wide and half of 128 px high."""
    wide = _gallery(_selected(1), "", _frame(256, 128)).figures[0]
    assert (wide.aspect, wide.box) == (2, (12.5, 12.5, 25, 50))
    tall = _gallery(_selected(1), "", _frame(128, 160)).figures[0]
    assert (tall.aspect, tall.box) == (0.8, (25, 10, 50, 40))


def test_gallery__shows_the_best_and_says_how_many() -> None:
    panel = _gallery(_selected(120), "", _frame(128, 128))
    assert len(panel.figures) == 48
    assert panel.note == "48 of 120 patches, best first"


def test_one_image__five_pictures_losses_on_one_scale(handlers: Handlers) -> None:
    explorer = handlers.explorer
    patch = explorer.select(0, SelectSettings()).patches[0]
    row = explorer.row_of(0, patch.image_id)
    panel = views.one_image(explorer.proxy(0, row), explorer.maps(0, row), patch, 60)
    assert [figure.title for figure in panel.figures] == [
        "Image", "Conditional loss", "Unconditional loss", "Gap", "Gap over the image",
    ]  # fmt: skip
    image, conditional, unconditional, gap, over = panel.figures
    assert image.scale is None
    assert conditional.scale == unconditional.scale
    assert conditional.src != unconditional.src
    assert gap.scale is not None
    assert gap.scale.ticks[1] == "0"
    assert gap.scale.ticks[0] == "−" + gap.scale.ticks[2]
    assert over.box == image.box is not None
    facts = {fact.name: fact.value for fact in panel.facts}
    assert facts["rank"] == f"{patch.rank + 1} of 60"
    assert facts["source box"].startswith("64 × 64 px at (")


def test_show__pictures_of_many_shapes(mixed_path: Path) -> None:
    """Each picture has the aspect of what the prior saw, and its box is a square of pixels."""
    handlers = Handlers(Explorer(open_run(mixed_path)))
    scores = handlers.explorer.scores(0)
    frames = dict(zip(scores.ids, scores.frames, strict=True))
    answer = handlers.show("disc/000003", "disc", *DEFAULTS)
    gallery, image = json.loads(answer[1]), json.loads(answer[2])
    aspects = {figure["key"]: figure["aspect"] for figure in gallery["figures"]}
    assert set(aspects) == set(frames)
    assert aspects["disc/000003"] == 2
    assert len(set(aspects.values())) == 4
    shown = [*gallery["figures"], *(figure | {"key": image["note"]} for figure in image["figures"])]
    for figure in shown:
        frame = frames[figure["key"]]
        assert figure["aspect"] == pytest.approx(frame.proxy_width / frame.proxy_height, abs=1e-4)
        left, top, width, height = figure["box"]
        assert width / 100 * frame.proxy_width == pytest.approx(64, abs=0.01)
        assert height / 100 * frame.proxy_height == pytest.approx(64, abs=0.01)
        assert left + width <= 100.001 >= top + height
    assert len(image["figures"]) == 5
    assert {figure["aspect"] for figure in image["figures"]} == {2}


def test_one_image__a_flat_map_and_no_margin_are_drawn() -> None:
    flat = np.zeros((16, 16), np.float32)
    maps = views.Maps(flat, flat, flat, flat)
    patch = _patch("cat/0", margin=float("nan"))
    panel = views.one_image(np.zeros((128, 128, 3), np.uint8), maps, patch, 1)
    assert {fact.name: fact.value for fact in panel.facts}["margin"] == "—"


def test_panel__its_text_holds_no_tags() -> None:
    text = views.Panel(title="<script>alert(1)</script>").json()
    assert "<" not in text
    assert json.loads(text)["title"] == "<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (-0.5, "−0.500"), (12.34, "12.3"), (0.0, "0.00"), (float("nan"), "—")],
)
def test_number__three_digits(value: float, text: str) -> None:
    assert views.number(value) == text


def test_scatter__a_trace_per_group_and_a_ring_around_the_chosen() -> None:
    places = {f"cat/{n}": (float(n), float(-n)) for n in range(6)}
    figure = views.scatter(_selected(6), places, "cat/4")
    assert [trace.name for trace in figure.data[:3]] == ["group 0", "group 1", "group 2"]
    assert list(figure.data[1].customdata) == ["cat/1", "cat/4"]
    assert list(figure.data[3].x) == [4.0]
    assert figure.data[0].marker.color == views.colour(0)


def test_scatter__names_are_no_markup_and_many_groups_no_legend() -> None:
    selected = ClassSelection("cat", 0, tuple(_patch(f"<b>{n}", n, n) for n in range(13)), ())
    figure = views.scatter(selected, {f"<b>{n}": (0.0, 0.0) for n in range(13)}, "")
    assert figure.data[0].text[0].startswith("&lt;b&gt;0<br>")
    assert figure.layout.showlegend is False
    assert views.colour(0) == views.colour(10)
    assert figure.data[0].marker.symbol != figure.data[10].marker.symbol


def test_select_settings__reads_every_widget() -> None:
    settings = select_settings(TIMESTEPS, 72, 5, 3, [300, 200], "signed", "centroid", "pooled", 2)
    assert settings == SelectSettings(
        patch_px=72, groups=5, ipc=3, timesteps=(200, 300),
        gap="signed", within="centroid", across="pooled", factor=2,
    )  # fmt: skip


def test_select_settings__all_and_no_timesteps_are_the_default() -> None:
    everything = select_settings(TIMESTEPS, *DEFAULTS)
    nothing = select_settings(TIMESTEPS, 64, 0, 10, [], "positive", "score", "round-robin", 1)
    assert everything == nothing == SelectSettings(patch_px=64)


def test_chosen_of__keeps_an_image_of_the_class_only() -> None:
    assert chosen_of(_selected(3), "cat/2") == "cat/2"
    assert chosen_of(_selected(3), "dog/2") == "cat/0"
    assert chosen_of(ClassSelection("cat", 0, (), ()), "dog/2") == ""


def test_show__answers_and_leaves_the_run_alone(handlers: Handlers, run_path: Path) -> None:
    before = _files(run_path)
    chosen, *texts, download = handlers.show("", "square", *DEFAULTS)
    plane = texts.pop(2)
    gallery, image, preview = map(json.loads, texts)
    assert chosen == image["note"] == gallery["figures"][0]["key"]
    assert len(gallery["figures"]) == 48
    assert sum(len(trace.x) for trace in plane.data) == 60 + 1
    assert len(preview["figures"]) == 10
    assert download["visible"] is False
    assert _files(run_path) == before


def test_show__keeps_the_image_while_sliders_move(handlers: Handlers) -> None:
    first = _image(handlers, "disc/000007", "disc", *DEFAULTS)
    second = _image(handlers, "disc/000007", "disc", 32, *DEFAULTS[1:])
    assert first["note"] == second["note"] == "disc/000007"
    assert first["figures"][0]["box"][2:] == [50, 50]
    assert second["figures"][0]["box"][2:] == [25, 25]
    assert first["figures"][3]["src"] == second["figures"][3]["src"]


def test_show__timesteps_change_the_maps(handlers: Handlers) -> None:
    first = _image(handlers, "disc/000007", "disc", *DEFAULTS)
    one = (*DEFAULTS[:3], [700], *DEFAULTS[4:])
    second = _image(handlers, "disc/000007", "disc", *one)
    assert first["figures"][3]["src"] != second["figures"][3]["src"]


def test_show__preview_says_when_a_class_gives_less(handlers: Handlers) -> None:
    mosaics = (64, 4, 50, list(TIMESTEPS), "positive", "score", "round-robin", 2)
    preview = json.loads(handlers.show("", "disc", *mosaics)[4])
    assert "fewer than IPC 50" in preview["notice"]
    assert all(f["caption"].startswith("rank") for f in preview["figures"])


def test_show__a_mistake_becomes_one_readable_line(handlers: Handlers) -> None:
    with pytest.raises(gr.Error, match="unknown class 'dog'"):
        handlers.show("", "dog", *DEFAULTS)
    with pytest.raises(gr.Error, match="patch"):
        handlers.show("", "disc", 300, *DEFAULTS[1:])


def test_choose__looks_at_the_clicked_image(handlers: Handlers) -> None:
    event = gr.EventData(None, {"key": "disc/000011"})
    chosen, gallery, image, *_ = handlers.choose(event, "disc", *DEFAULTS)
    assert chosen == json.loads(image)["note"] == "disc/000011"
    marked = [figure["key"] for figure in json.loads(gallery)["figures"] if figure["selected"]]
    assert marked in (["disc/000011"], [])


def test_export__the_same_bytes_as_the_engine(
    handlers: Handlers, run_path: Path, tmp_path: Path
) -> None:
    before = _files(run_path)
    small = (48, 3, 2, [300, 400], "signed", "score", "pooled", 2)
    answers = handlers.export(*small)
    with pytest.warns(UserWarning, match="cutting from the run's proxies"):
        counts = [next(answers)[0]["value"] for _ in range(6)]
    assert counts == [f"Composing {n} of 6 images" for n in range(1, 7)]
    packed = Path(next(answers)[1]["value"])
    content = packed.read_bytes()
    assert list(answers) == []
    assert not packed.exists()
    assert content == _reference_zip(run_path, select_settings(TIMESTEPS, *small), tmp_path)
    (tmp_path / "app.zip").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "app.zip") as archive:
        assert sum(name.endswith(".png") for name in archive.namelist()) == 3 * 2
    assert _files(run_path) == before


def test_build_app__widgets_derive_from_the_settings(run_path: Path) -> None:
    async def built() -> gr.Blocks:
        return build_app(run_path)

    # Within a running event loop Gradio makes none of its own, which it would leave unclosed.
    app = asyncio.run(built())
    widgets = {block.elem_id: block for block in app.blocks.values() if block.elem_id}
    for name in CONTROLS:
        assert widgets[name].info == settings_of(SelectSettings)[name].help
    patch = widgets["patch_px"]
    assert (patch.minimum, patch.maximum, patch.step, patch.value) == (CELL_PX, PX, CELL_PX, 64)
    assert widgets["ipc"].value == SelectSettings().ipc
    assert widgets["timesteps"].value == list(TIMESTEPS)
    assert [name for name, _ in widgets["within"].choices] == ["score", "centroid"]


def test_build_app__refuses_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run"):
        build_app(tmp_path)


def test_launch_app__a_taken_port_is_one_line(run_path: Path) -> None:
    # In a process of its own: Gradio leaves an event loop behind when it cannot listen.
    code = f"""
import sys
from pathlib import Path
from dsel.errors import DselError
from dsel.ui import launch_app
try:
    launch_app(Path({str(run_path)!r}), "127.0.0.1", int(sys.argv[1]))
except DselError as error:
    print(error)
"""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = _python(code, port)
    assert said == f"port {port} cannot be listened on, it may be taken: choose another port"


def test_app__loads_no_model_libraries(run_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from dsel.explore import Explorer
from dsel.runs import open_run
from dsel.ui import build_app
from dsel.ui.handlers import Handlers
build_app(Path({str(run_path)!r}))
handlers = Handlers(Explorer(open_run(Path({str(run_path)!r}))))
for side in (64, 32):
    handlers.show("", "disc", side, *{DEFAULTS[1:]!r})
print(sorted({{"torch", "diffusers", "transformers", "umap", "ray"}} & set(sys.modules)))
"""
    assert _python(code) == "[]"


def _python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
