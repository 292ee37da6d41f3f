"""Patches shown to the prior once more: its activations, patch by patch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.mixture import MixturePrior

from dsel.config import PriorSettings, ScoreSettings, SelectSettings
from dsel.errors import PriorError
from dsel.priors import load_featurizer, load_prior
from dsel.priors.featurizer import PriorFeaturizer
from dsel.priors.noise import draw_noise
from dsel.types import Conditioning, Pixels, Prediction, Prior

SETTINGS = ScoreSettings(feature_timestep=161, noise_seed=3)
KINDS = ("sd_epsilon", "sdxl", "sd3", "flux_dev", "dit", "pixel_unet")
Folders = Callable[[str], Path]


class Listening(MixturePrior):
    """The toy prior that keeps what it was asked, and has room for so many rows."""

    def __init__(self, most_rows: int = 1000) -> None:
        super().__init__(("cat", "dog"), resolution_px=32, cell_px=4)
        self.most_rows = most_rows
        self.prompts: list[str] = []
        self.rows: list[int] = []
        self.times: set[int] = set()

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        self.prompts += prompts
        return super().embed(prompts)

    def predict(
        self, latents: torch.Tensor, timesteps: torch.Tensor, conditioning: Conditioning,
        *, tap: torch.Tensor | None = None,
    ) -> Prediction:  # fmt: skip
        if len(latents) > self.most_rows:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.rows.append(len(latents))
        self.times |= set(timesteps.tolist())
        return super().predict(latents, timesteps, conditioning, tap=tap)


def patches(count: int = 5) -> list[Pixels]:
    """Coloured noise of many sizes."""
    rng = np.random.default_rng(0)
    sides = [(32, 32), (17, 17), (40, 40), (64, 30), (100, 100)]
    return [
        (rng.integers(0, 128, (*sides[number % 5], 3)) + rng.integers(0, 128, 3)).astype(np.uint8)
        for number in range(count)
    ]


def prior_of(folder: Path, **settings: object) -> Prior:
    resolution_px = 64 if "flux" in folder.name else 0
    plain = {"device": "cpu", "precision": "float32", "resolution_px": resolution_px} | settings
    return load_prior(PriorSettings(prior=str(folder), **plain))


def by_hand(prior: Prior, patch: Pixels, null_prompt: str) -> np.ndarray:
    """One patch at a time, squashed to the prior's square: z_t = s z_0 + n eps, and its mean."""
    side = prior.resolution_px
    image = Image.fromarray(patch).resize((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    clean = prior.encode(np.asarray(image)[None].copy())
    noise = draw_noise(3, "patch", [161], range(1), clean.shape[1:], False)[0]
    noised = prior.schedule.signal[161] * clean + prior.schedule.noise[161] * noise
    null = prior.embed([null_prompt if prior.reads == "prompts" else ""])
    answer = prior.predict(noised, torch.tensor([161]), null, tap=torch.tensor([0]))
    return answer.features[0].mean((1, 2)).numpy()


@pytest.mark.parametrize("name", KINDS)
def test_describe__activations_of_each_patch(family_folder, name):
    """Alone or together; one noise for all, so that it tells none from another."""
    prior = prior_of(family_folder(name))
    found = PriorFeaturizer(prior, SETTINGS).describe(patches())
    assert found.dtype == np.float32
    assert found.shape[0] == 5
    expected = np.stack([by_hand(prior, patch, "An image of .") for patch in patches()])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=1e-5 * scale)
    pairs = PriorFeaturizer(prior, SETTINGS.replace(rows_per_call=2)).describe(patches())
    np.testing.assert_allclose(pairs, found, atol=1e-5 * scale)
    turned = PriorFeaturizer(prior, SETTINGS).describe(patches()[::-1])[::-1]
    np.testing.assert_allclose(turned, found, atol=1e-5 * scale)
    apart = np.abs(found[:, None] - found[None, :]).max(-1)
    assert apart[~np.eye(5, dtype=bool)].min() > 1e-3 * scale


@pytest.mark.parametrize(
    ("settings", "prompt"),
    [({}, "An image of ."), ({"null_prompt": ""}, ""), ({"prompt": "a {class}!"}, "a !")],
)
def test_describe__names_no_class(settings, prompt):
    prior = Listening()
    PriorFeaturizer(prior, SETTINGS.replace(**settings)).describe(patches())
    assert prior.prompts == [prompt]
    assert prior.times == {161}


def test_describe__a_prior_of_few_timesteps_takes_its_last():
    prior = Listening()
    short = {n: getattr(prior.schedule, n)[:100] for n in ("signal", "noise", "inputs")}
    prior.schedule = type(prior.schedule)(**short)
    PriorFeaturizer(prior, SETTINGS).describe(patches(1))
    assert prior.times == {99}


def test_describe__memory_that_runs_out_loses_no_patch():
    prior = Listening(most_rows=3)
    found = PriorFeaturizer(prior, SETTINGS).describe(patches(9))
    np.testing.assert_array_equal(
        found, PriorFeaturizer(Listening(), SETTINGS).describe(patches(9))
    )
    assert sum(prior.rows) == 9


def test_describe__no_patches():
    assert PriorFeaturizer(Listening(), SETTINGS).describe([]).shape[0] == 0


def test_fingerprint__follows_the_prior_and_its_arithmetic(family_folder):
    folder = family_folder("sd_epsilon")
    seen = {
        PriorFeaturizer(prior_of(folder, **settings), SETTINGS).fingerprint
        for settings in ({}, {"precision": "bfloat16"}, {"feature_layer": "mid_block"})
    }
    assert len(seen) == 3
    assert PriorFeaturizer(prior_of(folder), SETTINGS).fingerprint in seen


def test_load_featurizer__the_prior_that_scored_the_run(family_folder):
    prior = prior_of(family_folder("sd_v"), feature_layer="mid_block")
    chosen = SelectSettings(features="reencode")
    found = load_featurizer(chosen, SETTINGS, prior.origin, prior.fingerprint, "cpu")
    expected = PriorFeaturizer(prior, SETTINGS)
    assert found.fingerprint == expected.fingerprint
    np.testing.assert_array_equal(found.describe(patches(2)), expected.describe(patches(2)))


def test_load_featurizer__another_prior_in_its_place(family_folder):
    prior = prior_of(family_folder("sd_v"))
    chosen = SelectSettings(features="reencode")
    with pytest.raises(PriorError, match="is not the prior that scored this run"):
        load_featurizer(chosen, SETTINGS, prior.origin, "0" * 16, "cpu")
