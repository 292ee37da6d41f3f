"""The stages: the same bytes whatever interrupts them, and nothing that disappears silently."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.lazy import LazyModule
from support.toyset import (
    PX,
    QUICK,
    SMALL,
    dataset_of,
    draw_picture,
    finish,
    scored_run,
    toy_prior,
    tree,
    write_pictures,
)

from dsel.config import ExportSettings, ScoreSettings, SelectSettings
from dsel.core.selection import image_bucket
from dsel.data.images import decode
from dsel.errors import PriorError, SettingError, StorageError
from dsel.pipeline.export import export, export_selections
from dsel.pipeline.score import score
from dsel.pipeline.select import select
from dsel.runs import open_run
from dsel.types import Done, Event, Notice, Progress, Skipped, Started

torch = LazyModule("torch")
schedules = LazyModule("dsel.priors.schedules")

CLASSES = {"cat": 4, "dog": 3}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_pictures(tmp_path_factory.mktemp("pictures"), CLASSES)
    (root / "dog" / "01.png").write_text("no picture")
    return root


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tree of an uninterrupted run and export."""
    folder = tmp_path_factory.mktemp("whole")
    finish(all_stages(source, folder))
    return tree(folder)


CASCADE = replace(QUICK, draws=6, refine=0.4)


def all_stages(source: Path, folder: Path, settings: ScoreSettings = QUICK) -> Iterator[Event]:
    """Score, select and export, as `dsel distill` does."""
    dataset = dataset_of(source)
    yield from score(dataset, toy_prior(dataset.classes), folder / "run", settings)
    run = open_run(folder / "run")
    yield from select(run, SMALL)
    yield from export(run, folder, ExportSettings(image_px=20), also_ours=("run",))


def gaps(run_path: Path) -> dict[str, tuple[bytes, bytes, bytes]]:
    """All stored tensors of each image, by its id without the class folder's place in the run."""
    run = open_run(run_path)
    found = {}
    for index in range(len(run.identity.classes)):
        scores = run.class_scores(index)
        for row, image_id in enumerate(scores.ids):
            maps = image_bucket(scores, row)
            tensors = (maps.conditional, maps.gap, scores.features[row])
            found[image_id] = tuple(tensor.tobytes() for tensor in tensors)
    return found


def figures_of(events: list[Event]) -> dict[str, float]:
    return dict(next(event.figures for event in events if isinstance(event, Done)))


def test_stages__events_in_order(source, tmp_path):
    events = finish(all_stages(source, tmp_path))
    started = [event.stage for event in events if isinstance(event, Started)]
    assert started == ["score", "layout", "select", "export"]
    assert [event.stage for event in events if isinstance(event, Done)] == [
        "score", "select", "export",
    ]  # fmt: skip
    for stage in (event for event in events if isinstance(event, Started)):
        behind = itertools.takewhile(
            lambda event: not isinstance(event, Started), events[events.index(stage) + 1 :]
        )
        counted = sum(event.count for event in behind if isinstance(event, Progress))
        assert counted == stage.total


def test_stages__interrupted_after_any_event(source, tmp_path, whole):
    count = len(finish(all_stages(source, tmp_path / "counted")))
    for stop in range(1, count):
        folder = tmp_path / f"{stop:03d}"
        events = all_stages(source, folder)
        for _ in itertools.islice(events, stop):
            pass
        events.close()
        finish(all_stages(source, folder))
        assert tree(folder) == whole, f"interrupted after event {stop}"


def test_stages__interrupted_time_and_again(source, tmp_path, whole):
    for stop in range(1, 60):
        events = all_stages(source, tmp_path)
        taken = sum(1 for _ in itertools.islice(events, stop))
        events.close()
        if taken < stop:
            break
    assert tree(tmp_path) == whole


class Crash(BaseException):
    """The process ends here: no handler of dsel's sees it."""


def _fail_at(monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException) -> None:
    """Let the `number`-th flush to the disk fail."""
    calls = itertools.count(1)
    real = os.fsync

    def fsync(handle: int) -> None:
        if next(calls) == number:
            raise error
        real(handle)

    monkeypatch.setattr("dsel.files.os.fsync", fsync)


def _flushes(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    count = itertools.count()
    with monkeypatch.context() as patched:
        patched.setattr("dsel.files.os.fsync", lambda _: next(count))
        finish(all_stages(source, folder))
    return next(count)


def test_stages__killed_at_any_flush(source, tmp_path, whole, monkeypatch):
    for number in range(1, _flushes(source, tmp_path / "counted", monkeypatch) + 1):
        folder = tmp_path / f"{number:03d}"
        with monkeypatch.context() as patched:
            _fail_at(patched, number, Crash())
            # As another process would leave it: a later one has another number.
            patched.setattr("dsel.files.os.getpid", lambda: 99999)
            with pytest.raises(Crash):
                finish(all_stages(source, folder))
        finish(all_stages(source, folder))
        assert tree(folder) == whole, f"killed at flush {number}"


def test_stages__full_disk_at_any_flush(source, tmp_path, whole, monkeypatch):
    full = OSError(errno.ENOSPC, "No space left on device")
    for number in range(1, _flushes(source, tmp_path / "counted", monkeypatch) + 1, 2):
        folder = tmp_path / f"{number:03d}"
        with monkeypatch.context() as patched:
            _fail_at(patched, number, full)
            with pytest.raises(StorageError, match="no space left on the disk") as error:
                finish(all_stages(source, folder))
        assert "\n" not in str(error.value)
        assert not list(folder.rglob(".*.partial"))
        half = tree(folder)
        manifests = {"manifest.json"}  # the export's is written at its begin and at its end
        assert {name: half[name] for name in half if name not in manifests} == {
            name: whole[name] for name in half if name not in manifests
        }
        finish(all_stages(source, folder))
        assert tree(folder) == whole


def test_score__what_is_there_is_not_scored_again(source, tmp_path):
    dataset = dataset_of(source)
    events = score(dataset, toy_prior(), tmp_path, QUICK)
    # A shard is written before the first event behind it.
    for _ in itertools.islice(events, 1 + 3 + 1):
        pass
    events.close()
    first, *_, done = (
        event
        for event in score(dataset, toy_prior(), tmp_path, QUICK)
        if isinstance(event, Started | Done)
    )
    assert first == Started("score", 7, "images", 3)
    # Each prompt once, the null one too; images of one shape together are encoded and predicted.
    shapes = [{"40 x 36"}, {"40 x 36", "43 x 36", "46 x 36"}, {"40 x 36"}]
    assert 3 + 2 * 2 <= done.figures["model_calls"] <= 3 + 2 * sum(map(len, shapes))
    assert (done.figures["images"], done.figures["skipped"]) == (6, 1)


def test_score__a_finished_run_asks_the_prior_nothing(source, tmp_path):
    finish(score(dataset_of(source), toy_prior(), tmp_path, QUICK))
    before = tree(tmp_path)
    events = finish(score(dataset_of(source), toy_prior(), tmp_path, QUICK))
    assert events[0] == Started("score", 7, "images", 7)
    figures = figures_of(events)
    assert figures["model_calls"] == figures["images_per_s"] == figures["model_share"] == 0
    assert tree(tmp_path) == before


def test_score__figures(source, tmp_path):
    figures = figures_of(finish(score(dataset_of(source), toy_prior(), tmp_path, QUICK)))
    assert set(figures) == {
        "images", "skipped", "evaluations", "model_calls", "images_per_s", "model_share",
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
    finish(score(dataset, toy_prior(), tmp_path / "run", replace(QUICK, **changed)))
    made = tree(tmp_path)
    assert made == {name: print_ for name, print_ in whole.items() if name in made}


@pytest.fixture(scope="module")
def known(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, ...]]:
    return gaps(scored_run(source, tmp_path_factory.mktemp("known") / "run").path)


@pytest.mark.parametrize("shard_size", [1, 2, 100])
def test_score__shards_change_no_score(source, tmp_path, known, shard_size):
    scored_run(source, tmp_path / "run", replace(QUICK, shard_size=shard_size))
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
        self.names = dataset.names
        self.origin, self.read = dataset.origin, dataset.read
        self.refs = list(reversed(dataset.refs))


def test_score__order_changes_no_score(source, tmp_path, known):
    finish(score(Reversed(dataset_of(source)), toy_prior(), tmp_path, QUICK))
    assert gaps(tmp_path) == known


def test_score__noise_follows_the_seed(source, tmp_path, known):
    scored_run(source, tmp_path / "run", replace(QUICK, noise_seed=1))
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
    (root / "cat/a.txt").write_text("notes")
    (root / "cat/b.png").write_bytes(b"")
    (root / "cat/c.png").write_bytes((root / "cat/00.png").read_bytes()[:300])
    Image.new("RGB", (300, 9)).save(root / "dog/small.png")
    Image.new("RGB", (PX, PX), "white").save(root / "dog/white.png")
    events = finish(score(dataset_of(root), Choosy(toy_prior()), tmp_path / "run", QUICK))
    told = {event.ref.id: event.reason for event in events if isinstance(event, Skipped)}
    assert told["cat/a.txt"] == "is text, not an image"
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


def test_stages__a_class_of_which_nothing_can_be_used(tmp_path):
    root = write_pictures(tmp_path / "pictures", {"cat": 2, "dog": 0})
    (root / "dog/a.png").write_text("no picture")
    events = finish(all_stages(root, tmp_path / "out"))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 1
    assert "class 'dog' has 0 patches and gives 0 images, fewer than IPC 2" in notices[0]
    assert len(list((tmp_path / "out/train").rglob("*.png"))) == 2


def test_stages__nothing_at_all_can_be_used(tmp_path):
    root = write_pictures(tmp_path / "pictures", {"cat": 0})
    (root / "cat/a.png").write_text("no picture")
    finish(all_stages(root, tmp_path / "out"))
    assert open_run(tmp_path / "out/run").geometry.losses.tolist() == [1.0, 1.0]


def test_stages__classes_of_one_image(tmp_path):
    root = write_pictures(tmp_path / "pictures", {"cat": 1, "dog": 1, "emu": 1})
    events = finish(all_stages(root, tmp_path / "out"))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert [text.split(" has ")[0] for text in notices] == [
        "class 'cat'", "class 'dog'", "class 'emu'",
    ]  # fmt: skip
    assert len(list((tmp_path / "out/train").rglob("*.png"))) == 3


def test_stages__one_class(tmp_path):
    root = write_pictures(tmp_path / "pictures", {"cat": 3})
    finish(all_stages(root, tmp_path / "out"))
    assert len(list((tmp_path / "out/train/cat").iterdir())) == 2


def test_stages__gray_pictures_and_pictures_of_any_shape(tmp_path):
    folder = tmp_path / "pictures/cat"
    folder.mkdir(parents=True)
    for number, size in enumerate(((200, 16), (16, 200), (17, 31), (500, 400))):
        Image.new("L", size, 40 * number).save(folder / f"{number}.jpg")
    finish(all_stages(tmp_path / "pictures", tmp_path / "out"))
    assert open_run(tmp_path / "out/run").summary.scored == 4


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (SelectSettings(ipc=4), "class 'cat' has 3 patches and gives 3 images, fewer than IPC 4"),
        (SelectSettings(ipc=4, per_image=2), "class 'dog' has 2 patches and gives 2 images"),
        (
            SelectSettings(ipc=2, clusters=1, factor=2),
            "class 'cat' has 3 patches and gives 1 2 x 2 mosaics, fewer than IPC 2",
        ),
    ],
)
def test_select__shortfall_is_told(tmp_path, settings, told):
    root = write_pictures(tmp_path / "pictures", {"cat": 3, "dog": 1})
    run = scored_run(root, tmp_path / "run")
    events = finish(select(run, settings))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert any(told in text for text in notices)
    assert all(text.endswith("raise --per-image or lower --ipc to even out") for text in notices)


def test_select__figures(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    figures = figures_of(finish(select(run, SMALL)))
    assert figures == {
        "classes": 2, "patches": 6, "images": 4, "selection": run.selection_name(SMALL),
    }  # fmt: skip


def test_select__unfit_settings_write_nothing(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    before = tree(run.path)
    for settings, told in (
        (SelectSettings(patch_px=33), "patch size must be between 1 and 32 px"),
        (SelectSettings(patch_px=20, per_image=2), "at most 1 patches of 20 px fit"),
        (SelectSettings(timesteps=(301,)), "timestep 301 was not scored in this run; scored are"),
    ):
        with pytest.raises(SettingError, match=told):
            finish(select(run, settings))
    assert tree(run.path) == before


def test_score__settings_that_do_not_fit_the_prior(source, tmp_path):
    prior = toy_prior()
    prior.schedule = schedules.diffusion_schedule(prior.alphas_cumprod[:500])
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
    settings = replace(QUICK, draws=16)
    finish(score(dataset_of(folder), prior, tmp_path / "run", settings))
    run = open_run(tmp_path / "run")
    discriminative = np.zeros((8, 8), bool)
    discriminative[2:5, 3:6] = True
    for index, sign in ((0, 1), (1, -1)):
        gap = run.class_scores(index).buckets[0].gap[0].astype(np.float32).mean(axis=0)
        assert (sign * gap[discriminative]).mean() > 3 * abs(gap[~discriminative]).mean()
    finish(select(run, SelectSettings(patch_px=12, ipc=1)))
    patch = run.read_selection()[1][0].patches[0]
    assert (patch.box.x, patch.box.y) == (12, 8)


def test_proxies__are_what_the_prior_saw(source, tmp_path):
    run = scored_run(source, tmp_path / "run", replace(QUICK, fit="crop"))
    row = run.class_rows(0)[2]
    shown = draw_picture(0, 0, 2)[:, 5:41]  # 46 x 36 px: the middle 36
    assert (row.frame.view.x, row.frame.view.width) == (5, 36)
    proxy = decode(run.image_bytes([row], "proxy")[0])
    resized = np.asarray(Image.fromarray(shown).resize((PX, PX), Image.Resampling.LANCZOS))
    assert np.abs(_cells(proxy) - _cells(resized)).mean() < 3  # WebP blurs the noise's colours
    assert np.abs(_cells(proxy) - _cells(resized[:, ::-1])).mean() > 6


def _cells(picture):
    return picture.reshape(8, 4, 8, 4, 3).astype(float).mean(axis=(1, 3))


def test_refine__interrupted_after_any_event(source, tmp_path):
    count = len(finish(all_stages(source, tmp_path / "whole", CASCADE)))
    whole = tree(tmp_path / "whole")
    for stop in range(1, count, 2):
        folder = tmp_path / f"{stop:03d}"
        events = all_stages(source, folder, CASCADE)
        for _ in itertools.islice(events, stop):
            pass
        events.close()
        finish(all_stages(source, folder, CASCADE))
        assert tree(folder) == whole, f"interrupted after event {stop}"


def test_refine__the_promising_get_all_draws_and_the_others_keep_theirs(source, tmp_path):
    """A refined image's maps are those of a run that gave all draws to all."""
    for name, settings in (
        ("cascade", CASCADE), ("full", replace(CASCADE, refine=0.0)), ("first", QUICK),
    ):  # fmt: skip
        finish(score(dataset_of(source), toy_prior(), tmp_path / name, settings))
    cascade, full, first = (open_run(tmp_path / name) for name in ("cascade", "full", "first"))
    refined = marked = 0
    for index in range(2):
        found, all_draws, few = (run.class_scores(index) for run in (cascade, full, first))
        for row in range(len(found.ids)):
            mine, whole, start = (image_bucket(s, row).gap[0] for s in (found, all_draws, few))
            if np.array_equal(mine, start):
                continue
            refined += 1
            # The first draws had been stored in half precision before they were averaged in.
            assert np.allclose(mine, whole, rtol=2e-3, atol=2e-4)
            assert not np.allclose(start, whole, rtol=2e-3, atol=2e-4)
            assert np.allclose(found.features[row], all_draws.features[row], rtol=2e-3, atol=2e-3)
            assert found.refined[row]
        assert not all_draws.refined.any()
        marked += found.refined.sum()
    assert marked == refined
    assert refined == cascade.summary.refined == 2 + 1  # 40 % of 4 and of 2 images, rounded up


def test_refine__what_was_spent_is_in_the_report(source, tmp_path):
    events = finish(score(dataset_of(source), toy_prior(), tmp_path, CASCADE))
    started = {e.stage: e.total for e in events if isinstance(e, Started)}
    assert started == {"score": 7, "refine": 3, "layout": 2}
    summary = open_run(tmp_path).summary
    assert summary.evaluations == 2 * 2 * (2 * 6 + 4 * 3)  # prompts, timesteps, draws of images
    assert figures_of(events)["evaluations"] == summary.evaluations
    assert figures_of(events)["images"] == summary.scored == 6


def test_refine__the_chosen_lead_their_class_by_the_first_draws(source, tmp_path):
    finish(score(dataset_of(source), toy_prior(), tmp_path / "cascade", CASCADE))
    finish(score(dataset_of(source), toy_prior(), tmp_path / "first", QUICK))
    cascade, first = open_run(tmp_path / "cascade"), open_run(tmp_path / "first")
    finish(select(first, SelectSettings()))
    for selected in first.read_selection()[1]:
        ids = first.class_scores(selected.index).ids
        lead = {p.image_id for p in selected.patches[: -(-len(ids) * 2 // 5)]}
        changed = {
            ids[row]
            for row in range(len(ids))
            if not np.array_equal(
                image_bucket(cascade.class_scores(selected.index), row).gap,
                image_bucket(first.class_scores(selected.index), row).gap,
            )
        }
        assert changed == lead


def test_refine__a_picture_that_vanished_keeps_its_first_draws(source, tmp_path):
    root = write_pictures(tmp_path / "pictures", CLASSES)
    dataset = dataset_of(root)
    events = score(dataset, toy_prior(), tmp_path / "run", CASCADE)
    for event in events:
        if isinstance(event, Started) and event.stage == "refine":
            break
    for file in root.rglob("*.png"):
        file.write_text("gone")
    told = [event.text for event in events if isinstance(event, Notice)]
    assert len(told) == 2 + 2
    assert all(text.endswith("keeps its first draws: it is text, not an image") for text in told)
    assert open_run(tmp_path / "run").summary.refined == 0


class Namer:
    """Describes a picture by its mean colour, and counts how often it is asked."""

    fingerprint = "mean colour"

    def __init__(self) -> None:
        self.asked = 0

    def describe(self, pictures):
        self.asked += len(pictures)
        return np.stack([picture.mean((0, 1)) for picture in pictures]).astype(np.float32)


def test_select__features_of_a_model_are_kept(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    settings, namer = replace(SMALL, features="reencode"), Namer()
    finish(select(run, settings, namer))
    assert namer.asked == 6
    once = run.read_selection()
    finish(select(run, replace(settings, clusters=1), namer))
    finish(select(run, settings))  # the model is needed no more
    assert namer.asked == 6
    assert run.read_selection() == once
    missing = (
        r"make them with dsel select .* --patch-px 8 --features reencode --clusters 2 --ipc 2$"
    )
    with pytest.raises(SettingError, match=missing):
        finish(select(run, replace(settings, patch_px=8)))
    namer.fingerprint = "another"
    finish(select(run, settings, namer))
    assert namer.asked == 12


def test_select__a_model_is_asked_again_for_moved_boxes_only(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    settings, namer = replace(SMALL, features="reencode"), Namer()
    finish(select(run, settings, namer))
    assert namer.asked == 6
    unmoved = replace(settings, pins=("cat/02.png",), bans=("cat/01.png", "dog/00.png"))
    finish(select(run, unmoved))
    moved = replace(unmoved, moves=("cat/03.png@0,1", "cat/02.png@3,0"))
    with pytest.raises(
        SettingError, match=r"make them with dsel select .* --moves=cat/03.png@0,1 "
    ):
        finish(select(run, moved))
    finish(select(run, moved, namer))
    assert namer.asked == 6 + 4  # of the class that the moved boxes are of
    finish(select(run, replace(moved, moves=moved.moves[::-1], bans=())))


UNFIT = {
    "unknown image 'cat/9' in pins: ids look like 'cat/00.png'": {"pins": ("cat/9",)},
    "unknown image 'cat/9' in bans: ids look like 'cat/00.png'": {"bans": ("cat/9",)},
    "unknown image 'cat/9' in moves: ids look like 'cat/00.png'": {"moves": ("cat/9@0,0",)},
    "image 'dog/01.png' in pins has no patch, since it was skipped when the run was scored: take "
    "another image": {"pins": ("dog/01.png",)},
    "the corner of image 'cat/02.png' in moves must be between 0,0 and 24,16 for a 16 px patch in "
    "its 40 x 32 px picture, got 25,0": {"moves": ("cat/02.png@25,0",)},
}


@pytest.mark.parametrize("message", UNFIT)
def test_select__overrides_that_do_not_fit_are_refused_at_once(source, tmp_path, message):
    run = scored_run(source, tmp_path / "run")
    before, unfit = tree(tmp_path), replace(SMALL, **UNFIT[message])
    with pytest.raises(SettingError) as caught:
        next(select(run, unfit))
    assert str(caught.value) == message
    _, selections = run.read_selection()
    with pytest.raises(SettingError) as caught:
        next(export_selections(run, selections, unfit, tmp_path / "out", ExportSettings()))
    assert str(caught.value) == message
    assert tree(tmp_path) == before


def test_select__a_skipped_image_may_be_banned(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    before = repr(run.read_selection()[1])
    finish(select(run, replace(SMALL, bans=("dog/01.png",))))
    assert repr(run.read_selection()[1]) == before


def test_select__without_overrides_it_keeps_its_name(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    names = {run.selection_name(replace(SMALL, pins=pins)) for pins in ((), ("cat/00.png",), ())}
    assert len(names) == 2
    assert (tmp_path / "run/selections" / run.selection_name(SMALL)).is_dir()


def test_score__squares_only_is_told(source, tmp_path):
    prior = toy_prior()
    prior.step_px = 0
    events = finish(score(dataset_of(source), prior, tmp_path, QUICK))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices == ["this prior sees squares only: pictures are cut to their centre"]
    frames = {row.frame.proxy_width for row in open_run(tmp_path).images if row.frame}
    assert frames == {PX}


def test_score__pictures_keep_their_shape(source, tmp_path):
    finish(score(dataset_of(source), toy_prior(), tmp_path, QUICK))
    run = open_run(tmp_path)
    shapes = {row.id: (row.frame.proxy_width, row.frame.proxy_height) for row in run.class_rows(0)}
    assert shapes["cat/00.png"] == (36, 32)  # 40 x 36 px: 35.6 is nearest to 36
    assert shapes["cat/02.png"] == (40, 32)  # 46 x 36 px: 40.9
    for row, image_id in enumerate(run.class_scores(0).ids):
        width, height = shapes[image_id]
        assert image_bucket(run.class_scores(0), row).gap.shape[2:] == (height // 4, width // 4)
