"""One picture under several names: the figures, and the maps as files."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.toyset import QUICK, draw_picture, finish, toy_prior, value_of

from dsel.analysis.names import NameScore
from dsel.analysis.names_picture import save_names, verdict_line
from dsel.analysis.one_picture import NamedPicture, class_folders, explain
from dsel.errors import SettingError, UnreadableImage
from dsel.types import Notice


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "pet.png"
    Image.fromarray(draw_picture(0, 0, 0)).save(path)
    return path


def test_explain__the_right_name_wins(picture: Path, tmp_path: Path) -> None:
    found = value_of(explain(picture, ["dog", "cat"], toy_prior(), QUICK))
    assert [one.name for one in found.names] == ["cat", "dog"]
    assert found.plain()["winner"] == "cat"
    assert found.lead == (found.names[0].score - found.names[1].score, found.names[1].behind_error)
    assert min(found.pixels.shape[:2]) == 32
    assert {path.name for path in tmp_path.iterdir()} == {"pet.png"}
    again = value_of(explain(picture, ["cat", "dog"], toy_prior(), QUICK))
    assert again.names[0].score == found.names[0].score


def test_explain__keeps_a_run_of_one_class_per_name(picture: Path, tmp_path: Path) -> None:
    found = value_of(explain(picture, ["cat", "dog"], toy_prior(), QUICK, tmp_path / "run"))
    again = value_of(explain(picture, ["cat", "dog"], toy_prior(), QUICK, tmp_path / "run"))
    assert again.plain() == found.plain()
    assert (tmp_path / "run/run.json").is_file()


def test_explain__further_draws_have_no_use(picture: Path) -> None:
    events = finish(explain(picture, ["cat", "dog"], toy_prior(), QUICK.replace(most_draws=4)))
    assert [one.text for one in events if isinstance(one, Notice) and "most draws" in one.text] == [
        "most draws 4 is not used: one picture competes with none for a place, so take more draws "
        "instead"
    ]


def test_explain__what_is_wrong_is_named(picture: Path, tmp_path: Path) -> None:
    for names, words in (([], "needs a name"), (["cat", "cat"], "must differ, got 'cat' twice")):
        with pytest.raises(SettingError, match=words):
            finish(explain(picture, names, toy_prior(), QUICK))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(UnreadableImage, match=r"^broken\.png: "):
        finish(explain(broken, ["cat"], toy_prior(), QUICK))


def test_class_folders__in_the_order_of_the_names() -> None:
    assert class_folders(["cat"]) == {"class": ["cat"]}
    assert class_folders(["b", "a"]) == {"class00": ["b"], "class01": ["a"]}


def named(lead: float, error: float, names: int = 2) -> NamedPicture:
    values = np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
    first = NameScore("cat <b>", 0.05, 0.01, 0.0, 0.0, values)
    second = NameScore("dog", 0.05 - lead, 0.01, lead, error, -values)
    pixels = np.full((64, 48, 3), 200, np.uint8)
    return NamedPicture("pet.png", pixels, (first, second)[:names], 24)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (named(0.03, 0.01), "cat <b> fits best: it leads dog by 3.00 ± 1.00 %"),
        (
            named(0.03, 0.02),
            "cat <b> leads dog by 3.00 ± 2.00 %, which the noise could explain: take more draws to "
            "tell them apart",
        ),
        (named(0.03, 0.02, 1), "cat <b> is the only name: 5.00 ± 1.00 %"),
    ],
)
def test_verdict_line__is_sure_above_two_standard_errors(found: NamedPicture, line: str) -> None:
    assert verdict_line(found) == line


def test_save_names__an_svg_and_a_png_with_the_legend(tmp_path: Path) -> None:
    found = named(0.03, 0.01)
    save_names(found, tmp_path / "maps.svg")
    text = (tmp_path / "maps.svg").read_text()
    assert text.count("<image ") == 2
    assert "linearGradient" in text
    assert "cat &lt;b&gt;" in text
    assert "signed gap in % of the mean loss" in text
    assert not re.search("https?://(?!www.w3.org)", text)
    save_names(found, tmp_path / "maps.png")
    image = Image.open(io.BytesIO((tmp_path / "maps.png").read_bytes()))
    assert image.width > 900
    assert len(image.convert("RGB").getcolors(1 << 24)) > 50
    with pytest.raises(SettingError, match=r"\.png or \.svg file, got .*maps\.pdf"):
        save_names(found, tmp_path / "maps.pdf")
