"""Everything in a run that can be damaged, as checks that raise an error where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from dsel.checksums import check_file
from dsel.errors import DamageError
from dsel.files import files_below
from dsel.runs.advice import list_advice
from dsel.runs.draws import FOLDER as DRAWS
from dsel.runs.evaluations import FOLDER as EVALUATIONS
from dsel.runs.evaluations import list_evaluations, list_validations
from dsel.runs.image_map import read_image_map
from dsel.runs.knowledge import KNOWLEDGE
from dsel.runs.manifest import MANIFEST, read_manifest
from dsel.runs.name_maps import FOLDER as NAME_MAPS
from dsel.runs.name_maps import check_name_maps
from dsel.runs.opening import open_run
from dsel.runs.remedies import remedy_of
from dsel.runs.run import SUMMARY, TABLE, Run
from dsel.runs.selections import FOLDER as SELECTIONS
from dsel.runs.slices import FOLDER as SLICES
from dsel.runs.workers import FOLDER as WORKERS

Check: TypeAlias = Callable[[], object]

FOLDERS: Final = (
    "scores", "proxies", "rounds", "layouts", NAME_MAPS, SELECTIONS, "features", "teachers",
    EVALUATIONS, "sweeps", "advice", SLICES, DRAWS,
)  # fmt: skip
SUFFIXES: Final = frozenset({".json", ".parquet", ".safetensors"})


def checks_of(folder: Path) -> Iterator[Check]:
    """Yield a check of each file of a run, and of files that must be there.

    Raises `RunError` for a folder that is not a run of this version's format.
    """
    yield partial(read_manifest, folder)
    for name in (TABLE, SUMMARY, KNOWLEDGE):
        if (folder / name).exists():
            yield partial(check_file, folder / name, remedy_of(Path(name)))
    yield from file_checks(folder, FOLDERS)
    try:
        run = open_run(folder)
    except DamageError:
        return  # the first check reports it
    yield from _content_checks(run)


def file_checks(folder: Path, names: tuple[str, ...]) -> Iterator[Check]:
    """Yield a check of the checksum of each file that dsel wrote below folders of these names."""
    for name in names:
        for path in sorted(files_below(folder / name)):
            is_ours = path.suffix in SUFFIXES and not path.name.startswith(".")
            if is_ours and WORKERS not in path.relative_to(folder).parts:
                yield partial(check_file, path, remedy_of(path.relative_to(folder)))


def is_run(folder: Path) -> bool:
    """Whether a folder has the manifest of a run."""
    return (folder / MANIFEST).exists()


def _content_checks(run: Run) -> Iterator[Check]:
    """Yield checks that files are there and fit each other."""
    finished = (run.path / SUMMARY).exists()
    numbers = run.expected_shards()
    yield from (partial(run.check_shard, number) for number in numbers)
    if finished:
        yield lambda: run.summary
        yield lambda: run.images
        yield run.check_listed
        yield lambda: run.knowledge
        yield from _name_map_checks(run)
        yield from _round_checks(run)
        yield from (partial(run.read_layout, index) for index in range(len(run.identity.classes)))
        yield partial(read_image_map, run)
    for path in sorted((run.path / SELECTIONS).glob("*")):
        if path.is_dir():
            yield partial(run.read_selection, path.name)
    if (run.path / SELECTIONS / "current.json").exists():
        yield run.read_selection
    yield from (partial(read, run.path) for read in (list_evaluations, list_validations))
    yield partial(list_advice, run.path)


def _name_map_checks(run: Run) -> Iterator[Check]:
    """Yield a check of each file of maps that the run's knowledge names."""
    try:
        knowledge = run.knowledge
    except DamageError:
        return  # an earlier check reports it
    plan = None if knowledge is None else knowledge.plan
    if plan is not None:
        yield from (partial(check_name_maps, run, plan, number) for number in range(plan.maps))


def _round_checks(run: Run) -> Iterator[Check]:
    """Yield a check of each file of the rounds that the summary names."""
    try:
        rounds = run.summary.rounds
    except DamageError:
        return  # an earlier check reports it
    for number, shards in enumerate(rounds, start=1):
        yield from (partial(run.round_files.check, number, shard) for shard in shards)
