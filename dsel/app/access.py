"""Where the app is served, and what that allows its visitors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dsel.app.quota import PUBLIC, SPACE, Quotas

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost", "::ffff:127.0.0.1"})
DAY_S: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Access:
    """Where the app is served, and what that allows visitors.

    local: only this machine can reach the app. priors: those that remote visitors may score with.
    upload_bytes: the largest upload. images and evaluations: the most of one job, 0 is no limit.
    keep_s: how long a finished job is kept. quotas: of visitors without the app's token.
    """

    local: bool
    priors: tuple[str, ...]
    upload_bytes: int
    images: int
    evaluations: int
    keep_s: float
    quotas: Quotas = PUBLIC


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
        return Access(local, priors, 512 << 20, 5_000, 1_000_000, DAY_S, SPACE)
    return Access(local, priors, 2 << 30, 200_000, 20_000_000, DAY_S)


def is_bound_locally(host: str | None, share: bool, environment: Mapping[str, str]) -> bool:
    """Return whether only this machine can reach an app that is served at `host`."""
    shared = share or environment.get("GRADIO_SHARE", "").lower() not in ("", "false", "0")
    return served_host(host, environment) in LOOPBACK and not shared and not is_space(environment)


def served_host(host: str | None, environment: Mapping[str, str]) -> str:
    """Return the host that an app listens at: `host`, or that of the environment."""
    return host or environment.get("GRADIO_SERVER_NAME") or "127.0.0.1"


def is_space(environment: Mapping[str, str]) -> bool:
    """Return whether this is a Hugging Face Space."""
    return bool(environment.get("SPACE_ID") or environment.get("SYSTEM") == "spaces")
