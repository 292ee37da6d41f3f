"""The plan of a dry run: evaluations, bytes and device-hours, against what scoring then takes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.toyset import QUICK, dataset_of, finish, scored_run, toy_prior, write_pictures

from dsel.cli.commands import main
from dsel.config import PriorSettings
from dsel.pipeline.plan import bytes_of_image, scoring_plan
from dsel.pipeline.rates import known_rate, record_rate
from dsel.pipeline.score import score
from dsel.priors.shape import PriorShape

IMAGENET = 1_281_167
SD15 = {
    "model_index.json": {"_class_name": "StableDiffusionPipeline"},
    "unet/config.json": {"block_out_channels": [320, 640, 1280, 1280], "sample_size": 64},
    "vae/config.json": {"block_out_channels": [128, 256, 512, 512]},
}


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


@pytest.fixture
def sd15(tmp_path: Path) -> Path:
    """The configuration of Stable Diffusion 1.5, without any weights."""
    for name, content in SD15.items():
        path = tmp_path / "sd15" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return tmp_path / "sd15"


def plan(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    capsys.readouterr()
    assert main([*map(str, arguments), "--dry-run", "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out.splitlines()[-1])["work"])


def test_bytes_of_image__are_those_of_the_run(tmp_path: Path) -> None:
    """Of twelve images, all of which are in the sample; headers are not counted."""
    source = write_pictures(tmp_path / "source", {"cat": 6, "dog": 6})
    settings = QUICK.replace(timesteps=(200, 300, 400, 500, 600, 700), shard_size=12)
    scored_run(source, tmp_path / "run", settings)
    found = bytes_of_image(dataset_of(source), PriorShape(32, 4, 4), settings)
    scores = (tmp_path / "run/scores/00000.safetensors").stat().st_size
    pictures = (tmp_path / "run/proxies/00000.parquet").stat().st_size
    assert 12 * found.scores == pytest.approx(scores, rel=0.05)
    assert 12 * found.pictures == pytest.approx(pictures, rel=0.5)  # columns of twelve rows


def test_bytes_of_image__of_a_dataset_that_cannot_be_read(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "source", {"cat": 2})
    for path in source.glob("cat/*"):
        path.write_bytes(b"no image")
    found = bytes_of_image(dataset_of(source), PriorShape(32, 4, 4), QUICK)
    assert (found.scores, found.pictures) == (0, 0)


def test_scoring_plan__evaluations_and_hours(tmp_path: Path, sd15: Path) -> None:
    """4 images of 2 x 2 x 2 evaluations, half of which are left, by 8 evaluations a second."""
    dataset = dataset_of(write_pictures(tmp_path / "source", {"cat": 2, "dog": 2}))
    prior = PriorSettings(prior=str(sd15))
    found = scoring_plan(dataset, prior, QUICK, left=0.5, rate=8)
    assert found["evaluations"] == 32
    assert found["device_hours"] == pytest.approx(0.5 * 32 / 8 / 3600, rel=0.01)
    assert found["maps"] == "2 timesteps of about 64 x 64 cells"
    assert found["rate"] == "8 evaluations/s of one device, as given"
    more = scoring_plan(dataset, prior, QUICK.replace(most_draws=8), left=1, rate=8)
    assert (more["evaluations"], more["most_evaluations"]) == (32, 128)
    assert more["most_device_hours"] == pytest.approx(128 / 8 / 3600, rel=0.01)


def test_scoring_plan__what_is_unknown(tmp_path: Path) -> None:
    dataset = dataset_of(write_pictures(tmp_path / "source", {"cat": 2}))
    found = scoring_plan(dataset, PriorSettings(prior=str(tmp_path)), QUICK, 1, 0)
    assert found["disk_gb"] is None
    assert found["disk"] == f"unknown: {tmp_path} is not a prior: it has no model_index.json"
    assert found["device_hours"] is None
    assert found["rate"].startswith("unknown: this prior was not measured here; give --rate")


def test_known_rate__is_the_last_one_measured(tmp_path: Path) -> None:
    prior = PriorSettings(prior="demo")
    assert known_rate(prior) is None
    record_rate(prior, "cpu", {"images": 10, "evaluations_per_image": 48, "images_per_s": 2})
    assert known_rate(prior) is None  # too few
    record_rate(prior, "cuda", {"images": 100, "evaluations_per_image": 48, "images_per_s": 0})
    assert known_rate(prior) is None  # nothing was scored
    record_rate(prior, "cuda", {"images": 100, "evaluations_per_image": 48, "images_per_s": 2})
    found = known_rate(prior)
    assert found is not None
    assert (found.evaluations_per_s, found.device) == (96, "cuda")
    assert known_rate(prior.replace(resolution_px=256)) is None
    dataset = dataset_of(write_pictures(tmp_path / "source", {"cat": 2}))
    told = scoring_plan(dataset, prior, QUICK, 1, 0)["rate"]
    assert told.startswith("96 evaluations/s of one device, measured with cuda on ")


def test_dry_run__imagenet_with_stable_diffusion(tmp_path: Path, sd15: Path, capsys) -> None:
    """A Parquet source of as many rows as ImageNet-1K has; one picture stands for all.

    12 evaluations for each image, and per image five maps of 3 x 64 x 64 cells and 8 x 8 x 64
    features, of two bytes each.
    """
    source = tmp_path / "source"
    source.mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    indices = pa.array(np.zeros(IMAGENET, np.int32))
    images = pa.DictionaryArray.from_arrays(indices, pa.array([buffer.getvalue()]))
    names = pa.array([f"class {number:04d}" for number in range(1000)])
    labels = pa.DictionaryArray.from_arrays(pa.array(np.arange(IMAGENET) * 1000 // IMAGENET), names)
    table = pa.table({"image": images, "label": labels.cast(pa.string())})
    pq.write_table(table, source / "train.parquet", row_group_size=10_000, store_schema=False)
    del table, labels
    found = plan(
        capsys, "score", source, "--run", tmp_path / "run", "--prior", sd15, "--rate", "500"
    )
    assert (found["images"], found["classes"]) == (IMAGENET, 1000)
    assert found["evaluations"] == 12 * IMAGENET
    assert found["device_hours"] == pytest.approx(12 * IMAGENET / 500 / 3600, rel=0.005)
    scores = 2 * (5 * 3 * 64 * 64 + 8 * 8 * 64) * IMAGENET / 1e9
    assert found["scores_gb"] == pytest.approx(scores, rel=0.005)
    assert found["disk_gb"] > found["scores_gb"]
    assert not (tmp_path / "run").exists()


def test_dry_run__a_run_that_is_half_done(tmp_path: Path, capsys) -> None:
    source = write_pictures(tmp_path / "source", {"cat": 3, "dog": 3})
    dataset = dataset_of(source)
    finish(score(dataset, toy_prior(dataset.classes), tmp_path / "run", QUICK))
    (tmp_path / "run/scores/00001.safetensors").unlink()
    arguments = ("score", source, "--run", tmp_path / "run", "--shard-size", 3, "--rate", 1)
    found = plan(capsys, *arguments)
    assert (found["shards"], found["shards_done"]) == (2, 1)
    assert found["device_hours"] == pytest.approx(0.5 * found["evaluations"] / 3600, rel=0.01)
