"""Uploaded files: which of the paths that a visitor sends are uploads that Gradio stored."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Final

from dsel.errors import SettingError

ZIPS: Final = (".zip",)
IMAGES: Final = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
_HASH: Final = re.compile("[0-9a-f]{64}")


def checked_upload(path: str, folder: Path, suffixes: tuple[str, ...], most_bytes: int) -> Path:
    """Return an uploaded file; raises `SettingError` for a path that is not one.

    Gradio stores an upload at HASH/NAME in its folder; anything else is refused, and so are links.
    """
    file = Path(path)
    try:
        *above, hash_, name = file.parts
        inside = Path(*above).resolve() == folder.resolve()
        status = file.lstat() if inside and _HASH.fullmatch(hash_) and name != ".." else None
        direct = status is not None and not file.parent.is_symlink()
    except (OSError, ValueError, TypeError) as error:  # a name with a zero byte, or of one part
        raise SettingError("the file was not uploaded here: upload it again") from error
    if status is None or not direct or not stat.S_ISREG(status.st_mode):
        raise SettingError("the file was not uploaded here: upload it again")
    if file.suffix.lower() not in suffixes:
        raise SettingError(f"{name} must end in {', '.join(suffixes)}")
    if status.st_size > most_bytes:
        raise SettingError(
            f"{name} has {_mebibytes(status.st_size)} MiB; at most {_mebibytes(most_bytes)} MiB "
            "can be uploaded here"
        )
    return folder.resolve() / hash_ / name


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.0f}"
