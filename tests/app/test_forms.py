"""Forms describe settings, and what is filled in is checked strictly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.toyset import QUICK

from dsel.app.forms import filled, form_of
from dsel.config import EvaluateSettings, PriorSettings, ScoreSettings, SourceSettings
from dsel.errors import SettingError

SCORE = {"timesteps": [300, 600], "draws": 2, "shard_size": 3, "feature_grid": 4, "feature_dim": 8}


def test_form_of__a_number_a_choice_and_a_value_that_may_be_missing() -> None:
    fields = {field["name"]: field for field in form_of(ScoreSettings)}
    assert fields["draws"] == {
        "name": "draws", "label": "Draws per timestep", "unit": "", "kind": "whole",
        "several": False, "optional": False, "default": 2, "shown": None, "placeholder": "",
        "help": "noise samples per timestep; standard errors need 4, or 2 that are not antithetic",
        "low": 1, "high": 1024, "step": 1, "choices": [],
        "names_result": True,
    }  # fmt: skip
    assert fields["fit"]["choices"][0] == {"value": "whole", "label": "Whole image"}
    assert [one["value"] for one in fields["null_prompt"]["choices"]] == [None, ""]


def test_form_of__without_settings_for_local_visitors() -> None:
    assert "lora" in [field["name"] for field in form_of(PriorSettings)]
    assert "lora" not in [field["name"] for field in form_of(PriorSettings, trusted=False)]


def test_filled__is_what_was_given() -> None:
    assert filled(ScoreSettings, SCORE, "score") == QUICK.replace(min_side_px=16)
    values = {"null_prompt": None, "tolerance": 0.5, "draws": 4}
    assert filled(ScoreSettings, values, "x").tolerance == 0.5
    for kind in (ScoreSettings, PriorSettings):
        defaults = {field["name"]: field["default"] for field in form_of(kind)}
        assert filled(kind, json.loads(json.dumps(defaults)), "x") == kind()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"draws": "4"}, "draws must be a whole number"),
        ({"draws": True}, "draws must be a whole number"),
        ({"draws": 4.0}, "draws must be a whole number"),
        ({"draws": 3}, "draws must be even"),
        ({"timesteps": 300}, "timesteps must be a list"),
        ({"timesteps": ["a"]}, "timesteps must be a whole number"),
        ({"timesteps": [1000]}, "timesteps must be between 0 and 999"),
        ({"fit": "wide"}, "fit must be one of"),
        ({"fit": []}, "fit must be one of"),
        ({"tolerance": float("nan")}, "tolerance must be between 0.0001 and 0.5, got nan"),
        ({"tolerance": "1"}, "tolerance must be a number"),
        ({"antithetic": 1}, "antithetic must be true or false"),
        ({"timesteps": [1] * 1001}, "timesteps must be a list of at most 1000 values"),
        ({"prompt": None}, "prompt must be a text"),
        ({"prompt": "x" * 5000}, "at most 4000"),
        ({"speed": 1}, "unknown setting 'speed'"),
        ([], "must be an object"),
    ],
)
def test_filled__what_settings_cannot_be(values: Any, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        filled(ScoreSettings, values, "score")


def test_filled__defaults_are_brought_into_the_limits_of_visitors() -> None:
    assert filled(SourceSettings, {}, "x", trusted=False).max_megapixels == 25
    assert filled(SourceSettings, {}, "x").max_megapixels == 100
    assert filled(SourceSettings, {"max_megapixels": 30}, "x").max_px == 30_000_000
    for kind in (ScoreSettings, EvaluateSettings):
        assert filled(kind, {}, "x", trusted=False) == kind()
