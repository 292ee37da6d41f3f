"""Named slices of a run: images that somebody selected and gave a name.

slices/<fingerprint of the name>.json   one slice (`Slice`)
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pydantic import with_config

from dsel.config.base import fingerprint
from dsel.errors import SettingError, storage_errors, unknown
from dsel.files import STORED, read_record, record_bytes, write_atomically
from dsel.runs import remedies

FORMAT: Final = "dsel slice 1"
FOLDER: Final = "slices"
LONGEST_NAME: Final = 80

_INVISIBLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends, and halves of characters, which no file can hold."""


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class Slice:
    """The ids of some images, in the order in which they were selected."""

    name: str
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raise `SettingError` for a name that is not one short line."""
        if self.name != self.name.strip() or not 1 <= len(self.name) <= LONGEST_NAME:
            raise SettingError(
                f"the name of a slice must be one line of 1 to {LONGEST_NAME} characters, got "
                f"{self.name[:LONGEST_NAME]!r}"
            )
        if _INVISIBLE.search(self.name):
            raise SettingError(
                f"the name of a slice must have no invisible characters, got {self.name!r}"
            )


def list_slices(folder: Path) -> tuple[Slice, ...]:
    """Read all slices of a run, by name."""
    paths = sorted((folder / FOLDER).glob("*.json"))
    return tuple(sorted(map(_read, paths), key=lambda one: one.name))


def read_slice(folder: Path, name: str) -> Slice:
    """Read a slice; raises `SettingError` for an unknown name."""
    path = _path(folder, name)
    if not path.exists():
        raise unknown("slice", name[:LONGEST_NAME], [one.name for one in list_slices(folder)])
    return _read(path)


def write_slice(folder: Path, new: Slice) -> None:
    """Store a slice, in place of one of the same name."""
    content = record_bytes({"format": FORMAT, **asdict(new)})
    write_atomically(_path(folder, new.name), content)


def delete_slice(folder: Path, name: str) -> None:
    """Delete a slice, if there is one of that name."""
    with storage_errors(folder):
        _path(folder, name).unlink(missing_ok=True)


def _path(folder: Path, name: str) -> Path:
    return folder / FOLDER / f"{fingerprint(name)}.json"


def _read(path: Path) -> Slice:
    return read_record(path, Slice, remedies.SLICE, FORMAT)
