"""Image models that describe patches: what the model itself says, and what is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from support.lazy import LazyModule

from dsel.config import ScoreSettings, SelectSettings
from dsel.errors import PriorError
from dsel.priors import load_featurizer
from dsel.types import Pixels

transformers = LazyModule("transformers")
image_features = LazyModule("dsel.priors.image_features")
loading = LazyModule("dsel.priors.loading")

CPU = torch.device("cpu")
SIZES = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
}  # fmt: skip
VISION = SIZES | {"image_size": 32, "patch_size": 8}
TEXT = SIZES | {
    "vocab_size": 64, "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2,
    "pad_token_id": 0,
}  # fmt: skip
CROPPED = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
WHOLE = {"size": {"height": 32, "width": 32}}

MODELS: dict[str, tuple[Callable[[], Any], dict[str, object]]] = {
    "clip": (
        lambda: transformers.CLIPModel(
            transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=16)
        ),
        {"image_processor_type": "CLIPImageProcessor", **CROPPED},
    ),
    "siglip": (
        lambda: transformers.SiglipModel(
            transformers.SiglipConfig(text_config=TEXT, vision_config=VISION)
        ),
        {"image_processor_type": "SiglipImageProcessor", **WHOLE},
    ),
    "dinov2": (
        lambda: transformers.Dinov2Model(transformers.Dinov2Config(mlp_ratio=2, **VISION)),
        {"image_processor_type": "BitImageProcessor", **CROPPED},
    ),
    "vit": (
        lambda: transformers.ViTModel(transformers.ViTConfig(**VISION)),
        {"image_processor_type": "ViTImageProcessor", **WHOLE},
    ),
}
WIDTHS = {"clip": 16, "siglip": 32, "dinov2": 32, "vit": 32}


def save(model: Any, folder: Path, processor: dict[str, object] | None) -> Path:
    with loading.quiet():
        model.save_pretrained(folder)
    if processor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("models")

    def folder(name: str) -> Path:
        if not (root / name).exists():
            build, processor = MODELS[name]
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                save(build(), root / name, processor)
        return root / name

    return folder


def pictures(count: int = 5) -> list[Pixels]:
    """Noise of many sizes, the last as large as a patch may be."""
    rng = np.random.default_rng(0)
    sides = [(32, 32), (17, 17), (40, 64), (64, 40), (200, 200)]
    return [
        rng.integers(0, 256, (*sides[number % len(sides)], 3), dtype=np.uint8)
        for number in range(count)
    ]


def by_hand(name: str, folder: Path, pixels: Pixels) -> np.ndarray:
    """The embedding, asked for as the model's own documentation does."""
    with loading.quiet(), torch.no_grad():
        processor = transformers.AutoImageProcessor.from_pretrained(folder, use_fast=False)
        inputs = processor(images=Image.fromarray(pixels), return_tensors="pt")
        model = transformers.AutoModel.from_pretrained(folder).eval()
        if name in ("clip", "siglip"):
            vision = model.vision_model(**inputs).pooler_output
            return (model.visual_projection(vision) if name == "clip" else vision)[0].numpy()
        return model(**inputs).pooler_output[0].numpy()


def refusal(name: object) -> str:
    with pytest.raises(PriorError) as error:
        image_features.ImageFeaturizer(str(name), CPU)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", MODELS)
def test_describe__what_the_model_says(folder_of, capfd, name):
    folder = folder_of(name)
    capfd.readouterr()
    found = image_features.ImageFeaturizer(str(folder), CPU).describe(pictures())
    assert capfd.readouterr().err == ""
    assert found.shape == (5, WIDTHS[name])
    assert found.dtype == np.float32
    for picture, one in zip(pictures(), found, strict=True):
        np.testing.assert_allclose(one, by_hand(name, folder, picture), rtol=1e-4, atol=1e-5)
    apart = np.abs(found[:, None] - found[None, :]).max(-1)
    assert apart[~np.eye(5, dtype=bool)].min() > 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_describe__pictures_do_not_touch_each_other(folder_of, name):
    describer = image_features.ImageFeaturizer(str(folder_of(name)), CPU)
    several = pictures(image_features.BATCH_SIZE + 3)
    together = describer.describe(several)
    alone = np.concatenate([describer.describe([picture]) for picture in several])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(describer.describe(several[::-1])[::-1], together, atol=2e-6)


def test_describe__no_pictures(folder_of):
    assert len(image_features.ImageFeaturizer(str(folder_of("vit")), CPU).describe([])) == 0


def test_describe__a_classifier_without_a_pooling_layer(tmp_path):
    """Its pooling layer was never trained: the summary token describes, the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.ViTForImageClassification(transformers.ViTConfig(**VISION)).eval()
    folder = save(model, tmp_path / "vit", MODELS["vit"][1])
    one, two = (
        image_features.ImageFeaturizer(str(folder), CPU).describe(pictures(2)) for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
    inputs = torch.from_numpy(pictures(1)[0]).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        states = model.vit(inputs).last_hidden_state
    np.testing.assert_allclose(one[0], states[0, 0].numpy(), rtol=1e-3, atol=1e-4)


def test_fingerprint__follows_the_weights_not_the_place(folder_of, tmp_path):
    folder = folder_of("vit")
    copy = copied(folder, tmp_path / "copy")
    before = image_features.ImageFeaturizer(str(folder), CPU).fingerprint
    assert image_features.ImageFeaturizer(str(copy), CPU).fingerprint == before
    tensors = load_file(copy / "model.safetensors")
    tensors["layernorm.weight"] += 1
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    assert image_features.ImageFeaturizer(str(copy), CPU).fingerprint != before


def test_load_featurizer__by_the_settings_of_selection(folder_of):
    chosen = SelectSettings(features="clip", feature_model=str(folder_of("clip")))
    found = load_featurizer(chosen, ScoreSettings(), {}, "", "cpu")
    assert isinstance(found, image_features.ImageFeaturizer)
    assert found.describe(pictures(2)).shape == (2, 16)


def test_image_featurizer__a_model_of_texts(tmp_path):
    sizes = SIZES | {"vocab_size": 64, "pad_token_id": 0}
    folder = save(transformers.BertModel(transformers.BertConfig(**sizes)), tmp_path / "bert", None)
    assert refusal(folder) == (
        f"{folder} is not an image model: it has no preprocessor_config.json"
    )
    (folder / "preprocessor_config.json").write_text(json.dumps(MODELS["vit"][1]))
    text = refusal(folder)
    assert f"{folder} cannot be loaded as an image model with safetensors weights: " in text


def test_image_featurizer__what_is_no_model(tmp_path, tiny_prior):
    told = "is not an image model: it has no config.json; give the folder of a saved one"
    assert refusal(tmp_path) == f"{tmp_path} {told}"
    assert refusal(tiny_prior) == f"{tiny_prior} {told}"
    for name in ("clip", str(tmp_path / "absent")):
        assert refusal(name) == (
            f"{name!r} is not an image model: give the folder of a saved model of transformers, "
            "or a Hub id such as owner/name"
        )


def copied(folder: Path, out: Path) -> Path:
    return Path(shutil.copytree(folder, out))


def test_image_featurizer__pickled_weights_are_not_read(folder_of, tmp_path):
    folder = copied(folder_of("vit"), tmp_path / "vit")
    tensors = load_file(folder / "model.safetensors")
    torch.save({**tensors, "trap": _Trap()}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert "cannot be loaded as an image model with safetensors weights: " in refusal(folder)
    assert not _Trap.sprung


class _Trap:
    sprung = False

    def __reduce__(self):
        return (_spring, ())


def _spring() -> None:
    _Trap.sprung = True


@pytest.mark.parametrize("keep", [0, 100, -10])
def test_image_featurizer__cut_off_weights(folder_of, tmp_path, keep):
    folder = copied(folder_of("dinov2"), tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    assert "cannot be loaded as an image model with safetensors weights: " in refusal(folder)


def test_image_featurizer__weights_without_one_of_their_tensors(folder_of, tmp_path):
    folder = copied(folder_of("dinov2"), tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    del tensors["layernorm.bias"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    text = refusal(folder)
    assert (
        text == f"{folder} is incomplete: its model lacks 1 of its weights, such as layernorm.bias"
    )


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("content", ["{", "[]", '{"model_type": "nothing"}'])
def test_image_featurizer__broken_config(folder_of, tmp_path, name, content):
    folder = copied(folder_of("vit"), tmp_path / "model")
    (folder / name).write_text(content)
    assert "cannot be loaded as an image model with safetensors weights: " in refusal(folder)
