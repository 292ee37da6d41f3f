"""Handlers of Inspect, as the page calls them."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from support.page import ask, unpacked
from support.synthetic import MIXED, synthetic_run

from dsel.app.state import AppState
from dsel.config import SelectSettings
from dsel.config.url import View, query_of


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("inspecting") / "run"
    synthetic_run(path, classes=2, per_class=12, sizes=MIXED)
    return AppState(path)


def test_start__the_run_the_widgets_and_the_view(state: AppState) -> None:
    start = ask(state, "start", link="class=square&patch_px=32&pins=square/000001")
    assert start["notes"] == []
    assert [one["scored"] for one in start["classes"]] == [12, 12]
    assert start["view"]["class_name"] == "square"
    assert start["view"]["select"]["patch_px"] == 32
    assert start["view"]["select"]["pins"] == ["square/000001"]
    other = ask(
        state,
        "start",
        link="class=square&pins=square%5C000001&image=square%5C000002&moves=disc%5C000001@8,0",
    )
    assert other["view"]["select"]["pins"] == ["square/000001"]
    assert other["view"]["select"]["moves"] == ["disc/000001@8,0"]
    assert other["view"]["image_id"] == "square/000002"
    assert start["defaults"]["select"]["patch_px"] == 0
    names = [widget["name"] for widget in start["widgets"]["select"]]
    assert names[:4] == ["ipc", "timesteps", "patch_px", "locate"]
    assert start["presets"]["paper"]["factor"] == 2
    patch = start["widgets"]["select"][2]
    assert (patch["low"], patch["high"], patch["step"], patch["shown"]) == (8, 128, 8, 64)
    assert (patch["label"], patch["unit"], patch["choices"]) == ("Patch size", "px", [])
    (factor,) = [one for one in start["widgets"]["select"] if one["name"] == "factor"]
    assert factor["choices"][:2] == [
        {"value": 1, "label": "Single"}, {"value": 2, "label": "2 × 2"},
    ]  # fmt: skip
    assert unpacked(start["colours"]["viridis"]["signed"]).shape == (256, 3)


LINKS = {
    "class=cat&image=cat/1": ("this run has no class 'cat': disc is shown", {"class_name": ""}),
    "image=disc/999": (
        "class 'disc' has no scored image 'disc/999': its best one is shown", {"image_id": ""}
    ),
    "size=3": ("unknown key in the link 'size'; known are: ", {}),
    "patch_px=wide": ("patch_px in the link must be a whole number, got 'wide'", {}),
    "timesteps=123": ("timestep 123 was not scored in this run; scored are 200", {}),
    "patch_px=900": ("patch size must be between 1 and 128 px for 128 x 128 px images", {}),
    "ipc=2000": ("ipc must be at most 1024 for remote visitors, got 2000", {}),
    "features=clip": ("--features clip and --feature-model go together", {}),
    "factor=2&factor=3": ("factor must appear in the link once, got 2 of it", {}),
    "pins=dog/9": ("pins are left out whose image is not in this run: dog/9", {}),
    "moves=dog/9@3,4": ("moves are left out whose image is not in this run: dog/9", {}),
    "a=ipc%3D0": ("settings A: ipc must be between 1 and 100000, got 0", {"a": ""}),
}  # fmt: skip


@pytest.mark.parametrize("link", LINKS)
def test_start__what_the_run_cannot_show_is_noted_and_the_rest_stays(
    state: AppState, link: str
) -> None:
    note, places = LINKS[link]
    rest = "bans=disc/000003&tab=clusters&within=score"
    start = ask(state, "start", link=f"{rest}&{link}")
    assert len(start["notes"]) == 1
    assert start["notes"][0].startswith(note)
    select = start["view"]["select"]
    if link != "features=clip":  # which two settings it takes nobody can tell
        assert (select["bans"], select["within"]) == (["disc/000003"], "score")
    assert start["view"]["tab"] == "clusters"
    assert {name: start["view"][name] for name in places} == places
    usual = start["defaults"]["select"]
    given = {"bans", "within"}
    assert {k: v for k, v in select.items() if k not in given} == {
        k: v for k, v in usual.items() if k not in given
    }


def test_start__known_overrides_stay_beside_unknown_ones(state: AppState) -> None:
    link = "pins=disc/000001&pins=dog/9&pins=square/000002&class=square&image=square/000004"
    start = ask(state, "start", link=link)
    assert start["view"]["select"]["pins"] == ["disc/000001", "square/000002"]
    assert (start["view"]["class_name"], start["view"]["image_id"]) == ("square", "square/000004")
    assert start["notes"] == ["pins are left out whose image is not in this run: dog/9"]


def test_gallery__pages_orders_and_polygons(state: AppState) -> None:
    every = ask(state, "gallery", rows=10)
    assert (every["total"], every["pages"], len(every["rows"])) == (12, 2, 10)
    assert sum(every["counts"]) == 12
    scores = [row["score"] for row in ask(state, "gallery", sort="score")["rows"]]
    assert scores == sorted(scores, reverse=True)
    positions = state.first.layout(0)
    left, low = positions.min(axis=0) - 1
    right, high = positions.max(axis=0) + 1
    around = [float(one) for one in (left, low, right, low, right, high, left, high)]
    assert ask(state, "gallery", polygon=around)["total"] == 12
    assert ask(state, "gallery", polygon=[9e9, 9e9, 9e9, 9e9 + 1, 9e9 + 1, 9e9])["total"] == 0


def test_image__maps_and_explanation_are_the_explorers(state: AppState) -> None:
    query = query_of(View(class_name="disc", image_id="disc/000003", select=SelectSettings(ipc=3)))
    found = ask(state, "image", query)
    maps = state.first.maps(0, 3, SelectSettings(ipc=3))
    assert np.array_equal(unpacked(found["maps"]["gap"]), maps.gap)
    assert np.array_equal(unpacked(found["maps"]["combined"]), maps.combined)
    explanation = state.first.explanation(0, "disc/000003", SelectSettings(ipc=3))
    assert found["explanation"]["sentence"] == explanation.sentence
    box, source = explanation.patch.box, explanation.source_box
    assert found["explanation"]["patch"]["box"] == [box.x, box.y, box.width, box.height]
    assert list(found["explanation"]["patch"]["source_box"].values()) == [
        source.x, source.y, source.width, source.height,
    ]  # fmt: skip
    assert unpacked(found["strip"]).shape == (6, *maps.gap.shape)


def test_image__of_another_class_is_the_best_of_this_one(state: AppState) -> None:
    best = state.first.select(1, SelectSettings()).patches[0].image_id
    assert ask(state, "image", "class=square&image=disc/000003")["image_id"] == best


def test_image__one_that_was_not_asked_for_comes_with_its_picture(state: AppState) -> None:
    found = ask(state, "image", "class=square&image=disc/000003")
    stored = state.first.files(1, [found["image_id"]], "proxy")[0]
    assert base64.b64decode(found["proxy"]) == stored
    assert ask(state, "image", f"class=square&image={found['image_id']}")["proxy"] == ""


def test_prepare__selects_the_class_of_the_view(state: AppState) -> None:
    assert ask(state, "prepare", "class=square&patch_px=40") == {}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(state.first), "_select", None)  # whatever selects now fails
        ask(state, "gallery", "class=square&patch_px=40")


def test_images__as_stored(state: AppState) -> None:
    found = ask(state, "images", "class=disc", kind="proxy", ids=["disc/000001"])
    stored = state.first.files(0, ["disc/000001"], "proxy")[0]
    assert base64.b64decode(found["disc/000001"]) == stored


def test_values__of_the_cell_under_a_pixel(state: AppState) -> None:
    found = ask(state, "values", "class=disc&image=disc/000000", x=9.0, y=17)
    assert (found["row"], found["column"]) == (2, 1)
    assert len(found["values"]) == 6


def test_image__boxes_by_rank(state: AppState) -> None:
    view = {"per_image": 3, "patch_px": 32, "image": "disc/000003"}
    found = [ask(state, "image", view, nth=nth) for nth in range(3)]
    patches = [one["explanation"]["patch"] for one in found]
    assert [patch["nth"] for patch in patches] == [0, 1, 2]
    assert [patch["box"] for patch in patches] == [list(box.values()) for box in found[0]["boxes"]]
    assert len(ask(state, "image", {"image": "disc/000003", "bans": "disc/000003"})["boxes"]) == 0


def test_gallery__the_page_of_an_image_and_the_banned_ones(state: AppState) -> None:
    page = ask(state, "gallery", {"bans": ["disc/000004", "square/000001"]}, rows=5, sort="name")
    assert page["banned"] == ["disc/000004"]
    assert page["total"] == 11
    other = ask(state, "gallery", {}, rows=5, sort="name", holding="disc/000011")
    assert other["page"] == 2
    assert "disc/000011" in [row["id"] for row in other["rows"]]


def test_explanation__without_maps(state: AppState) -> None:
    view = {"class": "square", "image": "square/000002"}
    found = ask(state, "explanation", view)
    explanation = state.first.explanation(1, "square/000002", SelectSettings())
    assert found["explanation"]["sentence"] == explanation.sentence
    assert found["frame"]["source_width"] == MIXED[2][0]
    assert "maps" not in found


def test_ranges__of_all_and_of_one_timestep(state: AppState) -> None:
    found = ask(state, "ranges")
    assert list(found) == ["conditional", "unconditional", "gap", "difference", "combined"]
    assert found["gap"]["low"] < 0 < found["gap"]["high"]
    assert found["combined"]["low"] >= 0
    one = ask(state, "ranges", {"timesteps": 700})
    assert one["gap"]["high"] > found["gap"]["high"]


def test_misplaced__boxes_beyond_the_image(state: AppState) -> None:
    moves = ["disc/000000@96,0", "square/000000@10,10"]
    assert ask(state, "misplaced", {"moves": moves, "patch_px": 32}) == []
    assert ask(state, "misplaced", {"moves": moves, "patch_px": 64}) == ["disc/000000"]
