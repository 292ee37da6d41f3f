"""What is about to be scored: split, classes with their images, and the words of the prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, Literal

from dsel.config import ScoreSettings
from dsel.contents import ClassContents, Contents
from dsel.types import Dataset, Event, Notice

MOST_CLASSES: Final = 20
"""Classes that `contents_lines` lists."""


def contents_of(
    dataset: Dataset, settings: ScoreSettings, reads: Literal["prompts", "labels"] = "prompts"
) -> Contents:
    """Return what a dataset contains, and what a prior that `reads` prompts or labels is given.

    Only the list of images is used; none is read.
    """
    count = Counter(ref.class_index for ref in dataset.refs)
    folders = dataset.structure.folders or ("",) * len(dataset.classes)

    def given(names: tuple[str, ...]) -> tuple[str, ...]:
        used = names if settings.names == "all" else names[:1]
        return used if reads == "labels" else tuple(map(settings.conditional_prompt, used))

    return Contents(
        source=str(dataset.origin["source"]),
        split=dataset.structure.split,
        classes=tuple(
            ClassContents(names[0], folder, count[index], given(names))
            for index, (names, folder) in enumerate(zip(dataset.names, folders, strict=True))
        ),
        null_prompt=settings.unconditional_prompt() if reads == "prompts" else "",
    )


def contents_events(
    dataset: Dataset, settings: ScoreSettings, reads: Literal["prompts", "labels"] = "prompts"
) -> Iterator[Event]:
    """Yield the contents of a dataset, and notes on how its files were understood."""
    yield contents_of(dataset, settings, reads)
    yield from map(Notice, dataset.structure.notes)


def contents_lines(contents: Contents) -> list[str]:
    """Return the contents as lines of text; of many classes, the first ones."""
    listed = contents.classes[:MOST_CLASSES]
    rest = contents.classes[MOST_CLASSES:]
    total = sum(one.images for one in contents.classes)
    lines = [
        f"source: {contents.source}",
        f"split: {contents.split or 'none'}",
        f"classes: {len(contents.classes)}, with {total} images",
        *map(_class_line, listed),
    ]
    if rest:
        counts = [one.images for one in rest]
        lines.append(f"  and {len(rest)} more, with {min(counts)} to {max(counts)} images each")
    if contents.null_prompt:
        lines.append(f'null prompt: "{contents.null_prompt}"')
    return lines


def _class_line(one: ClassContents) -> str:
    folder = f" (folder {one.folder})" if one.folder not in ("", one.name) else ""
    images = "1 image" if one.images == 1 else f"{one.images} images"
    prompts = ", ".join(f'"{prompt}"' for prompt in one.prompts)
    return f"  {one.name}{folder}: {images}, {prompts}"
