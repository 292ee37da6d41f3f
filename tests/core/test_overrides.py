"""Manual overrides against the images of a run: what does not fit is named in one line."""

from __future__ import annotations

import pytest
from support.drawn_class import GEOMETRY, frame

from dsel.config import SelectSettings
from dsel.core.overrides import check_overrides, misplaced
from dsel.errors import SettingError

FRAMES = {"cat/0": frame(8, 8), "cat/1": frame(8, 16), "dog/0": None}


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"pins": ("cat/1", "cat/0"), "moves": ("cat/1@96,32", "cat/0@32,0")},
        {"bans": ("dog/0", "cat/0")},
    ],
)
def test_check_overrides__what_fits(overrides: dict[str, tuple[str, ...]]) -> None:
    check_overrides(SelectSettings(**overrides), GEOMETRY, FRAMES)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"pins": ("cat/2",)}, "unknown image 'cat/2' in pins: ids look like 'cat/0'"),
        ({"bans": ("",)}, "unknown image '' in bans: ids look like 'cat/0'"),
        ({"moves": ("cow@0,0",)}, "unknown image 'cow' in moves: ids look like 'cat/0'"),
        ({"pins": ("dog/0",)}, "image 'dog/0' in pins has no patch, since it was skipped when the "
         "run was scored: take another image"),
        ({"moves": ("dog/0@0,0",)}, "image 'dog/0' in moves has no patch, since it was skipped "
         "when the run was scored: take another image"),
        ({"moves": ("cat/0@33,0",)}, "the corner of image 'cat/0' in moves must be between 0,0 and "
         "32,32 for a 32 px patch in its 64 x 64 px image, got 33,0"),
    ],
)  # fmt: skip
def test_check_overrides__one_clear_line(
    overrides: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(SettingError) as caught:
        check_overrides(SelectSettings(**overrides), GEOMETRY, FRAMES)
    assert str(caught.value) == message


def test_misplaced__boxes_beyond_their_proxies() -> None:
    settings = SelectSettings(moves=("cat/0@32,0", "cat/1@96,33", "dog/0@999,0", "cow@999,0"))
    assert misplaced(settings, GEOMETRY, FRAMES) == ("cat/1",)
