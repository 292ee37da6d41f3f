"""One picture under several names in Python: the gap of each, and their maps as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dsel.api.keywords import with_keywords
from dsel.api.progress import follow
from dsel.api.stages import PriorLike
from dsel.config import PriorSettings, ScoreSettings

if TYPE_CHECKING:
    from dsel.analysis.names import NameScore
    from dsel.analysis.one_picture import NamedPicture
    from dsel.types import Event, Prior


class ExplainedNames:
    """A picture under several names, which all saw the same noise.

    Attributes:
        picture: The figures, with the picture as the prior saw it.
    """

    def __init__(self, picture: NamedPicture) -> None:
        self.picture = picture

    def __repr__(self) -> str:
        from dsel.analysis.names_picture import verdict_line

        return f"{self.picture.title}: {verdict_line(self.picture)}"

    @property
    def names(self) -> Sequence[NameScore]:
        """The score of each name with its standard error and its map, the best first."""
        return self.picture.names

    @property
    def winner(self) -> str:
        """The name with the highest score."""
        return self.picture.names[0].name

    def save(self, path: str | Path) -> None:
        """Save the maps with their legend; the ending names the format: .png or .svg."""
        from dsel.analysis.names_picture import save_names

        save_names(self.picture, Path(path))


def explain(
    picture: str | Path,
    classes: Sequence[str],
    *,
    prior: PriorLike = "demo",
    settings: ScoreSettings | None = None,
    run: str | Path | None = None,
    progress: bool = True,
    **keywords: Any,
) -> ExplainedNames:
    """Score one picture under each name on the same noise.

    Args:
        picture: An image file.
        classes: Class names, which must differ.
        prior: The word `demo`, the folder of a diffusers pipeline, a Hub id, or a loaded prior.
        settings: How the prior looks at the picture; the defaults if left out.
        run: A run folder to keep, with one class per name; none if left out.
        progress: Whether a progress bar is shown.
        keywords: Fields of `ScoreSettings`, and of `PriorSettings` unless the prior is loaded.
    """
    from dsel.analysis.one_picture import explain as explain_all
    from dsel.priors import load_prior

    named = isinstance(prior, str | Path | PriorSettings)
    how = PriorSettings(prior=str(prior)) if isinstance(prior, str | Path) else prior
    scoring, priors = with_keywords(
        keywords, settings or ScoreSettings(), cast(PriorSettings, how) if named else None
    )
    loaded = load_prior(cast(PriorSettings, priors)) if named else cast("Prior", prior)
    path = None if run is None else Path(run)
    found: list[NamedPicture] = []

    def events() -> Iterator[Event]:
        chosen = cast(ScoreSettings, scoring)
        found.append((yield from explain_all(Path(picture), classes, loaded, chosen, path)))

    follow(events(), progress)
    return ExplainedNames(found[0])
