"""Which requests are local, which apps are, and what that allows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import Headers

from dsel.app.access import access_of, is_bound_locally, is_local


@pytest.mark.parametrize(
    ("host", "share", "environment", "local"),
    [
        (None, False, {}, True),
        ("127.0.0.1", False, {}, True),
        ("localhost", False, {}, True),
        ("::1", False, {}, True),
        ("0.0.0.0", False, {}, False),
        ("192.168.1.5", False, {}, False),
        (None, True, {}, False),
        (None, False, {"GRADIO_SERVER_NAME": "0.0.0.0"}, False),
        ("127.0.0.1", False, {"GRADIO_SERVER_NAME": "0.0.0.0"}, True),
        (None, False, {"GRADIO_SHARE": "True"}, False),
        (None, False, {"GRADIO_SHARE": "False"}, True),
        (None, False, {"SPACE_ID": "me/dsel"}, False),
        ("127.0.0.1", False, {"SYSTEM": "spaces"}, False),
    ],
)
def test_is_bound_locally(host: str | None, share: bool, environment: Any, local: bool) -> None:
    assert is_bound_locally(host, share, environment) is local


def request(client_host: str | None, /, **headers: str) -> Any:
    client = None if client_host is None else SimpleNamespace(host=client_host)
    return SimpleNamespace(
        client=client, headers=Headers({k.replace("_", "-"): v for k, v in headers.items()})
    )


@pytest.mark.parametrize(
    ("visit", "local"),
    [
        (request("127.0.0.1", host="127.0.0.1:7860"), True),
        (request("::1", host="[::1]:7860"), True),
        (request("127.0.0.1", host="LocalHost:7860", origin="http://localhost:7860"), True),
        (request("192.168.1.9", host="127.0.0.1:7860"), False),
        (request("127.0.0.1", host="dsel.example.org"), False),
        (request("127.0.0.1", host="127.0.0.1:7860", origin="https://evil.example"), False),
        (request("127.0.0.1", host="127.0.0.1:7860", origin="null"), False),
        (request("127.0.0.1", host="localhost", x_forwarded_for="127.0.0.1"), False),
        (request("127.0.0.1", host="localhost", forwarded="for=1.2.3.4"), False),
        (request("127.0.0.1"), False),
        (request(None, host="localhost"), False),
        (None, False),
    ],
)
def test_is_local(visit: Any, local: bool) -> None:
    assert is_local(visit) is local


def test_access_of__a_space_has_lower_limits() -> None:
    space = access_of(environment={"SPACE_ID": "me/dsel", "DSEL_PRIORS": "a/b c/d"})
    assert (space.local, space.priors) == (False, ("demo", "a/b", "c/d"))
    assert (space.upload_bytes, space.images) == (512 << 20, 5000)
    local = access_of(environment={})
    assert (local.local, local.upload_bytes, local.evaluations) == (True, 2 << 30, 0)
    assert access_of("0.0.0.0", environment={}).evaluations
