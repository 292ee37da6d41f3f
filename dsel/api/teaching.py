"""Training a teacher from Python: teach, and its events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dsel.api.keywords import with_keywords
from dsel.api.progress import follow
from dsel.api.stages import Source
from dsel.config import SourceSettings, TeachSettings
from dsel.errors import SettingError
from dsel.types import Event

if TYPE_CHECKING:
    from dsel.types import Dataset


def teach(
    source: Source,
    out: str | Path,
    *,
    validation: Source | None = None,
    settings: TeachSettings | None = None,
    source_settings: SourceSettings | None = None,
    progress: bool = True,
    **keywords: Any,
) -> Path:
    """Train a classifier on a whole dataset, or resume; returns the folder that it is saved to.

    The folder is a teacher for `dsel.export(selection, out, teacher=folder)`.

    Args:
        source: An image folder, a zip or npz file, the word `toybox`, or an open dataset; options
            may follow a colon, as in `toybox:seed=13,per-class=100`.
        out: The folder to save the teacher to.
        validation: Images to test it on; a share of the source is held out if left out.
        settings: How the teacher is trained; the defaults if left out.
        source_settings: How the source is read; the defaults if left out.
        progress: Whether progress bars are shown.
        keywords: Fields of `TeachSettings`, and of `SourceSettings` unless the dataset is open.
    """
    events = iter_teach(
        source,
        out,
        validation=validation,
        settings=settings,
        source_settings=source_settings,
        **keywords,
    )
    follow(events, progress)
    return Path(out)


def iter_teach(
    source: Source,
    out: str | Path,
    *,
    validation: Source | None = None,
    settings: TeachSettings | None = None,
    source_settings: SourceSettings | None = None,
    **keywords: Any,
) -> Iterator[Event]:
    """Teach like `teach`, and yield the events."""
    from dsel.pipeline.teach import teach as teach_all

    is_open = not isinstance(source, str | Path)
    if is_open and source_settings is not None:
        raise SettingError("source_settings must be left out for a dataset that is open already")
    given = None if is_open else source_settings or SourceSettings()
    teaching, sources = with_keywords(keywords, settings or TeachSettings(), given)
    dataset = _opened(source, cast("SourceSettings | None", sources))
    tested = None if validation is None else _opened(validation)
    yield from teach_all(dataset, cast(TeachSettings, teaching), Path(out), tested)


def _opened(source: Source, settings: SourceSettings | None = None) -> Dataset:
    if not isinstance(source, str | Path):
        return source
    from dsel.data.spec import open_source

    return open_source(str(source), settings)
