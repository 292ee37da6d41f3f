"""Decisions by hand: what they mean, and which are refused."""

from __future__ import annotations

import pytest

from dsel.config.overrides import (
    Corner,
    KnownIds,
    Overrides,
    check_corner,
    check_known,
    plain_id,
)
from dsel.errors import SettingError


def test_corners__by_hand() -> None:
    moves = ("cat/1.png@16,24", "a@b@0,3", "@@-7,0012")
    assert Overrides(moves=moves).corners == {
        "cat/1.png": Corner(16, 24),
        "a@b": Corner(0, 3),
        "@": Corner(-7, 12),
    }


@pytest.mark.parametrize(
    "move",
    ["", "cat/1.png", "@1,2", "cat@1", "cat@1,", "cat@1.5,2", "cat@1,2 ", "cat@１,2", "cat@1,2,3",
     "cat@1_0,2", "cat@1,2\n", "cat@1234567890,2"],
)  # fmt: skip
def test_corners__malformed_move(move: str) -> None:
    with pytest.raises(SettingError) as caught:
        Overrides(moves=(move,))
    expected = "moves must be image@x,y in whole pixels, such as cat/1.png@16,24, got "
    assert str(caught.value) == expected + repr(move)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"pins": ("a", "b", "a")}, "pins must name each image once, got 'a' more than once"),
        ({"bans": ("b", "b")}, "bans must name each image once, got 'b' more than once"),
        ({"moves": ("a@1,2", "a@3,4")}, "moves must name each image once, got 'a' more than once"),
        ({"pins": ("a", "b\n"), "bans": ("b\n",)},
         "an image is either pinned or banned, got 'b\\n' in both: take it out of the pins or out "
         "of the bans"),
    ],
)  # fmt: skip
def test_overrides__contradictions(overrides: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(SettingError) as caught:
        Overrides(**overrides)
    assert str(caught.value) == message


def test_overrides__whether_there_are_any() -> None:
    assert not Overrides()
    for decided in ({"pins": ("a",)}, {"bans": ("a",)}, {"moves": ("a@0,0",)}):
        assert Overrides(**decided)


@pytest.mark.parametrize("name", ["pins", "bans", "moves"])
def test_check_known__by_hand(name: str) -> None:
    ids = ("cat/1.png@0,0", "cow@0,0") if name == "moves" else ("cat/1.png", "cow")
    overrides = Overrides(**{name: ids})
    check_known(overrides, {"cat/1.png", "cow"})
    with pytest.raises(SettingError) as caught:
        check_known(overrides, ["cat/1.png"])
    assert str(caught.value) == f"unknown image 'cow' in {name}: ids look like 'cat/1.png'"
    with pytest.raises(SettingError, match=f"unknown image 'cat/1.png' in {name}$"):
        check_known(overrides, [])


def test_check_corner__by_hand() -> None:
    for corner in (Corner(0, 0), Corner(32, 64), Corner(7, 9)):
        check_corner("cat", corner, 32, 64, 96)
    for corner in (Corner(-1, 0), Corner(0, -1), Corner(33, 0), Corner(0, 65)):
        with pytest.raises(SettingError) as caught:
            check_corner("cat", corner, 32, 64, 96)
        assert str(caught.value) == (
            "the corner of image 'cat' in moves must be between 0,0 and 32,64 for a 32 px patch in "
            f"its 64 x 96 px image, got {corner.x},{corner.y}"
        )


NFC, NFD = "caf\u00e9/1.png", "cafe\u0301/1.png"


@pytest.mark.parametrize(
    ("known", "given", "found"),
    [
        ([NFD, "cat/1.png"], NFC, NFD), ([NFC, "cat/1.png"], NFD, NFC), ([NFC, NFD], NFC, NFC),
        (["cat/1.png"], "cat\\1.png", "cat/1.png"), (["cat\\1.png"], "cat/1.png", "cat\\1.png"),
        (["cat\\1.png", "cat/1.png"], "cat\\1.png", "cat\\1.png"),
        (["cat/1.png"], "Cat/1.png", "Cat/1.png"), (["cat/1.png"], "1.png", "1.png"),
        ([NFD, "caf\u00e9\\1.png"], NFC, NFC),  # could be either
    ],
)  # fmt: skip
def test_known_ids__any_spelling_that_is_unique(known: list[str], given: str, found: str) -> None:
    ids = KnownIds(known)
    assert ids.find(given) == found
    other = Overrides(pins=(given,), bans=("x",), moves=(f"{given}@16,24",))
    assert ids.respell(other) == Overrides(pins=(found,), bans=("x",), moves=(f"{found}@16,24",))


def test_known_ids__two_spellings_are_one_image() -> None:
    ids = KnownIds([NFD])
    with pytest.raises(SettingError, match="pins must name each image once"):
        ids.respell(Overrides(pins=(NFC, NFD)))
    with pytest.raises(SettingError, match="either pinned or banned"):
        ids.respell(Overrides(pins=(NFC,), bans=(NFD,)))


def test_plain_id__slashes_and_composed_letters() -> None:
    assert plain_id("a\\cafe\u0301\\1.png") == "a/caf\u00e9/1.png"
