"""Selecting the patches of a run: notices, figures, and settings that do not fit."""

from __future__ import annotations

import pytest
from support.stages import figures_of
from support.stored import flip
from support.toyset import (
    SMALL,
    finish,
    scored_run,
    tree,
    write_pictures,
)

from dsel.config import ExportSettings, SelectSettings
from dsel.errors import SettingError
from dsel.pipeline.export import export_selections
from dsel.pipeline.select import follows_from_run, select, stored_selection, unused
from dsel.pipeline.selector import Selector
from dsel.runs import open_run
from dsel.types import Notice, Started


@pytest.mark.parametrize(
    ("settings", "notice", "hint"),
    [
        (
            SelectSettings(ipc=4, cut="patch"),
            "class 'cat' has 3 patches and gives 3 images, fewer than IPC 4",
            "; raise --per-image or lower --ipc to even out",
        ),
        (
            SelectSettings(ipc=4, per_image=2, cut="patch"),
            "class 'dog' has 2 patches and gives 2 images",
            "; raise --per-image or lower --ipc to even out",
        ),
        (
            SelectSettings(ipc=3, drop_lowest=0.4),
            "class 'cat' has 3 patches, 1 of them dropped, and gives 2 images",
            "; lower --drop-lowest or lower --ipc to even out",
        ),
        (
            SelectSettings(ipc=2, clusters=1, factor=2),
            "class 'cat' has 3 patches and gives 1 2 x 2 mosaics, fewer than IPC 2",
            "; lower --ipc to even out",
        ),
    ],
)
def test_select__shortfall_gives_a_notice(tmp_path, settings, notice, hint):
    root = write_pictures(tmp_path / "pictures", {"cat": 3, "dog": 1})
    run = scored_run(root, tmp_path / "run")
    events = finish(select(run, settings))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert any(notice in text for text in notices)
    assert all(text.endswith(hint) for text in notices)


def test_select__figures(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    figures = figures_of(finish(select(run, SMALL)))
    assert figures == {
        "classes": 2, "patches": 6, "images": 4, "selection": run.selection_name(SMALL),
    }  # fmt: skip


def test_select__unfit_settings_write_nothing(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    before = tree(run.path)
    for settings, message in (
        (SelectSettings(patch_px=33), "patch size must be between 1 and 32 px"),
        (SelectSettings(patch_px=20, per_image=2), "at most 1 patches of 20 px fit"),
        (SelectSettings(timesteps=(301,)), "timestep 301 was not scored in this run; scored are"),
    ):
        with pytest.raises(SettingError, match=message):
            finish(select(run, settings))
    assert tree(run.path) == before


UNFIT = {
    "unknown image 'cat/9' in pins: ids look like 'cat/00.png'": {"pins": ("cat/9",)},
    "unknown image 'cat/9' in bans: ids look like 'cat/00.png'": {"bans": ("cat/9",)},
    "unknown image 'cat/9' in moves: ids look like 'cat/00.png'": {"moves": ("cat/9@0,0",)},
    "image 'dog/01.png' in pins has no patch, since it was skipped when the run was scored: take "
    "another image": {"pins": ("dog/01.png",)},
    "the corner of image 'cat/02.png' in moves must be between 0,0 and 24,16 for a 16 px patch in "
    "its 40 x 32 px image, got 25,0": {"moves": ("cat/02.png@25,0",)},
}


@pytest.mark.parametrize("spelled", ["cat/caf\u00e9.png", "cat\\cafe\u0301.png"])
def test_select__overrides_in_any_spelling_of_an_id(tmp_path, spelled):
    """Systems write é as one character or two, and slashes as backslashes."""
    root, stored = write_pictures(tmp_path / "pictures", {"cat": 3}), "cat/cafe\u0301.png"
    (root / "cat/02.png").rename(root / stored)
    run = scored_run(root, tmp_path / "run")
    finish(select(run, SMALL.replace(pins=(spelled,), moves=(f"{spelled}@1,2",))))
    settings, (cat,) = run.read_selection()
    assert (settings.pins, settings.moves) == ((stored,), (f"{stored}@1,2",))
    first = cat.patches[0]
    assert (first.image_id, first.box.x, first.box.y) == (stored, 1, 2)
    finish(select(run, SMALL.replace(bans=(spelled,))))
    assert stored not in {patch.image_id for patch in run.read_selection()[1][0].patches}
    selector = Selector(run)
    assert selector.row_of(0, spelled) == selector.row_of(0, stored)


@pytest.mark.parametrize("message", UNFIT)
def test_select__overrides_that_do_not_fit_are_refused_at_once(source, tmp_path, message):
    run = scored_run(source, tmp_path / "run")
    before, unfit = tree(tmp_path), SMALL.replace(**UNFIT[message])
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
    finish(select(run, SMALL.replace(bans=("dog/01.png",))))
    assert repr(run.read_selection()[1]) == before


def test_select__without_overrides_it_keeps_its_name(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    names = {run.selection_name(SMALL.replace(pins=pins)) for pins in ((), ("cat/00.png",), ())}
    assert len(names) == 2
    assert (tmp_path / "run/selections" / run.selection_name(SMALL)).is_dir()


@pytest.mark.parametrize(
    ("settings", "texts"),
    [
        (SelectSettings(), []),
        (SelectSettings(cut="context", context=2.0), []),
        (
            SelectSettings(context=2.0),
            ["context 2 is not used: it needs cut context, not whole"],
        ),
        (
            SelectSettings(baseline="herding", teacher="t"),
            ["teacher t is not used: baseline herding asks none"],
        ),
        (SelectSettings(baseline="rded", teacher="t"), []),
    ],
)
def test_unused__names_settings_without_effect(settings, texts):
    assert list(unused(settings)) == texts


def test_select__unused_setting_gives_a_notice(tmp_path):
    root = write_pictures(tmp_path / "pictures", {"cat": 2})
    run = scored_run(root, tmp_path / "run")
    events = finish(select(run, SelectSettings(ipc=1, context=2.0)))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices == ["context 2 is not used: it needs cut context, not whole"]


def written(run):
    """When each file of the run's selections was written."""
    return {path: path.stat().st_mtime_ns for path in (run.path / "selections").rglob("*.*")}


def test_select__what_is_stored_is_not_selected_again(tmp_path, monkeypatch):
    root = write_pictures(tmp_path / "pictures", {"cat": 3, "dog": 1})
    run = scored_run(root, tmp_path / "run")
    settings = SMALL.replace(ipc=4)
    first = finish(select(run, settings))
    before = written(run)
    monkeypatch.setattr(Selector, "select", None)
    again = finish(select(open_run(run.path), settings))
    assert written(run) == before
    assert figures_of(again) == figures_of(first)
    notices = [[one for one in events if isinstance(one, Notice)] for events in (first, again)]
    assert notices[0] == notices[1] != []
    (started,) = (one for one in again if isinstance(one, Started))
    assert (started.done, started.total) == (2, 2)


def test_select__what_is_stored_becomes_the_current_one(source, tmp_path):
    run = scored_run(source, tmp_path / "run")
    for settings in (SMALL, SMALL.replace(ipc=1), SMALL):
        finish(select(run, settings))
        assert run.read_selection()[0] == settings


@pytest.mark.parametrize("name", ["patches.parquet", "settings.json"])
def test_select__what_is_damaged_is_selected_again(source, tmp_path, name):
    run = scored_run(source, tmp_path / "run")
    finish(select(run, SMALL))
    path = run.path / "selections" / run.selection_name(SMALL) / name
    content = path.read_bytes()
    flip(path, len(content) // 2)
    events = finish(select(open_run(run.path), SMALL))
    assert path.read_bytes() == content
    assert any(isinstance(one, Notice) and name in one.text for one in events)


def test_select__of_another_version_is_selected_again(source, tmp_path, monkeypatch):
    run = scored_run(source, tmp_path / "run")
    finish(select(run, SMALL))
    monkeypatch.setattr("dsel.pipeline.select.__version__", "0.0.0")
    assert stored_selection(run, SMALL) is None


def test_follows_from_run__not_what_a_model_or_the_true_objects_decide():
    assert follows_from_run(SMALL)
    assert follows_from_run(SMALL.replace(baseline="herding"))
    assert not follows_from_run(SMALL.replace(features="reencode"))
    assert not follows_from_run(SMALL.replace(baseline="rded", teacher="t"))
    assert not follows_from_run(SMALL.replace(baseline="largest-object"))
