"""Training: a folder that diffusers loads, the same weights after any interruption, no trespass."""

from __future__ import annotations

import errno
import itertools
import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from support.lazy import LazyModule
from support.toyset import TINY, TINY_CLASSES, dataset_of, finish, tree, write_pictures

from dsel.config import TrainSettings
from dsel.data.images import decode
from dsel.errors import PriorError, RunError, SettingError, SourceError, StorageError
from dsel.types import Done, Progress, Skipped, Started

charts = LazyModule("dsel.priors.training.loss_chart")

diffusers = LazyModule("diffusers")
training = LazyModule("dsel.priors.training")
autoencoder = LazyModule("dsel.priors.training.autoencoder")
denoiser = LazyModule("dsel.priors.training.denoiser")
models = LazyModule("dsel.priors.training.models")
loop = LazyModule("dsel.priors.training.loop")

WEIGHTS = (
    "text_encoder/model.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"), TINY_CLASSES)


def test_train__folder_loads_with_diffusers(tiny_prior):
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
        tiny_prior, safety_checker=None, dtype=torch.float32
    )
    assert pipeline.unet.config.sample_size == TINY.cells
    assert pipeline.vae_scale_factor == TINY.cell_px
    assert pipeline.scheduler.config.prediction_type == "epsilon"
    assert pipeline.scheduler.config.num_train_timesteps == 1000
    assert pipeline.tokenizer.model_max_length == 24
    pictures = pipeline(
        "An image of cat.", num_inference_steps=2, output_type="np", height=32, width=32,
        generator=torch.Generator().manual_seed(0),
    ).images  # fmt: skip
    assert pictures.shape == (1, 32, 32, 3)


def test_train__weights_are_safetensors_and_small(tiny_prior):
    kinds = {Path(name).suffix for name in tree(tiny_prior)}
    assert kinds == {".json", ".jsonl", ".npy", ".png", ".safetensors"}
    for name in WEIGHTS:
        assert (tiny_prior / name).stat().st_size < 10_000_000
        with safe_open(tiny_prior / name, "pt") as file:
            tensors = [file.get_tensor(key) for key in file.keys()]  # noqa: SIM118
        assert {tensor.dtype for tensor in tensors} <= {torch.float16, torch.int64}
        assert all(torch.isfinite(tensor).all() for tensor in tensors)


def test_train__latents_have_unit_spread(tiny_prior):
    factor = json.loads((tiny_prior / "vae/config.json").read_text())["scaling_factor"]
    latents = np.load(tiny_prior / "training/latents.npy").astype(np.float32)
    assert latents.shape == (2 * sum(TINY_CLASSES.values()), TINY.latent_channels, 8, 8)
    assert (latents * factor).std() == pytest.approx(1, rel=1e-3)


class _Clock:
    """A clock that is always ready for the next checkpoint."""

    def __init__(self) -> None:
        self._ticks = itertools.count(step=1000)

    def monotonic(self) -> float:
        return next(self._ticks)


def test_train__interrupted_and_resumed_gives_the_same_weights(
    tiny_prior, source, tmp_path, monkeypatch
):
    """After any step whose checkpoint is written, in both parts."""
    monkeypatch.setattr("dsel.priors.training.loop.time", _Clock())
    out = tmp_path / "prior"
    for part, steps in (("autoencoder", 2), ("denoiser", 1), ("denoiser", 2)):
        events = training.train(dataset_of(source), TINY, out)
        next(event for event in events if _is_start(event) and event.stage == f"train {part}")
        # The checkpoint of a step is written before the next step's event.
        taken = list(itertools.islice(events, steps + 1))
        assert all(isinstance(event, Progress) for event in taken)
        events.close()
        assert not (out / "model_index.json").exists()
        assert (out / f"training/{part}.safetensors").exists()
    begun = [event for event in training.train(dataset_of(source), TINY, out) if _is_start(event)]
    assert {event.stage: event.done for event in begun}["train denoiser"] > 0
    assert {name: tree(out)[name] for name in WEIGHTS} == {
        name: tree(tiny_prior)[name] for name in WEIGHTS
    }


def _is_start(event: object) -> bool:
    return isinstance(event, Started)


def test_train__a_finished_one_changes_nothing(tiny_prior, source, tmp_path):
    out = Path(shutil.copytree(tiny_prior, tmp_path / "prior"))
    done = finish(training.train(dataset_of(source), TINY, out))[-1]
    assert isinstance(done, Done)
    assert {name: print_ for name, print_ in tree(out).items() if "training/" not in name} == {
        name: print_ for name, print_ in tree(tiny_prior).items() if "training/" not in name
    }


@pytest.mark.parametrize(
    "changed", [{"seed": 1}, {"learning_rate": 1e-3}, {"batch_size": 4}, {"null_share": 0.5}]
)
def test_train__other_settings_are_refused(tiny_prior, source, changed):
    before = tree(tiny_prior)
    with pytest.raises(RunError, match="was trained with other settings or data") as error:
        finish(training.train(dataset_of(source), TINY.replace(**changed), tiny_prior))
    assert "\n" not in str(error.value)
    assert tree(tiny_prior) == before


def test_train__other_pictures_are_refused(tiny_prior, tmp_path):
    other = write_pictures(tmp_path, TINY_CLASSES | {"cat": 5})
    with pytest.raises(RunError, match="was trained with other settings or data"):
        finish(training.train(dataset_of(other), TINY, tiny_prior))


def test_train__other_settings_are_refused_before_the_first_checkpoint(source, tmp_path):
    events = training.train(dataset_of(source), TINY, tmp_path)
    list(itertools.takewhile(lambda event: not _is_training(event), events))
    events.close()
    before = tree(tmp_path)
    with pytest.raises(RunError, match="was trained with other settings or data"):
        finish(training.train(dataset_of(source), TINY.replace(fit="squash"), tmp_path))
    assert tree(tmp_path) == before


def test_train__foreign_folder_is_refused_and_left_alone(source, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StorageError, match="holds other files: choose an empty or new folder"):
        finish(training.train(dataset_of(source), TINY, tmp_path))
    assert set(tree(tmp_path)) == {"thesis.tex"}


def test_train__a_file_in_the_way(source, tmp_path):
    (tmp_path / "prior").write_text("")
    for out in (tmp_path / "prior", tmp_path / "prior/below"):
        with pytest.raises(StorageError):
            finish(training.train(dataset_of(source), TINY, out))


def test_train__unreadable_pictures_are_told_and_left_out(tmp_path):
    source = write_pictures(tmp_path / "pictures", {"cat": 2, "dog": 1})
    (source / "cat/a.png").write_text("no picture")
    events = training.train(dataset_of(source), TINY, tmp_path / "prior")
    seen = list(itertools.takewhile(lambda event: not _is_training(event), events))
    events.close()
    assert [event.ref.id for event in seen if isinstance(event, Skipped)] == ["cat/a.png"]
    assert np.load(tmp_path / "prior/training/labels.npy").tolist() == [0, 0, 1]


def _is_training(event: object) -> bool:
    return isinstance(event, Started) and event.stage.startswith("train ")


def test_train__nothing_to_train_on(tmp_path):
    source = write_pictures(tmp_path / "pictures", {"cat": 0})
    (source / "cat/a.png").write_text("no picture")
    with pytest.raises(SourceError, match="no image of the source can be read"):
        finish(training.train(dataset_of(source), TINY, tmp_path / "prior"))


def test_train__leaves_the_callers_randomness_alone(source, tmp_path):
    before = torch.random.get_rng_state()
    events = training.train(dataset_of(source), TINY, tmp_path)
    list(itertools.takewhile(lambda event: not _is_training(event), events))
    events.close()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_train__leaves_the_processor_as_it_was(source, tmp_path):
    """Numbers that are nearly zero are flushed to it while training alone, in one thread alone."""
    tiny, threads = torch.tensor([1e-40]), torch.get_num_threads()
    events = training.train(dataset_of(source), TINY, tmp_path)
    next(events)
    assert (tiny * 0.5).item() == 0
    events.close()
    assert (tiny * 0.5).item() > 0
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"resolution_px": 100}, "resolution px must be cells times a power of two"),
        ({"resolution_px": 8}, r"resolution \(px\) must be between 16 and 512, got 8"),
        ({"widths": (64,)}, "widths must be two or more multiples of 16"),
        ({"widths": (40, 64)}, "widths must be two or more multiples of 16"),
    ],
)
def test_settings__unfit(settings, told):
    with pytest.raises(SettingError, match=told):
        TrainSettings(**settings)


def test_learning_rate__warms_and_cools():
    rates = [loop.learning_rate(step, 1000, 2.0) for step in range(1000)]
    assert rates[0] == pytest.approx(2.0 / 200, rel=0.01)
    assert max(rates) == pytest.approx(2.0, rel=0.1)
    assert rates[-1] == pytest.approx(0.1, rel=0.01)
    assert [loop.learning_rate(step, 1, 2.0) for step in range(1)] == [2.0]


def test_step_generator__differs_by_seed_part_and_step():
    drawn = [
        torch.rand(1, generator=loop.step_generator(*key)).item()
        for key in (
            (0, "denoiser", 0),
            (0, "denoiser", 1),
            (1, "denoiser", 0),
            (0, "autoencoder", 0),
        )
    ]
    assert len(set(drawn)) == 4
    assert torch.rand(1, generator=loop.step_generator(0, "denoiser", 1)).item() == drawn[1]


def test_new_tokenizer__knows_the_classes_words_and_spells_others():
    prompts = ["An image of snowman.", "An image of cactus.", "An image of ."]
    tokenizer = models.new_tokenizer(prompts)
    assert tokenizer.tokenize("an image of cactus") == [
        "an</w>", "image</w>", "of</w>", "cactus</w>",
    ]  # fmt: skip
    for word in ("snowman", "zebra", "éclair"):
        assert tokenizer.decode(tokenizer(word).input_ids, skip_special_tokens=True).strip() == word
    tokens = models.tokenize(tokenizer, [*prompts, "", "snow " * 100])
    assert tokens.shape == (5, 24)
    assert len({tuple(line) for line in tokens.tolist()}) == 5


def test_train__no_space_left(source, tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("dsel.priors.training.np", SimpleNamespace(**vars(np) | {"save": full}))
    with pytest.raises(StorageError, match="no space left on the disk"):
        finish(training.train(dataset_of(source), TINY, tmp_path))
    assert not (tmp_path / "training/labels.npy").exists()


@pytest.mark.parametrize("count", [5, 64, 70])
def test_encode_all__every_row_once_and_mirrored_ones_behind(count):
    settings = TrainSettings(resolution_px=16, cells=8, widths=(32, 32))
    pictures = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3)).astype(np.uint8)
    written = {}
    for event in autoencoder.encode_all(
        models.new_autoencoder(settings).eval(),
        pictures,
        True,
        lambda row, latents: written.update({row + i: one for i, one in enumerate(latents)}),
    ):
        assert isinstance(event, Started | Progress)
    assert sorted(written) == list(range(2 * count))
    assert all(np.abs(latent).max() > 0 for latent in written.values())


def test_train__a_folder_with_a_training_split_is_not_ours(source, tmp_path):
    (tmp_path / "training/cat").mkdir(parents=True)
    (tmp_path / "training/cat/1.png").write_bytes(b"mine")
    before = tree(tmp_path)
    with pytest.raises(StorageError, match="holds other files"):
        list(training.train(dataset_of(source), TINY, tmp_path))
    assert tree(tmp_path) == before


def test_tokenize__prompts_that_end_up_equal_are_refused():
    names = [f"{'very ' * 30}{kind}" for kind in ("cat", "dog")]
    with pytest.raises(PriorError, match="have the same first 24 tokens: shorten the class names"):
        models.tokenize(models.new_tokenizer(names), names)


def test_new_tokenizer__knows_the_parts_of_folder_names():
    names = ["american_staffordshire_terrier", "american_water_spaniel"]
    rows = models.tokenize(models.new_tokenizer(names), names)
    assert not torch.equal(rows[0], rows[1])
    assert (rows[0] != rows[0, -1]).sum() < 12


def test_moving_average__forgets_the_beginning():
    averaged = [torch.zeros(1)]
    for step in range(1, 200):
        denoiser.moving_average(0.999)(averaged, [torch.ones(1)], step)
    assert averaged[0] > 0.999


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(3.0, 3.0)],
        [(0.0, 1.0), (1.0, math.nan), (2.0, 0.1)],
        [(0.0, 1e-9), (1e9, 2e-9)],
    ],
)
def test_loss_chart__any_points(points: list[tuple[float, float]]) -> None:
    drawn = decode(charts.loss_chart("denoiser", points))
    assert drawn.shape == (charts.HEIGHT_PX, charts.WIDTH_PX, 3)
    assert drawn.min() < 100
    assert charts.loss_chart("denoiser", points) == charts.loss_chart("denoiser", points)


def test_loss_chart__shows_a_falling_loss() -> None:
    """The curve starts high on the left and ends low on the right."""
    chart = decode(
        charts.loss_chart("denoiser", [(0.0, 1.0), (1000.0, 0.5), (2000.0, 0.0)])
    ).astype(int)
    blue = chart[..., 2] - chart[..., 0] > 100
    rows, columns = np.nonzero(blue)
    assert rows[columns.argmin()] < charts.HEIGHT_PX / 3
    assert rows[columns.argmax()] > charts.HEIGHT_PX / 2
    assert columns.max() - columns.min() > charts.WIDTH_PX / 2


def test_train__draws_the_losses(tiny_prior: Path) -> None:
    for name in ("autoencoder", "denoiser"):
        assert decode(tiny_prior / f"loss_{name}.png").shape == (
            charts.HEIGHT_PX,
            charts.WIDTH_PX,
            3,
        )
