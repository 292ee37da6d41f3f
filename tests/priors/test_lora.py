"""LoRA weights added to a prior: as diffusers fuses them, and refused where they do not fit."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.families import _quiet, load_pipeline
from support.lazy import LazyModule

from dsel.config import PriorSettings
from dsel.errors import PriorError
from dsel.priors import load_prior
from dsel.types import Prior

loading = LazyModule("dsel.priors.loading")
lora_base = LazyModule("diffusers.loaders.lora_base")
peft = LazyModule("peft")
peft_utils = LazyModule("peft.utils")

PROMPTED = ("sd_epsilon", "sdxl", "sd3", "flux_dev")
Folders = Callable[[str], Path]


def load(folder: object, lora: object = "", **settings: object) -> Prior:
    asked = {"device": "cpu", "precision": "float32", "resolution_px": 64} | settings
    return load_prior(PriorSettings(prior=str(folder), lora=str(lora), **asked))


@pytest.fixture(scope="module")
def lora_of(family_folder: Folders, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Small LoRA weights of a family, as diffusers' training scripts save them."""
    root = tmp_path_factory.mktemp("lora")

    def saved(name: str) -> Path:
        if not (root / name).exists():
            save_lora(family_folder(name), root / name)
        return root / name / lora_base.LORA_WEIGHT_NAME_SAFE

    return saved


def save_lora(prior: Path, out: Path) -> None:
    """Of the network's attention, and of the first text encoder's."""
    pipeline = load_pipeline(prior)
    layers = {}
    for part, targets in (
        (network_of(pipeline), ["to_q", "to_v", "to_out.0"]),
        ("text_encoder", ["q_proj"]),
    ):
        model = getattr(pipeline, part)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            model.add_adapter(
                peft.LoraConfig(r=2, lora_alpha=1, target_modules=targets, init_lora_weights=False)
            )
        layers[f"{part}_lora_layers"] = peft_utils.get_peft_model_state_dict(model)
    pipeline.save_lora_weights(out, **layers)


def network_of(pipeline: Any) -> str:
    return "unet" if hasattr(pipeline, "unet") else "transformer"


def answers(prior: Prior) -> list[np.ndarray]:
    """Its conditioning, and its answer to some noised latents."""
    generator = torch.Generator().manual_seed(2)
    clean = prior.encode(np.zeros((2, 64, 64, 3), np.uint8))
    latents = clean + torch.randn(clean.shape, generator=generator)
    prompts = prior.embed(["An image of cat.", "An image of dog."])
    output = prior.predict(latents, torch.tensor([300, 600]), prompts).output
    return [output.numpy(), *(values.numpy() for values in prompts.values())]


def refusal(prior: object, lora: object) -> str:
    with pytest.raises(PriorError) as error:
        load(prior, lora)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", PROMPTED)
def test_load_prior__lora_as_diffusers_fuses_it(family_folder, lora_of, tmp_path, capfd, name):
    folder, file = family_folder(name), lora_of(name)
    pipeline = load_pipeline(folder)
    with _quiet():
        pipeline.load_lora_weights(file.parent, weight_name=file.name)
        pipeline.fuse_lora(components=[network_of(pipeline), "text_encoder"])
        pipeline.unload_lora_weights()
        pipeline.save_pretrained(tmp_path / "fused")
    capfd.readouterr()
    plain, added, fused = load(folder), load(folder, file), load(tmp_path / "fused")
    assert capfd.readouterr().err == ""
    assert added.fingerprint != plain.fingerprint
    changes = []
    for one, other, before in zip(*map(answers, (added, fused, plain)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        changes.append(np.abs(one - before).max() / np.abs(before).max())
    assert changes[0] > 0.01  # the network's answer
    assert max(changes[1:]) > 0.01  # what the first text encoder has a part in


def test_load_prior__lora_by_its_folder(family_folder, lora_of, tmp_path):
    """Under its usual name, or as the only file there."""
    folder, file = family_folder("sd_epsilon"), lora_of("sd_epsilon")
    expected = load(folder, file)
    shutil.copy(file, tmp_path / "style.safetensors")
    for place in (file.parent, tmp_path):
        found = load(folder, place)
        assert found.fingerprint == expected.fingerprint
        for one, other in zip(answers(found), answers(expected), strict=True):
            np.testing.assert_array_equal(one, other)


def test_load_prior__lora_twice_is_the_same(family_folder, lora_of):
    folder, file = family_folder("sd3"), lora_of("sd3")
    for one, other in zip(answers(load(folder, file)), answers(load(folder, file)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("prior", "lora"),
    [
        ("sdxl", "sd_epsilon"), ("sd_epsilon", "sdxl"), ("flux_dev", "sd3"), ("sd3", "flux_dev"),
        ("sd_epsilon", "sd3"), ("sd3", "sd_epsilon"),
    ],
)  # fmt: skip
def test_load_prior__lora_of_another_prior(family_folder, lora_of, capfd, prior, lora):
    file = lora_of(lora)
    capfd.readouterr()
    text = refusal(family_folder(prior), file)
    assert text.startswith(
        (
            f"{file} is LoRA of another prior: this one lacks ",
            f"{file} cannot be loaded as LoRA: it is damaged, or made for another prior (",
        )
    )
    assert capfd.readouterr().err == ""


def test_load_prior__lora_that_fits_in_part(family_folder, lora_of, tmp_path):
    """Diffusers would add what fits, and leave the rest out without a word."""
    tensors = load_file(lora_of("sd3"))
    for name in [name for name in tensors if ".to_q." in name]:
        tensors[name.replace("_blocks.0", "_blocks.9")] = tensors.pop(name)
    file = tmp_path / "lora.safetensors"
    save_file(tensors, file)
    text = refusal(family_folder("sd3"), file)
    assert text == f"{file} is LoRA of another prior: this one lacks 1 of its 12 layers"


@pytest.mark.parametrize(("name", "kind"), [("dit", "DiTPipeline"), ("pixel_unet", "DDPMPipeline")])
def test_load_prior__lora_for_what_takes_none(family_folder, lora_of, name, kind):
    with pytest.raises(PriorError) as error:
        load(family_folder(name), lora_of("sd_epsilon"), resolution_px=0)
    assert str(error.value) == f"diffusers has no LoRA for a {kind}: leave out --lora"


def test_load_prior__lora_without_peft(family_folder, lora_of, monkeypatch):
    file, pipeline = lora_of("sd_epsilon"), load_pipeline(family_folder("sd_epsilon"))
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(PriorError) as error:
        loading.add_lora(pipeline, str(file))
    assert str(error.value) == 'LoRA needs the peft library: pip install "dsel[lora]"'


@pytest.mark.parametrize("library", ["diffusers", "transformers"])
def test_load_prior__lora_with_a_peft_that_is_too_old(family_folder, lora_of, monkeypatch, library):
    """For one of the libraries that call it, each of which has its own oldest version."""
    file = lora_of("sd_epsilon")
    oldest = import_module(f"{library}.dependency_versions_table").deps
    monkeypatch.setitem(oldest, "peft", "peft>=99.1")
    text = refusal(family_folder("sd_epsilon"), file)
    assert text.startswith("LoRA needs libraries that work together (peft>=99.1 is required ")
    assert text.endswith(f'but found peft=={version("peft")}.): pip install "dsel[lora]"')


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".ckpt", ""])
def test_load_prior__pickled_lora_is_not_read(family_folder, tmp_path, suffix):
    file = tmp_path / f"lora{suffix}"
    torch.save({"lora": torch.zeros(1)}, file)
    text = refusal(family_folder("sd_epsilon"), file)
    assert (
        text
        == f"{file} is not a safetensors file: dsel reads no pickles, because they can run code"
    )


def test_load_prior__files_that_are_no_lora(family_folder, tmp_path):
    file = tmp_path / "other.safetensors"
    save_file({"up_blocks.0.weight": torch.zeros(2, 2)}, file)
    told = f"{file} cannot be loaded as LoRA: it is damaged, or made for another prior ("
    assert refusal(family_folder("sd_epsilon"), file).startswith(told)
    file.write_bytes(b"\0\0")
    assert refusal(family_folder("sd_epsilon"), file).startswith(told)


def test_load_prior__lora_that_is_not_there(family_folder, tmp_path, monkeypatch):
    folder = family_folder("sd_epsilon")
    for name in (tmp_path / "absent.safetensors", tmp_path / "absent", "x/lora.safetensors"):
        assert refusal(folder, name) == (
            f"{str(name)!r} does not exist: give the safetensors file of LoRA weights, its folder, "
            "or a Hub id such as owner/name"
        )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert refusal(folder, "owner/lora").startswith("owner/lora is not on this machine, ")


def test_load_prior__folder_with_no_lora_or_several(family_folder, tmp_path):
    folder = family_folder("sd_epsilon")
    text = refusal(folder, tmp_path)
    assert text == f"{tmp_path} must contain one safetensors file of LoRA weights, has none"
    for name in ("a", "b"):
        save_file({"x": torch.zeros(1)}, tmp_path / f"{name}.safetensors")
    assert refusal(folder, tmp_path).endswith("has several of them: a.safetensors, b.safetensors")
