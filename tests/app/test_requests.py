"""Parameters are checked strictly, and an invalid one is one line."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dsel.app.requests import (
    MOST_TEXTS,
    ClassesParams,
    CompareParams,
    GalleryParams,
    ImagesParams,
    NthParams,
    Params,
    PixelParams,
    Request,
    ScoreParams,
    TokenParams,
    TokensParams,
    parsed,
)
from dsel.errors import SettingError


@pytest.mark.parametrize(
    ("model", "values", "line"),
    [
        (GalleryParams, {"page": "x"}, "page must be a whole number, got 'x'"),
        (GalleryParams, {"page": True}, "page must be a whole number, got True"),
        (GalleryParams, {"page": 1.0}, "page must be a whole number, got 1.0"),
        (GalleryParams, {"rows": 101}, "rows must be a whole number between 1 and 100, got 101"),
        (GalleryParams, {"rows": 0}, "rows must be a whole number between 1 and 100, got 0"),
        (GalleryParams, {"holding": 3}, "holding must be a text, got 3"),
        (GalleryParams, {"backwards": 1}, "backwards must be true or false, got 1"),
        (
            GalleryParams,
            {"sort": "size"},
            "sort must be one of rank, score, picture_score, margin, cluster, name, got 'size'",
        ),
        (GalleryParams, {"polygon": [1, 2, 3]}, "polygon must be a list of x and y, got [1, 2, 3]"),
        (
            GalleryParams,
            {"polygon": [1, math.inf]},
            "polygon must be a list of x and y, got [1, inf]",
        ),
        (GalleryParams, {"polygon": [1, True]}, "polygon must be a list of x and y, got [1, True]"),
        (
            GalleryParams,
            {"polygon": [0.5] * (2 * MOST_TEXTS + 2)},
            "polygon must have at most 2000 entries, got 2002",
        ),
        (CompareParams, {"keeping": []}, "keeping must be one of any, both, a, b, neither, got []"),
        (NthParams, {"nth": -1}, "nth must be a whole number of at least 0, got -1"),
        (PixelParams, {"x": 1.5}, "y must be a finite number, got None"),
        (PixelParams, {"x": 1e13, "y": 1}, "x must be a finite number, got 10000000000000.0"),
        (PixelParams, {"x": math.nan, "y": 1}, "x must be a finite number, got nan"),
        (PixelParams, {"x": "1", "y": 1}, "x must be a finite number, got '1'"),
        (ImagesParams, {"ids": "a"}, "ids must be a list of texts, got 'a'"),
        (ImagesParams, {"ids": ["a", 1]}, "ids must be a list of texts, got ['a', 1]"),
        (ImagesParams, {"ids": ["a"] * 101}, "ids must have at most 100 entries, got 101"),
        (ImagesParams, {"kind": "source"}, "kind must be one of proxy, thumbnail, got 'source'"),
        (ClassesParams, {"classes": ["a"] * 26}, "classes must have at most 25 entries, got 26"),
        (TokensParams, {"tokens": [""] * 1001}, "tokens must have at most 1000 entries, got 1001"),
        (TokenParams, {}, "token must be a text, got None"),
        (Params, {"speed": 1}, "unknown parameter 'speed'; known are: none"),
        (NthParams, {"speed": 1}, "unknown parameter 'speed'; known are: nth"),
        (ScoreParams, {"source": 1}, "source must be an object of values by name, got 1"),
        (ScoreParams, {"source": {"kind": "zip", "path": 7}}, "path must be a text, got 7"),
        (
            ScoreParams,
            {"source": {"kind": "web"}},
            "kind must be one of zip, folder, picture, toybox, got 'web'",
        ),
        (
            ScoreParams,
            {"source": {}},
            "kind must be one of zip, folder, picture, toybox, got None",
        ),
        (
            ScoreParams,
            {"source": {"kind": "zip", "size": 7}},
            "unknown parameter 'size'; known are: kind, path, class_name, class_names",
        ),
        (Request, {"method": "start", "run": 3}, "run must be a text, got 3"),
    ],
)
def test_parsed__an_invalid_parameter_is_one_line(
    model: type[Params], values: dict[str, Any], line: str
) -> None:
    with pytest.raises(SettingError) as caught:
        parsed(model, values)
    assert str(caught.value) == line
    assert list(caught.value.fields) == ["param"]


def test_parsed__long_values_are_cut() -> None:
    with pytest.raises(SettingError) as caught:
        parsed(GalleryParams, {"page": "x" * 10_000})
    assert len(str(caught.value)) < 120
    with pytest.raises(SettingError) as caught:
        parsed(GalleryParams, {"x" * 10_000: 1})
    assert len(str(caught.value)) < 200


def test_parsed__defaults_and_whole_numbers_for_coordinates() -> None:
    assert parsed(GalleryParams, {}) == GalleryParams()
    assert parsed(PixelParams, {"x": 3, "y": 4.5}) == PixelParams(x=3.0, y=4.5)
    assert parsed(GalleryParams, {"polygon": [1, 2.5]}).polygon == [1.0, 2.5]
