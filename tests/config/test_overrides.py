"""Decisions by hand: what they say, how they follow each other, and what cannot be meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsel.config.overrides import Corner, Overrides, check_corner, check_known
from dsel.errors import SettingError

IDS = st.sampled_from(["cat/1.png", "cat/2.png", "a@b@3,4", "dog/-1.png", "x y\n"])
STEPS = st.one_of(
    st.tuples(st.sampled_from(["pin", "unpin", "ban", "unban", "unmove"]), IDS),
    st.tuples(st.just("move"), IDS, st.builds(Corner, st.integers(-9, 9999), st.integers(0, 9999))),
)


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


def test_overrides__the_latest_decision_holds() -> None:
    one = Overrides().pin("b").pin("a").pin("b")
    assert one.pins == ("b", "a")
    assert one.ban("b") == Overrides(("a",), ("b",))
    assert one.ban("b").pin("b").pins == ("a", "b")
    assert one.move("b", Corner(1, 2)).move("b", Corner(3, 4)).moves == ("b@3,4",)
    moved = one.move("b", Corner(1, 2)).move("a", Corner(0, 0))
    assert moved.moves == ("a@0,0", "b@1,2")
    assert moved.ban("b").unban("b").moves == moved.moves
    assert not moved.unpin("a").unpin("b").unmove("a").unmove("b")


@given(st.lists(STEPS, max_size=12))
def test_overrides__any_steps_agree_with_the_slow_definition(steps: list[tuple]) -> None:
    overrides, pins, bans, corners = Overrides(), [], set(), {}
    for name, image_id, *more in steps:
        overrides = getattr(overrides, name)(image_id, *more)
        if name in ("unpin", "ban") and image_id in pins:
            pins.remove(image_id)
        if name == "pin" and image_id not in pins:
            pins.append(image_id)
        if name in ("unban", "pin"):
            bans.discard(image_id)
        if name == "ban":
            bans.add(image_id)
        if name == "unmove":
            corners.pop(image_id, None)
        if name == "move":
            corners[image_id] = more[0]
    assert overrides.pins == tuple(pins)
    assert overrides.bans == tuple(sorted(bans))
    assert overrides.corners == corners
    assert bool(overrides) == bool(pins or bans or corners)


def test_overrides__order_of_bans_and_moves_does_not_count() -> None:
    one = Overrides().ban("a").ban("b").move("c", Corner(0, 1)).move("d", Corner(2, 3))
    other = Overrides().move("d", Corner(2, 3)).ban("b").move("c", Corner(0, 1)).ban("a")
    assert one == other


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
