"""Pack a run as one zip file that is opened without unpacking it: a generator of events."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from dsel.data.zip_entries import MAX_ENTRY_BYTES, MAX_TOTAL_BYTES
from dsel.errors import SettingError, SourceError, StorageError, storage_errors
from dsel.exports.zip_file import ZIP, ZIP_DATE
from dsel.files import place_written, temporary_beside
from dsel.pipeline.sharing import (
    SharedFile,
    path_notices,
    refuse_unfinished,
    shared_files,
    shared_names,
)
from dsel.runs import Run
from dsel.runs.bundles import is_run_zip, size_of
from dsel.types import Done, Event, Progress, Started


def bundle(run: Run, out: Path) -> Iterator[Event]:
    """Write a run to a zip file, which `dsel app`, `info`, `select`, `export` and `check` read.

    Its files are stored without compression, so that each can be read by a range of the zip file;
    the same run gives the same bytes. Figures: `files`, `bytes`, and `out`. Raises `RunError` for
    an unfinished or damaged run, `StorageError` for a file that is no bundle, and `SettingError`
    for a run that is too large to be read from a zip file.
    """
    refuse_unfinished(run)
    check_target(out)
    names = shared_names(run)
    _check_sizes(run, names)
    yield Started("bundle", len(names), "files")
    temporary = temporary_beside(out)
    with storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                for file in shared_files(run):
                    _pack(archive, run.path.resolve().name, file)
                    yield Progress()
            place_written(temporary, out)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    yield from path_notices(run)
    yield Done("bundle", {"files": len(names), "bytes": out.stat().st_size, "out": str(out)})


def check_target(out: Path) -> None:
    """Raise an error for an output that is no zip file's name, or a file of others."""
    if out.suffix.lower() != ZIP:
        raise SettingError(f"out must be a file that ends in {ZIP}, got {out}", setting="out")
    if not out.exists():
        return
    try:
        is_ours = out.is_file() and is_run_zip(out)
    except SourceError:
        is_ours = False
    if not is_ours:
        raise StorageError(
            f"{out} is there already, and is no bundle of dsel: choose another name", path=str(out)
        )


def _check_sizes(run: Run, names: list[str]) -> None:
    sizes = {name: size_of(run.path, name) for name in names}
    largest = max(sizes, key=lambda name: sizes[name])
    if sizes[largest] > MAX_ENTRY_BYTES or sum(sizes.values()) > MAX_TOTAL_BYTES:
        raise SettingError(
            f"{run.path} has {sum(sizes.values()) / 2**30:.1f} GiB, and its {largest} "
            f"{sizes[largest] / 2**20:.0f} MiB; dsel reads zip files of at most "
            f"{MAX_TOTAL_BYTES >> 30} GiB with files of at most {MAX_ENTRY_BYTES >> 20} MiB: share "
            "the folder instead, such as with hf upload user/name RUN --repo-type dataset"
        )


def _pack(archive: zipfile.ZipFile, folder: str, file: SharedFile) -> None:
    info = zipfile.ZipInfo(f"{folder}/{file.name}", ZIP_DATE)
    info.external_attr = 0o644 << 16
    archive.writestr(info, file.content)
