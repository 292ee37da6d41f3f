"""One picture scored under several names on the same noise: its run, and what it says."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dsel.analysis.explorer import Explorer
from dsel.analysis.names import NameScore, name_scores
from dsel.config import ScoreSettings, SelectSettings, SourceSettings
from dsel.data import open_dataset
from dsel.data.file_names import IMAGE_SUFFIXES
from dsel.data.images import decode
from dsel.errors import SettingError, UnreadableImage
from dsel.files import json_bytes, place_copy, write_atomically
from dsel.pipeline.score import score
from dsel.runs import Run, open_run
from dsel.types import Event, Notice, Pixels, Prior

FIGURES = ("score", "error", "behind", "behind_error")
CLEAR = 2
"""Standard errors by which a difference must exceed 0."""


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """A picture as the prior saw it, and its names, the best first."""

    title: str
    pixels: Pixels
    names: tuple[NameScore, ...]
    evaluations: int

    @property
    def lead(self) -> tuple[float, float] | None:
        """By how much the best name leads the second, and its standard error."""
        if len(self.names) < 2:
            return None
        return self.names[1].behind, self.names[1].behind_error

    @property
    def is_clear(self) -> bool:
        """Whether the noise could not explain the lead."""
        return self.lead is not None and self.lead[0] > CLEAR * self.lead[1]

    def plain(self) -> dict[str, Any]:
        """Return the figures without maps; scores and leads are shares of the mean loss."""
        rows = [{"name": one.name, **_known(one)} for one in self.names]
        lead, error = self.lead or (None, math.nan)
        return {
            "image": self.title,
            "winner": self.names[0].name,
            "lead": lead,
            "lead_error": error if math.isfinite(error) else None,
            "clear": self.is_clear,
            "evaluations": self.evaluations,
            "names": rows,
        }


def class_folders(names: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the class folder of each name of a picture, in their order, as classes.json has it.

    Their own names are neither splits nor images.
    """
    if len(names) == 1:
        return {"class": list(names)}
    return {f"class{number:02d}": [name] for number, name in enumerate(names)}


def explain(
    picture: Path,
    names: Sequence[str],
    prior: Prior,
    settings: ScoreSettings,
    run: Path | None = None,
) -> Generator[Event, None, NamedPicture]:
    """Score a picture under each name, and compare them; `run` keeps the run, which resumes.

    Raises `SettingError` for names that are empty or the same, `UnreadableImage` for the picture.
    """
    check_names(names)
    _check_picture(picture)
    if settings.most_draws:
        yield Notice(
            f"most draws {settings.most_draws} is not used: one picture competes with none for a "
            "place, so take more draws instead"
        )
    with TemporaryDirectory(prefix="dsel-explain-") as scratch:
        source = Path(scratch) / "picture"
        folders, suffix = class_folders(names), picture.suffix.lower()
        suffix = suffix if suffix in IMAGE_SUFFIXES else ".png"  # the content tells the format
        write_atomically(source / "classes.json", json_bytes(folders))
        for folder in folders:
            place_copy(picture.resolve(), source / folder / f"picture{suffix}")
        dataset, path = open_dataset(str(source), SourceSettings()), run or Path(scratch) / "run"
        yield from score(dataset, prior, path, settings, alike=len(names) > 1)
        return _compared(open_run(path), picture.name)


def _compared(run: Run, title: str) -> NamedPicture:
    explorer = Explorer(run)
    found = name_scores(explorer, SelectSettings())
    if not found:
        reasons = {row.reason for row in run.images.skipped()}
        raise UnreadableImage(f"{title}: {'; '.join(sorted(reasons))}")
    best = explorer.class_index(found[0].name)
    return NamedPicture(title, explorer.proxy(best, 0), found, run.summary.evaluations)


def _check_picture(picture: Path) -> None:
    try:
        decode(picture, SourceSettings().max_px)
    except UnreadableImage as reason:
        raise UnreadableImage(f"{picture.name}: {reason}") from reason


def _known(one: NameScore) -> dict[str, float | None]:
    """Return the figures of a name; null where the noise of one draw alone is unknown."""
    figures = (getattr(one, name) for name in FIGURES)
    return {
        name: value if math.isfinite(value) else None
        for name, value in zip(FIGURES, figures, strict=True)
    }


def check_names(names: Sequence[str]) -> None:
    """Raise `SettingError` for names of a picture that are empty or the same."""
    if not names or not all(name.strip() for name in names):
        raise SettingError("an image needs a name at least, and none of its names may be empty")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise SettingError(f"the names of an image must differ, got {twice[0]!r} twice")
