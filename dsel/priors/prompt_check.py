"""Checks before scoring that the prior can tell each class from the null prompt."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dsel.config import ScoreSettings
from dsel.errors import SettingError
from dsel.types import Conditioning, Prior


def check_prompts(prior: Prior, names: Sequence[str], settings: ScoreSettings) -> None:
    """Raise `SettingError` if a class name is cut off, or a prompt equals the null prompt.

    Both would give gaps of 0. A prompt may be longer than a text encoder reads, as long as one
    encoder reads the class name.
    """
    before = settings.prompt.partition("{class}")[0]
    null = settings.unconditional_prompt()
    unnamed = _read(prior, null)
    for name in names:
        read = prior.tokens(before + name)
        if read and all(len(tokens) > most for tokens, most in read):
            tokens, most = max(read, key=lambda one: one[1])
            raise SettingError(
                f"the prompt of class {name!r} has {len(tokens)} tokens up to the class name, and "
                f"the text encoder reads {most}: shorten --prompt",
                setting="prompt",
            )
        if unnamed and _read(prior, settings.conditional_prompt(name)) == unnamed:
            raise SettingError(
                f"the null prompt {null!r} reads the same as the prompt of class {name!r}, so that "
                "all gaps would be 0: give another --null-prompt",
                setting="null_prompt",
            )


def check_labels(prior: Prior, names: Sequence[str]) -> None:
    """Raise `SettingError` for a class that the prior does not know, or that is its null class."""
    null, labels = prior.embed([""]), prior.embed(names)
    for row, name in enumerate(names):
        if _equals(labels, row, null):
            raise SettingError(
                f"class {name!r} is the null class of this prior, so that all its gaps would be 0: "
                "give another --null-class, or leave the class out with --classes",
                setting="null_class",
            )


def _read(prior: Prior, text: str) -> list[list[int]]:
    """Return the tokens that each text encoder reads, without the end token of a longer text."""
    found = prior.tokens(text)
    return [list(tokens[: most - 1] if len(tokens) > most else tokens) for tokens, most in found]


def _equals(labels: Conditioning, row: int, null: Conditioning) -> bool:
    return all(torch.equal(labels[name][row], null[name][0]) for name in null)
