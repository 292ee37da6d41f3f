"""Weights that exist only as a variant: chosen by component, loaded in the wanted precision."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dsel.config import PriorSettings
from dsel.errors import PriorError
from dsel.priors import load_prior
from dsel.priors.variants import choose_variant, weight_files
from dsel.priors.weights import find_weights, parameters

NETWORK = {
    "sd_epsilon": "unet", "sdxl": "unet", "sd3": "transformer", "flux_schnell": "transformer",
    "dit": "transformer", "pixel_unet": "unet",
}  # fmt: skip
COMMIT = "0123456789abcdef0123456789abcdef01234567"

Folder = Callable[[str], Path]


@pytest.fixture
def copy_of(family_folder: Folder, tmp_path: Path) -> Folder:
    """A family's folder, to be changed."""
    return lambda family: Path(shutil.copytree(family_folder(family), tmp_path / family))


def as_variant(part: Path, variant: str = "fp16", keep: bool = False) -> None:
    """Turn a component's weights into half precision, under the names of a variant."""
    for file in list(part.glob("*.safetensors")):
        half = {name: value.half() for name, value in load_file(file).items()}
        save_file(half, file.with_suffix(f".{variant}.safetensors"), {"format": "pt"})
        if not keep:
            file.unlink()


def weights_of(folder: Path, precision: str = "float32") -> dict[str, torch.Tensor]:
    """All weights of the loaded components, by component and name."""
    prior = load_prior(PriorSettings(prior=str(folder), device="cpu", precision=precision))
    parts = prior._loaded.components.items()
    modules = {name: part for name, part in parts if isinstance(part, torch.nn.Module)}
    return {
        f"{name}/{key}": value
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }


@pytest.mark.parametrize("family", NETWORK)
def test_load_prior__every_component_only_as_a_variant(
    family_folder: Folder, copy_of: Folder, family: str
) -> None:
    folder = copy_of(family)
    parts = {path.parent for path in folder.glob("*/*.safetensors")}
    for part in parts:
        as_variant(part)
    full, found = weights_of(family_folder(family)), weights_of(folder)
    assert set(found) == set(full)
    for name, value in full.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value.half().to(value.dtype)), name
    assert parameters(folder) == parameters(family_folder(family)) > 0


@pytest.mark.parametrize("family", ["sd_epsilon", "sd3"])
def test_load_prior__full_weights_come_first_component_by_component(
    family_folder: Folder, copy_of: Folder, family: str
) -> None:
    """One component has both, one only the variant, the others only full weights."""
    folder = copy_of(family)
    as_variant(folder / NETWORK[family])
    as_variant(folder / "vae", keep=True)
    full, found = weights_of(family_folder(family)), weights_of(folder)
    for name, value in full.items():
        expected = value.half().float() if name.startswith(NETWORK[family]) else value
        assert torch.equal(found[name], expected), name


def test_load_prior__the_variant_of_the_wanted_precision(copy_of: Folder) -> None:
    folder = copy_of("sd_epsilon")
    as_variant(folder / "unet", keep=True)
    (full,) = folder.glob("unet/diffusion_pytorch_model.safetensors")
    zeros = {name: torch.zeros_like(value) for name, value in load_file(full).items()}
    save_file(zeros, full.with_suffix(".bf16.safetensors"), {"format": "pt"})
    full.unlink()
    for precision, is_zero in (("bfloat16", True), ("float16", False)):
        found = weights_of(folder, precision)["unet/conv_in.weight"]
        assert found.dtype == getattr(torch, precision)
        assert (found == 0).all() == is_zero


def test_load_prior__a_variant_in_parts(copy_of: Folder, family_folder: Folder) -> None:
    folder = copy_of("sd_epsilon")
    (file,) = folder.glob("unet/*.safetensors")
    weights = load_file(file)
    file.unlink()
    names = sorted(weights)
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    where = {}
    for number, some in enumerate(halves, 1):
        part = f"diffusion_pytorch_model.fp16-{number:05d}-of-00002.safetensors"
        save_file({name: weights[name] for name in some}, file.with_name(part), {"format": "pt"})
        where |= dict.fromkeys(some, part)
    index = {"metadata": {"total_size": 1}, "weight_map": where}
    name = "diffusion_pytorch_model.safetensors.index.fp16.json"
    file.with_name(name).write_text(json.dumps(index))
    full = weights_of(family_folder("sd_epsilon"))
    assert all(torch.equal(full[key], value) for key, value in weights_of(folder).items())


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_load_prior__only_pickles(copy_of: Folder, part: str) -> None:
    folder = copy_of("sd_epsilon")
    (file,) = (folder / part).glob("*.safetensors")
    file.rename(file.with_suffix(".bin"))
    with pytest.raises(PriorError) as caught:
        weights_of(folder)
    assert str(caught.value) == (
        f"{folder} has only {file.stem}.bin, a pickle with the weights of its {part}: dsel reads "
        "no pickles, because they can run code; save the pipeline again as safetensors"
    )


def test_find_weights__fetches_a_variant_where_there_is_nothing_else(
    copy_of: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Hub's client is asked a second time, for the components that lack full weights."""
    there = copy_of("sd_epsilon")
    as_variant(there / "unet")
    as_variant(there / "vae", keep=True)
    snapshot = tmp_path / COMMIT
    asked = []

    def fetch(name: str, revision: str | None, allow_patterns, ignore_patterns) -> str:  # type: ignore[no-untyped-def]
        from huggingface_hub.utils import filter_repo_objects

        asked.append((name, revision, allow_patterns))
        files = [path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()]
        for file in filter_repo_objects(
            files, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns
        ):
            (snapshot / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(there / file, snapshot / file)
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert find_weights("owner/name").folder == snapshot
    assert asked[1:] == [("owner/name", COMMIT, ["unet/*.safetensors*"])]
    fetched = {path.name for path in snapshot.glob("*/*.safetensors")}
    assert fetched == {
        "diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.safetensors",
        "model.safetensors",
    }  # fmt: skip
    assert not (snapshot / "vae/diffusion_pytorch_model.fp16.safetensors").exists()
    assert weights_of(snapshot)


def test_choose_variant__by_hand() -> None:
    half, brain = torch.float16, torch.bfloat16
    assert choose_variant(["fp16", ""], half) == ""
    assert choose_variant(["fp16", "bf16"], half) == "fp16"
    assert choose_variant(["fp16", "bf16"], brain) == "bf16"
    assert choose_variant(["non_ema", "fp16"], brain) == "fp16"
    assert choose_variant(["non_ema"]) == "non_ema"


def test_weight_files__by_variant(tmp_path: Path) -> None:
    names = {
        "": ["model.safetensors"],
        "fp16": ["model-00001-of-00002.fp16.safetensors", "model.fp16-00002-of-00002.safetensors"],
        "non_ema": ["diffusion_pytorch_model.non_ema.safetensors"],
    }
    for name in (*(name for files in names.values() for name in files), "lora.safetensors"):
        (tmp_path / name).touch()
    found = weight_files(tmp_path)
    assert {variant: [path.name for path in files] for variant, files in found.items()} == names
