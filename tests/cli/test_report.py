"""dsel report: one file, its size, and one line for whatever the user can fix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.synthetic import synthetic_run

from dsel.cli.commands import main


def test_report__one_file_and_its_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = synthetic_run(tmp_path / "run", classes=2, per_class=6)
    out = tmp_path / "report.html"
    assert main(["report", str(run.path), "--out", str(out), "--dry-run"]) == 0
    assert not out.exists()
    capsys.readouterr()
    assert main(["report", str(run.path), "--out", str(out), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures == {"out": str(out), "bytes": out.stat().st_size}


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--out", "report.txt"), "the report must be a file that ends in .html"),
        (("--out", "report.html", "--evaluation", "none"), "unknown evaluation 'none'"),
        (("--out", "report.html", "--selection", "none"), "none"),
        (("--out", "report.html", "--pictures", "0"), "pictures must be at least 1, got 0"),
    ],
)
def test_report__refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], says: str
) -> None:
    run = synthetic_run(tmp_path / "run", classes=1, per_class=4)
    assert main(["report", str(run.path), *flags]) == 2
    line = capsys.readouterr().err
    assert says in line
    assert line.count("\n") == 1
