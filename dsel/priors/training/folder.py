"""The folder that a training writes to: marked as its own, so that a later call can go on there."""

from __future__ import annotations

from pathlib import Path

from dsel.errors import RunError, StorageError, storage_errors
from dsel.files import json_bytes, read_json, write_atomically
from dsel.locks import LOCK
from dsel.priors.weights import WORK


def claim(out: Path, identity: str) -> None:
    """Mark a folder as that of the training with this fingerprint.

    Raises `StorageError` for a folder with other files, and `RunError` for one of another training.
    """
    stamp = out / WORK / "identity.json"
    with storage_errors(out):
        other = out.is_dir() and any(path.name != LOCK for path in out.iterdir())
    if other and not stamp.is_file():
        raise StorageError(f"{out} holds other files: choose an empty or new folder")
    if stamp.is_file() and read_json(stamp) != identity:
        raise RunError(
            f"{out} was trained with other settings or data: use the same ones, or another --out"
        )
    write_atomically(stamp, json_bytes(identity))
