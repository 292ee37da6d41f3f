"""Where an app is served, and what that allows."""

from __future__ import annotations

from typing import Any

import pytest

from dsel.app.access import access_of, is_bound_locally


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


def test_access_of__a_space_has_lower_limits() -> None:
    space = access_of(environment={"SPACE_ID": "me/dsel", "DSEL_PRIORS": "a/b c/d"})
    assert (space.local, space.priors) == (False, ("demo", "a/b", "c/d"))
    assert (space.upload_bytes, space.images) == (512 << 20, 5000)
    local = access_of(environment={})
    assert (local.local, local.upload_bytes, local.evaluations) == (True, 2 << 30, 0)
    assert access_of("0.0.0.0", environment={}).evaluations
    for most in (space.quotas.each, space.quotas.total, local.quotas.each, local.quotas.total):
        assert most.uploads
        assert most.upload_bytes
        assert most.jobs
        assert most.job_bytes
        assert most.evaluations
