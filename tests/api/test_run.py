"""Explanations and tables as a notebook shows them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.synthetic import synthetic_run

import dsel


@pytest.fixture
def run(tmp_path: Path) -> dsel.Run:
    path = tmp_path / "run"
    synthetic_run(path, classes=2, per_class=6)
    return dsel.open_run(path)


def test_explain__a_picture_and_the_sentence_of_the_app(run: dsel.Run) -> None:
    image_id = run.image_ids[3]
    shown = run.explain(image_id, patch_px=32)
    assert run.explain(image_id.replace("/", "\\"), patch_px=32).image_id == image_id
    with Image.open(io.BytesIO(shown._repr_png_())) as picture:
        assert picture.format == "PNG"
        assert picture.width > 2 * picture.height
        assert np.asarray(picture.convert("L")).std() > 10
    sentence = run.explorer.explanation(0, image_id, dsel.SelectSettings(patch_px=32)).sentence
    assert repr(shown) == f"{image_id}: {sentence}"


def test_explain__saved(run: dsel.Run, tmp_path: Path) -> None:
    run.explain(run.image_ids[0]).save(tmp_path / "why.svg")
    assert "<svg" in (tmp_path / "why.svg").read_text("utf-8")


def test_explain__an_unknown_image(run: dsel.Run) -> None:
    with pytest.raises(dsel.SettingError, match=r"unknown image 'x': ids look like "):
        run.explain("x")


def test_to_pandas__a_row_per_patch(run: dsel.Run) -> None:
    selection = dsel.select(run, patch_px=32, ipc=2, progress=False)
    table = selection.to_pandas()
    assert len(table) == len(selection.patches) == 12
    assert table.groupby("class_name").kept.sum().tolist() == [2, 2]
    first, patch = table.iloc[0], selection.patches[0]
    assert (first.image_id, first["rank"]) == (patch.image_id, 0)
    assert (first.x, first.y, first.width) == (
        patch.source_box.x, patch.source_box.y, patch.source_box.width,
    )  # fmt: skip
    assert (first.cut_x, first.cut_width) == (patch.cut_box.x, patch.cut_box.width)
    assert (first.score, first.picture_score) == (patch.score, patch.picture_score)


def test_images__the_pixels_of_the_export(run: dsel.Run, tmp_path: Path) -> None:
    selection = dsel.select(run, patch_px=32, ipc=2, progress=False)
    dsel.export(selection, tmp_path / "out", progress=False)
    written = sorted((tmp_path / "out" / "train").rglob("*.png"))
    images = selection.images()
    assert len(images) == len(written) == 4
    for image, path in zip(images, written, strict=True):
        with Image.open(path) as exported:
            np.testing.assert_array_equal(np.asarray(image), np.asarray(exported))


def test_selection__a_contact_sheet(run: dsel.Run) -> None:
    selection = dsel.select(run, patch_px=32, ipc=2, progress=False)
    sheet = selection._repr_png_()
    assert sheet is not None
    with Image.open(io.BytesIO(sheet)) as picture:
        assert picture.size == (2 * 66, 2 * 66)


@pytest.mark.slow
def test_notebook__shows_a_picture(run: dsel.Run) -> None:
    nbformat = pytest.importorskip("nbformat")
    execute = pytest.importorskip("nbconvert.preprocessors").ExecutePreprocessor
    code = f"import dsel\ndsel.open_run({str(run.path)!r}).explain({run.image_ids[0]!r})"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    execute(timeout=300, kernel_name="python3").preprocess(notebook)
    (output,) = notebook.cells[0].outputs
    assert output["data"]["image/png"]
    assert run.image_ids[0] in output["data"]["text/plain"]
