"""The app's widgets and their places; what they do is in handlers.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from dsel.config import SelectSettings
from dsel.explore import Explorer
from dsel.runs import open_run
from dsel.settings import Setting, settings_of
from dsel.shipped import asset
from dsel.ui import views
from dsel.ui.handlers import Handlers

SLIDER_TOP = 200
"""The most that sliders of groups and IPC go to; classes with fewer images stop at their size."""

FACTORS = (1, 2)
EXPORT = "Export all classes"
PLANE_NOTE = "patch features (UMAP); click a point to select"
LIVE: dict[str, Any] = {
    "show_progress": "hidden", "trigger_mode": "always_last",
    # One line for all live events: answers come in the order of the moves.
    "concurrency_id": "live", "concurrency_limit": 1,
}  # fmt: skip


def build_app(run_path: Path) -> gr.Blocks:
    """Lay out the app on a finished run; raises `RunError` for any other folder."""
    explorer = Explorer(open_run(run_path))
    handlers = Handlers(explorer)
    # Files that exports leave with Gradio are looked through every 10 minutes and kept an hour.
    with gr.Blocks(
        title="dsel", analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)
    ) as app:
        _panel("header", views.header(explorer.run.identity, explorer.run.summary))
        with gr.Row(elem_id="page"):
            with gr.Column(elem_id="controls", scale=0, min_width=288):
                with gr.Column(elem_id="settings"):
                    class_name, controls = _controls(explorer)
                export = gr.Button(EXPORT, variant="primary", size="md", elem_id="export")
                download = gr.DownloadButton(visible=False, size="md", elem_id="download")
            with gr.Column(elem_id="main"):
                with gr.Row(elem_id="overview"):
                    gallery = _panel("gallery", selectable=True)
                    with gr.Column(elem_id="plane", min_width=300):
                        head = views.Panel(title="Plane", note=PLANE_NOTE)
                        plane_head = _panel("plane_head", head, scripts=("panel.js", "scatter.js"))
                        plane = gr.Plot(show_label=False, container=False, elem_id="scatter")
                image = _panel("image")
                preview = _panel("preview")
        chosen = gr.State("")
        inputs = [class_name, *controls]
        outputs = [chosen, gallery, image, plane, preview, download]
        app.load(handlers.show, [chosen, *inputs], outputs, **LIVE)
        for widget in inputs:
            widget.change(handlers.show, [chosen, *inputs], outputs, **LIVE)
        for source in (gallery, plane_head):
            source.select(handlers.choose, inputs, outputs, **LIVE)
        exporting = export.click(
            handlers.export, controls, [export, download], concurrency_limit=2,
            show_progress="minimal", show_progress_on=preview,
        )  # fmt: skip
        # Also after a failure, which must not leave the button at its last count.
        exporting.then(lambda: gr.update(value=EXPORT, interactive=True), outputs=export)
    return app


def _controls(explorer: Explorer) -> tuple[gr.Dropdown, list[Any]]:
    """The class, then the settings in the order in which `select_settings` reads them."""
    class_name = gr.Dropdown(
        list(explorer.classes), value=explorer.classes[0], label="Class", elem_id="class_name"
    )
    side, cell = explorer.geometry.resolution_px, explorer.geometry.cell_px
    largest = max(len(explorer.run.class_rows(i)) for i in range(len(explorer.classes)))
    top = max(1, min(largest, SLIDER_TOP))
    return class_name, [
        _slider("patch_px", (cell, side, cell), side // 2),
        _slider("groups", (0, top, 1)),
        _slider("ipc", (1, top, 1)),
        _timesteps(explorer.geometry.timesteps),
        _radio("gap"),
        _radio("within"),
        _radio("across"),
        _radio("factor", FACTORS),
    ]


def _slider(name: str, ends: tuple[int, int, int], value: int | None = None) -> gr.Slider:
    setting = settings_of(SelectSettings)[name]
    low, high, step = ends
    start = min(max(setting.default if value is None else value, low), high)
    return gr.Slider(low, high, start, step=step, precision=0, buttons=[], **_words(setting))


def _radio(name: str, choices: Sequence[Any] = ()) -> gr.Radio:
    setting = settings_of(SelectSettings)[name]
    return gr.Radio(list(choices or setting.choices), value=setting.default, **_words(setting))


def _timesteps(scored: Sequence[int]) -> gr.CheckboxGroup:
    setting = settings_of(SelectSettings)["timesteps"]
    return gr.CheckboxGroup(list(scored), value=list(scored), **_words(setting))


def _words(setting: Setting) -> dict[str, Any]:
    label = setting.name.replace("_", " ").replace(" px", " (px)")
    label = label.upper() if setting.name == "ipc" else label.capitalize()
    return {"label": label, "info": setting.help, "elem_id": setting.name}


def _panel(
    name: str,
    panel: views.Panel | None = None,
    scripts: Sequence[str] = ("panel.js",),
    selectable: bool = False,
) -> gr.HTML:
    """A place that assets/panel.js fills from a `views.Panel`; a click on a figure selects it."""
    return gr.HTML(
        value=panel.json() if panel else None,
        html_template="",
        js_on_load="\n".join(asset(script).read_text(encoding="utf-8") for script in scripts),
        elem_id=name,
        elem_classes=["dsel-panel"],
        apply_default_css=False,
        selectable=selectable,
    )
