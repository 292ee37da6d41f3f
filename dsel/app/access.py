"""Who may do what: local and remote visitors, and where the app is served."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost", "::ffff:127.0.0.1"})
FORWARDING: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
DAY_S: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Access:
    """Where the app is served, and what that allows visitors.

    local: only this machine can reach the app. priors: those that remote visitors may score with.
    upload_bytes: the largest upload. images and evaluations: the most of one job, 0 is no limit.
    keep_s: how long a finished job is kept.
    """

    local: bool
    priors: tuple[str, ...]
    upload_bytes: int
    images: int
    evaluations: int
    keep_s: float


def access_of(
    host: str | None = None, share: bool = False, environment: Mapping[str, str] = os.environ
) -> Access:
    """Return the access of an app served at `host`.

    DSEL_PRIORS adds priors for remote visitors, separated by spaces.
    """
    local = is_bound_locally(host, share, environment)
    priors = ("demo", *environment.get("DSEL_PRIORS", "").split())
    if local:
        return Access(local, priors, 2 << 30, 200_000, 0, 30 * DAY_S)
    if is_space(environment):
        return Access(local, priors, 512 << 20, 5_000, 1_000_000, DAY_S)
    return Access(local, priors, 2 << 30, 200_000, 20_000_000, DAY_S)


def is_bound_locally(host: str | None, share: bool, environment: Mapping[str, str]) -> bool:
    """Return whether only this machine can reach an app that is served at `host`."""
    host = host or environment.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    shared = share or environment.get("GRADIO_SHARE", "").lower() not in ("", "false", "0")
    return host in LOOPBACK and not shared and not is_space(environment)


def is_space(environment: Mapping[str, str]) -> bool:
    """Return whether this is a Hugging Face Space."""
    return bool(environment.get("SPACE_ID") or environment.get("SYSTEM") == "spaces")


def is_local(request: Any) -> bool:
    """Return whether a page of the app itself made a request, opened on this machine.

    The address alone does not show it: a proxy on this machine forwards requests of others, and a
    foreign page in a browser on this machine can send them too. So Host and Origin must be this
    machine's.
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
