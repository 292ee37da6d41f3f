"""Verification of a run from Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stored import flip
from support.synthetic import synthetic_run

import dsel


def test_verify__a_line_per_damaged_file(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = synthetic_run(tmp_path / "run", classes=2, per_class=3).path
    assert dsel.verify(path, progress=False) == ()
    flip(path / "images.parquet", 50)
    (line,) = dsel.verify(str(path), progress=False)
    assert line.startswith(f"{path / 'images.parquet'} is damaged: its checksum does not match; ")
    assert capsys.readouterr() == ("", "")
    with pytest.raises(dsel.RunError, match="is neither a run nor an exported set"):
        dsel.verify(tmp_path)
