"""Write a Hugging Face Space that shows a run: a generator of events.

OUT/app.py, README.md, requirements.txt, .gitattributes    what a Space reads
OUT/dsel/                                                  this version of dsel, with its page
OUT/run/                                                   the run, unless it is linked
OUT/space.json                                             what dsel wrote (see `_Record`)
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from pydantic import with_config

from dsel.checksums import digest, digest_of
from dsel.errors import SettingError, StorageError, storage_errors
from dsel.files import (
    STORED,
    read_record,
    record_bytes,
    remove_partial_files,
    sync_folder,
    write_atomically,
)
from dsel.locks import LOCK, locked
from dsel.pipeline.sharing import (
    SharedFile,
    path_notices,
    refuse_unfinished,
    shared_files,
    shared_names,
)
from dsel.pipeline.space_files import RUN, Space, code_files, names_a_run, text_files
from dsel.runs import Run
from dsel.runs.bundles import size_of
from dsel.types import Done, Event, Notice, Progress, Started

FORMAT: Final = "dsel space 1"
RECORD: Final = "space.json"
AGAIN: Final = "write the Space into a new folder"

FREE_BYTES: Final = 1_000_000_000
"""The most that the repository of a free Space may hold."""

DISK_BYTES: Final = 50_000_000_000
"""The disk of a free Space, where the parts of a linked run that were looked at are kept."""

ALLOWED: Final = frozenset({".git", LOCK})
"""What may be in the folder besides: it may be a clone of the Space."""


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class _Record:
    """What dsel wrote into a Space.

    files: the SHA-256 of each file by name. complete: whether all of them are written. names: those
    that were about to be written, which are ours while it is not complete.
    """

    complete: bool
    files: Mapping[str, str]
    names: tuple[str, ...]


def write_space(run: Run, out: Path, space: Space) -> Iterator[Event]:
    """Write a Space that shows a run; the same call again mends or renews it.

    Figures: `files`, `bytes`, `run_bytes`, and `out`. Raises `RunError` for a run that is
    unfinished, `DamageError` for a damaged one, and `StorageError` for a folder with other files,
    or with ours that somebody has changed.
    """
    refuse_unfinished(run)
    if space.link and not names_a_run(space.link):
        raise SettingError(
            f"link must be a URL such as hf://user/name, got {space.link!r}", setting="link"
        )
    before = _checked(out)
    yield from locked(out, _write(run, out, space, before))


def _write(run: Run, out: Path, space: Space, before: _Record) -> Iterator[Event]:
    names = [] if space.link else shared_names(run)
    run_bytes = sum(size_of(run.path, name) for name in shared_names(run))
    fixed = [*code_files(), *text_files(run, space, names, run_bytes)]
    planned = (*(file.name for file in fixed), *(f"{RUN}/{name}" for name in names))
    _store(out, _Record(False, before.files, planned))
    remove_partial_files(out)
    yield Started("space", len(planned), "files")
    found = yield from _written(out, chain(fixed, _run_files(run, names)))
    for stale in before.files.keys() - found.files.keys():
        (out / stale).unlink(missing_ok=True)
    sync_folder(out)
    _store(out, _Record(True, found.files, ()))
    yield from path_notices(run)
    yield from map(Notice, _sizes(space, found.bytes, run_bytes))
    yield Done("space", {
        "files": len(found.files), "bytes": found.bytes, "run_bytes": run_bytes, "out": str(out),
    })  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Written:
    files: Mapping[str, str]
    bytes: int


def _written(out: Path, files: Iterator[SharedFile]) -> Generator[Event, None, _Written]:
    digests: dict[str, str] = {}
    total = 0
    for file in files:
        write_atomically(out / file.name, file.content, synced=False)
        digests[file.name] = digest(file.content)
        total += len(file.content)
        yield Progress()
    return _Written(digests, total)


def _run_files(run: Run, names: list[str]) -> Iterator[SharedFile]:
    for file in shared_files(run) if names else ():
        yield SharedFile(f"{RUN}/{file.name}", file.content)


def _checked(out: Path) -> _Record:
    """Return what is in a folder already; raises `StorageError` for anything that is not ours."""
    with storage_errors(out):
        kept = sorted(_files_in(out))
        record = _Record(True, {}, ())
        if (out / RECORD).is_file():
            record = read_record(out / RECORD, _Record, AGAIN, FORMAT)
        for path in kept:
            if path.suffix != ".partial":
                _refuse_foreign(out, path, record)
    return record


def _files_in(out: Path) -> Iterator[Path]:
    """Yield the files and links in a folder, without looking into what may be there besides."""
    for parent, folders, names in os.walk(out):
        here = Path(parent)
        if here == out:
            folders[:] = [name for name in folders if name not in ALLOWED]
            names = [name for name in names if name not in ALLOWED]
        links = (name for name in folders if (here / name).is_symlink())
        yield from (here / name for name in (*names, *links))


def _refuse_foreign(out: Path, path: Path, record: _Record) -> None:
    name = path.relative_to(out).as_posix()
    if name == RECORD or (not record.complete and name in record.names):
        return
    if name not in record.files:
        raise StorageError(
            f"{out} holds other files, such as {name}: choose an empty or new folder", path=str(out)
        )
    if path.is_symlink() or digest_of(path) != record.files[name]:
        raise StorageError(
            f"{path} was changed since dsel wrote it: move it elsewhere, or choose an empty or new "
            "folder",
            path=str(path),
        )


def _store(out: Path, record: _Record) -> None:
    write_atomically(out / RECORD, record_bytes({"format": FORMAT, **asdict(record)}))


def _sizes(space: Space, total: int, run_bytes: int) -> Iterator[str]:
    """Yield what is told of sizes beyond those of a free Space, and how to share the run."""
    if total > FREE_BYTES:
        yield (
            f"the Space has {total / 1e9:.2f} GB, and the repository of a free one holds at most "
            f"{FREE_BYTES / 1e9:.0f} GB: upload the run as a dataset (hf upload user/name RUN "
            "--repo-type dataset), and write the Space again with --link hf://user/name"
        )
    if space.link and run_bytes > DISK_BYTES:
        yield (
            f"the run has {run_bytes / 1e9:.0f} GB, and the disk of a free Space "
            f"{DISK_BYTES / 1e9:.0f} GB, which fills as more of its classes are looked at"
        )
    if space.link:
        yield f"the run must be at {space.link}: upload it there before the Space is started"
