"""The small pipelines and their plain scoring: sound enough to check the adapters against."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.families import CLASS_NAMES, DIT_CLASSES, FAMILIES, latent_shape, load_pipeline
from support.lazy import LazyModule
from support.reference import (
    _by_diffusion,
    _by_flow,
    clean_latent,
    flow_sigma,
    flux_shift,
    reference_maps,
)

diffusers = LazyModule("diffusers")

Build = Callable[[str], Path]
Call = tuple[tuple[Any, ...], dict[str, Any]]

PROMPTED = ("sd_epsilon", "sd_v", "sdxl", "sd3", "sd3_no_t5", "flux_schnell", "flux_dev")
CONDITIONS = {
    "sd_epsilon": {"encoder_hidden_states"},
    "sd_v": {"encoder_hidden_states"},
    "sdxl": {"encoder_hidden_states", "text_embeds", "time_ids"},
    "sd3": {"encoder_hidden_states", "pooled_projections"},
    "sd3_no_t5": {"encoder_hidden_states", "pooled_projections"},
    "flux_schnell": {"encoder_hidden_states", "pooled_projections", "img_ids", "txt_ids"},
    "flux_dev": {"encoder_hidden_states", "pooled_projections", "img_ids", "txt_ids", "guidance"},
    "dit": {"class_labels"},
    "dit_of_old": {"class_labels"},
    "pixel_unet": {"class_labels"},
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds a family, once; leave its folder as it is."""
    root = tmp_path_factory.mktemp("families")

    def folder_of(name: str) -> Path:
        return root / name if (root / name).exists() else FAMILIES[name](root / name)

    return folder_of


def picture(name: str) -> np.ndarray:
    """Noise, wider than high where the family takes that."""
    size = (64, 64) if name.startswith("dit") else (64, 96)
    return np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)


def some_noise(name: str, steps: int, draws: int) -> torch.Tensor:
    height, width, _ = picture(name).shape
    shape = (steps, draws, *latent_shape(name, height, width))
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def maps(name: str, folder: Path, which: int = 0, **changed: Any) -> list[np.ndarray]:
    settings = {"timesteps": (50, 600), "noise": some_noise(name, 2, 2)} | changed
    class_name = CLASS_NAMES[name][which]
    return list(reference_maps(name, folder, picture(name), class_name, **settings))


def modules(pipeline: Any) -> Iterator[torch.nn.Module]:
    return (part for part in pipeline.components.values() if isinstance(part, torch.nn.Module))


def overhear(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """A list that will hold each call of the pipeline's network."""
    network, calls = pipeline.components.get("unet") or pipeline.transformer, []
    forward = network.forward

    def listening(*inputs: Any, **named: Any) -> Any:
        calls.append((inputs, named))
        return forward(*inputs, **named)

    monkeypatch.setattr(network, "forward", listening)
    monkeypatch.setattr("support.reference.load_pipeline", lambda _folder: pipeline)
    return calls


def noised(call: Call) -> torch.Tensor:
    return call[0][0] if call[0] else call[1]["hidden_states"]


def time_of(call: Call) -> torch.Tensor:
    return call[0][1] if call[0] else call[1]["timestep"]


def conditions(call: Call) -> dict[str, torch.Tensor]:
    """The tensors of a call, but for the noised latent and its time."""
    named = call[1] | (call[1].get("added_cond_kwargs") or {})
    tensors = {key: value for key, value in named.items() if isinstance(value, torch.Tensor)}
    return {
        key: value for key, value in tensors.items() if key not in ("hidden_states", "timestep")
    }


def with_condition(call: Call, key: str, value: torch.Tensor) -> Call:
    inputs, named = call
    added = named.get("added_cond_kwargs") or {}
    changed = {"added_cond_kwargs": added | {key: value}} if key in added else {key: value}
    return inputs, named | changed


@torch.no_grad()
def answer(network: torch.nn.Module, call: Call) -> torch.Tensor:
    output = network(*call[0], **call[1])
    return output[0] if isinstance(output, tuple) else output.sample


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


@pytest.mark.parametrize("name", FAMILIES)
def test_build__small_and_the_same_again(built, tmp_path, name):
    before = torch.random.get_rng_state()
    folder = FAMILIES[name](tmp_path / "again")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert digest(folder) == digest(built(name))
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 8e6
    assert not [*folder.rglob("*.bin"), *folder.rglob("*.pt"), *folder.rglob("*.msgpack")]


@pytest.mark.parametrize("name", FAMILIES)
def test_build__loads_by_its_own_class(built, name):
    folder = built(name)
    index = json.loads((folder / "model_index.json").read_text())
    # diffusers asks that an absent T5 be named.
    absent = {"text_encoder_3": None, "tokenizer_3": None} if name == "sd3_no_t5" else {}
    kind = getattr(diffusers, index["_class_name"])
    pipeline = kind.from_pretrained(folder, use_safetensors=True, local_files_only=True, **absent)
    for module in modules(pipeline):
        assert not module.training
        for parameter in module.parameters():
            assert parameter.dtype == torch.float32
            assert parameter.any()


def test_load_pipeline__t5_absent_or_there(built):
    assert load_pipeline(built("sd3_no_t5")).text_encoder_3 is None
    assert load_pipeline(built("sd3")).text_encoder_3 is not None


def test_build_dit__labels_come_back(built):
    for name in ("dit", "dit_of_old"):
        pipeline = load_pipeline(built(name))
        assert type(pipeline.transformer).__name__ == "DiTTransformer2DModel"
        assert pipeline.transformer.config.num_embeds_ada_norm == len(DIT_CLASSES)
        assert pipeline.get_label_ids(["tench", "Tinca tinca", "chainsaw"]) == [0, 0, 3]


@pytest.mark.parametrize("name", PROMPTED)
def test_tokenizers__tell_prompts_apart(built, name):
    pipeline = load_pipeline(built(name))
    prompts = ("An image of cat.", "An image of dog.", "An image of .", "", "Zebra")
    for part, tokenizer in pipeline.components.items():
        if part.startswith("tokenizer") and tokenizer is not None:
            rows = [tuple(tokenizer(prompt).input_ids) for prompt in prompts]
            assert len(set(rows)) == len(prompts)
            assert max(max(row) for row in rows) < len(tokenizer)


@pytest.mark.parametrize("name", PROMPTED)
def test_reference_maps__asks_the_network_as_the_pipeline_does(built, monkeypatch, name):
    pipeline = load_pipeline(built(name))
    calls = overhear(pipeline, monkeypatch)
    length = {"flux_schnell": {"max_sequence_length": 256}}.get(name, {})
    generator = torch.Generator().manual_seed(0)
    pipeline.set_progress_bar_config(disable=True)
    pipeline(
        prompt="An image of cat.", height=64, width=96, guidance_scale=1.0, num_inference_steps=1,
        generator=generator, output_type="latent", **length,
    )  # fmt: skip
    theirs = calls[0]
    step = 999 if conditions(theirs).keys() >= {"pooled_projections"} else int(time_of(theirs))
    maps(name, built(name), timesteps=(step,), noise=some_noise(name, 1, 1))
    ours = calls[1]
    assert time_of(ours).flatten().tolist() == time_of(theirs).flatten().tolist()
    assert len(theirs[0]) == len(ours[0])
    assert theirs[1].keys() == ours[1].keys()
    assert conditions(theirs).keys() == conditions(ours).keys() == CONDITIONS[name]
    for key, value in conditions(theirs).items():
        torch.testing.assert_close(conditions(ours)[key], value, rtol=0, atol=0)
    assert noised(theirs).shape == noised(ours).shape
    assert noised(theirs).dtype == noised(ours).dtype


@pytest.mark.parametrize("name", FAMILIES)
def test_network__heeds_every_condition(built, monkeypatch, name):
    pipeline = load_pipeline(built(name))
    calls = overhear(pipeline, monkeypatch)
    maps(name, built(name))
    named, null = calls[:2]
    network = pipeline.components.get("unet") or pipeline.transformer
    before = answer(network, named)
    assert conditions(named).keys() == CONDITIONS[name]
    for key, value in conditions(named).items():
        other = conditions(null)[key]
        if torch.equal(other, value):  # not of the prompt: the picture's size, or a guidance
            other = value + torch.arange(1.0, 1.0 + value.numel()).reshape(value.shape)
        change = (answer(network, with_condition(named, key, other)) - before).std() / before.std()
        assert change > 0.01, key


@pytest.mark.parametrize("name", FAMILIES)
def test_reference_maps__finite_and_of_the_class(built, name):
    folder = built(name)
    conditional, gap = maps(name, folder)
    height, width, _ = picture(name).shape
    assert conditional.shape == gap.shape == (2, *latent_shape(name, height, width)[1:])
    assert np.isfinite(conditional).all()
    assert np.isfinite(gap).all()
    assert (conditional > 0).all()
    for step in range(2):
        assert np.abs(gap[step]).mean() > 1e-3 * conditional[step].mean()
    other_conditional, other_gap = maps(name, folder, which=1)
    # The null loss is the same, so what the conditional loses, the gap gains.
    np.testing.assert_allclose(conditional + gap, other_conditional + other_gap, rtol=1e-12)
    assert np.abs(gap - other_gap).max() > 1e-3


@pytest.mark.parametrize("name", ["sd_v", "flux_dev"])
def test_reference_maps__mean_over_draws(built, name):
    noise = some_noise(name, 2, 2)
    both = maps(name, built(name), noise=noise)
    first, second = (maps(name, built(name), noise=noise[:, [draw]]) for draw in range(2))
    for whole, one, two in zip(both, first, second, strict=True):
        np.testing.assert_allclose(whole, (one + two) / 2, rtol=1e-9, atol=1e-12)


def test_reference_maps__empty_prompt_of_sdxl_is_zeros(built, monkeypatch):
    pipeline = load_pipeline(built("sdxl"))
    calls = overhear(pipeline, monkeypatch)
    maps("sdxl", built("sdxl"), null_prompt="")
    for key in ("encoder_hidden_states", "text_embeds"):
        assert conditions(calls[0])[key].any()
        assert not conditions(calls[1])[key].any()


def test_reference_maps__old_dit_is_the_same(built):
    for new, old in zip(maps("dit", built("dit")), maps("dit", built("dit_of_old")), strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize("name", FAMILIES)
def test_clean_latent__spread_and_shape(built, name):
    latent = clean_latent(load_pipeline(built(name)), picture(name))
    assert latent.shape == (1, *latent_shape(name, *picture(name).shape[:2]))
    assert latent.dtype == torch.float32
    assert 0.3 < latent.std() < 3


def test_clean_latent__pixels_by_hand(built):
    pixels = np.array([[[0, 51, 255]]], dtype=np.uint8)
    latent = clean_latent(load_pipeline(built("pixel_unet")), pixels)
    torch.testing.assert_close(latent.flatten(), torch.tensor([-1.0, -0.6, 1.0]))


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_sigma__static_is_the_training_table(shift):
    table = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift).sigmas.flip(0)  # of t = 0 to 999
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    for timestep in (0, 250, 999):
        sigma = flow_sigma(scheduler, timestep)
        torch.testing.assert_close(sigma[0], table[timestep])
        base = (timestep + 1) / 1000
        assert sigma.item() == pytest.approx(shift * base / (1 + (shift - 1) * base), rel=1e-6)


def test_flow_sigma__dynamic_by_hand(built):
    pipeline = load_pipeline(built("flux_dev"))
    mu = flux_shift(pipeline)
    assert mu == pytest.approx(0.5 + (16 - 256) * 0.65 / 3840)  # 4 x 4 tokens of 16 px
    assert flux_shift(pipeline, resolution_px=1024) == pytest.approx(1.15)
    sigma = flow_sigma(pipeline.scheduler, 249, mu).item()
    assert sigma == pytest.approx(math.exp(mu) / (math.exp(mu) + (1 / 0.25 - 1)), rel=1e-6)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_by_diffusion__a_perfect_network_finds_the_noise(kind):
    scheduler = diffusers.DDPMScheduler(prediction_type=kind)
    clean, eps = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(1))

    def network(_noised: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        v = scheduler.get_velocity(clean, eps, timestep)
        return eps if kind == "epsilon" else v

    for timestep in (10, 500, 990):
        torch.testing.assert_close(_by_diffusion(scheduler, network)(clean, eps, timestep), eps)


def test_by_flow__a_perfect_network_finds_the_noise():
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    clean, eps = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    estimate = _by_flow(scheduler, lambda _noised, _sigma: eps - clean, None)
    for timestep in (10, 500, 999):
        torch.testing.assert_close(estimate(clean, eps, timestep), eps)
