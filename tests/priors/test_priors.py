"""Priors: what a loaded one answers, and that a wrong one is refused in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.families import load_pipeline
from support.lazy import LazyModule
from support.toyset import QUICK, TINY, dataset_of, draw_picture, finish, tree, write_pictures

from dsel.config import PriorSettings
from dsel.data.images import to_proxy
from dsel.errors import DselError, PriorError, SettingError
from dsel.pipeline.score import score
from dsel.priors import FAMILIES, load_prior
from dsel.types import Conditioning, Pixels, Prior

diffusers = LazyModule("diffusers")

UNET = "unet/diffusion_pytorch_model.safetensors"
Folders = Callable[[str], Path]


def load(folder: object, **settings: object) -> Prior:
    plain = {"device": "cpu", "precision": "float32"} | settings
    return load_prior(PriorSettings(prior=str(folder), **plain))


@pytest.fixture(scope="module")
def prior(tiny_prior: Path) -> Prior:
    return load(tiny_prior)


@pytest.fixture
def spoilt(tiny_prior: Path, tmp_path: Path) -> Path:
    """A copy of the prior, to be spoilt."""
    ignore = shutil.ignore_patterns("training", "*.png")
    return Path(shutil.copytree(tiny_prior, tmp_path / "prior", ignore=ignore))


def refusal(name: object, kind: type[DselError] = PriorError, **settings: object) -> str:
    """The one line that refuses a prior."""
    with pytest.raises(kind) as error:
        load(name, **settings)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def edit(path: Path, **entries: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def picture(prior: Prior, number: int = 0) -> Pixels:
    return to_proxy(draw_picture(0, 0, number), prior.resolution_px, "crop", 0).pixels


def noised(prior: Prior, count: int = 3) -> torch.Tensor:
    clean = prior.encode(picture(prior)[None])
    generator = torch.Generator().manual_seed(1)
    return clean + torch.randn(count, *clean.shape[1:], generator=generator)


def rows(conditioning: Conditioning, which: object) -> Conditioning:
    return {name: values[which] for name, values in conditioning.items()}


def test_load_prior__what_it_says_of_itself(prior, tiny_prior):
    assert (prior.resolution_px, prior.cell_px) == (TINY.resolution_px, TINY.cell_px)
    assert prior.step_px == TINY.cell_px * 2 ** (len(TINY.widths) - 1)
    assert (prior.name, prior.precision, prior.prediction, prior.reads) == (
        str(tiny_prior), "float32", "epsilon", "prompts",
    )  # fmt: skip
    assert prior.device == torch.device("cpu")


def test_load_prior__schedule(prior):
    signal, noise = prior.schedule.signal, prior.schedule.noise
    assert signal.shape == noise.shape == prior.schedule.inputs.shape == (1000,)
    assert signal.dtype == noise.dtype == torch.float32
    assert (signal.diff() < 0).all()
    torch.testing.assert_close(signal**2 + noise**2, torch.ones(1000))
    assert float(signal[0] ** 2) == pytest.approx(1 - 0.00085)
    assert prior.schedule.inputs.tolist() == list(range(1000))


def test_load_prior__the_same_again_from_its_origin(prior):
    """As a run's manifest keeps it: plain values, through JSON."""
    again = load_prior(PriorSettings(**json.loads(json.dumps(dict(prior.origin)))))
    assert (again.fingerprint, again.origin) == (prior.fingerprint, prior.origin)


def test_embed__shape_and_difference(prior):
    states = prior.embed(["An image of cat.", "An image of dog.", "An image of .", ""])["states"]
    assert states.shape == (4, 24, 128)
    assert torch.isfinite(states).all()
    assert len({state.numpy().tobytes() for state in states}) == 4


def test_embed__more_words_than_tokens_are_cut(prior):
    assert prior.embed(["cat " * 500])["states"].shape == (1, 24, 128)


def test_embed__prompts_do_not_touch_each_other(prior):
    names = ["An image of cat.", "An image of dog.", ""]
    together = prior.embed(names)["states"]
    for name, state in zip(names, together, strict=True):
        assert torch.allclose(prior.embed([name])["states"][0], state, atol=1e-5)
    assert torch.allclose(prior.embed(names[::-1])["states"], together.flip(0), atol=1e-5)


def test_encode__mean_of_the_latent(prior):
    pixels = picture(prior)[None]
    latent = prior.encode(pixels)
    assert latent.shape == (1, TINY.latent_channels, 8, 8)
    assert latent.dtype == torch.float32
    assert torch.equal(latent, prior.encode(pixels))  # the mean, not a sample
    assert not torch.equal(latent, prior.encode(pixels[:, :, ::-1].copy()))


def test_encode__pictures_do_not_touch_each_other(prior):
    pixels = np.stack([picture(prior, number) for number in range(3)])
    together = prior.encode(pixels)
    for number in range(3):
        alone = prior.encode(pixels[number : number + 1])
        torch.testing.assert_close(together[number : number + 1], alone)


def test_encode__any_multiple_of_the_step(prior):
    pixels = np.zeros((2, 40, 32, 3), np.uint8)
    assert prior.encode(pixels).shape == (2, TINY.latent_channels, 10, 8)


def test_encode__of_a_flat_picture_is_finite(prior):
    for value in (0, 255):
        flat = np.full((1, 32, 32, 3), value, np.uint8)
        assert torch.isfinite(prior.encode(flat)).all()


@pytest.mark.parametrize("name", ["sd_epsilon", "sd3", "dit"])
def test_encode__of_a_nearly_flat_picture_keeps_its_digits(family_folder, name):
    """Drawings have flat grounds, where some kernels of cluster norms cancel: against float64."""
    folder = family_folder(name)
    pixels = np.full((1, 64, 64, 3), 130, np.uint8)
    pixels[0, 20:40, 10:50] = (200, 40, 90)
    vae = load_pipeline(folder).vae.double()
    scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2).double() / 127.5 - 1
    with torch.no_grad():
        mean = vae.encode(scaled).latent_dist.mean
    exact = (mean - (vae.config.shift_factor or 0.0)) * vae.config.scaling_factor
    assert (load(folder).encode(pixels) - exact).abs().max() < 1e-5 * exact.abs().max()


def test_predict__shape_and_determinism(prior):
    latents, times = noised(prior), torch.tensor([10, 500, 990])
    prompts = rows(prior.embed(["An image of cat."]), [0, 0, 0])
    output = prior.predict(latents, times, prompts).output
    assert output.shape == latents.shape
    assert output.dtype == torch.float32
    assert output.device.type == "cpu"
    assert not output.requires_grad
    assert torch.equal(output, prior.predict(latents, times, prompts).output)


def test_predict__rows_do_not_touch_each_other(prior):
    latents, times = noised(prior, 4), torch.tensor([10, 300, 500, 990])
    prompts = prior.embed(["An image of cat.", "", "An image of dog.", "An image of ."])
    output = prior.predict(latents, times, prompts).output
    order = [2, 0, 3, 1]
    turned = prior.predict(latents[order], times[order], rows(prompts, order)).output
    assert torch.allclose(turned, output[order], atol=1e-5)
    for row in range(4):
        one = slice(row, row + 1)
        alone = prior.predict(latents[one], times[one], rows(prompts, one)).output
        assert torch.allclose(alone, output[one], atol=1e-5)


def test_predict__the_prompt_and_the_timestep_matter(prior):
    latents, times = noised(prior, 1), torch.tensor([500])
    prompts = prior.embed(["An image of cat.", "An image of dog."])
    cat, dog = rows(prompts, [0]), rows(prompts, [1])
    output = prior.predict(latents, times, cat).output
    assert not torch.equal(output, prior.predict(latents, times, dog).output)
    assert not torch.equal(output, prior.predict(latents, times - 300, cat).output)


def test_predict__features_are_activations_of_up_block_one(prior, tiny_prior):
    latents, times = noised(prior, 3), torch.tensor([161, 400, 161])
    prompts = rows(prior.embed(["An image of cat."]), [0, 0, 0])
    found = prior.predict(latents, times, prompts, tap=torch.tensor([2, 0])).features
    unet, caught = load_pipeline(tiny_prior).unet, []
    unet.up_blocks[1].register_forward_hook(lambda _block, _inputs, output: caught.append(output))
    with torch.no_grad():
        unet(latents, times, prompts["states"])
    assert found.shape == (2, 32, 8, 8)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, caught[0][[2, 0]], rtol=1e-4, atol=1e-5)


def test_load_prior__twice_is_the_same(prior, tiny_prior):
    again = load(tiny_prior)
    latents, times = noised(prior, 1), torch.tensor([500])
    prompts = prior.embed(["An image of cat."])
    assert again.fingerprint == prior.fingerprint
    assert torch.equal(again.embed(["An image of cat."])["states"], prompts["states"])
    assert torch.equal(
        again.predict(latents, times, prompts).output, prior.predict(latents, times, prompts).output
    )


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_load_prior__other_arithmetic_is_near(prior, tiny_prior, precision):
    other = load(tiny_prior, precision=precision)
    assert other.precision == precision
    assert other.fingerprint == prior.fingerprint
    latents, times = noised(prior, 1), torch.tensor([500])
    exact = prior.predict(latents, times, prior.embed(["An image of cat."])).output
    rough = other.predict(latents, times, other.embed(["An image of cat."])).output
    assert rough.dtype == torch.float32
    assert (exact - rough).abs().mean() < 0.05


def test_score__with_a_loaded_prior_repeats_itself(prior, tmp_path):
    source = write_pictures(tmp_path / "pictures", {"cat": 2, "dog": 2})
    for name in ("one", "two"):
        finish(score(dataset_of(source), prior, tmp_path / name, QUICK))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_load_prior__a_copy_without_checkpoints_is_the_same(prior, spoilt):
    """What training left in the folder is no part of the prior."""
    assert load(spoilt).fingerprint == prior.fingerprint


def test_load_prior__folder_that_is_none(tmp_path):
    assert "it has no model_index.json; give the folder" in refusal(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", "3", '"x"'])
def test_load_prior__index_that_names_no_class(spoilt, content):
    (spoilt / "model_index.json").write_text(content)
    assert "names no pipeline class: save the pipeline again" in refusal(spoilt)


@pytest.mark.parametrize("kind", ["AudioLDMPipeline", "os.system", ["list"], None, 3])
def test_load_prior__unknown_pipeline(spoilt, kind):
    edit(spoilt / "model_index.json", _class_name=kind)
    assert refusal(spoilt) == (
        f"{spoilt} contains a {kind}; dsel reads {', '.join(FAMILIES)}; choose one of them with "
        "--family if it is compatible"
    )


def test_load_prior__family_that_was_asked_for(prior, spoilt):
    """A pipeline for another task, with the parts of one that is known."""
    edit(spoilt / "model_index.json", _class_name="StableDiffusionInpaintPipeline")
    found = load(spoilt, family="stable-diffusion")
    latents, times = noised(prior, 1), torch.tensor([500])
    prompts = prior.embed(["An image of cat."])
    expected = prior.predict(latents, times, prompts).output
    assert torch.equal(found.predict(latents, times, prompts).output, expected)


@pytest.mark.parametrize("family", ["sdxl", "sd3", "flux", "dit"])
def test_load_prior__family_that_does_not_fit(spoilt, family):
    assert f"{spoilt} is incomplete: it has no " in refusal(spoilt, family=family)


def test_load_prior__ddim_is_a_pixel_unet_too(family_folder, tmp_path):
    unet = load_pipeline(family_folder("pixel_unet")).unet
    diffusers.DDIMPipeline(unet=unet, scheduler=diffusers.DDIMScheduler()).save_pretrained(
        tmp_path / "ddim"
    )
    names = ["cat", "dog", "bird"]
    (tmp_path / "ddim" / "classes.json").write_text(json.dumps(names))
    one, other = load(tmp_path / "ddim"), load(family_folder("pixel_unet"))
    pixels = draw_picture(0, 0, 0)[None, :32, :32].copy()
    latents, times = one.encode(pixels), torch.tensor([300])
    torch.testing.assert_close(
        one.predict(latents, times, one.embed(["dog"])).output,
        other.predict(latents, times, other.embed(["dog"])).output,
    )


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("keep", [0, 5, 3000, -10])
def test_load_prior__cut_off_weights(spoilt, part, keep):
    weights = next((spoilt / part).glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:keep])
    text = refusal(spoilt)
    assert "cannot be loaded as a StableDiffusionPipeline with safetensors weights: " in text


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_load_prior__weights_without_one_of_their_tensors(spoilt, part):
    """Libraries would go on, with random numbers in its place."""
    (weights,) = (spoilt / part).glob("*.safetensors")
    tensors = load_file(weights)
    lost = min(name for name in tensors if name.endswith(".bias"))
    del tensors[lost]
    save_file(tensors, weights, {"format": "pt"})
    assert refusal(spoilt) == (
        f"{spoilt} is incomplete: its {part} lacks 1 of its weights, such as {lost}"
    )


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
    assert refusal(spoilt) == f"{spoilt} is incomplete: it has no {name}"


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_load_prior__missing_part(spoilt, part):
    shutil.rmtree(spoilt / part)
    assert f"is incomplete: it has no {part}/" in refusal(spoilt)


PARTS = [
    ("sdxl", "text_encoder_2"), ("sdxl", "tokenizer_2"), ("sd3", "transformer"),
    ("sd3", "text_encoder_2"), ("flux_dev", "tokenizer_2"), ("flux_dev", "text_encoder_2"),
    ("dit", "vae"), ("dit", "transformer"), ("pixel_unet", "unet"), ("pixel_unet", "scheduler"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_load_prior__missing_part_of_other_families(family_folder, tmp_path, name, part):
    folder = shutil.copytree(
        family_folder(name), tmp_path / "prior", ignore=shutil.ignore_patterns(part)
    )
    assert f"is incomplete: it has no {part}/" in refusal(folder)


@pytest.mark.parametrize("lost", ["text_encoder_3", "tokenizer_3"])
def test_load_prior__third_text_encoder_that_got_lost(family_folder, tmp_path, lost):
    """Stable Diffusion 3 may be saved without T5; without a part of it, it would be another one."""
    ignore = shutil.ignore_patterns(lost)
    folder = shutil.copytree(family_folder("sd3"), tmp_path / "prior", ignore=ignore)
    assert refusal(folder) == (
        f"{folder} is incomplete: it has no {lost}, which its model_index.json lists"
    )


@pytest.mark.parametrize(
    ("name", "asked", "told"),
    [
        ("sd_epsilon", 100, "must be a multiple of 32 for this prior, got 100; the nearest is 96"),
        ("sd_epsilon", 8, "must be a multiple of 32 for this prior, got 8; the nearest is 32"),
        ("sd3", 72, "must be a multiple of 16 for this prior, got 72; the nearest is 64"),
        ("flux_dev", 1000, "must be a multiple of 16 for this prior, got 1000; the nearest is 992"),
        ("pixel_unet", 30, "must be a multiple of 4 for this prior, got 30; the nearest is 32"),
        (
            "dit", 96,
            "must be 64 for this prior, which sees squares of one size only, got 96",
        ),
    ],
)  # fmt: skip
def test_load_prior__resolution_that_does_not_fit(family_folder, name, asked, told):
    text = refusal(family_folder(name), SettingError, resolution_px=asked)
    assert text == f"resolution px {told}"


@pytest.mark.parametrize(
    ("name", "asked"),
    [("sd_epsilon", 96), ("sd3", 96), ("flux_dev", 96), ("pixel_unet", 48), ("dit", 64)],
)
def test_load_prior__resolution_that_was_asked_for(family_folder, name, asked):
    prior = load(family_folder(name), resolution_px=asked)
    assert prior.resolution_px == asked
    assert prior.encode(np.zeros((1, asked, asked, 3), np.uint8)).shape[2] == asked // prior.cell_px


def test_load_prior__unknown_feature_layer(tiny_prior):
    for layer in ("nowhere", "up_blocks", "up_blocks.9", "conv_in", "up_blocks.0.resnets.0"):
        assert refusal(tiny_prior, SettingError, feature_layer=layer) == (
            f"unknown feature layer {layer!r}; known are: down_blocks.0, down_blocks.1, "
            "up_blocks.0, up_blocks.1, mid_block"
        )


@pytest.mark.parametrize("name", ["dit", "pixel_unet"])
def test_load_prior__null_class(family_folder, name):
    """By default the one behind the names; any other label of the network will do."""
    names = json.loads((family_folder("pixel_unet") / "classes.json").read_text())
    count = 6 if name == "dit" else len(names) + 1
    assert load(family_folder(name)).embed([""])["labels"].tolist() == [count - 1]
    assert load(family_folder(name), null_class=1).embed([""])["labels"].tolist() == [1]
    text = refusal(family_folder(name), SettingError, null_class=count)
    assert text == (
        f"this prior has {count} labels, for {count - 1} names and the null class {count}: give "
        "its names in label order with --labels, its null class with --null-class"
    )


def test_load_prior__more_names_than_labels(family_folder, tmp_path):
    labels = tmp_path / "names.json"
    labels.write_text(json.dumps(list("abcdefg")))
    text = refusal(family_folder("pixel_unet"), SettingError, labels=str(labels))
    assert "this prior has 4 labels, for 7 names and the null class 7: " in text


def test_load_prior__names_of_some_labels(family_folder, tmp_path):
    """The label behind them is a class too, so that the null class must be asked for."""
    labels = tmp_path / "names.json"
    labels.write_text(json.dumps(["tench", "springer"]))
    text = refusal(family_folder("dit"), SettingError, labels=str(labels))
    assert "this prior has 6 labels, for 2 names and the null class 2: " in text
    prior = load(family_folder("dit"), labels=str(labels), null_class=5)
    assert prior.embed(["springer", ""])["labels"].tolist() == [1, 5]


def test_load_prior__labels_that_were_given(family_folder, tmp_path):
    labels = tmp_path / "names.json"
    labels.write_text(json.dumps(["lion", "wolf", "eagle"]))
    prior = load(family_folder("pixel_unet"), labels=str(labels))
    assert prior.reads == "labels"
    assert prior.embed(["eagle", "Lion", ""])["labels"].tolist() == [2, 0, 3]
    with pytest.raises(SettingError, match="the prior has no label 'cat'"):
        prior.embed(["cat"])
    absent = refusal(family_folder("pixel_unet"), labels=str(tmp_path / "absent.json"))
    assert "absent.json cannot be read as JSON" in absent


def test_load_prior__unet_without_class_embeddings(family_folder, tmp_path):
    folder = Path(shutil.copytree(family_folder("pixel_unet"), tmp_path / "prior"))
    edit(folder / "unet" / "config.json", num_class_embeds=None)
    assert "has no class embeddings: an unconditional U-Net knows no classes" in refusal(folder)


@pytest.mark.parametrize("name", ["sd_epsilon", "sdxl"])
def test_load_prior__low_memory_keeps_texts_on_the_processor(family_folder, name):
    prior = load(family_folder(name), low_memory=True)
    plain = load(family_folder(name))
    for key, values in prior.embed(["An image of cat."]).items():
        assert values.device == prior.device
        torch.testing.assert_close(values, plain.embed(["An image of cat."])[key])
