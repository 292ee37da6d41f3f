"""Score again what is damaged in a run, and nothing else: a generator of events."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dsel.checksums import check_again
from dsel.config import PriorSettings
from dsel.errors import (
    DamageError,
    DselError,
    PriorError,
    RunError,
    SourceError,
    StorageError,
    storage_errors,
)
from dsel.files import read_json, write_atomically
from dsel.locks import hold
from dsel.pipeline.cutting import open_origin
from dsel.pipeline.knowledge import FULL
from dsel.pipeline.score import score
from dsel.pipeline.verify import checks_of_path
from dsel.runs import Run, open_run, remedies
from dsel.runs.knowledge import KNOWLEDGE
from dsel.runs.manifest import MANIFEST
from dsel.runs.run import SUMMARY
from dsel.runs.verification import is_run
from dsel.types import Dataset, Done, Event, Notice, Prior, Progress, Started

ASIDE: Final = "damaged"
"""The folder of a run with files that were set aside: a folder for each repair, from 1."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged or missing file, what is wrong with it, and what repairs it."""

    path: Path
    text: str
    remedy: str


def repair(
    path: Path, load: Callable[[PriorSettings], Prior], device: str = "auto"
) -> Iterator[Event]:
    """Score again what `verify` finds bad in a run, with the dataset and the prior of the run.

    load: loads the prior, once something is to be scored. Damaged files are moved to a folder of
    their own in the run. Figures: `files` that were read, `damaged`, `repaired`, `left` (what
    scoring does not write), and the folder `aside`, empty where nothing was moved. Raises
    `RunError`, `SourceError` or `PriorError` where the dataset or the prior is another one or gone,
    and `StorageError` for a file that may not be read; nothing has been moved then.
    """
    if not is_run(path):
        raise RunError(f"{path} is not a run: it has no {MANIFEST}", path=str(path))
    check_again()
    found = yield from _damage(path)
    bad = [one for one in found.damage if one.remedy == remedies.SCORE]
    left = [one for one in found.damage if one.remedy != remedies.SCORE]
    for one in found.damage:
        yield Notice(one.text)
    aside = ""
    if bad:
        run = open_run(path)
        aside = yield from _repaired(run, bad, load, device)
        left += [one for one in (yield from _damage(path)).damage if one.remedy == remedies.SCORE]
    yield Done("repair", {
        "files": found.files, "damaged": len(found.damage),
        "repaired": len(found.damage) - len(left), "left": len(left), "aside": aside,
    })  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Found:
    files: int
    damage: Sequence[Damage]


def _damage(path: Path) -> Generator[Event, None, _Found]:
    """Read every file of a run."""
    checks = list(checks_of_path(path))
    found: dict[Path, Damage] = {}
    yield Started("verify", len(checks), "files")
    for check in checks:
        try:
            check()
        except DamageError as error:
            file = Path(error.fields["path"])
            found.setdefault(file, Damage(file, str(error), error.fields["remedy"]))
        except StorageError:  # such as no permission: no damage, and for the user to put right
            raise
        except DselError as error:  # a file of another run
            file = Path(error.fields.get("path", path))
            found.setdefault(file, Damage(file, str(error), remedies.SCORE))
        yield Progress()
    if path / MANIFEST in found:
        raise RunError(found[path / MANIFEST].text, path=str(path / MANIFEST))
    return _Found(len(checks), list(found.values()))


def _repaired(
    run: Run, bad: Sequence[Damage], load: Callable[[PriorSettings], Prior], device: str
) -> Generator[Event, None, str]:
    """Score what is bad, once the dataset and the prior are known to be those of the run."""
    settings = run.identity.settings.replace(knowledge=_knowledge(run.path))
    dataset, prior = _dataset(run), _prior(run, load, device)
    was_finished = (run.path / SUMMARY).exists()
    with hold(run.path) as notice:
        if notice:
            yield Notice(notice)
        aside = _set_aside(run.path, [one.path for one in bad])
    if not was_finished and len(run.finished_shards()) < run.identity.shards:
        yield Notice(
            "the run is not finished: dsel score, which resumes it, also scores again what was "
            "damaged"
        )
        return aside
    manifest = (run.path / MANIFEST).read_bytes()
    for event in score(dataset, prior, run.path, settings, alike=run.identity.alike):
        if not isinstance(event, Done):
            yield event
    if (run.path / MANIFEST).read_bytes() != manifest:  # labels, such as another --precision
        write_atomically(run.path / MANIFEST, manifest)
    return aside


def _dataset(run: Run) -> Dataset:
    """Open the dataset of a run; raises `SourceError` if it is gone or another one."""
    source = run.identity.dataset_origin.get("source", "")
    try:
        dataset = open_origin(run)
    except DselError as error:
        raise SourceError(
            f"{run.path} cannot be repaired without its dataset: {error}; where it was moved, the "
            "same dsel score with its new place repairs the run too"
        ) from error
    if dataset.fingerprint != run.identity.dataset_fingerprint:
        raise SourceError(
            f"{run.path} cannot be repaired: {source} has other images than when it was scored; "
            "restore them, or score the dataset into a new folder"
        )
    return dataset


def _prior(run: Run, load: Callable[[PriorSettings], Prior], device: str) -> Prior:
    """Load the prior of a run; raises `PriorError` if it is gone or another one."""
    of = run.identity
    origin = {**of.prior_origin, "device": device, "precision": of.precision}
    try:
        prior = load(PriorSettings.from_plain(origin))
    except DselError as error:
        raise PriorError(
            f"{run.path} cannot be repaired without its prior {of.prior}: {error}"
        ) from error
    wanted = (of.prior_fingerprint, of.precision, of.resolution_px)
    if (prior.fingerprint, prior.precision, prior.resolution_px) != wanted:
        raise PriorError(
            f"{run.path} cannot be repaired: {prior.name} is not the prior that scored it (its "
            f"fingerprint is {prior.fingerprint}, the run's {of.prior_fingerprint}); restore the "
            "old one, or score the dataset into a new folder",
            prior=prior.name,
        )
    return prior


def _knowledge(path: Path) -> str:
    """Return how the run measured what the prior knows, by its file, which may be damaged."""
    file = path / KNOWLEDGE
    if not file.exists():
        return "off"
    try:
        plan = read_json(file)["plan"]
        return "full" if (plan["images"], plan["group"]) == FULL else "auto"
    except (DamageError, LookupError, TypeError):
        return "auto"


def _set_aside(path: Path, files: Sequence[Path]) -> str:
    """Move the files that are there to a new folder of the run, and return it; empty if none is."""
    there = [file for file in files if file.is_file() and file.is_relative_to(path)]
    if not there:
        return ""
    number = 1
    while (path / ASIDE / str(number)).exists():
        number += 1
    folder = path / ASIDE / str(number)
    with storage_errors(folder):
        for file in there:
            target = folder / file.relative_to(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.rename(target)
    return str(folder)
