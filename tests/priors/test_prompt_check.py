"""Prompts that the prior reads like the null prompt are refused before anything is scored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.families import FAMILIES

from dsel.config import PriorSettings, ScoreSettings
from dsel.errors import SettingError
from dsel.priors import load_prior
from dsel.priors.scorer import Scorer
from dsel.types import Prior

Load = Callable[..., Prior]

LONG = {
    "sd_epsilon": 77, "sdxl": 77, "sd3_no_t5": 77,
    "sd3": 256, "flux_schnell": 256, "flux_dev": 512,
}  # fmt: skip
"""The most tokens that any text encoder of a family reads."""


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    root = tmp_path_factory.mktemp("priors")

    def prior(family: str, **settings: Any) -> Prior:
        folder: Path = root / family
        if not folder.exists():
            FAMILIES[family](folder)
        return load_prior(PriorSettings(prior=str(folder), device="cpu", **settings))

    return prior


def check(prior: Prior, *names: str, **settings: Any) -> None:
    Scorer(prior, [(name,) for name in names], ScoreSettings(**settings)).check_classes(
        range(len(names))
    )


@pytest.mark.parametrize("family", LONG)
def test_check_prompts__a_class_name_that_no_encoder_reads(load: Load, family: str) -> None:
    prior, most = load(family), LONG[family]
    fits = "an " * (most - 10) + "{class}"
    check(prior, "cat", prompt=fits)
    wanted = rf"prompt of class 'cat' has \d+ tokens up to the class name, .* reads {most}: shorten"
    with pytest.raises(SettingError, match=wanted):
        check(prior, "cat", prompt="an " * most + "{class}")


def test_check_prompts__a_class_name_that_is_cut_in_its_middle(load: Load) -> None:
    """77 tokens: a start, 72 words, a name of three, and an end."""
    prior = load("sd_epsilon")
    check(prior, "cat dog bird", prompt="an " * 72 + "{class} of a photo")
    with pytest.raises(SettingError, match="class 'cat dog bird' has 78 tokens"):
        check(prior, "cat", "cat dog bird", prompt="an " * 73 + "{class}")


@pytest.mark.parametrize("family", LONG)
def test_check_prompts__a_null_prompt_equal_to_the_prompt(load: Load, family: str) -> None:
    with pytest.raises(SettingError) as caught:
        check(load(family), "dog", "cat", null_prompt="An image of cat.")
    assert str(caught.value) == (
        "the null prompt 'An image of cat.' reads the same as the prompt of class 'cat', so that "
        "all gaps would be 0: give another --null-prompt"
    )
    assert caught.value.fields == {"setting": "null_prompt"}


def test_check_prompts__what_a_tokenizer_makes_equal(load: Load) -> None:
    """CLIP reads small letters; all names of a class are checked where all are averaged."""
    prior = load("sd_epsilon")
    with pytest.raises(SettingError, match="reads the same as the prompt of class 'cat'"):
        check(prior, "cat", null_prompt="AN IMAGE  OF CAT.")
    both = Scorer(
        prior, [("dog", "cat")], ScoreSettings(names="all", null_prompt="An image of cat.")
    )
    with pytest.raises(SettingError, match="class 'cat'"):
        both.check_classes([0])
    Scorer(prior, [("dog", "cat")], ScoreSettings(null_prompt="An image of cat.")).check_classes(
        [0]
    )


@pytest.mark.parametrize(("family", "name"), [("dit", "church"), ("pixel_unet", "bird")])
def test_check_labels__a_class_that_is_the_null_class(load: Load, family: str, name: str) -> None:
    label = {"church": 4, "bird": 2}[name]
    prior = load(family, null_class=label)
    with pytest.raises(SettingError, match=f"class '{name}' is the null class of this prior"):
        check(prior, name)
    check(load(family), name)
