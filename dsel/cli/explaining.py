"""The command that scores one picture under several names: explain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from dsel.cli.flags import Output
from dsel.cli.printing import print_plan
from dsel.config import PriorSettings, ScoreSettings

if TYPE_CHECKING:
    from dsel.analysis.one_picture import NamedPicture
    from dsel.types import Event


def explain(
    image: Annotated[Positional[Path], arg(metavar="IMAGE", help="image file")],
    classes: Annotated[
        tuple[str, ...],
        arg(metavar="NAME ...", help="class names to score it under, all on the same noise"),
    ],
    out: Annotated[
        Path | None, arg(help=".png or .svg file for the map of each name, with their legend")
    ] = None,
    run: Annotated[
        Path | None, arg(help="run folder to keep, with one class per name; none by default")
    ] = None,
    prior: PriorSettings = PriorSettings(),
    settings: ScoreSettings = ScoreSettings(),
    output: Output = Output(),
) -> None:
    """Score one image under several names, and tell which fits best and by how much."""
    from dsel.analysis.names_picture import check_suffix, save_names
    from dsel.analysis.one_picture import check_names
    from dsel.cli.terminal import print_figures

    check_names(classes)
    if out is not None:
        check_suffix(out)
    if output.dry_run:
        each = settings.least_evaluations // 2  # the null prompt is shared by all names
        work = {"names": len(classes), "evaluations": each * (len(classes) + 1)}
        return print_plan(output, work, prior, settings)
    found = _explained(image, classes, prior, settings, run)
    if out is not None:
        save_names(found, out)
    if output.json:
        more = {} if out is None else {"out": str(out)}
        return print_figures({**found.plain(), **more}, as_json=True)
    return _print(found)


def _explained(
    image: Path,
    names: Sequence[str],
    prior: PriorSettings,
    settings: ScoreSettings,
    run: Path | None,
) -> NamedPicture:
    from dsel.analysis.one_picture import explain as explain_all
    from dsel.cli.terminal import Terminal
    from dsel.priors import load_prior

    found: list[NamedPicture] = []

    def events() -> Iterator[Event]:
        found.append((yield from explain_all(image, names, load_prior(prior), settings, run)))

    Terminal().follow(events())
    return found[0]


def _print(found: NamedPicture) -> None:
    from dsel.analysis.names_picture import verdict_line, with_error
    from dsel.cli.terminal import print_line

    print_line(verdict_line(found))
    for one in found.names:
        print_line(f"{one.name}: {with_error(one.score, one.error)} of the mean loss")
