"""Scoring a dataset into a run: what changes no score, and what is counted."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.mixture import MixturePrior
from support.stages import all_stages, figures_of, gaps
from support.toyset import (
    CELL_PX,
    PX,
    QUICK,
    dataset_of,
    draw_picture,
    finish,
    scored_run,
    toy_prior,
    tree,
    write_pictures,
)

from dsel.config import PriorSettings, SelectSettings
from dsel.contents import Contents
from dsel.core import projection
from dsel.core.gap_maps import image_bucket
from dsel.data.images import decode
from dsel.errors import PriorError, SettingError
from dsel.pipeline.score import score
from dsel.pipeline.select import select
from dsel.priors import load_prior
from dsel.priors.known_classes import write_known_classes
from dsel.priors.schedules import diffusion_schedule
from dsel.runs import open_run
from dsel.types import Done, Notice, Skipped, Started


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tree of an uninterrupted run and export."""
    folder = tmp_path_factory.mktemp("whole")
    finish(all_stages(source, folder))
    return tree(folder)


def test_score__what_is_there_is_not_scored_again(source, tmp_path):
    dataset = dataset_of(source)
    events = score(dataset, toy_prior(), tmp_path, QUICK)
    # A shard is written before the first event behind it; the contents of the source come first.
    for _ in itertools.islice(events, 2 + 3 + 1):
        pass
    events.close()
    verified, first, *_, done = (
        event
        for event in score(dataset, toy_prior(), tmp_path, QUICK)
        if isinstance(event, Started | Done)
    )
    assert verified == Started("verify", 1, "shards")
    assert first == Started("score", 7, "images", 3)
    # Each prompt once, the null one too; images of one shape together are encoded and predicted.
    shapes = [{"40 x 36"}, {"40 x 36", "43 x 36", "46 x 36"}, {"40 x 36"}]
    assert 3 + 2 * 2 <= done.figures["model_calls"] <= 3 + 2 * sum(map(len, shapes))
    assert (done.figures["images"], done.figures["skipped"]) == (6, 1)


def test_score__a_finished_run_asks_the_prior_nothing(source, tmp_path):
    finish(score(dataset_of(source), toy_prior(), tmp_path, QUICK))
    before = tree(tmp_path)
    events = finish(score(dataset_of(source), toy_prior(), tmp_path, QUICK))
    assert isinstance(events[0], Contents)
    assert [event for event in events if isinstance(event, Started)] == [
        Started("verify", 3, "shards"), Started("score", 7, "images", 7),
    ]  # fmt: skip
    figures = figures_of(events)
    assert figures["model_calls"] == figures["images_per_s"] == figures["model_share"] == 0
    assert tree(tmp_path) == before


def test_score__figures(source, tmp_path):
    figures = figures_of(finish(score(dataset_of(source), toy_prior(), tmp_path, QUICK)))
    assert set(figures) == {
        "images", "skipped", "evaluations", "model_calls", "images_per_s", "model_share",
        "knowledge_auc",
    }  # fmt: skip
    assert figures["evaluations"] == 6 * 2 * 2 * 2  # images, timesteps, draws, prompts
    assert figures["images_per_s"] > 0
    assert 0 < figures["model_share"] < 1


@pytest.mark.parametrize(
    "changed",
    [
        {"decoders": 1},
        {"decoders": 7},
        {"rows_per_call": 2},
        {"rows_per_call": 3},
        {"rows_per_call": 500},
    ],
)
def test_score__speed_settings_change_no_byte(source, tmp_path, whole, changed):
    dataset = dataset_of(source)
    finish(score(dataset, toy_prior(), tmp_path / "run", QUICK.replace(**changed)))
    made = tree(tmp_path)
    assert made == {name: print_ for name, print_ in whole.items() if name in made}


@pytest.fixture(scope="module")
def known(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, ...]]:
    return gaps(scored_run(source, tmp_path_factory.mktemp("known") / "run").path)


@pytest.mark.parametrize("shard_size", [1, 2, 100])
def test_score__shards_change_no_score(source, tmp_path, known, shard_size):
    scored_run(source, tmp_path / "run", QUICK.replace(shard_size=shard_size))
    assert gaps(tmp_path / "run") == known


def test_score__absent_neighbours_change_no_score(source, tmp_path, known):
    """Of two classes and of one, of all images and of few: an image's score is its own."""
    prior = toy_prior(("cat", "dog"))
    for kept in ({"classes": ("dog",)}, {"per_class": 2}, {"classes": ("cat",), "per_class": 1}):
        path = tmp_path / str(len(list(tmp_path.iterdir())))
        finish(score(dataset_of(source, **kept), prior, path, QUICK))
        found = gaps(path)
        assert 0 < len(found) < len(known)
        assert found == {image_id: known[image_id] for image_id in found}


class Reversed:
    """The same dataset from its end."""

    def __init__(self, dataset) -> None:
        self.classes, self.fingerprint = dataset.classes, dataset.fingerprint
        self.names, self.structure = dataset.names, dataset.structure
        self.origin, self.read = dataset.origin, dataset.read
        self.orientation = dataset.orientation
        self.refs = list(reversed(dataset.refs))


def test_score__order_changes_no_score(source, tmp_path, known):
    finish(score(Reversed(dataset_of(source)), toy_prior(), tmp_path, QUICK))
    assert gaps(tmp_path) == known


def test_score__noise_follows_the_seed(source, tmp_path, known):
    scored_run(source, tmp_path / "run", QUICK.replace(noise_seed=1))
    found = gaps(tmp_path / "run")
    assert set(found) == set(known)
    assert all(found[image_id] != known[image_id] for image_id in known)


class Choosy:
    """A prior that has no number for a picture whose first pixel is white."""

    def __init__(self, prior) -> None:
        self._prior = prior

    def __getattr__(self, name: str):
        return getattr(self._prior, name)

    def encode(self, pixels):
        latents = self._prior.encode(pixels)
        latents[pixels[:, 0, 0].min(-1) == 255] = torch.nan
        return latents


def test_score__skipped_images_are_counted_with_their_reasons(tmp_path):
    root = write_pictures(tmp_path / "pictures", {"cat": 3, "dog": 2})
    (root / "cat/a").write_text("notes")
    (root / "cat/b.png").write_bytes(b"")
    (root / "cat/c.png").write_bytes((root / "cat/00.png").read_bytes()[:300])
    Image.new("RGB", (300, 9)).save(root / "dog/small.png")
    Image.new("RGB", (PX, PX), "white").save(root / "dog/white.png")
    events = finish(score(dataset_of(root), Choosy(toy_prior()), tmp_path / "run", QUICK))
    told = {event.ref.id: event.reason for event in events if isinstance(event, Skipped)}
    assert told["cat/a"] == "is text, not an image"
    assert told["cat/b.png"] == "is empty (0 bytes)"
    assert "cut off" in told["cat/c.png"]
    assert told["dog/small.png"].startswith("is 300 x 9 px: the shorter side must be at least 16")
    assert told["dog/white.png"].startswith("the prior's output is not a finite number")
    assert figures_of(events) | {"images": 5, "skipped": 5} == figures_of(events)
    run = open_run(tmp_path / "run")
    assert {row.id: row.reason for row in run.images if row.reason} == told
    assert (run.summary.scored, run.summary.skipped) == (5, 5)
    assert len(run.class_scores(0).ids) == 3
    assert all(np.isfinite(bucket.gap).all() for bucket in run.class_scores(1).buckets)


def test_score__settings_that_do_not_fit_the_prior(source, tmp_path):
    prior = toy_prior()
    prior.schedule = diffusion_schedule(prior.alphas_cumprod[:500])
    with pytest.raises(SettingError, match=r"timestep must be between 0 and 499.*got 600"):
        finish(score(dataset_of(source), prior, tmp_path / "run", QUICK))
    prior = toy_prior()
    prior.prediction = "score"
    with pytest.raises(PriorError, match="the prior predicts 'score'; dsel supports epsilon"):
        finish(score(dataset_of(source), prior, tmp_path / "run", QUICK))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("prediction", ["v_prediction", "sample"])
def test_score__kinds_of_prediction_agree(source, tmp_path, prediction):
    runs = {}
    for kind in ("epsilon", prediction):
        prior = toy_prior()
        prior.prediction = kind
        finish(score(dataset_of(source), prior, tmp_path / kind, QUICK))
        buckets = open_run(tmp_path / kind).class_scores(0).buckets
        runs[kind] = np.concatenate([bucket.gap.astype(np.float32).ravel() for bucket in buckets])
    assert np.allclose(runs[prediction], runs["epsilon"], atol=2e-3)


def test_score__where_the_class_shows_the_gap_is_positive(tmp_path):
    """Cells that look as one class does, in a field that is the same for both."""
    prior = toy_prior()
    latent = torch.zeros(3, 8, 8)
    latent[:, 2:5, 3:6] = prior.means[0, 1, :, 0, 0][:, None, None]
    folder = tmp_path / "pictures"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        Image.fromarray(prior.decode(latent)).save(folder / name / "0.png")
    settings = QUICK.replace(draws=16)
    finish(score(dataset_of(folder), prior, tmp_path / "run", settings))
    run = open_run(tmp_path / "run")
    discriminative = np.zeros((8, 8), bool)
    discriminative[2:5, 3:6] = True
    for index, sign in ((0, 1), (1, -1)):
        gap = run.class_scores(index).buckets[0].gap[0].astype(np.float32).mean(axis=0)
        assert (sign * gap[discriminative]).mean() > 3 * abs(gap[~discriminative]).mean()
    finish(select(run, SelectSettings(patch_px=12, ipc=1, locate="positive", smooth=0)))
    patch = run.read_selection()[1][0].patches[0]
    assert (patch.box.x, patch.box.y) == (12, 8)


def test_proxies__are_what_the_prior_saw(source, tmp_path):
    run = scored_run(source, tmp_path / "run", QUICK.replace(fit="crop"))
    row = run.class_rows(0)[2]
    shown = draw_picture(0, 0, 2)[:, 5:41]  # 46 x 36 px: the middle 36
    assert (row.frame.view.x, row.frame.view.width) == (5, 36)
    proxy = decode(run.image_bytes([row], "proxy")[0])
    resized = np.asarray(Image.fromarray(shown).resize((PX, PX), Image.Resampling.LANCZOS))
    assert np.abs(_cells(proxy) - _cells(resized)).mean() < 3  # WebP blurs the noise's colours
    assert np.abs(_cells(proxy) - _cells(resized[:, ::-1])).mean() > 6


def _cells(picture):
    return picture.reshape(8, 4, 8, 4, 3).astype(float).mean(axis=(1, 3))


def test_score__squares_only_is_told(source, tmp_path):
    prior = toy_prior()
    prior.step_px = 0
    events = finish(score(dataset_of(source), prior, tmp_path, QUICK))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices == ["this prior sees squares only: images are cropped to their centre"]
    frames = {row.frame.proxy_width for row in open_run(tmp_path).images if row.frame}
    assert frames == {PX}


def test_score__classes_that_the_prior_was_not_trained_on(source, tmp_path):
    prior = toy_prior()
    write_known_classes(tmp_path / "prior", ["Cat", "robot"])
    prior.origin = {"prior": str(tmp_path / "prior")}
    events = finish(score(dataset_of(source), prior, tmp_path / "run", QUICK))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices == [
        "the prior was trained on Cat, robot only, and not on dog: scores of other classes mean "
        "little"
    ]


def test_score__pictures_keep_their_shape(source, tmp_path):
    finish(score(dataset_of(source), toy_prior(), tmp_path, QUICK))
    run = open_run(tmp_path)
    shapes = {row.id: (row.frame.proxy_width, row.frame.proxy_height) for row in run.class_rows(0)}
    assert shapes["cat/00.png"] == (36, 32)  # 40 x 36 px: 35.6 is nearest to 36
    assert shapes["cat/02.png"] == (40, 32)  # 46 x 36 px: 40.9
    for row, image_id in enumerate(run.class_scores(0).ids):
        width, height = shapes[image_id]
        assert image_bucket(run.class_scores(0), row).gap.shape[2:] == (height // 4, width // 4)


class ThreadedPrior(MixturePrior):
    """A prior whose outputs depend on the number of threads, as convolutions on a CPU do."""

    def predict(self, latents, timesteps, conditioning, *, tap=None):
        found = super().predict(latents, timesteps, conditioning, tap=tap)
        return replace(found, output=found.output + 1e-3 * torch.get_num_threads())


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_score__resumed_with_another_number_of_threads(source, tmp_path, two_threads):
    """The rest is computed with as many as the first call had, which `run.json` records."""
    dataset = dataset_of(source)
    prior = ThreadedPrior(dataset.classes, resolution_px=PX, cell_px=CELL_PX)
    finish(score(dataset, prior, tmp_path / "whole", QUICK))
    events = score(dataset, prior, tmp_path / "run", QUICK)
    for _ in events:
        if open_run(tmp_path / "run").finished_shards():
            break
    events.close()
    torch.set_num_threads(1)
    found = finish(score(dataset, prior, tmp_path / "run", QUICK))
    assert torch.get_num_threads() == 1
    notices = [event.text for event in found if isinstance(event, Notice)]
    assert notices == [
        "the run was begun with 2 threads: as many compute the rest, not 1, because their number "
        "changes the last digits of scores"
    ]
    assert tree(tmp_path / "run") == tree(tmp_path / "whole")
    assert open_run(tmp_path / "run").identity.threads == 2
    again = finish(score(dataset, prior, tmp_path / "run", QUICK))  # all is done
    assert not [event for event in again if isinstance(event, Notice)]


def test_score__the_demo_prior_resumed_with_another_number_of_threads(tmp_path, two_threads):
    """Its convolutions of 1 x 1 pixels differ in their last digits."""
    root = write_pictures(tmp_path / "pictures", {"car": 2, "robot": 2})
    dataset, settings = dataset_of(root), QUICK.replace(shard_size=2)
    prior = load_prior(PriorSettings(device="cpu", precision="float32"))
    finish(score(dataset, prior, tmp_path / "whole", settings))
    events = score(dataset, prior, tmp_path / "run", settings)
    for _ in events:
        if open_run(tmp_path / "run").finished_shards():
            break
    events.close()
    torch.set_num_threads(1)
    finish(score(dataset, prior, tmp_path / "run", settings))
    assert tree(tmp_path / "run") == tree(tmp_path / "whole")


def test_score__where_umap_cannot_run(tmp_path, monkeypatch):
    """All stages go on with principal components, and a notice tells it once."""
    root = write_pictures(tmp_path / "pictures", {"cat": 6, "dog": 6})
    dataset = dataset_of(root)
    monkeypatch.setattr(projection, "_umap_library", lambda: projection._Library(problem="no home"))
    events = finish(score(dataset, toy_prior(), tmp_path / "run", QUICK))
    assert [event.text for event in events if isinstance(event, Notice)] == [
        "UMAP cannot run here, so principal components lay out the images (no home); to try again, "
        f"remove {tmp_path / 'run/layouts'} and score again"
    ]
    assert isinstance(events[-1], Done)
    layouts = [open_run(tmp_path / "run").read_layout(index) for index in (0, 1)]
    assert [positions.shape for positions in layouts] == [(6, 2), (6, 2)]
