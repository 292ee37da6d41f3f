"""The handler that shows what a source contains, before a job is started on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dsel.app.context import Context
from dsel.app.forms import filled
from dsel.app.handlers.jobs import class_names_of, sourced
from dsel.app.requests import ContentsParams
from dsel.app.wire import plain
from dsel.config import ScoreSettings, SourceSettings
from dsel.contents import ClassContents, Contents
from dsel.data import open_dataset
from dsel.errors import SourceError
from dsel.pipeline.contents import contents_of

MOST_CLASSES: Final = 200
"""Classes of a response; their number and that of the images are those of all."""

PROMPTS: Final = ("prompt", "null_prompt", "names")


def source_contents(context: Context, params: ContentsParams) -> Mapping[str, Any]:
    """Return the split, the classes with their images, and the prompts; reads no image."""
    words = {name: params.score[name] for name in PROMPTS if name in params.score}
    settings = filled(ScoreSettings, words, "score", context.trusted)
    notes: tuple[str, ...] = ()
    if params.source.kind == "picture":
        contents = _of_picture(class_names_of(params.source), settings)
    else:
        contents, notes = _opened(context, params, settings)
    images = sum(one.images for one in contents.classes)
    return {
        "split": contents.split,
        "classes": plain(contents.classes[:MOST_CLASSES]),
        "total": len(contents.classes),
        "images": images if params.source.kind != "picture" else 1,
        "null_prompt": contents.null_prompt,
        "notes": list(notes),
    }


def _of_picture(names: Sequence[str], settings: ScoreSettings) -> Contents:
    classes = tuple(
        ClassContents(name, "", 1, (settings.conditional_prompt(name),)) for name in names
    )
    return Contents("", "", classes, settings.unconditional_prompt())


def _opened(
    context: Context, params: ContentsParams, settings: ScoreSettings
) -> tuple[Contents, tuple[str, ...]]:
    """Return the contents of a source, and the notes on it; uploads are named without their path.

    Raises `SourceError` for what the job would refuse.
    """
    of_source = filled(SourceSettings, params.source_settings, "source settings", context.trusted)
    task = sourced(context, params.source)
    path = task.moved[0][0] if task.moved else task.source

    def shown(text: str) -> str:
        return text.replace(path, Path(path).name) if task.moved else text

    try:
        dataset = open_dataset(path, of_source)
    except SourceError as error:
        raise SourceError(shown(str(error))) from error
    return contents_of(dataset, settings), tuple(map(shown, dataset.structure.notes))
