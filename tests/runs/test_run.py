"""The run folder: whose it is, what is whole, what is damaged, and that reading writes nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open
from support.stored import flip, record_of, rewrite
from support.synthetic import CELL_PX, MIXED, draw, write_run
from support.toyset import (
    QUICK,
    SMALL,
    dataset_of,
    finish,
    scored_run,
    toy_prior,
    tree,
    write_pictures,
)

from dsel.analysis.explorer import Explorer
from dsel.config import ExportSettings, ScoreSettings, SelectSettings
from dsel.data.images import crop, decode
from dsel.errors import DamageError, DselError, RunError, StorageError
from dsel.files import table_bytes
from dsel.pipeline.export import compose_images
from dsel.pipeline.score import score
from dsel.pipeline.select import select
from dsel.pipeline.worker import identity_of
from dsel.runs import create_run, open_run
from dsel.runs.manifest import read_manifest
from dsel.runs.run import __doc__ as documentation
from dsel.types import Bucket, Notice

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
    ("changed", "expected"),
    [
        ({"timesteps": (300, 500)}, "timesteps was (300, 600), now (300, 500)"),
        ({"draws": 4}, "draws was 2, now 4"),
        ({"prompt": "a {class}"}, "prompt was An image of {class}., now a {class}"),
        ({"shard_size": 5}, "shard_size was 3, now 5"),
        ({"noise_seed": 1}, "noise_seed was 0, now 1"),
    ],
)
def test_create_run__other_settings_are_named(run_path, identity, changed, expected):
    other = replace(identity, settings=QUICK.replace(**changed))
    with pytest.raises(RunError) as error:
        create_run(run_path, other)
    assert expected in _line(error)
    assert str(run_path) in _line(error)
    assert "another --run folder" in _line(error)
    assert _line(error).count(", now ") == 1


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"prior_fingerprint": "ff"}, "prior_fingerprint was "),
        ({"dataset_fingerprint": "ff"}, "dataset_fingerprint was "),
        ({"classes": ("cat", "cow")}, "classes was ('cat', 'dog'), now ('cat', 'cow')"),
        ({"precision": "bfloat16"}, "precision was float32, now bfloat16"),
    ],
)
def test_create_run__other_data_or_prior_is_named(run_path, identity, changed, expected):
    before = tree(run_path)
    with pytest.raises(RunError) as error:
        create_run(run_path, replace(identity, **changed))
    assert expected in _line(error)
    assert tree(run_path) == before


def test_create_run__speed_settings_may_change_and_are_not_blamed(run_path, identity):
    faster = QUICK.replace(decoders=5, rows_per_call=8)
    create_run(run_path, replace(identity, settings=faster))
    with pytest.raises(RunError) as error:
        create_run(run_path, replace(identity, settings=faster.replace(draws=4)))
    assert "decoders" not in _line(error)


def test_create_run__other_version_of_dsel(run_path, identity):
    rewrite(run_path / "run.json", record_of(run_path / "run.json") | {
        "dsel": "0.0.1", "fingerprint": replace(identity, dsel="0.0.1").fingerprint,
    })  # fmt: skip
    assert open_run(run_path).identity == replace(open_run(run_path).identity, dsel="0.0.1")
    with pytest.raises(RunError, match="by another version of dsel"):
        create_run(run_path, identity)


def test_create_run__a_renamed_prior_and_a_moved_source_are_the_same_run(run_path, identity):
    moved = replace(identity, prior="moved", dataset_origin={"source": "elsewhere"})
    assert create_run(run_path, moved).identity.fingerprint == identity.fingerprint
    assert read_manifest(run_path).prior == "moved"


@pytest.mark.parametrize("change", [{"resolution_px": 64}, {"cell_px": 8}])
def test_create_run__another_resolution_is_another_run(run_path, identity, change):
    with pytest.raises(RunError, match=f"{next(iter(change))} was"):
        create_run(run_path, replace(identity, **change))


def test_create_run__foreign_folder_is_refused_and_left_alone(tmp_path, identity):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StorageError, match="holds other files") as error:
        create_run(tmp_path, identity)
    assert str(tmp_path) in _line(error)
    assert set(tree(tmp_path)) == {"thesis.tex"}


def test_create_run__a_file_in_the_way(tmp_path, identity):
    (tmp_path / "run").write_text("")
    for path in (tmp_path / "run", tmp_path / "run" / "below"):
        with pytest.raises(StorageError, match="a file is in the way"):
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
    with pytest.raises(RunError, match=r"is not a run: it has no run\.json; create one with dsel"):
        open_run(tmp_path)
    with pytest.raises(RunError, match="is not a run: there is no such folder; create one"):
        open_run(tmp_path / "absent")


def test_open_run__an_exported_set_with_its_run_inside(tmp_path, identity):
    create_run(tmp_path / "run", identity)
    with pytest.raises(RunError, match=r"it has no run\.json; the run of this set is .*run$"):
        open_run(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "is not JSON"),
        ("[]", "damaged"),
        ("null", "damaged"),
        (
            '{"format": 99}',
            "is a run of format 99, and this version of dsel reads format 5: update",
        ),
        ('{"format": null}', "is damaged: it is not the manifest of a run"),
        (
            '{"format": 1}',
            "of format 1, and this version of dsel reads format 5: score the dataset",
        ),
        ('{"format": 5}', "damaged"),
        ('{"format": 5, "settings": 3}', "damaged"),
    ],
)
def test_open_run__damaged_manifest(tmp_path, content, expected):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunError) as error:
        open_run(tmp_path)
    assert expected in _line(error)


def test_open_run__format_2_is_refused(run_path, identity):
    """A run of the format before; create_run refuses it too, and nothing is changed."""
    manifest = run_path / "run.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 2}))
    before = tree(run_path)
    for refused in (lambda: open_run(run_path), lambda: create_run(run_path, identity)):
        with pytest.raises(RunError) as error:
            refused()
        assert _line(error) == (
            f"{run_path} is a run of format 2, and this version of dsel reads format 5: "
            "score the dataset again into a new folder"
        )
        assert error.value.fields == {"path": str(run_path), "format": 2}
    assert tree(run_path) == before


def test_run__stores_the_words_of_the_glossary(finished):
    """No stored name has a word of earlier formats, and the docstring lists every file."""
    run = open_run(finished)
    names = set(json.loads((finished / "run.json").read_text()))
    names |= set(json.loads((finished / "summary.json").read_text()))
    names |= set(json.loads((finished / "run.json").read_text())["settings"])
    selection = finished / "selections" / run.selection_name(SMALL)
    names |= set(json.loads((selection / "settings.json").read_text())["settings"])
    for table in ("images.parquet", "proxies/00000.parquet", selection / "patches.parquet"):
        names |= set(pq.read_schema(finished / table).names)
    for file in sorted(finished.rglob("*.safetensors")):
        with safe_open(file, "numpy") as stored:
            names |= set(stored.keys()) | set(
                json.loads((stored.metadata() or {}).get("dsel", "{}"))
            )
    earlier = "group|story|telling|spread|standing|control|place|picture(?!_score|_standard_error)"
    assert [name for name in names if re.search(earlier, name)] == []
    listed = re.findall(r"^(\S+)", documentation, re.MULTILINE)
    folders = {name.split("/")[0] for name in listed}
    assert {path.name for path in finished.iterdir()} <= folders


def test_open_run__has_the_identity_it_was_made_with(finished, identity):
    assert open_run(finished).identity.fingerprint == identity.fingerprint
    assert open_run(finished).identity.classes == ("cat", "dog")
    assert open_run(finished).identity.settings.timesteps == (300, 600)


def test_run__unfinished_run_reports_its_progress(run_path):
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
    problem = "its checksum does not match" if keep not in (0, 7) else "it has no checksum of dsel"
    assert _line(error) == (
        f"{shard} is damaged: {problem}; run the same dsel score again, which makes it anew"
    )


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
        explorer.files(index, explorer.scores(index).ids, "thumbnail")
        selected = explorer.select(index, SMALL)
        list(compose_images(explorer.run, [selected], SMALL, ExportSettings(pixels="proxy")))


def _notices(events: list) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
@pytest.mark.parametrize(
    "name",
    ["scores/00001.safetensors", "proxies/00002.parquet", "layouts/00001.safetensors",
     "images.parquet", "summary.json", "run.json"],
)  # fmt: skip
def test_score__makes_a_damaged_file_again(run_path, source, name, damage):
    """Also a lost shard of proxies, which was a dead end, and a layout, which was a traceback."""
    whole, path = tree(run_path), run_path / name
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:50])
    else:
        flip(path, -1 if name.startswith(("scores", "layouts")) else 200)
    if name == "run.json" and damage == "gone":
        with pytest.raises(StorageError, match="holds other files"):
            finish(score(dataset_of(source), toy_prior(), run_path, QUICK))
        return
    notices = _notices(finish(score(dataset_of(source), toy_prior(), run_path, QUICK)))
    assert tree(run_path) == whole
    if damage != "gone" or name.startswith(("proxies", "scores")):
        (notice,) = notices
        assert f"{path} is made again: it" in notice


def test_score__damaged_files_of_rounds_are_made_again(source, tmp_path):
    settings = QUICK.replace(most_draws=8, keep=2)
    run = scored_run(source, tmp_path / "run", settings)
    whole = tree(run.path)
    flip(run.path / "rounds/01/00001.safetensors", -1)
    (run.path / "rounds/02/00000.safetensors").unlink()
    flip(run.path / "scores/00002.safetensors", -1)
    notices = _notices(finish(score(dataset_of(source), toy_prior(), run.path, settings)))
    assert tree(run.path) == whole
    shard, damaged = notices  # a file that is absent is as one that was not written yet
    assert shard.startswith("shard 2 is scored again")
    assert damaged.startswith(f"{run.path / 'rounds/01/00001.safetensors'} is made again: it")


@pytest.mark.parametrize("name", ["rounds/01/00000.safetensors", "rounds/02/00001.safetensors"])
def test_class_scores__a_lost_file_of_a_round_is_noticed(source, tmp_path, name):
    run = scored_run(source, tmp_path / "run", QUICK.replace(most_draws=8, keep=2))
    (run.path / name).unlink()
    with pytest.raises(DamageError, match=r"is missing: run the same dsel score again"):
        _read_all(run.path)


def test_score__a_damaged_manifest_of_no_known_run_is_refused(run_path, source):
    flip(run_path / "run.json", 400)
    before = tree(run_path)
    with pytest.raises(DamageError, match=r"run\.json is damaged: it"):
        finish(score(dataset_of(source), toy_prior(), run_path, QUICK.replace(draws=4)))
    assert tree(run_path) == before


def test_class_scores__a_flipped_bit_of_a_gap_is_noticed(run_path):
    """It changed the patches of the whole class."""
    shard = run_path / "scores/00000.safetensors"
    with safe_open(shard, "numpy") as file:
        gaps = next(name for name in file.keys() if name.startswith("gap/"))  # noqa: SIM118
        gap = file.get_tensor(gaps).tobytes()
    flip(shard, shard.read_bytes().index(gap) + 1, 6)
    with pytest.raises(DamageError, match="its checksum does not match"):
        Explorer(open_run(run_path)).select(0, SMALL)


def test_read_layout__of_other_images(run_path):
    run = open_run(run_path)
    run.write_layout(0, np.zeros((1, 2), np.float32))
    with pytest.raises(DamageError, match="it has positions of other images; run the same dsel"):
        run.read_layout(0)


def test_open_run__a_fingerprint_that_does_not_follow(run_path):
    record = record_of(run_path / "run.json")
    record["settings"]["draws"] = 4
    rewrite(run_path / "run.json", record)
    with pytest.raises(DamageError, match="its fingerprint does not follow from its settings"):
        open_run(run_path)


def test_finished_shards__of_a_run_of_countless_images(run_path):
    """It took for ever."""
    rewrite(run_path / "run.json", record_of(run_path / "run.json") | {"images": 10**18})
    (run_path / "summary.json").unlink()
    run = open_run(run_path)
    assert run.finished_shards() == (0, 1, 2)
    with pytest.raises(RunError, match=f"3 of {run.identity.shards} shards are scored"):
        run.summary  # noqa: B018


FILES = ("run.json", "summary.json", "selections/current.json", "SELECTION/settings.json")
CONTENTS = ("null", "[]", "1", "{}", '"a"', "")


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", [*FILES, "images.parquet", "SELECTION/patches.parquet"])
def test_run__files_of_another_content_are_damaged(run_path, name, content):
    name = name.replace("SELECTION", f"selections/{open_run(run_path).selection_name(SMALL)}")
    (run_path / name).write_text(content)
    with pytest.raises(DamageError) as error:
        (_read_all(run_path), open_run(run_path).read_selection())
    assert _line(error).startswith(f"{run_path / name} is damaged: it ")
    assert "; run the same dsel" in _line(error)


@pytest.mark.parametrize("name", FILES)
def test_run__records_with_another_key_are_damaged(run_path, name):
    """Their checksum is right."""
    path = run_path / name.replace(
        "SELECTION", f"selections/{open_run(run_path).selection_name(SMALL)}"
    )
    whole = record_of(path)
    for key in whole.keys() - {"format", "fingerprint"}:
        record = {k if k != key else "other": v for k, v in whole.items()}
        rewrite(path, record)
        with pytest.raises(DamageError, match="is damaged: "):
            (_read_all(run_path), open_run(run_path).read_selection())


def test_run__tables_with_another_column_are_damaged(run_path):
    name = open_run(run_path).selection_name(SMALL)
    for path in (run_path / "images.parquet", run_path / "selections" / name / "patches.parquet"):
        table = pq.read_table(path)
        names = ["other", *table.column_names[1:]]
        schema = table.rename_columns(names).schema
        rows = table.rename_columns(names).to_pylist()
        path.write_bytes(table_bytes(rows, schema))
        with pytest.raises(DamageError, match="it has other columns; run the same dsel"):
            (_read_all(run_path), open_run(run_path).read_selection())


@pytest.mark.parametrize(
    "name",
    ["run.json", "summary.json", "images.parquet", "scores/00000.safetensors",
     "proxies/00000.parquet", "layouts/00000.safetensors", "selections/current.json"],
)  # fmt: skip
def test_run__a_folder_in_the_place_of_a_file(run_path, name):
    (run_path / name).unlink()
    (run_path / name).mkdir()
    with pytest.raises(StorageError) as error:
        (
            _read_all(run_path),
            open_run(run_path).read_layout(0),
            open_run(run_path).read_selection(),
        )
    assert _line(error) == f"{run_path / name} is a folder, not a file: move it elsewhere"


def test_read_selection__of_another_run(run_path):
    run = open_run(run_path)
    folder = run_path / "selections" / run.selection_name(SMALL)
    folder.rename(folder.with_name("0" * 16))
    with pytest.raises(DamageError, match="it is the selection of another run; run the same dsel"):
        run.read_selection("0" * 16)


@pytest.mark.parametrize("name", ["settings.json", "patches.parquet", "../current.json"])
def test_select__makes_a_damaged_selection_again(run_path, name):
    run, whole = open_run(run_path), tree(run_path)
    path = run_path / "selections" / run.selection_name(SMALL) / name
    flip(path, 100)
    (notice,) = _notices(finish(select(run, SMALL)))
    assert f"{path.name} is made again: its checksum does not match" in notice
    assert tree(run_path) == whole


def test_score__shard_of_another_run_is_refused(run_path, source, tmp_path):
    other = QUICK.replace(noise_seed=1)
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
    before = open_run(run_path).class_scores(1).buckets[0].gap
    run_path.rename(tmp_path / "moved")
    moved = open_run(tmp_path / "moved")
    assert np.array_equal(moved.class_scores(1).buckets[0].gap, before)
    assert moved.read_selection()[1][1].name == "dog"


@pytest.mark.parametrize(
    "settings",
    [
        SMALL,
        SelectSettings(ipc=3, clusters=1, patch_px=10, stride_px=1, per_image=3),
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
    other = SMALL.replace(ipc=1)
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


def test_read_selection__of_a_version_with_other_settings(run_path):
    run = open_run(run_path)
    name = run.selection_name(SMALL)
    path = run_path / "selections" / name / "settings.json"
    record = record_of(path)
    record["settings"]["gap"] = "signed"
    rewrite(path, record)
    with pytest.raises(RunError) as error:
        run.read_selection()
    line = f"selection {name} was stored by another version of dsel (unknown setting 'gap'; known"
    assert line in _line(error)
    assert _line(error).endswith(f"): run dsel select {run_path} again")


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


def test_finish__losses_are_means_over_images(finished):
    run = open_run(finished)
    buckets = [bucket for index in range(2) for bucket in run.class_scores(index).buckets]
    maps = [one.astype(np.float64) for bucket in buckets for one in bucket.conditional]
    by_hand = np.mean([one.mean(axis=(1, 2)) for one in maps], axis=0)  # of (T, h, w) each
    assert run.geometry.losses == pytest.approx(by_hand, rel=1e-2)  # stored maps are float16


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
    faster = replace(identity, settings=QUICK.replace(decoders=9, rows_per_call=2))
    assert faster.fingerprint == identity.fingerprint
    assert replace(identity, settings=ScoreSettings()).fingerprint != identity.fingerprint


# --- runs of many shapes -----------------------------------------------------------------------

COUNTS = {"disc": 7, "square": 1, "bar": 11, "ring": 2}
SKIPPED = {"disc": (0, 3), "square": (), "bar": (10,), "ring": (0, 1)}
NAMES = tuple(COUNTS)


def drawn(class_index: int, number: int):
    """A picture of the next size, or None for one that was skipped."""
    if number in SKIPPED[NAMES[class_index]]:
        return None
    return draw(class_index, number, 0, MIXED[number % len(MIXED)])


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory):
    """A run in shards of 4, which straddle classes; the last class has no scored image."""
    path = tmp_path_factory.mktemp("mixed") / "run"
    return write_run(path, COUNTS, {"source": "gone"}, drawn, shard_size=4)


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory: pytest.TempPathFactory):
    """The same images, each in a shard of its own."""
    path = tmp_path_factory.mktemp("single") / "run"
    return write_run(path, COUNTS, {"source": "gone"}, drawn, shard_size=1)


def by_row(buckets: tuple[Bucket, ...]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    return {
        int(row): (bucket.conditional[at], bucket.gap[at])
        for bucket in buckets
        for at, row in enumerate(bucket.rows)
    }


def test_class_scores__of_many_shapes_are_those_of_each_image(mixed, one_by_one):
    for index, name in enumerate(NAMES):
        scores, single = mixed.class_scores(index), one_by_one.class_scores(index)
        expected = [n for n in range(COUNTS[name]) if n not in SKIPPED[name]]
        assert scores.ids == single.ids == tuple(f"{name}/{n:06d}" for n in expected)
        assert scores.frames == single.frames
        assert scores.features.shape == (len(expected), 8, 8, 16)
        assert np.array_equal(scores.features, single.features)
        shapes = [bucket.gap.shape[2:] for bucket in scores.buckets]
        assert shapes == sorted(set(shapes))
        found, alone = by_row(scores.buckets), by_row(single.buckets)
        assert sorted(found) == sorted(alone) == list(range(len(expected)))
        for row, frame in enumerate(scores.frames):
            cells = frame.proxy_height // CELL_PX, frame.proxy_width // CELL_PX
            assert found[row][0].shape == found[row][1].shape == (6, *cells)
            assert np.array_equal(found[row], alone[row])


def test_class_scores__rows_of_a_bucket_ascend(mixed):
    scores = mixed.class_scores(2)
    assert len(scores.buckets) == len({frame.proxy_width for frame in scores.frames}) + 2
    for bucket in scores.buckets:
        assert (np.diff(bucket.rows) > 0).all()
        assert bucket.rows.dtype == np.int64


def test_class_scores__none_scored(mixed):
    scores = mixed.class_scores(3)
    assert (scores.ids, scores.frames, scores.buckets) == ((), (), ())
    assert scores.features.shape == (0, 8, 8, 16)
    assert Explorer(mixed).select(3, SelectSettings()).patches == ()


def test_images__map_rows_count_each_shape_in_each_shard(mixed):
    counts: dict[tuple, int] = {}
    rows = dict.fromkeys(range(6), 0)
    for image in open_run(mixed.path).images:
        if image.reason:
            assert (image.row, image.map_row, image.frame) == (-1, -1, None)
            continue
        key = image.shard, image.frame.proxy_width, image.frame.proxy_height
        assert (image.row, image.map_row) == (rows[image.shard], counts.get(key, 0))
        rows[image.shard] += 1
        counts[key] = counts.get(key, 0) + 1
    assert sum(rows.values()) == 16
    assert max(counts.values()) == 2


def test_select__of_many_shapes_does_not_depend_on_shards(mixed, one_by_one):
    settings = SelectSettings(ipc=3, patch_px=48)
    for index in range(len(NAMES)):
        whole, single = (Explorer(run).select(index, settings) for run in (mixed, one_by_one))
        assert repr(whole) == repr(single)


@pytest.mark.parametrize("cut", ["patch", "context", "whole"])
def test_select__cuts_look_alike_in_proxy_and_source(mixed, cut):
    """The cut lies in the source, and holds what it holds in the proxy."""
    explorer = Explorer(mixed)
    for index, name in enumerate(NAMES):
        for patch in explorer.select(index, SelectSettings(patch_px=64, cut=cut)).patches:
            source, _ = drawn(index, int(patch.image_id.removeprefix(f"{name}/")))
            box = patch.cut_box
            assert box.width == pytest.approx(box.height)
            assert box.x >= 0 <= box.y
            assert box.x + box.width <= source.shape[1] + 1e-9
            assert box.y + box.height <= source.shape[0] + 1e-9
            from_source = crop(source, box, 16, 16).astype(int)
            assert np.abs(from_source - explorer.cut(patch, 16, 16)).mean() < 5


def test_image_bytes__of_many_shapes_are_the_proxies(mixed):
    for index in range(len(NAMES)):
        rows = mixed.class_rows(index)
        for row, picture in zip(rows, mixed.image_bytes(rows, "proxy"), strict=True):
            assert decode(picture).shape == (row.frame.proxy_height, row.frame.proxy_width, 3)
        for row, picture in zip(rows, mixed.image_bytes(rows, "thumbnail"), strict=True):
            height, width = decode(picture).shape[:2]
            assert max(height, width) == 96
            aspect = row.frame.proxy_width / row.frame.proxy_height
            assert width / height == pytest.approx(aspect, rel=0.02)
