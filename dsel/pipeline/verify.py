"""Read every file of a run or of an exported set again: a generator of events."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dsel.checksums import check_again, check_content, check_file, check_listed, damaged, digest
from dsel.errors import DamageError, DselError, RunError, first_line, storage_errors
from dsel.exports import is_zip
from dsel.exports.base import CHECKSUMS, MANIFEST
from dsel.exports.image_folder import SPLIT
from dsel.exports.zip_file import UNREADABLE
from dsel.pipeline.distill import RUN_IN_OUT
from dsel.runs.evaluations import FOLDER as EVALUATIONS
from dsel.runs.verification import Check, checks_of, file_checks, is_run
from dsel.students.exported import AGAIN, inside, manifest_in, read_manifest
from dsel.students.label_file import LABELS
from dsel.types import Done, Event, Notice, Progress, Started


def verify(path: Path) -> Iterator[Event]:
    """Read every file of a run, or of an exported set, which may be a zip file.

    A notice names each file that is damaged or missing. Figures: `files`, some of which are read by
    two checks and count twice, and how many are `damaged`. Raises `RunError` or `SourceError` for a
    path that is neither a run nor an export of this version's format.
    """
    check_again()
    total = sum(1 for _ in checks_of_path(path))
    found: set[str] = set()
    yield Started("verify", total, "files")
    for check in checks_of_path(path):
        try:
            check()
        except DselError as error:
            file = str(error.fields.get("path", path))
            if file not in found:
                found.add(file)
                yield Notice(str(error))
        yield Progress()
    yield Done("verify", {"files": total, "damaged": len(found)})


def checks_of_path(path: Path) -> Iterator[Check]:
    """Yield the checks of a run or of an export."""
    if path.is_file() and is_zip(path):
        yield from _checks_of_zip(path)
    elif is_run(path):
        yield from checks_of(path)
    elif (path / MANIFEST).exists():
        yield from _checks_of_export(path)
    else:
        raise RunError(
            f"{path} is neither a run nor an exported set: give one of the two", path=str(path)
        )


def _checks_of_export(out: Path) -> Iterator[Check]:
    try:
        manifest = read_manifest(out)
    except DamageError:
        yield partial(read_manifest, out)
    else:
        listed = manifest[CHECKSUMS]
        for name, checksum in listed.items():
            yield partial(check_listed, out / inside(name), checksum, AGAIN)
        if manifest["export"].get("teacher"):
            yield partial(check_file, out / LABELS, AGAIN)
        for path in sorted((out / SPLIT).rglob("*")):
            name = path.relative_to(out).as_posix()
            if path.is_file() and name not in listed and not path.name.startswith("."):
                yield partial(_refuse_unlisted, path)
    yield from file_checks(out, (EVALUATIONS,))
    if is_run(out / RUN_IN_OUT):
        yield from checks_of(out / RUN_IN_OUT)


def _refuse_unlisted(path: Path) -> None:
    raise DamageError(
        f"{path} is not part of the export, but loaders of image folders read it: remove it",
        path=str(path),
    )


def _checks_of_zip(out: Path) -> Iterator[Check]:
    """Yield the checks of the entries of a zip file, which is open until the last one."""
    try:
        with storage_errors(out), zipfile.ZipFile(out) as archive:
            manifest = manifest_in(archive.read(MANIFEST), out / MANIFEST)
            for name, checksum in manifest[CHECKSUMS].items():
                yield partial(_check_entry, archive, out / name, name, checksum)
            if manifest["export"].get("teacher"):
                yield partial(_check_entry, archive, out / LABELS, LABELS)
    except DamageError as error:
        yield partial(_raise, error)
    except UNREADABLE as error:
        yield partial(_raise, damaged(out, first_line(error), AGAIN))


def _check_entry(archive: zipfile.ZipFile, path: Path, name: str, checksum: str = "") -> None:
    """Read an entry of a zip file; without a checksum it has its own."""
    try:
        content = archive.read(name)
    except UNREADABLE as error:
        raise damaged(path, first_line(error), AGAIN) from error
    if not checksum:
        check_content(content, path, AGAIN)
    elif digest(content) != checksum:
        raise damaged(path, "it differs from its checksum in the manifest", AGAIN)


def _raise(error: DamageError) -> None:
    raise error
