"""The command explain: one picture under several names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from support.toyset import draw_picture

from dsel.cli.commands import main

QUICK = (
    "--timesteps", "300", "600", "--draws", "2", "--feature-grid", "4", "--feature-dim", "8",
    "--precision", "float32", "--device", "cpu",
)  # fmt: skip


def test_explain__figures_and_maps(
    tiny_prior: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "pet.png"
    Image.fromarray(draw_picture(0, 0, 0)).save(picture)
    command = [
        "explain",
        str(picture),
        "--classes",
        "cat",
        "dog",
        "--prior",
        str(tiny_prior),
        *QUICK,
    ]
    assert main([*command, "--json", "--out", str(tmp_path / "maps.svg")]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {one["name"] for one in found["names"]} == {"cat", "dog"}
    assert found["winner"] == found["names"][0]["name"]
    assert found["lead"] == pytest.approx(found["names"][0]["score"] - found["names"][1]["score"])
    assert found["out"] == str(tmp_path / "maps.svg")
    assert (tmp_path / "maps.svg").read_text().count("<image ") == 2
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert found["winner"] in lines[0]
    assert len(lines) == 3


def test_explain__wrong_words_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "pet.png"
    picture.write_bytes(b"no image")
    assert main(["explain", str(picture), "--classes", "cat", "--out", "maps.gif"]) == 2
    assert ".png or .svg file, got 'maps.gif'" in capsys.readouterr().err
    assert main(["explain", str(picture), "--classes", "cat", "cat"]) == 2
    assert "got 'cat' twice" in capsys.readouterr().err
