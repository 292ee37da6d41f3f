"""Priors: what a loaded one answers, and that a wrong one is refused in one line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toyset import QUICK, TINY, dataset_of, draw_picture, finish, tree, write_pictures

from dsel.config import ScoreSettings
from dsel.engine import score
from dsel.errors import PriorError, SettingError
from dsel.pictures import to_proxy
from dsel.priors import HUB_FILES, HUB_LEFT_OUT, find_prior, load_prior
from dsel.priors.base import choose_device, choose_precision, weights_fingerprint
from dsel.records import Prior

PLAIN = ScoreSettings(device="cpu", precision="float32")
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def prior(tiny_prior: Path) -> Prior:
    return load_prior(str(tiny_prior), PLAIN)


@pytest.fixture
def spoilt(tiny_prior: Path, tmp_path: Path) -> Path:
    """A copy of the prior, to be spoilt."""
    ignore = shutil.ignore_patterns("training", "*.png")
    return Path(shutil.copytree(tiny_prior, tmp_path / "prior", ignore=ignore))


def refusal(name: object) -> str:
    """The one line that refuses a prior."""
    with pytest.raises(PriorError) as error:
        load_prior(str(name), PLAIN)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def noised(prior: Prior, count: int = 3) -> torch.Tensor:
    proxy = to_proxy(draw_picture(0, 0, 0), prior.resolution_px, "crop").pixels
    noise = torch.randn(
        count, *prior.encode(proxy).shape, generator=torch.Generator().manual_seed(1)
    )
    return prior.encode(proxy) + noise


def test_load_prior__what_it_says_of_itself(prior, tiny_prior):
    assert (prior.resolution_px, prior.cell_px) == (TINY.resolution_px, TINY.cell_px)
    assert (prior.name, prior.precision, prior.prediction) == (
        str(tiny_prior), "float32", "epsilon",
    )  # fmt: skip
    assert prior.alphas_cumprod.shape == (1000,)
    assert prior.alphas_cumprod.dtype == torch.float32
    assert (prior.alphas_cumprod.diff() < 0).all()
    assert prior.alphas_cumprod[0] == pytest.approx(1 - 0.00085)


def test_embed__shape_and_difference(prior):
    states = prior.embed(["An image of cat.", "An image of dog.", "An image of .", ""])
    assert states.shape == (4, 24, 128)
    assert torch.isfinite(states).all()
    assert len({state.numpy().tobytes() for state in states}) == 4


def test_embed__more_words_than_tokens_are_cut(prior):
    assert prior.embed(["cat " * 500]).shape == (1, 24, 128)


def test_encode__mean_of_the_latent(prior):
    proxy = to_proxy(draw_picture(0, 0, 0), 32, "crop").pixels
    latent = prior.encode(proxy)
    assert latent.shape == (TINY.latent_channels, 8, 8)
    assert latent.dtype == torch.float32
    assert torch.equal(latent, prior.encode(proxy))  # the mean, not a sample
    assert not torch.equal(latent, prior.encode(proxy[:, ::-1].copy()))


def test_predict__shape_and_determinism(prior):
    latents, times = noised(prior), torch.tensor([10, 500, 990])
    prompts = prior.embed(["An image of cat."]).expand(3, -1, -1)
    output = prior.predict(latents, times, prompts)
    assert output.shape == latents.shape
    assert output.dtype == torch.float32
    assert output.device.type == "cpu"
    assert not output.requires_grad
    assert torch.equal(output, prior.predict(latents, times, prompts))


def test_predict__rows_do_not_touch_each_other(prior):
    latents, times = noised(prior, 4), torch.tensor([10, 300, 500, 990])
    names = ["An image of cat.", "", "An image of dog.", "An image of ."]
    prompts = prior.embed(names)
    output = prior.predict(latents, times, prompts)
    order = [2, 0, 3, 1]
    turned = prior.predict(latents[order], times[order], prompts[order])
    assert torch.allclose(turned, output[order], atol=1e-5)
    for row in range(4):
        one = slice(row, row + 1)
        alone = prior.predict(latents[one], times[one], prompts[one])
        assert torch.allclose(alone, output[one], atol=1e-5)


def test_embed__prompts_do_not_touch_each_other(prior):
    names = ["An image of cat.", "An image of dog.", ""]
    together = prior.embed(names)
    for name, state in zip(names, together, strict=True):
        assert torch.allclose(prior.embed([name])[0], state, atol=1e-5)
    assert torch.allclose(prior.embed(names[::-1]), together.flip(0), atol=1e-5)


def test_predict__the_prompt_and_the_timestep_matter(prior):
    latents, times = noised(prior, 1), torch.tensor([500])
    cat, dog = prior.embed(["An image of cat.", "An image of dog."]).split(1)
    output = prior.predict(latents, times, cat)
    assert not torch.equal(output, prior.predict(latents, times, dog))
    assert not torch.equal(output, prior.predict(latents, times - 300, cat))


def test_features__are_activations_of_up_block_one(prior):
    latents, times = noised(prior, 2), torch.tensor([161, 161])
    prompts = prior.embed(["An image of cat."]).expand(2, -1, -1)
    found = prior.features(latents, times, prompts)
    assert found.shape == (2, 32, 8, 8)
    assert found.dtype == torch.float32
    assert torch.isfinite(found).all()
    assert torch.equal(found, prior.features(latents, times, prompts))
    # The hook is gone: a prediction is what it was.
    assert prior.predict(latents, times, prompts).shape == latents.shape


def test_load_prior__twice_is_the_same(prior, tiny_prior, spoilt):
    again = load_prior(str(tiny_prior), PLAIN)
    latents, times = noised(prior, 1), torch.tensor([500])
    prompts = prior.embed(["An image of cat."])
    assert again.fingerprint == prior.fingerprint
    assert torch.equal(again.embed(["An image of cat."]), prompts)
    assert torch.equal(
        again.predict(latents, times, prompts), prior.predict(latents, times, prompts)
    )


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_load_prior__other_arithmetic_is_near(prior, tiny_prior, precision):
    other = load_prior(str(tiny_prior), replace(PLAIN, precision=precision))
    assert other.precision == precision
    assert other.fingerprint == prior.fingerprint
    latents, times = noised(prior, 1), torch.tensor([500])
    exact = prior.predict(latents, times, prior.embed(["An image of cat."]))
    rough = other.predict(latents, times, other.embed(["An image of cat."]))
    assert rough.dtype == torch.float32
    assert (exact - rough).abs().mean() < 0.05


def test_score__with_a_loaded_prior_repeats_itself(prior, tmp_path):
    source = write_pictures(tmp_path / "pictures", {"cat": 2, "dog": 2})
    settings = replace(QUICK, device="cpu", precision="float32")
    for name in ("one", "two"):
        finish(score(dataset_of(source), prior, tmp_path / name, settings))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_weights_fingerprint__follows_the_content_not_the_place(prior, tiny_prior, spoilt):
    before = weights_fingerprint(spoilt)
    assert before == weights_fingerprint(spoilt.rename(spoilt.with_name("moved")))
    weights = spoilt.with_name("moved") / UNET
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert weights_fingerprint(spoilt.with_name("moved")) != before


def test_weights_fingerprint__of_a_trained_prior_ignores_what_training_left(prior, spoilt):
    """A prior that is copied without its checkpoints is the same prior."""
    assert weights_fingerprint(spoilt) == prior.fingerprint


def test_find_prior__names_that_are_none(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("nosuchprior", "a/b/c", str(tmp_path / "absent"), str(tmp_path / "file")):
        text = refusal(name)
        assert f"{name!r} is not a prior" in text
        assert "the word demo, a folder" in text


def test_find_prior__folder(tiny_prior):
    assert find_prior(str(tiny_prior)) == tiny_prior


def test_load_prior__folder_that_is_none(tmp_path):
    assert "it has no model_index.json; give the folder that a diffusers" in refusal(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", "3", '"x"'])
def test_load_prior__index_that_names_no_class(spoilt, content):
    (spoilt / "model_index.json").write_text(content)
    assert "names no pipeline class: save the pipeline again" in refusal(spoilt)


@pytest.mark.parametrize("kind", ["FluxPipeline", "os.system", ["list"], None, 3])
def test_load_prior__unknown_pipeline(spoilt, kind):
    index = spoilt / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"_class_name": kind}))
    assert refusal(spoilt) == f"{spoilt} holds a {kind}; dsel reads StableDiffusionPipeline"


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("keep", [0, 5, 3000, -10])
def test_load_prior__cut_off_weights(spoilt, part, keep):
    weights = next((spoilt / part).glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:keep])
    assert "cannot be loaded as a Stable Diffusion pipeline" in refusal(spoilt)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_load_prior__pickled_weights_are_not_read(spoilt, part):
    """A pickle can run code; the trap says if anything opened it as one."""
    weights = next((spoilt / part).glob("*.safetensors"))
    torch.save({"weight": _Trap()}, weights.with_suffix(".bin"))
    weights.unlink()
    assert "safetensors" in refusal(spoilt)
    assert not _Trap.sprung


class _Trap:
    sprung = False

    def __reduce__(self):
        return (_spring, ())


def _spring() -> None:
    _Trap.sprung = True


@pytest.mark.parametrize(
    "name", ["unet/config.json", "vae/config.json", "text_encoder/config.json"]
)
def test_load_prior__broken_config(spoilt, name):
    (spoilt / name).write_text("{")
    assert "cannot be loaded" in refusal(spoilt)
    (spoilt / name).unlink()
    assert refusal(spoilt) == f"{spoilt} is not whole: it has no {name}"


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_load_prior__missing_part(spoilt, part):
    shutil.rmtree(spoilt / part)
    assert f"is not whole: it has no {part}/" in refusal(spoilt)


def test_load_prior__hub_id_without_network(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    text = refusal("nobody/no-such-prior")
    assert text.startswith("nobody/no-such-prior cannot be fetched from the Hub: ")


def test_find_prior__fetches_each_part_once_and_no_pickles():
    from huggingface_hub.utils import filter_repo_objects

    there = [
        "README.md", "model_index.json", "v1-5-pruned.ckpt", "v1-5-pruned.safetensors",
        "scheduler/scheduler_config.json", "tokenizer/merges.txt", "tokenizer/vocab.json",
        "unet/config.json", "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors", "vae/config.json",
        "safety_checker/config.json", "safety_checker/model.safetensors",
    ]  # fmt: skip
    fetched = filter_repo_objects(there, allow_patterns=HUB_FILES, ignore_patterns=HUB_LEFT_OUT)
    assert list(fetched) == [
        "model_index.json", "scheduler/scheduler_config.json", "tokenizer/merges.txt",
        "tokenizer/vocab.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
    ]  # fmt: skip


def test_choose_device__absent_one_is_told():
    for name in ("cuda:99", "gpu", "xpu"):
        with pytest.raises(SettingError, match=f"device '{name}' is not there; this machine has"):
            choose_device(name)
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in {"cpu", "cuda", "mps"}


def test_choose_precision__auto_and_named():
    cpu = torch.device("cpu")
    assert choose_precision("float16", cpu) is torch.float16
    assert choose_precision("auto", cpu) in {torch.bfloat16, torch.float32}


def test_encode__of_a_flat_picture_is_finite(prior):
    for value in (0, 255):
        flat = np.full((32, 32, 3), value, np.uint8)
        assert torch.isfinite(prior.encode(flat)).all()
