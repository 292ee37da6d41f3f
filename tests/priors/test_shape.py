"""The sizes of a prior from its configuration are those of the prior that is loaded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dsel.config import PriorSettings
from dsel.errors import PriorError
from dsel.priors import load_prior
from dsel.priors.shape import PriorShape, prior_shape

SD15_UNET = {
    "_class_name": "UNet2DConditionModel", "block_out_channels": [320, 640, 1280, 1280],
    "sample_size": 64, "in_channels": 4, "cross_attention_dim": 768,
}  # fmt: skip


def stable_diffusion_15(folder: Path) -> Path:
    """The configuration of Stable Diffusion 1.5, without any weights."""
    files = {
        "model_index.json": {"_class_name": "StableDiffusionPipeline"},
        "unet/config.json": SD15_UNET,
        "vae/config.json": {"block_out_channels": [128, 256, 512, 512], "latent_channels": 4},
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("name", ["sd_v", "sdxl", "sd3", "flux_dev", "dit", "pixel_unet"])
def test_prior_shape__is_that_of_the_loaded_prior(
    family_folder: Callable[[str], Path], name: str
) -> None:
    """FLUX has no trained size in its configuration, and is asked for one."""
    px = 64 if name == "flux_dev" else 0
    settings = PriorSettings(prior=str(family_folder(name)), device="cpu", resolution_px=px)
    prior = load_prior(settings)
    sizes = (prior.resolution_px, prior.cell_px, prior.step_px)
    assert prior_shape(settings) == PriorShape(*sizes)


def test_prior_shape__known_models_and_the_demo(tmp_path: Path) -> None:
    folder = stable_diffusion_15(tmp_path / "sd15")
    assert prior_shape(PriorSettings(prior=str(folder))) == PriorShape(512, 8, 64)
    assert prior_shape(PriorSettings(prior=str(folder), resolution_px=256)).resolution_px == 256
    assert prior_shape(PriorSettings()).resolution_px == 128


def test_prior_shape__what_is_no_prior(tmp_path: Path) -> None:
    def refused(folder: Path | str) -> str:
        with pytest.raises(PriorError) as found:
            prior_shape(PriorSettings(prior=str(folder)))
        return str(found.value)

    folder = stable_diffusion_15(tmp_path / "sd15")
    assert "is not a prior: give the word demo" in refused(tmp_path / "gone")
    assert "is not a prior: it has no model_index.json" in refused(tmp_path)
    (folder / "vae/config.json").write_text("{}")
    assert "lacks 'block_out_channels'" in refused(folder)
    shutil.rmtree(folder / "unet")
    assert "unet/config.json cannot be read" in refused(folder)


def test_prior_shape__loads_no_model_library(tmp_path: Path) -> None:
    code = (
        "import sys; from dsel.config import PriorSettings; from dsel.priors.shape import *; "
        f"prior_shape(PriorSettings(prior={str(stable_diffusion_15(tmp_path))!r})); "
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
