"""Whose login of the Hugging Face Hub a request has: a visitor's on a Space, or that of the owner.

The token of a visitor comes with the session of Gradio's login, in a cookie that scripts cannot
read. It is kept in the memory of the job that pushes, until the job ends, and nowhere else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final

from dsel.app.access import is_space

NEEDED: Final = ("authlib", "itsdangerous")
"""The libraries of Gradio's login, which a Space has."""

SETTINGS: Final = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")
"""What a Space with `hf_oauth: true` has in its environment."""


@dataclass(frozen=True, slots=True)
class Login:
    """An account of the Hub: its name, empty if it is unknown here, and its token."""

    name: str
    token: str = field(repr=False)


_LOGIN: ContextVar[Login | None] = ContextVar("dsel_hub_login", default=None)
_OWNER: ContextVar[bool] = ContextVar("dsel_hub_owner", default=False)


def offers_login(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether visitors can log in: on a Space whose README has `hf_oauth: true`."""
    known = all(environment.get(name) for name in SETTINGS)
    return is_space(environment) and known and all(map(find_spec, NEEDED))


def remember_login(session: Mapping[str, Any], owner: bool) -> None:
    """Remember who sends this request, for the request and for the jobs that it starts.

    session: that of Gradio's login; empty without one. owner: of the app, on its own machine.
    """
    _OWNER.set(owner)
    _LOGIN.set(_login_in(session))


def current_login() -> Login | None:
    """Return the login of this request, or of the one that started this job; None without one.

    The owner's is that of `hf auth login`, or of HF_TOKEN. Nobody else ever has that one.
    """
    if not _OWNER.get():
        return _LOGIN.get()
    from huggingface_hub import get_token

    token = get_token()
    return Login("", token) if token else None


def forget_login() -> None:
    """Forget the login at the end of a job, so that its token is no longer in memory."""
    _OWNER.set(False)
    _LOGIN.set(None)


def _login_in(session: Mapping[str, Any]) -> Login | None:
    found = session.get("oauth_info") or {}
    token, ends = found.get("access_token"), found.get("expires_at")
    if not token or (ends is not None and ends < time.time()):
        return None
    return Login(str(found.get("userinfo", {}).get("preferred_username", "")), str(token))
