"""Whose login a request has: a visitor's session, the owner's own, and nobody's."""

from __future__ import annotations

import time
from contextvars import copy_context
from typing import Any

import pytest

from dsel.app.hub_login import Login, current_login, forget_login, offers_login, remember_login

SPACE = {
    "SPACE_ID": "me/space", "OAUTH_CLIENT_ID": "a", "OAUTH_CLIENT_SECRET": "b",
    "OAUTH_SCOPES": "openid", "OPENID_PROVIDER_URL": "https://huggingface.co",
}  # fmt: skip


def session(ends_in_s: float = 60) -> dict[str, Any]:
    info = {"access_token": "hf_x", "expires_at": time.time() + ends_in_s}
    return {"oauth_info": info | {"userinfo": {"preferred_username": "ada"}}}


@pytest.fixture(autouse=True)
def owners_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_owner")


def login_with(session: dict[str, Any], owner: bool) -> Login | None:
    def ask() -> Login | None:
        remember_login(session, owner)
        return current_login()

    return copy_context().run(ask)


def test_current_login__a_visitor_has_only_their_own():
    assert login_with(session(), owner=False) == Login("ada", "hf_x")
    assert login_with({}, owner=False) is None
    assert login_with(session(-1), owner=False) is None


def test_current_login__the_owner_has_the_token_of_the_machine():
    assert login_with({}, owner=True) == Login("", "hf_owner")


def test_current_login__nobody_outside_of_a_request():
    assert copy_context().run(current_login) is None


def test_forget_login__ends_it_for_this_job_alone():
    def job() -> Login | None:
        forget_login()
        return current_login()

    def request() -> tuple[Login | None, Login | None]:
        remember_login(session(), False)
        return copy_context().run(job), current_login()

    assert copy_context().run(request) == (None, Login("ada", "hf_x"))


def test_login__its_token_is_not_shown():
    assert "hf_x" not in repr(Login("ada", "hf_x"))


def test_offers_login__on_a_space_that_asks_for_it():
    assert offers_login(SPACE)
    assert not offers_login({name: text for name, text in SPACE.items() if name != "SPACE_ID"})
    for missing in SPACE.keys() - {"SPACE_ID"}:
        assert not offers_login({**SPACE, missing: ""})
