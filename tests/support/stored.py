"""Stored records with other content and a right checksum, as dsel would have written them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dsel.files import record_bytes


def record_of(path: Path) -> dict[str, Any]:
    """What a stored record says, without its checksum."""
    record = json.loads(path.read_text("utf-8"))
    del record["checksum"]
    return dict(record)


def rewrite(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record with its checksum."""
    path.write_bytes(record_bytes(record))


def flip(path: Path, at: int, bit: int = 0) -> None:
    """Flip one bit of a file, in place."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)
