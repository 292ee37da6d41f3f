"""Filters over all images of a run, against a slow definition with one object per image."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from support.synthetic import draw, write_run

from dsel.analysis.class_figures import figures_of_classes
from dsel.analysis.explorer import Explorer
from dsel.analysis.finding import ANY_OTHER, Filter, Order, Span, find, found_page, ordered
from dsel.analysis.image_columns import ImageColumns, image_columns
from dsel.config import SelectSettings
from dsel.errors import SettingError

SETTINGS = SelectSettings(ipc=3, clusters=3, pins=("square/000001",), bans=("disc/000002",))
ALL = np.zeros(0, np.int64)


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> Explorer:
    """Three classes of 14 images, of which some were skipped, with true boxes."""
    path = tmp_path_factory.mktemp("finding") / "run"
    counts = dict.fromkeys(("disc", "square", "bar"), 14)
    run = write_run(
        path, counts, {"source": "gone"}, lambda c, n: None if n % 7 == 5 else draw(c, n, 0)
    )
    images = [{"id": n, "file_name": one.id, "width": 128, "height": 128}
              for n, one in enumerate(run.images) if one.row >= 0]  # fmt: skip
    boxes = [{"id": one["id"], "image_id": one["id"], "category_id": 1, "bbox": [40, 40, 30, 30]}
             for one in images]  # fmt: skip
    truth = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "disc"}]}
    run.objects_path.write_text(json.dumps(truth))
    return Explorer(run)


@pytest.fixture(scope="module")
def columns(explorer: Explorer) -> ImageColumns:
    return image_columns(explorer, SETTINGS, ALL, math.inf)


def record_of(explorer: Explorer, columns: ImageColumns, row: int) -> dict[str, Any]:
    """What is known of an image, from its class's selection."""
    image = explorer.run.images[row]
    selected = explorer.select(image.class_index, SETTINGS)
    mine = [rank for rank, one in enumerate(selected.patches) if one.image_id == image.id]
    best = selected.patches[mine[0]] if mine else None
    kept = selected.kept(SETTINGS.ipc)
    return {
        "id": image.id, "class": image.class_index, "scored": image.row >= 0,
        "score": best.picture_score if best else math.nan,
        "error": best.picture_standard_error if best else math.nan,
        "margin": best.margin if best else math.nan,
        "kept": any(rank in kept for rank in mine), "rank": mine[0] if mine else math.inf,
        "hit": columns.hit[row], "twin": columns.twin[row] >= 0,
        "other": columns.likeness.other[row], "lead": columns.likeness.lead[row],
    }  # fmt: skip


def holds(one: dict[str, Any], wanted: Filter) -> bool:
    """The slow definition of a filter."""
    status = {
        "scored": one["scored"], "kept": one["kept"], "skipped": not one["scored"], "any": True,
        "not_kept": one["scored"] and not one["kept"], "pinned": one["id"] in SETTINGS.pins,
        "banned": one["id"] in SETTINGS.bans, "moved": False, "copy": False,
    }  # fmt: skip
    ranges = (
        span.is_open
        or ((span.low is None or np.float32(one[name]) >= span.low)
        and (span.high is None or np.float32(one[name]) <= span.high))
        for name, span in (
            ("score", wanted.score), ("margin", wanted.margin), ("error", wanted.error)
        )
    )  # fmt: skip
    looks = one["lead"] > 0 and wanted.looks in (ANY_OTHER, one["other"])
    return (
        status[wanted.status]
        and (not wanted.classes or one["class"] in wanted.classes)
        and all(word.lower() in one["id"].lower() for word in wanted.text.split())
        and all(ranges)
        and (wanted.hit == "any" or one["hit"] == (wanted.hit == "hit"))
        and (not wanted.near_duplicates or one["twin"])
        and (wanted.looks == -1 or looks)
    )


FILTERS = [
    Filter(),
    *(Filter(status=status) for status in
      ("kept", "not_kept", "pinned", "banned", "moved", "copy", "skipped", "any")),
    Filter(text="DISC 00001"),
    Filter(text="square", status="any", classes=(0, 1)),
    Filter(classes=(2,), status="kept"),
    Filter(score=Span(0.001)),
    Filter(score=Span(None, 0.002), hit="miss"),
    Filter(margin=Span(0.001, 0.02)),
    Filter(error=Span(high=0.0006), status="any"),
    Filter(hit="hit"),
    Filter(near_duplicates=True),
    Filter(looks=ANY_OTHER),
    Filter(looks=1, classes=(0, 2)),
]  # fmt: skip


@pytest.mark.parametrize("wanted", FILTERS)
def test_find__as_a_slow_definition(
    explorer: Explorer, columns: ImageColumns, wanted: Filter
) -> None:
    records = [record_of(explorer, columns, row) for row in range(42)]
    expected = [row for row, one in enumerate(records) if holds(one, wanted)]
    assert find(columns, wanted).tolist() == expected


def test_find__filters_tell_images_apart(columns: ImageColumns) -> None:
    """The cases above are of some images and not of all."""
    assert 0 < len(find(columns, Filter(hit="hit"))) < 36
    assert 0 < len(find(columns, Filter(near_duplicates=True))) < 36
    assert 0 < len(find(columns, Filter(looks=ANY_OTHER))) < 36
    assert len(find(columns, Filter(status="skipped"))) == 6


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("sort", ["score", "margin", "error", "rank"])
def test_ordered__unknown_ones_come_last(
    explorer: Explorer, columns: ImageColumns, sort: Any, backwards: bool
) -> None:
    rows = ordered(columns, np.arange(42), Order(sort, backwards))
    key = [record_of(explorer, columns, row)[sort] for row in rows.tolist()]
    known = [one for one in key if math.isfinite(one)]
    assert key[: len(known)] == known
    falling = (sort != "rank") != backwards
    assert known == pytest.approx(sorted(known, reverse=falling))


def test_found_page__has_the_rows_of_its_page(columns: ImageColumns) -> None:
    every = found_page(columns, Filter(), Order("name", rows=100)).rows
    page = found_page(columns, Filter(), Order("name", page=1, rows=10))
    assert (page.page, page.pages, page.total) == (1, 4, 36)
    assert page.rows == every[10:20]


def test_find__unknown_words_are_refused(columns: ImageColumns) -> None:
    with pytest.raises(SettingError, match="unknown status 'lost'; known are: scored, kept"):
        find(columns, Filter(status="lost"))  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="unknown order 'size'"):
        found_page(columns, Filter(), Order("size"))  # type: ignore[arg-type]


def test_image_columns__are_filled_class_by_class(explorer: Explorer) -> None:
    settings = SETTINGS.replace(ipc=2)
    first = image_columns(explorer, settings, np.array([1]), 0)
    assert first.ready.tolist() == [False, True, False]
    assert set(first.images.class_index[find(first, Filter())].tolist()) == {1}
    assert len(find(first, Filter(looks=ANY_OTHER))) == 0  # unknown until all are filled
    assert image_columns(explorer, settings, ALL, 0) is first
    assert first.ready.tolist() == [True, True, False]
    image_columns(explorer, settings, ALL, 0)
    assert first.complete


def test_figures_of_classes__by_hand(explorer: Explorer, columns: ImageColumns) -> None:
    figures = figures_of_classes(columns)
    for index in range(3):
        records = [record_of(explorer, columns, row) for row in range(14 * index, 14 * index + 14)]
        scores = [one["score"] for one in records if math.isfinite(one["score"])]
        assert figures["score"][index] == pytest.approx(np.mean(scores), rel=1e-5)
        assert figures["negative"][index] == pytest.approx(np.mean(np.array(scores) < 0))
        assert figures["kept"][index] == sum(one["kept"] for one in records)
        hits = [one["hit"] for one in records if one["hit"] >= 0]
        assert figures["hit"][index] == pytest.approx(np.mean(hits))
        quality = explorer.quality(index, SETTINGS)
        assert figures["coverage"][index] == pytest.approx(quality.coverage_distance)
        assert figures["clusters_covered"][index] == quality.clusters_covered
