"""Create a run, resume it, or open it for reading."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dsel.errors import DamageError, StorageError, storage_errors
from dsel.files import PARTIAL, remove_partial_files, write_atomically
from dsel.locks import LOCK
from dsel.runs.bundles import reopened
from dsel.runs.manifest import MANIFEST, Identity, check_same, manifest_bytes, read_manifest
from dsel.runs.run import Run
from dsel.runs.shards import read_header
from dsel.runs.workers import FOLDER as WORKERS


def create_run(path: Path, identity: Identity) -> Run:
    """Create a run at `path`, or resume the one that exists there if it is the same.

    A damaged manifest is written again if a shard is of this run. Raises `RunError` for a run of
    other settings, data or prior, and `StorageError` for a folder with other files.
    """
    notices: tuple[str, ...] = ()
    if (path / MANIFEST).exists():
        stored: Identity | None = None
        try:
            stored = read_manifest(path)
        except DamageError as error:
            if not _has_shard_of(path, identity):
                raise
            notices = (made_again(error),)
        else:
            check_same(path, stored, identity)
        remove_partial_files(path)
        if stored is not None:
            # What began the run computes the rest.
            identity = replace(identity, threads=stored.threads, backend=stored.backend)
        if stored is None or manifest_bytes(identity) != manifest_bytes(stored):
            # The dataset or the prior was moved: exports read it from its new location.
            write_atomically(path / MANIFEST, manifest_bytes(identity))
        return Run(path, identity, notices)
    with storage_errors(path):
        if path.is_dir() and any(_is_foreign(entry) for entry in path.iterdir()):
            raise StorageError(
                f"{path} holds other files: choose an empty or new folder for the run",
                path=str(path),
            )
    remove_partial_files(path)
    write_atomically(path / MANIFEST, manifest_bytes(identity))
    return Run(path, identity)


def record_backend(run: Run, backend: str) -> None:
    """Record which backend has been chosen for a run, before it has scores."""
    run.identity = replace(run.identity, backend=backend)
    write_atomically(run.path / MANIFEST, manifest_bytes(run.identity))


def open_run(path: Path) -> Run:
    """Open a run for reading; raises `RunError` for a folder that is not one."""
    reopened(path)
    return Run(path, read_manifest(path))


def made_again(error: DamageError) -> str:
    """Return the notice that a damaged or missing file is made again."""
    path, problem = error.fields["path"], error.fields["problem"]
    return f"{path} is made again: {problem}"


def _is_foreign(entry: Path) -> bool:
    """Whether a file or folder is none that dsel leaves where a run is about to be."""
    return entry.suffix != PARTIAL and entry.name not in (LOCK, WORKERS)


def _has_shard_of(path: Path, identity: Identity) -> bool:
    """Whether a readable shard of the folder has the fingerprint of this run."""
    for shard in (path / "scores").glob("*.safetensors"):
        try:
            return read_header(shard).fingerprint == identity.fingerprint
        except DamageError:
            continue
    return False
