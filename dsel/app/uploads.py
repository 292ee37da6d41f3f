"""What a visitor may bring in: uploaded files, and folders of this machine for its own user."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from dsel.errors import SettingError

ZIPS: Final = (".zip",)
PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost", "::ffff:127.0.0.1"})
FORWARDING: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_HASH: Final = re.compile("[0-9a-f]{64}")


def checked_upload(path: str, folder: Path, suffixes: tuple[str, ...], most_bytes: int) -> Path:
    """The file that a visitor says was uploaded, if Gradio took it in as such.

    Gradio puts an upload at HASH/NAME below its folder; anything else is refused, and so are links.
    """
    place = Path(path)
    try:
        *above, hash_, name = place.parts
        ours = Path(*above).resolve() == folder.resolve()
        status = place.lstat() if ours and _HASH.fullmatch(hash_) and name != ".." else None
        whole = status is not None and not place.parent.is_symlink()
    except (OSError, ValueError, TypeError) as error:  # a name with a zero byte, or of one part
        raise SettingError("the file was not uploaded here: upload it again") from error
    if status is None or not whole or not stat.S_ISREG(status.st_mode):
        raise SettingError("the file was not uploaded here: upload it again")
    if place.suffix.lower() not in suffixes:
        raise SettingError(f"{name} must end in {', '.join(suffixes)}")
    if status.st_size > most_bytes:
        raise SettingError(
            f"{name} has {_mebibytes(status.st_size)} MiB; at most {_mebibytes(most_bytes)} MiB "
            "can be uploaded here"
        )
    return folder.resolve() / hash_ / name


def is_bound_here(host: str | None, share: bool, environment: Mapping[str, str]) -> bool:
    """Whether an app that is served at `host` can be reached from this machine alone."""
    host = host or environment.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    shared = share or environment.get("GRADIO_SHARE", "").lower() not in ("", "false", "0")
    return host in LOOPBACK and not shared and not is_space(environment)


def is_space(environment: Mapping[str, str]) -> bool:
    """Whether this is a Hugging Face Space."""
    return bool(environment.get("SPACE_ID") or environment.get("SYSTEM") == "spaces")


def comes_from_here(request: Any) -> bool:
    """Whether a request was made by a page of the app itself, opened on this machine.

    The address alone does not say it: a proxy on this machine hands on what others ask, and a
    foreign page in a browser here may ask too, so that Host and Origin must be this machine's.
    """
    client, headers = getattr(request, "client", None), getattr(request, "headers", None)
    if client is None or headers is None or client.host not in LOOPBACK:
        return False
    if any(name in headers for name in FORWARDING):
        return False
    host, origin = headers.get("host"), headers.get("origin")
    if not host or _host(f"//{host}") not in LOOPBACK:
        return False
    return origin is None or _host(origin) in LOOPBACK


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.0f}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the app is served, and what that allows a visitor.

    here: it can be reached from this machine alone. priors: what a visitor from elsewhere may
    score with. upload_bytes: the most of one upload; images and evaluations: the most of one job,
    0 is no limit. keep_s: how long a finished job stays.
    """

    here: bool
    priors: tuple[str, ...]
    upload_bytes: int
    images: int
    evaluations: int
    keep_s: float

    def trusts(self, request: Any) -> bool:
        """Whether who asks may name any file that the app can read."""
        return self.here and comes_from_here(request)


DAY_S: Final = 24 * 3600.0


def place_of(
    host: str | None = None, share: bool = False, environment: Mapping[str, str] = os.environ
) -> Place:
    """The place of an app that is served at `host`; DSEL_PRIORS adds priors, apart by spaces."""
    here = is_bound_here(host, share, environment)
    priors = ("demo", *environment.get("DSEL_PRIORS", "").split())
    if here:
        return Place(here, priors, 2 << 30, 200_000, 0, 30 * DAY_S)
    if is_space(environment):
        return Place(here, priors, 512 << 20, 5_000, 1_000_000, DAY_S)
    return Place(here, priors, 2 << 30, 200_000, 20_000_000, DAY_S)
