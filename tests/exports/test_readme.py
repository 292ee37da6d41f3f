"""The README.md of an export: its lines train from the set."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from support.toyset import SMALL, finish, scored_run, write_pictures

import dsel
from dsel.config import ExportSettings, SelectSettings
from dsel.pipeline.export import export

MOSAIC = SelectSettings(ipc=2, clusters=1, factor=2, per_image=4)


@pytest.fixture
def text_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Export a selection to OUT in the current folder; returns the README's text."""
    source = write_pictures(tmp_path / "pictures", {"cat": 4, "dog": 4})
    monkeypatch.chdir(tmp_path)

    def exported(select: SelectSettings, image_px: int = 0) -> str:
        run = scored_run(source, tmp_path / "run", chosen=select)
        finish(export(run, tmp_path / "OUT", ExportSettings(image_px=image_px)))
        return (tmp_path / "OUT/README.md").read_text("utf-8")

    return exported


def blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_readme__says_what_the_set_is(text_of):
    single = text_of(SMALL)
    assert "Images of 32 x 32 px in 2 classes, at most 2 per class" in single
    assert "mosaic" not in single
    assert max(map(len, single.splitlines())) <= 120


def test_readme__of_mosaics_says_to_unpack_them(text_of):
    assert "a mosaic of 2 x 2 tiles, and each tile is a training image" in text_of(MOSAIC)


@pytest.mark.parametrize(("select", "images"), [(SMALL, 4), (MOSAIC, 16)])
def test_readme__the_lines_with_dsel_train(text_of, select, images):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2))
    names: dict[str, object] = {"model": model}
    exec(blocks(text_of(select))[0], names)
    assert names["images"].shape == (images, 3, 32, 32)
    assert torch.isfinite(names["loss"])


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("image_px", [32, 33])
def test_readme__the_lines_without_dsel_read_the_same_tiles(text_of, image_px):
    names: dict[str, object] = {}
    exec(blocks(text_of(MOSAIC, image_px))[1], names)
    tiles = np.stack([np.asarray(image) for image, _ in names["tiles"]])
    ours = dsel.torch_dataset("OUT")
    assert tiles.shape == (len(ours), image_px, image_px, 3)
    for pixels, (image, _) in zip(tiles, ours, strict=True):
        # Pillow's default filter is bicubic, that of dsel Lanczos
        assert np.abs(pixels / 255 - image.permute(1, 2, 0).numpy()).mean() < 0.03
    assert [label for _, label in names["tiles"]] == ["cat"] * 8 + ["dog"] * 8


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_readme__the_lines_without_dsel_read_single_images(text_of):
    names: dict[str, object] = {}
    exec(blocks(text_of(SMALL))[1], names)
    assert [(image.size, label) for image, label in names["images"]] == [
        ((32, 32), name) for name in ("cat", "cat", "dog", "dog")
    ]
