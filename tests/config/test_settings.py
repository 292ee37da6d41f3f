"""Settings are declared once: ranges, choices, messages, fingerprints and what faces read."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsel.config import (
    ExportSettings,
    PriorSettings,
    ScoreSettings,
    SelectSettings,
    SourceSettings,
    TrainSettings,
)
from dsel.config.base import Range, Setting, Settings, fingerprint, settings_of
from dsel.config.overrides import Overrides
from dsel.errors import SettingError

KINDS = (
    SourceSettings, PriorSettings, ScoreSettings, SelectSettings, ExportSettings, TrainSettings,
)  # fmt: skip
DECLARED = [(kind, setting) for kind in KINDS for setting in settings_of(kind).values()]
SPEED_SETTINGS = {
    PriorSettings: {"device", "backend"},
    ScoreSettings: {"rows_per_call", "decoders", "knowledge", "decode_limit_s", "keep_s"},
    TrainSettings: {"checkpoint_s", "threads"},
}


def label(case: tuple[type, Setting]) -> str:
    return f"{case[0].__name__}.{case[1].name}"


def is_number(kind: Any) -> bool:
    return kind in (int, float) or (get_args(kind)[:1] in ((int,), (float,)))


NUMBERS = [case for case in DECLARED if is_number(case[1].kind)]


def in_its_shape(setting: Setting, number: float) -> Any:
    return (number,) if isinstance(setting.default, tuple) else number


@pytest.mark.parametrize("case", DECLARED, ids=label)
def test_settings_of__every_field_has_help_and_a_default(case: tuple[type, Setting]) -> None:
    kind, setting = case
    assert setting.help
    assert setting.help[0].islower() or setting.help.split()[0] in ("IPC", "JSON", "LoRA")
    assert not setting.help.endswith(".")
    assert not kind.model_fields[setting.name].is_required()


@pytest.mark.parametrize("case", NUMBERS, ids=label)
def test_settings_of__every_number_has_a_range_that_holds_its_default(
    case: tuple[type, Setting],
) -> None:
    _, setting = case
    assert setting.range is not None
    numbers = setting.default if isinstance(setting.default, tuple) else (setting.default,)
    assert all(setting.range.holds(number) for number in numbers if number is not None)


@pytest.mark.parametrize("case", DECLARED, ids=label)
def test_settings_of__choices_hold_the_default(case: tuple[type, Setting]) -> None:
    _, setting = case
    chosen = setting.default if setting.several else (setting.default,)
    assert not setting.choices or set(chosen) <= set(setting.choices)


def test_settings_of__names_kinds_and_order() -> None:
    declared = settings_of(ExportSettings)
    assert list(declared) == [*ExportSettings.model_fields]
    assert declared["file_format"].choices == ("png", "jpeg", "webp")
    assert declared["image_px"] == Setting(
        name="image_px", kind=int, part=int, default=0,
        help="side of a distilled image; 0 is the prior's resolution", range=Range(0, 8192),
        choices=(), names_result=True, override=False, linked=True, label="Image size", unit="px",
        choice_labels={}, placeholder="",
        widget_help="side of a distilled image; the prior's resolution unless you set another one",
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_settings__defaults_are_valid_frozen_and_hashable(kind: type[Settings]) -> None:
    one = kind()
    assert hash(one) == hash(kind())
    name = next(iter(settings_of(kind)))
    with pytest.raises(AttributeError, match=f"use replace\\({name}=...\\)"):
        setattr(one, name, "x")
    with pytest.raises(TypeError):
        kind("by position")


@pytest.mark.parametrize("case", NUMBERS, ids=label)
@pytest.mark.parametrize("side", ["low", "high"])
def test_settings__outside_of_the_range(case: tuple[type, Setting], side: str) -> None:
    kind, setting = case
    limit = getattr(setting.range, side)
    if limit is None:
        return
    step = 1 if isinstance(limit, int) else limit * 0.01 + 0.001
    number = limit - step if side == "low" else limit + step
    with pytest.raises(SettingError) as caught:
        kind(**{setting.name: in_its_shape(setting, number)})
    message = str(caught.value)
    assert message.startswith(setting.name.replace("_px", " (px)").replace("_", " "))
    assert message.endswith(f"must be {setting.range}, got {number}")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"draws": 0}, "draws must be between 1 and 1024, got 0"),
        ({"timesteps": (5, 1000)}, "timesteps must be between 0 and 999, got 1000"),
        ({"noise_seed": -1}, "noise seed must be between 0 and 2147483647, got -1"),
        ({"min_side_px": 0}, "min side (px) must be between 1 and 4096, got 0"),
        ({"fit": "stretch"}, "fit must be one of whole, crop, squash, got 'stretch'"),
        ({"tolerance": 0.6}, "tolerance must be between 0.0001 and 0.5, got 0.6"),
        ({"draws": 4, "most_draws": 2},
         "most draws must be 0, or at least the 4 draws that every image gets, got 2"),
        ({"most_draws": 9}, "most draws must be even with antithetic pairs, got 9; "
         "use an even number or turn antithetic off"),
        ({"timesteps": ()}, "timesteps must be one number or more, got none"),
        ({"timesteps": (3, 4, 3)}, "timesteps must be different numbers, got [3, 4, 3]"),
        ({"draws": 3}, "draws must be even with antithetic pairs, got 3; "
         "use an even number or turn antithetic off"),
        ({"prompt": "An image."}, "prompt must contain {class}, got 'An image.'"),
    ],
    ids=str,
)  # fmt: skip
def test_score_settings__messages(value: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError) as caught:
        ScoreSettings(**value)
    assert str(caught.value) == message


def test_score_settings__odd_draws_without_pairs() -> None:
    assert ScoreSettings(draws=3, antithetic=False).draws == 3


def test_score_settings__prompts() -> None:
    one = ScoreSettings()
    assert one.conditional_prompt("toy car") == "An image of toy car."
    assert one.unconditional_prompt() == "An image of ."
    assert ScoreSettings(null_prompt="").unconditional_prompt() == ""
    assert ScoreSettings(null_prompt="A picture.").unconditional_prompt() == "A picture."
    odd = ScoreSettings(prompt="{class} {other} {class}!")  # other braces are text
    assert odd.conditional_prompt("{x}") == "{x} {other} {x}!"
    assert odd.unconditional_prompt() == " {other} !"


def test_score_settings__evaluations_at_least_and_at_most() -> None:
    one = ScoreSettings(timesteps=(200, 300), draws=4)
    assert (one.first, one.least_evaluations, one.most_evaluations) == (range(4), 16, 16)
    assert one.replace(most_draws=16).least_evaluations == 16
    assert one.replace(most_draws=16).most_evaluations == 64


def test_prior_settings__precision_is_one_of_the_known() -> None:
    message = "precision must be one of auto, float32, bfloat16, float16, got 'int8'"
    with pytest.raises(SettingError, match=message):
        PriorSettings(precision="int8")


@pytest.mark.parametrize("value", [{"features": "clip"}, {"feature_model": "owner/name"}])
def test_select_settings__clip_needs_a_model(value: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="--features clip and --feature-model go together"):
        SelectSettings(**value)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_settings__numbers_that_are_none(number: float) -> None:
    with pytest.raises(SettingError, match="learning rate must be between"):
        TrainSettings(learning_rate=number)


@pytest.mark.parametrize(
    ("resolution", "cells", "right"),
    [(128, 16, True), (64, 16, True), (64, 64, True), (96, 16, False), (100, 16, False),
     (16, 64, False), (48, 6, True)],
)  # fmt: skip
def test_train_settings__cells_divide_the_picture_by_a_power_of_two(
    resolution: int, cells: int, right: bool
) -> None:
    if right:
        made = TrainSettings(resolution_px=resolution, cells=cells)
        assert made.cell_px * cells == resolution
    else:
        message = f"got {resolution} px with {cells} cells; {cells * 8} would be right"
        with pytest.raises(SettingError, match=message):
            TrainSettings(resolution_px=resolution, cells=cells)


def test_train_settings__prompt_names_the_class() -> None:
    with pytest.raises(SettingError, match=r"prompt must contain \{class\}, got 'An image\.'"):
        TrainSettings(prompt="An image.")


def test_train_settings__widths_are_two_or_more_multiples_of_16() -> None:
    for widths in ((64,), (), (64, 100)):
        with pytest.raises(SettingError, match="widths must be two or more multiples of 16"):
            TrainSettings(widths=widths)


def test_select_settings__k_is_ipc_unless_named() -> None:
    assert SelectSettings(ipc=7).k == 7
    assert SelectSettings(ipc=7, clusters=3).k == 3


def test_select_settings__overrides() -> None:
    by_hand = {"pins": ("b", "a"), "bans": ("c",), "moves": ("a@1,2",)}
    one = SelectSettings(ipc=3, **by_hand)
    assert one.overrides == Overrides(**by_hand)
    with pytest.raises(SettingError, match="either pinned or banned, got 'a' in both"):
        SelectSettings(pins=("a",), bans=("a",))
    with pytest.raises(SettingError, match=r"moves must be image@x,y in whole pixels, .* got 'a'"):
        SelectSettings(moves=("a",))


def test_fingerprint__where_nothing_is_decided_by_hand_overrides_do_not_count() -> None:
    chosen = SelectSettings(ipc=3, timesteps=(200,))
    values = {k: v for k, v in chosen.plain().items() if k not in ("pins", "bans", "moves")}
    assert fingerprint("x", chosen) == fingerprint("x", values)
    assert fingerprint("x", chosen.replace(bans=("a",))) != fingerprint("x", values)


def test_fingerprint__of_the_defaults_stays_the_same() -> None:
    """Runs and selections on disk are found by these names."""
    assert {kind.__name__: fingerprint(kind()) for kind in KINDS} == {
        "SourceSettings": "d5090b7198d66984", "PriorSettings": "f6fe80ac899b3c1c",
        "ScoreSettings": "2e1be8525f1f788c", "SelectSettings": "ea909fd1a882dab7",
        "ExportSettings": "6fd46f3442763dac", "TrainSettings": "f00c811fd8c7ac9c",
    }  # fmt: skip
    assert fingerprint("x", SelectSettings(ipc=3, timesteps=(200,))) == "6756969c44296037"


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (SelectSettings, {"ipc": "3"}, "ipc must be a whole number, got '3'"),
        (SelectSettings, {"ipc": True}, "ipc must be a whole number, got True"),
        (SelectSettings, {"ipc": 3.0}, "ipc must be a whole number, got 3.0"),
        (SelectSettings, {"ipc": None}, "ipc must be a whole number, got None"),
        (SelectSettings, {"timesteps": 300},
         "timesteps must be a list, each a whole number, got 300"),
        (SelectSettings, {"timesteps": (300, True)}, "timesteps must be a whole number, got True"),
        (SelectSettings, {"timesteps": {300}},
         "timesteps must be a list, each a whole number, got {300}"),
        (SelectSettings, {"pins": "cat"}, "pins must be a list, each a text, got 'cat'"),
        (ScoreSettings, {"tolerance": True}, "tolerance must be a number, got True"),
        (ScoreSettings, {"null_prompt": 3}, "null prompt must be a text, got 3"),
        (ScoreSettings, {"antithetic": 0}, "antithetic must be true or false, got 0"),
        (ScoreSettings, {"fit": 1}, "fit must be one of whole, crop, squash, got 1"),
        (PriorSettings, {"prior": b"x"}, "prior must be a text, got b'x'"),
        (PriorSettings, {"family": "x" * 99},
         "family must be one of auto, stable-diffusion, sdxl, sd3, flux, dit, unet, got "
         f"'{'x' * 60}...'"),
        (ExportSettings, {"side": 3},
         "unknown setting 'side'; known are: format, image_px, file_format, "
         "quality, pixels, teacher, label_crops"),
    ],
    ids=str,
)  # fmt: skip
def test_settings__types_are_strict(
    kind: type[Settings], value: dict[str, Any], message: str
) -> None:
    for make in (lambda: kind(**value), lambda: kind().replace(**value)):
        with pytest.raises(SettingError) as caught:
            make()
        assert str(caught.value) == message
    with pytest.raises(SettingError):
        kind.from_plain(value)


def test_settings__the_error_names_the_setting() -> None:
    with pytest.raises(SettingError) as caught:
        SelectSettings(patch_px=-1)
    assert caught.value.fields == {"setting": "patch_px"}


def test_settings__whole_numbers_are_floats_and_lists_are_tuples() -> None:
    one = SelectSettings(context=2, timesteps=[200, 300])
    assert type(one.context) is float
    assert one.timesteps == (200, 300)
    assert hash(one) == hash(SelectSettings(context=2.0, timesteps=(200, 300)))


@pytest.mark.parametrize("case", DECLARED, ids=label)
def test_from_plain__there_and_back_by_json(case: tuple[type[Settings], Setting]) -> None:
    kind, setting = case
    with_it = {"features": "clip"} if setting.name == "feature_model" else {}
    one = kind(**{setting.name: "x" if with_it else other_value(setting)}, **with_it)
    assert kind.from_plain(json.loads(json.dumps(one.plain()))) == one


@pytest.mark.parametrize("values", [[], None, "ipc=3"])
def test_from_plain__no_values_by_name(values: Any) -> None:
    with pytest.raises(SettingError, match="settings must be values by name, got "):
        SelectSettings.from_plain(values)


def test_replace__checks_again_and_leaves_the_first_alone() -> None:
    one = SelectSettings(ipc=3)
    assert one.replace(ipc=5, factor=2) == SelectSettings(ipc=5, factor=2)
    assert one.replace() == one == SelectSettings(ipc=3)
    with pytest.raises(SettingError, match="either pinned or banned"):
        one.replace(pins=("a",), bans=("a",))


@pytest.mark.parametrize("case", DECLARED, ids=label)
def test_settings_of__labels_read_as_titles(case: tuple[type[Settings], Setting]) -> None:
    _, setting = case
    assert setting.label[0].isupper()
    assert set(setting.choice_labels) <= {*setting.choices, *range(1, 9), None, ""}
    assert "--" not in setting.help


def test_range__in_words() -> None:
    words = [str(r) for r in (Range(0, 9), Range(1), Range(high=2.5))]
    assert words == ["between 0 and 9", "at least 1", "at most 2.5"]
    assert [Range(0, 9).holds(n) for n in (-1, 0, 9, 10)] == [False, True, True, False]
    assert Range().holds(1e300)


@settings(max_examples=60, deadline=None)
@given(low=st.integers(-9, 9), high=st.integers(-9, 9), value=st.integers(-12, 12))
def test_range__is_inclusive(low: int, high: int, value: int) -> None:
    assert Range(low, high).holds(value) == (value in range(low, high + 1))


def other_value(setting: Setting) -> Any:
    """Some valid value that is not the default."""
    if setting.several and setting.choices:
        return setting.choices[-1:]
    if setting.choices:
        return next(choice for choice in setting.choices if choice != setting.default)
    special = {
        "prompt": "{class}", "antithetic": False, "flip": False, "draws": 6, "cells": 32,
        "resolution_px": 64, "widths": (32, 48), "timesteps": (1, 2), "null_share": 0.5,
        "ema_decay": 0.5, "learning_rate": 0.01, "classes": ("x",), "device": "cpu", "split": "x",
        "prior": "x", "revision": "x", "lora": "x", "labels": "x", "feature_layer": "x",
        "null_prompt": "x", "tolerance": 0.5, "most_draws": 8, "discriminative_share": 0.5,
        "drop_lowest": 0.5,
        "low_memory": True, "teacher": "x", "max_megapixels": 50,
        "sample_seed": 1, "subset": "x", "image_column": "x", "label_column": "x",
        "pins": ("x",), "bans": ("x",), "moves": ("x@0,0",),
    }  # fmt: skip
    if setting.name in special:
        return special[setting.name]
    return setting.default + 1


@pytest.mark.parametrize("case", DECLARED, ids=label)
def test_fingerprint__every_setting_counts_but_those_of_speed(case: tuple[type, Setting]) -> None:
    kind, setting = case
    with_it = {"features": "clip"} if setting.name == "feature_model" else {}
    before = {"features": "clip", "feature_model": "y"} if with_it else {}
    value = "x" if with_it else other_value(setting)
    changed = kind(**{setting.name: value}, **with_it)
    same = fingerprint("x", changed) == fingerprint("x", kind(**before))
    assert same == (setting.name in SPEED_SETTINGS.get(kind, set()))
    assert setting.names_result == (not same)


def test_fingerprint__sixteen_hex_digits_that_stay_the_same() -> None:
    assert fingerprint("a", 1) == fingerprint("a", 1)
    assert len(fingerprint()) == 16
    assert int(fingerprint("a"), 16) >= 0
    parts = ["a", 1, ["b"], {"d": 1, "c": 2}]
    expected = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    assert fingerprint(*parts) == fingerprint(*json.loads(expected))


def test_fingerprint__parts_and_their_order_count() -> None:
    prints = [fingerprint(*parts) for parts in (("a", "b"), ("b", "a"), ("ab",), (["a", "b"],), ())]
    assert len(set(prints)) == len(prints)


def test_fingerprint__a_subclass_counts_as_what_it_adds() -> None:
    """Flags of one command may hide a field of another's settings; what they say is the same."""

    class Narrow(SelectSettings):
        """Adds nothing."""

    assert fingerprint(Narrow(ipc=3)) == fingerprint(SelectSettings(ipc=3))
