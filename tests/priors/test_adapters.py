"""The adapter of each family against a second, plain writing of its scoring; batches against one.

Small float32 networks repeat themselves to a few millionths of the largest loss, not to the bit:
see `test_score__how_many_go_together_does_not_matter`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from support.families import CLASS_NAMES, FAMILIES
from support.lazy import LazyModule
from support.reference import reference_maps
from support.toyset import dataset_of, finish

from dsel.cli.commands import main
from dsel.config import PriorSettings, ScoreSettings
from dsel.core.box_search import largest_mean_boxes
from dsel.core.gap_maps import combine_timesteps, image_losses, mean_losses
from dsel.data.images import to_proxy
from dsel.errors import SettingError
from dsel.pipeline.score import score
from dsel.priors import ADAPTERS, load_prior
from dsel.priors import FAMILIES as PIPELINES
from dsel.priors.noise import draw_noise
from dsel.priors.scorer import Scorer
from dsel.runs import Run, open_run
from dsel.types import Conditioning, ImageRef, Pixels, Prior, Score

base = LazyModule("dsel.priors.base")

SETTINGS = ScoreSettings(timesteps=(50, 700), draws=2, feature_grid=4, feature_dim=8)
ONE_TIMESTEP = ScoreSettings(timesteps=(500,), draws=2, feature_grid=4, feature_dim=8)
KINDS = ("sd_epsilon", "sdxl", "sd3", "flux_dev", "dit", "pixel_unet")
"""A pipeline of each family, where its variants make no difference."""

Folders = Callable[[str], Path]
Maps = NDArray[np.float32] | NDArray[np.float64]


def asked(name: str, folder: Path, **more: object) -> PriorSettings:
    """FLUX is asked for a resolution, since that of its pipeline is a fixed 1024 px."""
    resolution_px = 64 if name.startswith("flux") else 0
    settings = {"precision": "float32", "device": "cpu", "resolution_px": resolution_px} | more
    return PriorSettings(prior=str(folder), **settings)


def flags(settings: PriorSettings) -> list[str]:
    return [
        "--prior", settings.prior, "--precision", settings.precision, "--device", "cpu",
        "--resolution-px", str(settings.resolution_px), "--timesteps", "50", "700", "--draws", "2",
        "--feature-grid", "4", "--feature-dim", "8",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def prior_of(family_folder: Folders) -> Callable[[str], Prior]:
    loaded: dict[str, Prior] = {}

    def prior(name: str) -> Prior:
        if name not in loaded:
            loaded[name] = load_prior(asked(name, family_folder(name)))
        return loaded[name]

    return prior


def draw(seed: int, height: int = 64, width: int = 64) -> Pixels:
    """Coloured noise with a square in it."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 90, (height, width, 3), np.uint8) + rng.integers(0, 90, 3, np.uint8)
    x, y = rng.integers(0, 30, 2)
    picture[y : y + 30, x : x + 30] += rng.integers(0, 75, 3, np.uint8)
    return picture


def write_drawn(root: Path, names: Sequence[str]) -> Path:
    """A picture of each class, the second of them wide."""
    for number, name in enumerate(names):
        (root / name).mkdir(parents=True)
        Image.fromarray(draw(number, width=64 + 26 * number)).save(root / name / "drawn.png")
    return root


def proxies(prior: Prior, count: int) -> NDArray[np.uint8]:
    side = prior.resolution_px
    return np.stack([to_proxy(draw(n), side, "crop", prior.step_px).pixels for n in range(count)])


def refs(count: int) -> list[ImageRef]:
    return [ImageRef(f"drawn/{number}", number % 2) for number in range(count)]


def scored(
    prior: Prior, name: str, pixels: NDArray[np.uint8], images: Sequence[ImageRef],
    together: int, settings: ScoreSettings = ONE_TIMESTEP,
) -> list[Score]:  # fmt: skip
    """Score so many at a time, in one call of the prior each time."""
    rows = 2 * len(settings.timesteps) * settings.draws * together
    asked_so = settings.replace(rows_per_call=rows)
    scorer = Scorer(prior, [(label,) for label in CLASS_NAMES[name]], asked_so)
    found: list[Score | None] = []
    for start in range(0, len(images), together):
        some = slice(start, start + together)
        found += scorer.score(images[some], pixels[some], range(settings.draws))
    assert None not in found
    return found


def stacked(scores: Sequence[Score], part: str) -> Maps:
    return np.stack([getattr(one, part) for one in scores])


def away(found: Maps, expected: Maps, scale: Maps | None = None) -> float:
    """The largest deviation, as a share of the largest magnitude."""
    return float(
        np.abs(found - expected).max() / np.abs(expected if scale is None else scale).max()
    )


def stored_maps(run: Run) -> dict[str, tuple[Maps, Maps]]:
    found = {}
    for index in range(len(run.identity.classes)):
        scores = run.class_scores(index)
        for bucket in scores.buckets:
            for row, conditional, gap in zip(
                bucket.rows, bucket.conditional, bucket.gap, strict=True
            ):
                found[scores.ids[row]] = conditional.astype(np.float32), gap.astype(np.float32)
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_score__equals_the_plain_loop(family_folder, prior_of, tmp_path, capfd, name):
    """Through the command line into a run, and in float32 before it is stored."""
    folder, prior = family_folder(name), prior_of(name)
    source = write_drawn(tmp_path / "source", CLASS_NAMES[name])
    settings = asked(name, folder)
    capfd.readouterr()  # the building of the folder may have printed warnings of libraries
    assert main(["score", str(source), "--run", str(tmp_path / "run"), *flags(settings)]) == 0
    said = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("note: ")]
    assert said[0] == f"source: {source}"
    contents = ("source: ", "split: ", "classes: ", "  ", "null prompt: ")
    assert [line for line in said if not line.startswith(contents)] == []
    stored = stored_maps(open_run(tmp_path / "run"))
    dataset = dataset_of(source)
    assert len(stored) == len(dataset.refs) == 2
    scorer = Scorer(prior, dataset.names, SETTINGS)
    shapes = set()
    for ref in dataset.refs:
        seen = to_proxy(dataset.read(ref), prior.resolution_px, "whole", prior.step_px).pixels
        (found,) = scorer.score([ref], seen[None], range(2))
        noise = draw_noise(0, ref.id, (50, 700), range(2), prior.encode(seen[None]).shape[1:], True)
        conditional, gap = reference_maps(
            name, folder, seen, dataset.classes[ref.class_index], (50, 700), noise,
            resolution_px=prior.resolution_px,
        )  # fmt: skip
        assert away(found.conditional, conditional) < 1e-5
        # A gap is the difference of two losses, each of which is rounded by its own size: other
        # processors round them by a little more.
        is_wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
        assert away(found.gap, gap, gap if is_wide else conditional) < 1e-5
        for kept, exact in zip(stored[ref.id], (found.conditional, found.gap), strict=True):
            np.testing.assert_allclose(kept, exact, rtol=6e-4, atol=2e-5 * np.abs(exact).max())
        shapes.add(seen.shape)
    assert len(shapes) == (1 if prior.step_px == 0 else 2)


@pytest.mark.parametrize("resolution_px", [64, 96])
def test_score__flux_dev_shifts_by_the_resolution_asked_for(family_folder, resolution_px):
    """Not by the shape of each picture: one timestep has one sigma in a run."""
    folder = family_folder("flux_dev")
    prior = load_prior(asked("flux_dev", folder, resolution_px=resolution_px))
    pixels = draw(3, resolution_px, resolution_px + 32)
    (found,) = Scorer(prior, [("cat",)], SETTINGS).score(
        [ImageRef("drawn", 0)], pixels[None], range(2)
    )
    shape = prior.encode(pixels[None]).shape[1:]
    noise = draw_noise(0, "drawn", (50, 700), range(2), shape, True)
    conditional, gap = reference_maps(
        "flux_dev", folder, pixels, "cat", (50, 700), noise, resolution_px=resolution_px
    )
    assert away(found.conditional, conditional) < 1e-5
    assert away(found.gap, gap) < 1e-5


def test_flux__its_own_resolution_is_that_of_its_pipeline(family_folder):
    prior = load_prior(asked("flux_dev", family_folder("flux_dev"), resolution_px=0))
    assert (prior.resolution_px, prior.cell_px, prior.step_px) == (1024, 8, 16)


@pytest.mark.parametrize("name", KINDS)
def test_score__how_many_go_together_does_not_matter(prior_of, name):
    """One, three or sixteen pictures at a time: the same to two millionths of the largest loss.

    Less than one was measured, and the same bytes for the pixel U-Net. For the others they differ:
    MKL multiplies matrices of few rows by other kernels (`Linear`, below about ten rows), oneDNN
    convolves one picture by another algorithm than several, and SiLU's vector and scalar code,
    which differ in the last bit, share out elements by their place in memory.
    """
    prior = prior_of(name)
    pixels = proxies(prior, 16)
    one, three, all_ = (scored(prior, name, pixels, refs(16), n) for n in (1, 3, 16))
    losses = stacked(one, "conditional")
    scales = mean_losses(image_losses(losses).sum(axis=0), len(losses))
    boxes = []
    for several in (one, three, all_):
        for part in ("conditional", "gap"):
            assert away(stacked(several, part), stacked(one, part), losses) < 2e-6
        assert away(stacked(several, "features"), stacked(one, "features")) < 1e-5
        maps = combine_timesteps(stacked(several, "gap"), scales, positive=True)
        boxes.append(
            largest_mean_boxes(maps, prior.cell_px, prior.resolution_px / 2, prior.cell_px)
        )
    for several in boxes[1:]:
        np.testing.assert_array_equal(several.x, boxes[0].x)
        np.testing.assert_array_equal(several.y, boxes[0].y)


@pytest.mark.parametrize("name", KINDS)
def test_score__in_float64_batches_agree_to_the_rounding_of_float32(family_folder, name):
    """What differs between batches is rounding: with more digits inside it is gone."""
    prior = in_float64(name, family_folder(name))
    pixels = proxies(prior, 3)
    one, two, all_ = (scored(prior, name, pixels, refs(3), n) for n in (1, 2, 3))
    losses = stacked(one, "conditional")
    for several in (two, all_):
        for part in ("conditional", "gap"):
            assert away(stacked(several, part), stacked(one, part), losses) < 1e-6
        assert away(stacked(several, "features"), stacked(one, "features")) < 1e-6


def in_float64(name: str, folder: Path) -> Prior:
    kind = json.loads((folder / "model_index.json").read_text())["_class_name"]
    module, _, attribute = ADAPTERS[PIPELINES[kind]].partition(":")
    settings = asked(name, folder)
    loading = base.Loading(
        folder=folder, settings=settings, origin={}, fingerprint="", device=torch.device("cpu"),
        dtype=torch.float64,
    )  # fmt: skip
    return getattr(import_module(module), attribute)(loading)


@pytest.mark.parametrize("name", KINDS)
def test_score__neighbours_do_not_matter(prior_of, name):
    """The same bytes in the same place, whatever the pictures and classes around it."""
    prior = prior_of(name)
    pixels, images = proxies(prior, 8), refs(8)
    found = scored(prior, name, pixels[:4], images[:4], 4)
    others = [images[7], images[1], images[4], images[6]]
    other_pixels = pixels[[7, 1, 4, 6]]
    again = scored(prior, name, other_pixels, others, 4)
    for part in ("conditional", "gap", "features"):
        np.testing.assert_array_equal(getattr(again[1], part), getattr(found[1], part))
        assert not np.array_equal(getattr(again[0], part), getattr(found[0], part))


@pytest.mark.parametrize("name", KINDS)
def test_score__order_does_not_matter(prior_of, name):
    prior = prior_of(name)
    pixels, images = proxies(prior, 5), refs(5)
    found = scored(prior, name, pixels, images, 5)
    turned = scored(prior, name, pixels[::-1].copy(), images[::-1], 5)[::-1]
    for part, most in (("conditional", 2e-6), ("gap", 2e-6), ("features", 1e-5)):
        scale = stacked(found, "features" if part == "features" else "conditional")
        assert away(stacked(turned, part), stacked(found, part), scale) < most


@pytest.mark.parametrize("name", ["sd_epsilon", "sd3"])
def test_score__shapes_mixed_in_a_shard_do_not_matter(prior_of, tmp_path, name):
    """Square, wide and tall pictures in turn, against the square ones alone."""
    prior = prior_of(name)
    shapes = [(64, 64), (64, 110), (100, 64), (64, 64)]
    for number, (height, width) in enumerate(shapes):
        for folder in ("mixed", "square") if height == width else ("mixed",):
            (tmp_path / folder / "cat").mkdir(parents=True, exist_ok=True)
            path = tmp_path / folder / "cat" / f"{number}.png"
            Image.fromarray(draw(number, height, width)).save(path)
    found = {}
    for folder in ("mixed", "square"):
        finish(score(dataset_of(tmp_path / folder), prior, tmp_path / f"{folder} run", SETTINGS))
        found[folder] = stored_maps(open_run(tmp_path / f"{folder} run"))
    assert len({maps[0].shape for maps in found["mixed"].values()}) == 3
    assert (len(found["mixed"]), len(found["square"])) == (4, 2)
    for id_, alone in found["square"].items():
        for one, other in zip(alone, found["mixed"][id_], strict=True):
            np.testing.assert_allclose(other, one, rtol=2e-3, atol=1e-5 * np.abs(one).max())


def some_rows(prior: Prior, name: str, rows: int) -> tuple[torch.Tensor, Conditioning]:
    """Noised latents, wider than high where the prior takes that, with the first class's prompt."""
    side = prior.resolution_px
    picture = draw(0, side, side + (2 * prior.step_px))
    latents = prior.encode(np.repeat(picture[None], rows, axis=0))
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(latents.shape, generator=generator)
    label = CLASS_NAMES[name][0]
    embedded = prior.embed([label if prior.reads == "labels" else f"An image of {label}."])
    return latents + noise, {k: v.expand(rows, *v.shape[1:]) for k, v in embedded.items()}


FEATURES = {
    "sd_epsilon": (32, 8, 16), "sd_v": (32, 8, 16), "sdxl": (32, 8, 16), "sd3": (32, 4, 6),
    "sd3_no_t5": (32, 4, 6), "flux_schnell": (32, 4, 6), "flux_dev": (32, 4, 6), "dit": (32, 4, 4),
    "dit_of_old": (32, 4, 4), "pixel_unet": (32, 32, 40),
}  # fmt: skip
"""Channels and grid of the default layer: U-Nets have it at full size, transformers per token."""


@pytest.mark.parametrize("name", FAMILIES)
def test_predict__features_of_tapped_rows(prior_of, name):
    prior = prior_of(name)
    latents, prompts = some_rows(prior, name, 3)
    latents[2] *= 0.5
    times = torch.tensor([500, 300, 500])
    answer = prior.predict(latents, times, prompts, tap=torch.tensor([2, 0]))
    assert answer.features.shape == (2, *FEATURES[name])
    assert answer.features.dtype == torch.float32
    assert torch.isfinite(answer.features).all()
    everything = prior.predict(latents, times, prompts, tap=torch.arange(3)).features
    torch.testing.assert_close(answer.features, everything[[2, 0]], rtol=0, atol=0)
    assert len({grid.numpy().tobytes() for grid in everything}) == 3
    for tap in (None, torch.zeros(0, dtype=torch.long)):
        untapped = prior.predict(latents, times, prompts, tap=tap)
        assert untapped.features is None
        torch.testing.assert_close(untapped.output, answer.output, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["sd3", "flux_dev", "dit"])
def test_predict__tokens_lie_where_the_picture_does(family_folder, name):
    """What changes in four cells of a latent changes the features of their token most."""
    prior = load_prior(asked(name, family_folder(name), feature_layer="transformer_blocks.0"))
    latents, prompts = some_rows(prior, name, 1)
    down, across = (side // 2 for side in latents.shape[-2:])
    change = torch.randn(latents.shape[1], 2, 2, generator=torch.Generator().manual_seed(1))
    rows = latents.repeat(1 + down * across, 1, 1, 1)
    for token, (y, x) in enumerate(itertools.product(range(down), range(across)), start=1):
        rows[token, :, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2] += change
    prompts = {key: value.expand(len(rows), *value.shape[1:]) for key, value in prompts.items()}
    times = torch.full((len(rows),), 500)
    grids = prior.predict(rows, times, prompts, tap=torch.arange(len(rows))).features
    moved = (grids[1:] - grids[0]).abs().mean(1)  # (tokens, fh, fw)
    assert moved.shape == (down * across, down, across)
    assert moved.flatten(1).argmax(1).tolist() == list(range(down * across))


@pytest.mark.parametrize("name", [name for name in KINDS if name != "sdxl"])
def test_predict__every_layer_that_can_be_tapped_has_a_grid(family_folder, prior_of, name):
    prior = prior_of(name)
    latents, prompts = some_rows(prior, name, 1)
    with pytest.raises(SettingError, match="unknown feature layer 'nowhere'; known are: ") as told:
        load_prior(asked(name, family_folder(name), feature_layer="nowhere"))
    layers = str(told.value).partition("known are: ")[2].split(", ")
    assert len(layers) >= 3
    for layer in layers:
        tapped = load_prior(asked(name, family_folder(name), feature_layer=layer))
        tap = torch.zeros(1, dtype=torch.long)
        answer = tapped.predict(latents, torch.tensor([500]), prompts, tap=tap)
        rows, columns = answer.features.shape[-2:]
        assert latents.shape[-1] * rows == latents.shape[-2] * columns
        assert tapped.fingerprint != prior.fingerprint


@pytest.mark.parametrize("name", KINDS)
def test_score__features_tell_pictures_apart(prior_of, name):
    prior = prior_of(name)
    found = scored(prior, name, proxies(prior, 3), refs(3), 3)
    features = stacked(found, "features")
    assert features.shape == (3, 4, 4, 8)
    assert len({grid.tobytes() for grid in features}) == 3


@pytest.mark.parametrize("name", KINDS)
def test_load_prior__low_memory_is_the_same_prior_to_the_eye(family_folder, prior_of, name):
    prior = prior_of(name)
    spare = load_prior(asked(name, family_folder(name), low_memory=True))
    assert spare.fingerprint != prior.fingerprint
    pixels = proxies(prior, 2)
    found, same = (scored(one, name, pixels, refs(2), 2) for one in (spare, prior))
    losses = stacked(same, "conditional")
    for part in ("conditional", "gap"):
        assert away(stacked(found, part), stacked(same, part), losses) < 1e-4
