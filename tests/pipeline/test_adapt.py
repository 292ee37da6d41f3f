"""Adapting a prior: weights that --lora adds, the same after any interruption, measured apart."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from support.lazy import LazyModule
from support.toyset import TINY_CLASSES, dataset_of, finish, toy_prior, tree, write_pictures

from dsel.config import AdaptSettings, PriorSettings
from dsel.data.file_names import IMAGE_SUFFIXES
from dsel.errors import PriorError, RunError, SettingError, SourceError, StorageError
from dsel.pipeline.adapt import adapt, open_adaptable, split
from dsel.priors import load_prior
from dsel.priors.known_classes import known_classes
from dsel.types import Done, Notice, Prior, Progress, Skipped, Started

lora = LazyModule("dsel.priors.training.lora")
loop = LazyModule("dsel.priors.training.loop")
losses = LazyModule("dsel.priors.losses")
schedules = LazyModule("dsel.priors.schedules")

FILE = "pytorch_lora_weights.safetensors"
QUICK = AdaptSettings(
    rank=2, images=12, batch_size=4, learning_rate=0.05, held_out=0, threads=1, prompt="A {class}."
)
"""Three steps, which change the answers."""

Folders = Callable[[str], Path]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"), TINY_CLASSES)


def prior_settings(folder: Path, **settings: object) -> PriorSettings:
    asked = {"device": "cpu", "precision": "float32", "resolution_px": 64} | settings
    return PriorSettings(prior=str(folder), **asked)


def answer(prior: Prior) -> np.ndarray:
    """Its answer to some noised latents."""
    clean = prior.encode(np.zeros((2, 64, 64, 3), np.uint8))
    eps = torch.randn(clean.shape, generator=torch.Generator().manual_seed(2))
    prompts = prior.embed(["A cat.", "A dog."])
    return prior.predict(clean + eps, torch.tensor([300, 600]), prompts).output.numpy()


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample", "flow"])
def test_targets__are_what_the_noise_is_read_from(kind):
    generator = torch.Generator().manual_seed(0)
    clean, eps = (torch.randn((3, 2, 4, 4), generator=generator) for _ in range(2))
    schedule = schedules.diffusion_schedule(torch.tensor([0.9, 0.5, 0.1]))
    if kind == "flow":
        schedule = schedules.flow_schedule(torch.tensor([0.1, 0.5, 0.9]), torch.arange(3))
    signal, amount = schedules.amplitudes(schedule, torch.arange(3))
    noised = schedules.add_noise(clean, eps, signal, amount)
    target = lora.TARGETS[kind](clean, eps, signal, amount)
    assert losses.PREDICTIONS[kind](target, noised, signal, amount).numpy() == pytest.approx(
        eps.numpy(), abs=1e-5
    )


def test_targets__every_kind_of_prediction_has_one():
    assert lora.TARGETS.keys() == losses.PREDICTIONS.keys()


@pytest.mark.parametrize("family", ["sd_epsilon", "sd_v", "sdxl", "sd3", "flux_dev"])
def test_adapt__the_file_makes_the_same_prior_by_lora(family, family_folder, source, tmp_path):
    settings = prior_settings(family_folder(family))
    prior = open_adaptable(settings)
    before = answer(prior)
    done = finish(adapt(dataset_of(source), prior, QUICK, tmp_path / "out"))[-1]
    assert isinstance(done, Done)
    assert done.figures["lora"] == str(tmp_path / "out" / FILE)
    adapted = answer(prior)
    assert np.abs(adapted - before).max() > 1e-2
    for given in (tmp_path / "out", tmp_path / "out" / FILE):
        loaded = answer(load_prior(settings.replace(lora=str(given))))
        assert np.abs(loaded - adapted).max() < 1e-4 * np.abs(adapted).max()


def test_adapt__all_layers(family_folder, source, tmp_path):
    settings = prior_settings(family_folder("sd_epsilon"))
    prior = open_adaptable(settings)
    finish(adapt(dataset_of(source), prior, QUICK.replace(layers="all"), tmp_path))
    added = {name for name, _ in lora.network_of(prior).named_parameters() if "lora_A" in name}
    assert {part for part in ("conv1", "to_q", "ff.net") if any(part in n for n in added)} == {
        "conv1", "to_q", "ff.net",
    }  # fmt: skip
    loaded = answer(load_prior(settings.replace(lora=str(tmp_path))))
    adapted = answer(prior)
    assert np.abs(loaded - adapted).max() < 1e-4 * np.abs(adapted).max()


def test_adapt__training_starts_at_the_prior_itself(family_folder):
    prior = open_adaptable(prior_settings(family_folder("sd_epsilon")))
    before = answer(prior)
    parameters = lora.add_layers(prior, QUICK)
    assert (answer(prior) == before).all()
    trained = [p for p in lora.network_of(prior).parameters() if p.requires_grad]
    assert len(trained) == len(parameters) > 0


class _Clock:
    """A clock that is always ready for the next checkpoint."""

    def __init__(self) -> None:
        self._ticks = itertools.count(step=1000)

    def monotonic(self) -> float:
        return next(self._ticks)


def test_adapt__interrupted_and_resumed_gives_the_same_weights(
    family_folder, source, tmp_path, monkeypatch
):
    settings = prior_settings(family_folder("sd_epsilon"))

    def events(out: str):
        return adapt(dataset_of(source), open_adaptable(settings), QUICK, tmp_path / out)

    finish(events("whole"))
    monkeypatch.setattr("dsel.priors.training.loop.time", _Clock())
    for _ in range(2):
        begun = events("cut")
        next(e for e in begun if isinstance(e, Started) and e.stage == "train lora")
        # The checkpoint of a step is written before the next step's event.
        assert all(isinstance(e, Progress) for e in itertools.islice(begun, 2))
        begun.close()
        assert not (tmp_path / "cut" / FILE).exists()
    rest = finish(events("cut"))
    assert {e.stage: e.done for e in rest if isinstance(e, Started)}["train lora"] == 8
    assert tree(tmp_path / "cut")[FILE] == tree(tmp_path / "whole")[FILE]


def test_adapt__a_finished_one_changes_nothing(family_folder, source, tmp_path):
    settings = prior_settings(family_folder("sd_epsilon"))
    for out in ("once", "again"):
        if out == "again":
            shutil.copytree(tmp_path / "once", tmp_path / "again")
        finish(adapt(dataset_of(source), open_adaptable(settings), QUICK, tmp_path / out))
    once, again = (tree(tmp_path / out) for out in ("once", "again"))
    assert once.pop("training/lora.safetensors")
    assert again.pop("training/lora.safetensors")  # the order of its metadata differs
    assert again == once


@pytest.mark.parametrize("changed", [{"rank": 4}, {"seed": 1}, {"layers": "all"}])
def test_adapt__another_training_is_refused(changed, family_folder, source, tmp_path):
    settings = prior_settings(family_folder("sd_epsilon"))
    finish(adapt(dataset_of(source), open_adaptable(settings), QUICK, tmp_path))
    before = tree(tmp_path)
    with pytest.raises(RunError, match="was trained with other settings or data"):
        finish(
            adapt(dataset_of(source), open_adaptable(settings), QUICK.replace(**changed), tmp_path)
        )
    assert tree(tmp_path) == before


def test_adapt__a_folder_with_other_files_is_refused(family_folder, source, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    prior = open_adaptable(prior_settings(family_folder("sd_epsilon")))
    with pytest.raises(StorageError, match="holds other files: choose an empty or new folder"):
        finish(adapt(dataset_of(source), prior, QUICK, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_adapt__a_prior_of_labels_is_refused(family_folder, source, tmp_path):
    prior = open_adaptable(prior_settings(family_folder("dit")))
    with pytest.raises(PriorError, match="diffusers has no LoRA for a DiTPipeline"):
        finish(adapt(dataset_of(source), prior, QUICK, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_adapt__half_precision_is_refused(family_folder, source, tmp_path):
    prior = open_adaptable(prior_settings(family_folder("sd_epsilon"), precision="float16"))
    with pytest.raises(SettingError, match="precision must be bfloat16 or float32 for training"):
        finish(adapt(dataset_of(source), prior, QUICK, tmp_path / "out"))


def test_open_adaptable__what_is_no_pipeline_is_refused(monkeypatch):
    monkeypatch.setattr("dsel.priors.load_prior", lambda _settings: toy_prior())
    with pytest.raises(PriorError, match="is no diffusers pipeline"):
        open_adaptable(PriorSettings())


def test_adapt__unreadable_images_are_reported(family_folder, source, tmp_path):
    copy = Path(shutil.copytree(source, tmp_path / "pictures"))
    (copy / "cat/00.png").write_bytes(b"no picture")
    prior = open_adaptable(prior_settings(family_folder("sd_epsilon")))
    events = finish(adapt(dataset_of(copy), prior, QUICK, tmp_path / "out"))
    assert [e.ref.id for e in events if isinstance(e, Skipped)] == ["cat/00.png"]
    labels = np.load(tmp_path / "out/training/labels.npy")
    assert labels.tolist() == [0] * 6 + [1] * 8  # each image and its mirror image
    for path in copy.rglob("*"):
        if path.suffix in IMAGE_SUFFIXES:
            path.write_bytes(b"no picture")
    prior = open_adaptable(prior_settings(family_folder("sd_epsilon")))
    with pytest.raises(SourceError, match="no image of the source can be read"):
        finish(adapt(dataset_of(copy), prior, QUICK, tmp_path / "none"))


def test_split__by_seed_and_a_fifth_at_most(tmp_path):
    dataset = dataset_of(write_pictures(tmp_path, {"cat": 10, "dog": 4, "emu": 30}))
    settings = QUICK.replace(held_out=3)
    held_out, rest = split(dataset, settings)
    assert [len(refs) for refs in held_out] == [2, 0, 3]
    ids = {ref.id for refs in held_out for ref in refs}
    assert [ref.id for ref in rest] == [ref.id for ref in dataset.refs if ref.id not in ids]
    assert split(dataset, settings) == (held_out, rest)
    assert split(dataset, settings.replace(seed=1))[0] != held_out
    assert split(dataset, settings.replace(held_out=0))[1] == list(dataset.refs)


def test_adapt__measures_held_out_images_before_and_after(family_folder, tmp_path):
    source = write_pictures(tmp_path / "pictures", {"cat": 10, "dog": 10})
    settings = prior_settings(family_folder("sd_epsilon"))
    chosen = QUICK.replace(held_out=2)
    events = finish(adapt(dataset_of(source), open_adaptable(settings), chosen, tmp_path / "out"))
    figures = events[-1].figures
    assert figures["images"] == 16
    assert {"auc_before", "auc_before_error", "auc_after", "auc_after_error"} <= figures.keys()
    stages = [(e.stage, e.total) for e in events if isinstance(e, Started)]
    assert ("measure before", 4) in stages
    assert ("measure after", 4) in stages
    # The same images under the same noise: what is measured before is the prior alone.
    again = chosen.replace(images=1, learning_rate=1e-7)
    found = finish(adapt(dataset_of(source), open_adaptable(settings), again, tmp_path / "still"))
    assert found[-1].figures["auc_before"] == figures["auc_before"]
    assert found[-1].figures["auc_after"] == figures["auc_before"]
    assert any("does not tell the classes apart better" in e.text for e in found[:-1]
               if isinstance(e, Notice))  # fmt: skip


def test_adapt__too_few_images_to_hold_out_is_said(family_folder, source, tmp_path):
    prior = open_adaptable(prior_settings(family_folder("sd_epsilon")))
    events = finish(adapt(dataset_of(source), prior, QUICK.replace(held_out=2), tmp_path))
    (notice,) = [e.text for e in events if isinstance(e, Notice)]
    assert "no class has 5 images, so that none is held out" in notice
    assert "auc_after" not in events[-1].figures


def test_known_classes__those_of_the_prior_and_of_its_lora(family_folder, source, tmp_path):
    prior = open_adaptable(prior_settings(family_folder("sd_epsilon")))
    finish(adapt(dataset_of(source), prior, QUICK, tmp_path))
    demo = known_classes("demo")
    assert known_classes("demo", str(tmp_path)) == (*demo, "cat", "dog")
    assert known_classes("demo", str(tmp_path / FILE)) == (*demo, "cat", "dog")
    assert known_classes("demo", "owner/lora") == ()  # nothing is known of it
    assert known_classes(str(family_folder("sd_epsilon")), str(tmp_path)) == ()


def test_settings__a_batch_has_equal_parts():
    with pytest.raises(SettingError, match="got 8 images in 3 parts"):
        AdaptSettings(accumulate=3)


def test_train_part__a_batch_in_parts_counts_their_mean(tmp_path):
    parameter = torch.nn.ParameterList([torch.zeros(1)])
    drawn = []

    def loss(generator: torch.Generator) -> torch.Tensor:
        drawn.append(torch.rand((), generator=generator))
        return drawn[-1] * (parameter[0] + 1).sum()

    def gradients() -> None:
        seen.append(len(drawn))

    seen: list[int] = []
    job = loop.Job(
        name="toy", steps=20, batch_size=4, learning_rate=1e-9, modules={"toy": parameter},
        trained=parameter, loss=loss, after_step=gradients, folder=tmp_path, identity="toy", seed=0,
        checkpoint_s=100, accumulate=2,
    )  # fmt: skip
    finish(loop.train_part(job))
    assert seen == [2 * step for step in range(1, 21)]
    assert len({float(one) for one in drawn}) == 40  # each part has noise of its own
    (line,) = loop.read_losses(tmp_path / "toy.jsonl")
    assert line["loss"] == pytest.approx(float(torch.stack(drawn).mean()), abs=1e-5)
