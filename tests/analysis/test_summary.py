"""The look ahead of an export agrees with the export."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.synthetic import synthetic_run
from support.toyset import finish, scored_run, write_pictures

from dsel.analysis.explorer import Explorer
from dsel.analysis.summary import export_summary
from dsel.cache import Cache
from dsel.config import ExportSettings, SelectSettings
from dsel.errors import RunError, SettingError
from dsel.pipeline.export import export_selections
from dsel.runs import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return synthetic_run(tmp_path_factory.mktemp("summary") / "run", classes=3, per_class=12)


@pytest.mark.parametrize(
    ("select", "export"),
    [
        (SelectSettings(ipc=4), ExportSettings(pixels="proxy")),
        (SelectSettings(ipc=20), ExportSettings(file_format="jpeg", image_px=64)),
        (SelectSettings(ipc=2, factor=2), ExportSettings()),
    ],
)
def test_export_summary__is_what_comes(run, tmp_path, select, export) -> None:
    explorer = Explorer(run)
    summary = export_summary(explorer, select, export, Cache())
    selections = [explorer.select(index, select) for index in range(3)]
    out = tmp_path / "set"
    *_, done = finish(export_selections(run, selections, select, out, export))
    files = [path for path in out.rglob("*") if path.is_file()]
    assert (summary.images, summary.files) == (done.figures["images"], len(files))
    assert summary.bytes == pytest.approx(sum(path.stat().st_size for path in files), rel=0.3)
    assert summary.image_px == (export.image_px or 128)
    assert summary.pixels == "proxy"
    assert bool(summary.why) == (export.pixels == "auto")
    assert summary.sampled >= 1


def test_export_summary__short_classes(run) -> None:
    summary = export_summary(Explorer(run), SelectSettings(ipc=13), ExportSettings(), Cache())
    assert [(short.name, short.images) for short in summary.short] == [
        ("disc", 12), ("square", 12), ("bar", 12),
    ]  # fmt: skip
    assert "raise --per-image" in summary.short[0].advice


def test_export_summary__refuses_what_the_export_would(run) -> None:
    for select, export, error in (
        (SelectSettings(factor=8), ExportSettings(image_px=4), SettingError),
        (SelectSettings(bans=("nobody",)), ExportSettings(), SettingError),
        (SelectSettings(), ExportSettings(pixels="source"), RunError),
    ):
        with pytest.raises(error):
            export_summary(Explorer(run), select, export, Cache())


def test_export_summary__from_the_source(tmp_path: Path) -> None:
    scored = scored_run(write_pictures(tmp_path / "pets", {"cat": 3, "dog": 3}), tmp_path / "run")
    summary = export_summary(Explorer(scored), SelectSettings(ipc=2), ExportSettings(), Cache())
    assert (summary.pixels, summary.why) == ("source", "")


def test_export_summary__is_kept(run) -> None:
    cache, explorer = Cache(), Explorer(run)
    first = export_summary(explorer, SelectSettings(), ExportSettings(), cache)
    assert export_summary(explorer, SelectSettings(), ExportSettings(), cache) is first
