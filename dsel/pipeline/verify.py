"""Read every file of a run or of an exported set again: a generator of events."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from dsel.checksums import check_again, check_content, check_digest, check_file, damaged, digest
from dsel.config.export import FOLDER
from dsel.errors import DamageError, DselError, RunError, SourceError, first_line, storage_errors
from dsel.exports import FORMATS, MANIFESTS, exported_folders, is_zip
from dsel.exports.base import CHECKSUMS, MANIFEST
from dsel.exports.zip_file import UNREADABLE
from dsel.pipeline.cutting import open_again
from dsel.pipeline.distill import RUN_IN_OUT
from dsel.runs.bundles import is_run_zip, run_folder
from dsel.runs.evaluations import FOLDER as EVALUATIONS
from dsel.runs.verification import Check, checks_of, file_checks, is_run
from dsel.students.exported import AGAIN, inside, manifest_in, read_manifest
from dsel.students.label_file import LABELS
from dsel.types import Done, Event, Notice, Progress, Started

KEPT: Final = (RUN_IN_OUT, EVALUATIONS)
"""Folders of an export with files of dsel that are no part of it."""


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
        yield from checks_of(run_folder(path)) if _holds_run(path) else _checks_of_zip(path)
    elif is_run(path):
        yield from checks_of(path)
    elif folders := exported_folders(path):
        for folder in folders:
            yield from _checks_of_export(folder)
        if path not in folders and is_run(path / RUN_IN_OUT):
            yield from checks_of(path / RUN_IN_OUT)
    else:
        raise RunError(
            f"{path} is neither a run nor an exported set: give one of the two", path=str(path)
        )


def _holds_run(path: Path) -> bool:
    try:
        return is_run_zip(path)
    except SourceError:  # its own check says so
        return False


def _checks_of_export(out: Path) -> Iterator[Check]:
    try:
        manifest = read_manifest(out)
    except DamageError:
        yield partial(read_manifest, out)
    else:
        failed: list[Path] = []
        for check in _file_checks(out, manifest):
            yield partial(_noted, check, failed, out)
        yield partial(_unless, failed, partial(check_records, out, manifest))
        yield partial(check_source, out / MANIFEST, manifest)
    yield from file_checks(out, (EVALUATIONS,))
    if is_run(out / RUN_IN_OUT):
        yield from checks_of(out / RUN_IN_OUT)


def _file_checks(out: Path, manifest: Mapping[str, Any]) -> Iterator[Check]:
    listed = manifest[CHECKSUMS]
    for name, checksum in listed.items():
        yield partial(check_digest, out / inside(name), checksum, AGAIN)
    if _stores_labels(manifest):
        yield partial(check_file, out / LABELS, AGAIN)
    for path in _files(out, manifest):
        if path.relative_to(out).as_posix() not in listed:
            yield partial(_refuse_unlisted, path)


def _noted(check: Check, failed: list[Path], out: Path) -> None:
    """Run a check, and note that it failed."""
    try:
        check()
    except DselError:
        failed.append(out)
        raise


def _unless(failed: list[Path], check: Check) -> None:
    """Run a check that means something only where no file is damaged."""
    if not failed:
        check()


def check_records(out: Path, manifest: Mapping[str, Any]) -> None:
    """Raise `DamageError` unless an export has the images of its manifest, in order and labels.

    They are read as the consumers of the format read them.
    """
    (name,) = manifest["export"]["format"]
    kind, path = FORMATS[name], out / MANIFEST
    try:
        pairs = zip_longest(kind.expected(manifest), kind.records(out, manifest))
        for wanted, found in pairs:
            if found is None:
                raise damaged(path, f"it lists {wanted.place}, which is not there", AGAIN)
            if wanted is None:
                raise damaged(path, f"it does not list {found.place}", AGAIN)
            if wanted.place != found.place:
                problem = f"{found.place} is where it lists {wanted.place}"
                raise damaged(path, problem, AGAIN)
            if wanted.label != found.label:
                problem = f"it lists {wanted.place} as class {wanted.label}, not {found.label}"
                raise damaged(path, problem, AGAIN)
    except UNREADABLE as error:
        raise damaged(out, first_line(error), AGAIN) from error


def check_source(path: Path, manifest: Mapping[str, Any]) -> None:
    """Raise `DamageError` if the source gives an image of an export another class.

    Nothing is compared where the source is not available, or has changed.
    """
    source = manifest["dataset"]
    try:
        dataset = open_again(source["origin"])
    except DselError:
        return
    if dataset.fingerprint != source["fingerprint"]:
        return
    labels = {ref.id: dataset.classes[ref.class_index] for ref in dataset.refs}
    for entry in manifest["images"]:
        for patch in entry["patches"]:
            name, label = patch["image_id"], labels.get(patch["image_id"])
            if label != entry["class"]:
                found = "does not have it" if label is None else f"has it as {label!r}"
                problem = f"it lists {name} as {entry['class']!r}, and the source {found}"
                raise damaged(path, problem, AGAIN)


def _stores_labels(manifest: Mapping[str, Any]) -> bool:
    settings = manifest["export"]
    return bool(settings.get("teacher")) and settings["format"] == [FOLDER]


def _files(out: Path, manifest: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the files that loaders read, whatever they are."""
    (name,) = manifest["export"]["format"]
    for pattern in FORMATS[name].folders:
        for folder in sorted(out.glob(pattern)):
            if folder.is_dir() and folder.name not in KEPT and not folder.name.startswith("."):
                yield from (
                    path
                    for path in sorted(folder.rglob("*"))
                    if path.is_file() and not path.name.startswith(".")
                )


def _refuse_unlisted(path: Path) -> None:
    raise DamageError(
        f"{path} is not part of the export, but loaders read it: remove it",
        path=str(path),
    )


def _checks_of_zip(out: Path) -> Iterator[Check]:
    """Yield the checks of the entries of a zip file, which is open until the last one."""
    try:
        with storage_errors(out), zipfile.ZipFile(out) as archive:
            found = [name for name in archive.namelist() if name in MANIFESTS]
            for listed in found or [MANIFEST]:
                manifest = manifest_in(archive.read(listed), out / listed)
                folder = listed.removesuffix(MANIFEST)
                for name, checksum in manifest[CHECKSUMS].items():
                    yield partial(_check_entry, archive, out, folder + name, checksum)
                if _stores_labels(manifest):
                    yield partial(_check_entry, archive, out, folder + LABELS)
                yield partial(check_source, out / listed, manifest)
    except DamageError as error:
        yield partial(_raise, error)
    except UNREADABLE as error:
        yield partial(_raise, damaged(out, first_line(error), AGAIN))


def _check_entry(archive: zipfile.ZipFile, out: Path, name: str, checksum: str = "") -> None:
    """Read an entry of a zip file; without a checksum it has its own."""
    path = out / name
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
