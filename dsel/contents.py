"""Records of a source: how its files were understood, and what is about to be scored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Structure:
    """How the files of a source were understood.

    split: the path of the split that is read, below the source. folders: that of each class, by
    class index; empty where classes are no folders. notes: what the user should know.
    """

    split: str = ""
    folders: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClassContents:
    """A class that is about to be scored.

    folder: its folder in the source; empty where classes are no folders. prompts: what the prior is
    given for it, one text for each of its names that is used.
    """

    name: str
    folder: str
    images: int
    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """What is about to be scored; split and null_prompt are empty where there are none."""

    source: str
    split: str
    classes: tuple[ClassContents, ...]
    null_prompt: str
