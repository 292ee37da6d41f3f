"""Source spellings: what is a suffix, what is part of a path, and what is refused."""

from __future__ import annotations

import pytest

from dsel.config import SourceSettings
from dsel.data.spec import open_source, parse_source, spell_source
from dsel.errors import SettingError


@pytest.mark.parametrize(
    ("text", "source", "settings"),
    [
        ("toybox", "toybox", {}),
        ("toybox:seed=13", "toybox", {"scene_seed": 13}),
        ("toybox:seed=13,per-class=100", "toybox", {"scene_seed": 13, "per_class": 100}),
        ("photos:split=val", "photos", {"split": "val"}),
        ("photos:classes=cat+big dog", "photos", {"classes": ("cat", "big dog")}),
        (r"C:\photos", r"C:\photos", {}),
        (r"C:\photos:split=val", r"C:\photos", {"split": "val"}),
        ("C:/a=b/photos", "C:/a=b/photos", {}),
        ("a:b/photos", "a:b/photos", {}),
        ("toybox:sample-seed=0", "toybox", {"sample_seed": 0}),
        (
            "x.parquet:image-column=photo,label-column=kind",
            "x.parquet",
            {"image_column": "photo", "label_column": "kind"},
        ),
        ("s-{000..009}.tar:per-class=2", "s-{000..009}.tar", {"per_class": 2}),
        ("hf://user/name", "hf://user/name", {}),
        ("hf://user/name@main:plain:test", "hf://user/name@main:plain:test", {}),
        ("hf://user/name:plain:test:per-class=3", "hf://user/name:plain:test", {"per_class": 3}),
        ("hf://user/name:subset=plain", "hf://user/name", {"subset": "plain"}),
        ("s3://bucket/photos.zip:split=val", "s3://bucket/photos.zip", {"split": "val"}),
        ("http://host:8000/x.parquet", "http://host:8000/x.parquet", {}),
    ],
)
def test_parse_source__suffix_or_part_of_the_path(text, source, settings):
    assert parse_source(text) == (source, SourceSettings(**settings))
    assert spell_source(*parse_source(text)) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("toybox:seeds=1",
         "unknown source option 'seeds'; known are: seed, per-class, sample-seed, split, classes, "
         "subset, image-column, label-column"),
        ("", "the source is empty: name a folder, a file, toybox or hf://user/name"),
        ("toybox:seed=x", "scene seed must be a whole number, got 'x'"),
        ("toybox:per-class=-1", "per class must be at least 0, got -1"),
        ("toybox:seed=1,seed=2", "source option 'seed' is given twice in 'toybox:seed=1,seed=2'"),
    ],
)  # fmt: skip
def test_parse_source__refused(text, line):
    with pytest.raises(SettingError) as error:
        parse_source(text)
    assert str(error.value) == line


def test_open_source__its_own_options_go_over_the_settings():
    settings = SourceSettings(scene_seed=5, per_class=2)
    assert open_source("toybox:seed=0", settings).origin["scene_seed"] == 0
    assert open_source("toybox", settings).origin["scene_seed"] == 5


def test_open_source__the_settings_stay_where_the_spelling_says_nothing():
    given = SourceSettings(per_class=2, max_megapixels=7)
    opened = open_source("toybox:per-class=3", given)
    assert (opened.settings.per_class, opened.settings.max_megapixels) == (3, 7)
