"""Links hold a view and nothing else: there and back, and one clear line for what they cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsel.config import ExportSettings, SelectSettings
from dsel.config.base import Setting, settings_of
from dsel.config.url import IDS, PLACES, View, query_of, view_of
from dsel.errors import SettingError

KINDS = (SelectSettings, ExportSettings)
DECLARED = [setting for kind in KINDS for setting in settings_of(kind).values() if setting.linked]
KNOWN = "class, image, tab, a, slice, find, ids, patch_px"
TEXTS = st.text(max_size=12)
LISTS = st.lists(TEXTS, max_size=4, unique=True)


def values_of(setting: Setting) -> st.SearchStrategy[Any]:
    """Any value that a setting may have by itself."""
    special = {
        "pins": LISTS.map(tuple), "bans": LISTS.map(tuple),
        "moves": st.lists(
            st.tuples(TEXTS.filter(bool), st.integers(-9, 999), st.integers(0, 999)),
            max_size=3, unique_by=lambda move: move[0],
        ).map(lambda moves: tuple(f"{one}@{x},{y}" for one, x, y in moves)),
        "feature_model": st.sampled_from(["", "openai/clip-vit-base-patch32", "x"]),
        "teacher": st.sampled_from(["", "microsoft/resnet-18", "x"]),
    }  # fmt: skip
    if setting.name in special:
        return special[setting.name]
    if setting.choices:
        return st.sampled_from(setting.choices)
    if setting.kind is int:
        return st.integers(int(setting.range.low), int(setting.range.high))
    if setting.kind is float:
        return st.floats(setting.range.low, setting.range.high)
    assert get_origin(setting.kind) is tuple, f"say what values {setting.name} may have"
    return st.lists(st.integers(0, 999), max_size=5, unique=True).map(tuple)


@st.composite
def views(draw: st.DrawFn) -> View:
    """Any view."""
    values = [
        {name: draw(values_of(one)) for name, one in settings_of(kind).items() if one.linked}
        for kind in KINDS
    ]
    select, export = values
    select["bans"] = tuple(one for one in select["bans"] if one not in select["pins"])
    if (select["features"] == "clip") != bool(select["feature_model"]):
        select |= {"features": "clip", "feature_model": "owner/name"}
    places = {name: draw(TEXTS) for name in PLACES.values()}
    ids = tuple(draw(st.lists(TEXTS, unique=True, max_size=3)))
    return View(**places, ids=ids, select=SelectSettings(**select), export=ExportSettings(**export))


def test_query_of__by_hand() -> None:
    assert query_of(View()) == ""
    view = View(
        class_name="a & b", image_id="a & b/1+.png", tab="clusters", slice="odd ones",
        find="text=a b&status=kept",
        ids=("a & b/1+.png", "b"),
        select=SelectSettings(
            patch_px=32, timesteps=(300, 200), pins=("é", "x=y"), moves=("cat/1.png@16,24",)
        ),
        export=ExportSettings(file_format="jpeg"),
    )  # fmt: skip
    assert query_of(view) == (
        "class=a%20%26%20b&image=a%20%26%20b/1%2B.png&tab=clusters&slice=odd%20ones"
        "&find=text%3Da%20b%26status%3Dkept&ids=a%20%26%20b/1%2B.png&ids=b&patch_px=32&timesteps=300"
        "&timesteps=200&pins=%C3%A9&pins=x%3Dy&moves=cat/1.png@16,24&file_format=jpeg"
    )
    assert view_of(query_of(view)) == view
    assert view_of("?" + query_of(view)) == view


@settings(max_examples=150, deadline=None)
@given(views())
@example(View(class_name="__theme", image_id="&a=b#c?", tab="%00\n"))
def test_query_of__there_and_back(view: View) -> None:
    query = query_of(view)
    assert query.isascii()
    assert not set(query) & set(" #\"'<>\n")
    assert view_of(query) == view


@settings(max_examples=50, deadline=None)
@given(views())
def test_query_of__holds_what_differs_in_declared_order(view: View) -> None:
    keys = [key for key, _ in parse_qsl(query_of(view), keep_blank_values=True)]
    parts = (view.select, view.export)
    differ = [key for key, name in PLACES.items() if getattr(view, name)]
    differ += [IDS] if view.ids else []
    for part in parts:
        declared = settings_of(type(part)).values()
        differ += [s.name for s in declared if getattr(part, s.name) != s.default]
    assert list(dict.fromkeys(keys)) == differ


def test_query_of__leaves_out_what_only_this_machine_may_read() -> None:
    assert query_of(View(export=ExportSettings(teacher="/home/me/teacher", label_crops=3))) == ""
    with pytest.raises(SettingError, match="unknown key in the link 'label_crops'"):
        view_of("label_crops=3")
    view = view_of("teacher=owner/name")  # that of a baseline; the app asks stored answers alone
    assert (view.select.teacher, view.export.teacher) == ("owner/name", "")
    for path in ("/home/me/teacher", "../teacher"):
        with pytest.raises(SettingError, match="a link can name a teacher by its Hub id only"):
            view_of(f"teacher={path}")


def test_view_of__order_of_keys_does_not_count() -> None:
    one = view_of("tab=set&ipc=3&pins=b&class=cat&pins=a")
    assert one == view_of("pins=b&pins=a&class=cat&ipc=3&tab=set")
    assert query_of(one) == "class=cat&tab=set&ipc=3&pins=b&pins=a"


def test_view_of__keys_that_are_not_dsels_are_passed_over() -> None:
    assert view_of("__theme=dark&ipc=3&__sign=x") == View(select=SelectSettings(ipc=3))
    assert view_of("") == view_of("?") == View()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("run=/home/me/run", f"unknown key in the link 'run'; known are: {KNOWN}"),
        ("prior=x", f"unknown key in the link 'prior'; known are: {KNOWN}"),
        ("%0Ax=1", "unknown key in the link '\\nx'; known are: class, "),
        ("x" * 999, "unknown key in the link '" + "x" * 60 + "'; known are: class, "),
        ("ipc=ten", "ipc in the link must be a whole number, got 'ten'"),
        ("ipc=", "ipc in the link must be a whole number, got ''"),
        ("ipc", "ipc in the link must be a whole number, got ''"),
        ("ipc=1_0", "ipc in the link must be a whole number, got '1_0'"),
        ("ipc=１", "ipc in the link must be a whole number, got '１'"),
        ("ipc=1e3", "ipc in the link must be a whole number, got '1e3'"),
        ("ipc=3.0", "ipc in the link must be a whole number, got '3.0'"),
        ("discriminative_share=nan", "discriminative_share in the link must be a number"),
        ("discriminative_share=1e999", "discriminative share must be between 0.0 and 1.0, got "),
        ("ipc=3%0A", "ipc in the link must be a whole number, got '3\\n'"),
        ("ipc=" + "9" * 5000, "ipc in the link must be a whole number, got '" + "9" * 60 + "...'"),
        ("ipc=0", "ipc must be between 1 and 100000, got 0"),
        ("ipc=3&ipc=3", "ipc must appear in the link once, got 2 of it"),
        ("class=a&class=b", "class must appear in the link once, got 2 of it"),
        ("timesteps=200&timesteps=x", "timesteps in the link must be a whole number, got 'x'"),
        ("timesteps=1000", "timesteps must be between 0 and 999, got 1000"),
        ("locate=both", "locate must be one of positive, difference, signed, got 'both'"),
        ("features=clip", "--features clip and --feature-model go together"),
        ("pins=a&bans=a", "an image is either pinned or banned, got 'a' in both"),
        (
            "moves=cat",
            "moves must be image@x,y in whole pixels, such as cat/1.png@16,24, got 'cat'",
        ),
        ("pins=%FF", "the link cannot be read: 'pins=%FF' is no query"),
    ],
)
def test_view_of__what_cannot_be_meant(query: str, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        view_of(query)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "model", ["/home/me/clip", "./clip", "../clip", "~/clip", "a/b/c", "a/..", "C:\\clip", "a b"]
)
def test_links__hold_no_paths(model: str) -> None:
    view = View(select=SelectSettings(features="clip", feature_model=model))
    with pytest.raises(SettingError, match="can name an image model by its Hub id only, such as"):
        query_of(view)
    named = query_of(replace(view, select=view.select.replace(feature_model="MODEL")))
    with pytest.raises(SettingError, match="can name an image model by its Hub id only, such as"):
        view_of(named.replace("MODEL", model))


QUERIES = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([*PLACES, IDS, *(s.name for s in DECLARED)]), TEXTS),
        st.one_of(TEXTS, st.integers().map(str), st.sampled_from(["clip", "signed", "a@1,2"])),
    ),
    max_size=6,
).map(lambda pairs: "&".join(f"{key}={value}" for key, value in pairs))


@settings(max_examples=200, deadline=None)
@given(st.one_of(TEXTS, QUERIES))
def test_view_of__any_text_is_a_view_or_one_clear_line(query: str) -> None:
    view, line = View(), ""
    try:
        view = view_of(query)
    except SettingError as error:
        line = str(error)
    assert len(line.splitlines()) <= 1
    assert view_of(query_of(view)) == view


def test_links__every_setting_can_be_written() -> None:
    """One of another type needs a pattern in `WRITTEN`; an empty tuple cannot be written."""
    for setting in DECLARED:
        several = get_origin(setting.kind) is tuple
        kind = get_args(setting.kind)[0] if several else setting.kind
        written = {type(choice) for choice in setting.choices} or {kind}
        assert written in ({int}, {float}, {bool}, {str}), setting.name
        assert int not in written or not setting.choices, setting.name
        assert setting.default == () or not several or setting.name == "format", setting.name
    with pytest.raises(SettingError, match="format must name at least one of folder, parquet"):
        ExportSettings(format=())


def test_links__keys_differ() -> None:
    keys = [*PLACES, IDS, *(setting.name for setting in DECLARED)]
    assert len(keys) == len(set(keys))
