"""The run folder: whose it is, what is whole, what is damaged, and that reading writes nothing."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toyset import QUICK, SMALL, dataset_of, finish, scored_run, toy_prior, tree, write_pictures

from dsel.config import ScoreSettings, SelectSettings
from dsel.engine import identity_of, score, select
from dsel.errors import DselError, RunError, StorageError
from dsel.explore import Explorer
from dsel.runs import create_run, open_run

CLASSES = {"cat": 4, "dog": 3}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"), CLASSES)


@pytest.fixture(scope="module")
def finished(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scored_run(source, tmp_path_factory.mktemp("runs") / "run").path


@pytest.fixture
def run_path(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def identity(source: Path):
    return identity_of(dataset_of(source), toy_prior(), QUICK)


def _line(error: pytest.ExceptionInfo[DselError]) -> str:
    """The message, which is one line."""
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"timesteps": (300, 500)}, "timesteps was (300, 600), now (300, 500)"),
        ({"draws": 4}, "draws was 2, now 4"),
        ({"template": "a {class}"}, "template was An image of {class}., now a {class}"),
        ({"shard_size": 5}, "shard_size was 3, now 5"),
        ({"noise_seed": 1}, "noise_seed was 0, now 1"),
    ],
)
def test_create_run__other_settings_are_told(run_path, identity, changed, told):
    other = replace(identity, settings=replace(QUICK, **changed))
    with pytest.raises(RunError) as error:
        create_run(run_path, other)
    assert told in _line(error)
    assert str(run_path) in _line(error)
    assert "another --run folder" in _line(error)
    assert _line(error).count(", now ") == 1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"prior_fingerprint": "ff"}, "prior_fingerprint was "),
        ({"dataset_fingerprint": "ff"}, "dataset_fingerprint was "),
        ({"classes": ("cat", "cow")}, "classes was ('cat', 'dog'), now ('cat', 'cow')"),
        ({"precision": "bfloat16"}, "precision was float32, now bfloat16"),
    ],
)
def test_create_run__other_data_or_prior_is_told(run_path, identity, changed, told):
    before = tree(run_path)
    with pytest.raises(RunError) as error:
        create_run(run_path, replace(identity, **changed))
    assert told in _line(error)
    assert tree(run_path) == before


def test_create_run__speed_settings_may_change_and_are_not_blamed(run_path, identity):
    faster = replace(QUICK, decoders=5, rows_per_call=8, device="cpu")
    create_run(run_path, replace(identity, settings=faster))
    with pytest.raises(RunError) as error:
        create_run(run_path, replace(identity, settings=replace(faster, draws=4)))
    assert "decoders" not in _line(error)


def test_create_run__other_version_of_dsel(run_path, identity):
    manifest = run_path / "run.json"
    manifest.write_text(manifest.read_text().replace(identity.fingerprint, "0" * 16))
    with pytest.raises(RunError, match="by another version of dsel"):
        create_run(run_path, identity)


def test_create_run__a_renamed_prior_and_a_moved_source_are_the_same_run(run_path, identity):
    create_run(run_path, replace(identity, prior="moved", dataset_origin={"source": "elsewhere"}))


def test_create_run__foreign_folder_is_refused_and_left_alone(tmp_path, identity):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StorageError, match="holds other files") as error:
        create_run(tmp_path, identity)
    assert str(tmp_path) in _line(error)
    assert set(tree(tmp_path)) == {"thesis.tex"}


def test_create_run__a_file_in_the_way(tmp_path, identity):
    (tmp_path / "run").write_text("")
    for path in (tmp_path / "run", tmp_path / "run" / "below"):
        with pytest.raises(StorageError, match="file stands in"):
            create_run(path, identity)


def test_create_run__leftovers_of_a_killed_process_go(tmp_path, identity):
    (tmp_path / ".run.json.99999.partial").write_text("{")
    create_run(tmp_path, identity)
    assert set(tree(tmp_path)) == {"run.json"}


def test_create_run__leftovers_below_a_run_go(run_path, identity):
    whole = tree(run_path)
    (run_path / "scores" / ".00000.safetensors.99999.partial").write_bytes(b"half")
    create_run(run_path, identity)
    assert tree(run_path) == whole


def test_open_run__a_folder_that_is_none(tmp_path):
    with pytest.raises(RunError, match=r"is not a run: it has no run\.json; make one with dsel"):
        open_run(tmp_path)
    with pytest.raises(RunError, match="is not a run"):
        open_run(tmp_path / "absent")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is not JSON"),
        ("[]", "damaged"),
        ("null", "damaged"),
        ('{"format": 99}', "has format 99; this dsel reads 1"),
        ('{"format": 1}', "damaged"),
        ('{"format": 1, "settings": 3}', "damaged"),
    ],
)
def test_open_run__damaged_manifest(tmp_path, content, told):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunError) as error:
        open_run(tmp_path)
    assert told in _line(error)


def test_open_run__says_what_it_was_made_with(finished, identity):
    assert open_run(finished).identity.fingerprint == identity.fingerprint
    assert open_run(finished).identity.classes == ("cat", "dog")
    assert open_run(finished).identity.settings.timesteps == (300, 600)


def test_run__unfinished_run_says_how_far_it_is(run_path):
    (run_path / "summary.json").unlink()
    (run_path / "scores/00001.safetensors").unlink()
    with pytest.raises(RunError, match=r"is not finished: 2 of 3 shards.*run dsel score again"):
        open_run(run_path).summary  # noqa: B018


@pytest.mark.parametrize("keep", [0, 7, 200, -1])
def test_run__damaged_shard(run_path, keep):
    shard = run_path / "scores/00000.safetensors"
    shard.write_bytes(shard.read_bytes()[:keep])
    with pytest.raises(RunError) as error:
        open_run(run_path).class_scores(0)
    assert _line(error) == f"{shard} is damaged: delete it and run dsel score again"


@pytest.mark.parametrize("name", ["images.parquet", "proxies/00000.parquet", "summary.json"])
def test_run__damaged_or_missing_table(run_path, name):
    whole = (run_path / name).read_bytes()
    (run_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match="is damaged"):
        _read_all(run_path)
    (run_path / name).unlink()
    with pytest.raises(RunError, match=f"{name} is missing|is not finished"):
        _read_all(run_path)


def _read_all(path: Path) -> None:
    explorer = Explorer(open_run(path))
    for index in range(len(explorer.classes)):
        explorer.thumbnails(index)
        explorer.preview(index, SMALL)


def test_score__damaged_shard_is_named_and_its_deletion_mends_the_run(run_path, source):
    whole = tree(run_path)
    shard = run_path / "scores/00001.safetensors"
    shard.write_bytes(shard.read_bytes()[:50])
    with pytest.raises(RunError, match=r"00001\.safetensors is damaged: delete it"):
        finish(score(dataset_of(source), toy_prior(), run_path, QUICK))
    shard.unlink()
    finish(score(dataset_of(source), toy_prior(), run_path, QUICK))
    assert tree(run_path) == whole


def test_score__shard_of_another_run_is_refused(run_path, source, tmp_path):
    other = replace(QUICK, noise_seed=1)
    finish(score(dataset_of(source), toy_prior(), tmp_path / "other", other))
    shutil.copy(tmp_path / "other/scores/00001.safetensors", run_path / "scores")
    with pytest.raises(RunError, match="belongs to another run"):
        finish(score(dataset_of(source), toy_prior(), run_path, QUICK))


def test_run__reading_writes_nothing(run_path):
    before = {path: path.stat().st_mtime_ns for path in run_path.rglob("*")}
    _read_all(run_path)
    assert {path: path.stat().st_mtime_ns for path in run_path.rglob("*")} == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_run__read_only_run_opens_and_refuses_selections(run_path):
    folders = [run_path, *(path for path in run_path.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        _read_all(run_path)
        with pytest.raises(StorageError, match="no permission to write"):
            finish(select(open_run(run_path), SelectSettings(ipc=1)))
    finally:
        for path in folders:
            path.chmod(0o755)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_create_run__no_permission(tmp_path, identity):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(StorageError, match="no permission to write"):
            create_run(tmp_path / "run", identity)
    finally:
        tmp_path.chmod(0o755)


def test_run__can_be_moved(run_path, tmp_path):
    before = open_run(run_path).class_scores(1).gap
    run_path.rename(tmp_path / "moved")
    moved = open_run(tmp_path / "moved")
    assert np.array_equal(moved.class_scores(1).gap, before)
    assert moved.read_selection()[1][1].name == "dog"


@pytest.mark.parametrize(
    "settings",
    [
        SMALL,
        SelectSettings(ipc=3, groups=1, patch_px=10, stride_px=1, per_image=3),
        SelectSettings(ipc=2, timesteps=(600,), across="pooled", within="centroid", factor=2),
    ],
)
def test_selection__round_trip(run_path, settings):
    run = open_run(run_path)
    made = [Explorer(run).select(index, settings) for index in range(2)]
    folder = run.write_selection(settings, made)
    assert folder.name == run.selection_name(settings)
    for read_settings, selections in (run.read_selection(), run.read_selection(folder.name)):
        assert read_settings == settings
        assert repr(list(selections)) == repr(made)  # margins may be NaN, which differs from itself


def test_selection__many_are_kept_and_the_last_is_current(run_path):
    run = open_run(run_path)
    other = replace(SMALL, ipc=1)
    finish(select(run, other))
    assert run.read_selection()[0] == other
    assert run.read_selection(run.selection_name(SMALL))[0] == SMALL
    finish(select(run, SMALL))
    assert run.read_selection()[0] == SMALL


def test_read_selection__unknown_name_lists_the_known(run_path):
    run = open_run(run_path)
    with pytest.raises(RunError) as error:
        run.read_selection("nosuch")
    assert f"has no selection nosuch; it has: {run.selection_name(SMALL)}" in _line(error)


def test_read_selection__none_yet(run_path):
    shutil.rmtree(run_path / "selections")
    with pytest.raises(RunError, match="has no selection yet: run dsel select"):
        open_run(run_path).read_selection()


@pytest.mark.parametrize("name", ["settings.json", "patches.parquet"])
def test_read_selection__damaged(run_path, name):
    run = open_run(run_path)
    (run_path / "selections" / run.selection_name(SMALL) / name).write_text("]")
    with pytest.raises(RunError, match="is damaged"):
        run.read_selection()


def test_finish__scales_are_the_spread_inside_images(finished):
    run = open_run(finished)
    gap = np.concatenate([run.class_scores(index).gap for index in range(2)]).astype(np.float64)
    by_hand = np.sqrt(gap.var(axis=(2, 3)).mean(axis=0))
    assert run.geometry.scales == pytest.approx(by_hand, rel=1e-2)  # stored gaps are float16


def test_summary__counts(finished):
    run = open_run(finished)
    assert (run.summary.scored, run.summary.skipped) == (7, 0)
    assert run.finished_shards() == (0, 1, 2)
    assert [row.id for row in run.images] == [ref.id for ref in _refs(run)]


def _refs(run):
    return dataset_of(Path(run.identity.dataset_origin["source"])).refs


def test_manifest__is_plain_and_names_the_result_alone(finished):
    record = json.loads((finished / "run.json").read_text())
    assert record["classes"] == ["cat", "dog"]
    assert record["settings"]["timesteps"] == [300, 600]
    assert not {"decoders", "device", "rows_per_call"} & set(record["settings"])


def test_identity__fingerprint_ignores_speed(identity):
    faster = replace(identity, settings=replace(QUICK, decoders=9, rows_per_call=2))
    assert faster.fingerprint == identity.fingerprint
    assert replace(identity, settings=ScoreSettings()).fingerprint != identity.fingerprint
