"""The files of a run as they are shared with others: verified, and without paths of this machine.

What a run records of its datasets and prior for reading them again, such as
/home/user/photos, becomes the last part of the path, also inside of the texts beside it. No
fingerprint depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dsel.checksums import FIELD, check_file, reading
from dsel.errors import RunError
from dsel.files import files_below, read_fields, record_bytes
from dsel.runs import Run
from dsel.runs.bundles import BOXES, MEMBER
from dsel.runs.manifest import MANIFEST
from dsel.runs.remedies import remedy_of
from dsel.runs.selections import FOLDER as SELECTIONS
from dsel.types import Notice

PLACES: Final = frozenset({"source", "prior", "lora", "labels", "teacher"})
"""Keys of records whose values may be paths."""

LEFT_OUT: Final = ("evaluations/held_out/", "evaluations/workers/", "features/")
"""Files that can be made again from others, and may be large, and what workers say."""

_PATH: Final = re.compile(r"(/|[A-Za-z]:[\\/]|~)\S*", re.ASCII)


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file by its name below the run, and its bytes."""

    name: str
    content: bytes


def shared_names(run: Run) -> list[str]:
    """Return the names of the files that are shared, the manifest first.

    Raises `RunError` for an unfinished run.
    """
    refuse_unfinished(run)
    files = (path for path in files_below(run.path) if path.is_file())
    names = sorted(path.relative_to(run.path).as_posix() for path in files)
    kept = [one for one in names if MEMBER.fullmatch(one) and not one.startswith(LEFT_OUT)]
    return sorted(kept, key=lambda name: name != MANIFEST)


def shared_files(run: Run) -> Iterator[SharedFile]:
    """Read the files that are shared; raises `DamageError` for a damaged one."""
    for name in shared_names(run):
        yield SharedFile(name, _content(run.path / name, name))


def path_notices(run: Run) -> Iterator[Notice]:
    """Yield what is told to somebody who shares a run: what stands for paths of the machine."""
    origin = {**run.identity.dataset_origin, **run.identity.prior_origin}
    hidden = [str(origin[key]) for key in sorted(PLACES & origin.keys()) if _is_path(origin[key])]
    if hidden:
        names = ", ".join(sorted({_last(one) for one in hidden}))
        yield Notice(f"paths of this machine are shared as names alone: {names}")
    for path in sorted((run.path / SELECTIONS).glob("*/settings.json")):
        teacher = read_fields(path, remedy_of(path.relative_to(run.path)))["settings"]
        if _is_path(teacher.get("teacher")):
            yield Notice(f"{path.parent.name} names its teacher by a path of this machine")


def refuse_unfinished(run: Run) -> None:
    """Raise `RunError` for a run that is not finished, or has no image."""
    if not run.summary.scored:
        raise RunError(f"{run.path} has no scored image to share", path=str(run.path))


def _content(path: Path, name: str) -> bytes:
    remedy = remedy_of(Path(name))
    if name == BOXES:
        return path.read_bytes()
    if path.suffix == ".json" and not name.startswith(SELECTIONS):
        fields = read_fields(path, remedy)
        return record_bytes(_without_paths(fields, _pattern(_paths_in(fields))))
    check_file(path, remedy)
    with reading(path, remedy):
        return path.read_bytes()


def _paths_in(value: Any) -> set[str]:
    """Return the paths that are values of some keys of a record."""
    if isinstance(value, list):
        return {path for part in value for path in _paths_in(part)}
    if not isinstance(value, dict):
        return set()
    own = {part for key, part in value.items() if key in PLACES and _is_path(part)}
    return own | _paths_in(list(value.values()))


def _pattern(paths: set[str]) -> re.Pattern[str]:
    """Return what finds any of some paths in a text, but not in a longer path or name."""
    longest_first = sorted(map(re.escape, paths), key=lambda path: (-len(path), path))
    return re.compile(rf"(?<![\w/\\.])(?:{'|'.join(longest_first)})(?!\w)" if paths else r"(?!)")


def _without_paths(value: Any, paths: re.Pattern[str]) -> Any:
    """Return a record that has the last parts of paths in their place."""
    if isinstance(value, dict):
        return {key: _without_paths(part, paths) for key, part in value.items() if key != FIELD}
    if isinstance(value, list):
        return [_without_paths(part, paths) for part in value]
    return paths.sub(lambda found: _last(found[0]), value) if isinstance(value, str) else value


def _is_path(value: object) -> bool:
    return isinstance(value, str) and _PATH.match(value) is not None


def _last(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1] or "root"
