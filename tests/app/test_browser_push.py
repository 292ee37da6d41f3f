"""Pushing in the Export tab: by the owner, and by a visitor of a Space who logs in."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import itsdangerous
import pytest
from support.browsing import (
    LONG_MS,
    OF_A_SPACE,
    fits,
    free_port,
    opened,
    served,
    served_at,
    until,
    violations,
)
from support.hub import Hub, local_hub
from support.synthetic import synthetic_run

pytestmark = pytest.mark.browser

QUERY = "tab=export&ipc=2"
CARD = "[aria-label='Push to the Hugging Face Hub']"
SECRET = "client-secret"
TOKEN = "hf_of-the-visitor"
OFFLINE = {"HF_HUB_OFFLINE": "0", "HF_TOKEN": "", "HF_HUB_DISABLE_TELEMETRY": "1"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pushing") / "run"
    synthetic_run(path, classes=2, per_class=6)
    return path


@pytest.fixture
def hub() -> Iterator[Hub]:
    with local_hub() as found:
        yield found


def environment(hub: Hub, folder: Path, **more: str) -> dict[str, str]:
    places = {"DSEL_JOBS": str(folder / "jobs"), "HF_HOME": str(folder / "hf")}
    return OFFLINE | places | {"HF_ENDPOINT": hub.url} | more


def session_cookie(user: str, token: str) -> str:
    """The cookie that Gradio's login leaves in the browser of a visitor."""
    import hashlib

    key = hashlib.sha256(f"{SECRET}-v4".encode()).hexdigest()
    info = {
        "access_token": token, "scope": "openid profile", "expires_at": int(time.time()) + 3600,
        "userinfo": {"preferred_username": user, "name": user, "profile": "", "picture": ""},
    }  # fmt: skip
    data = base64.b64encode(json.dumps({"oauth_info": info}).encode())
    return itsdangerous.TimestampSigner(key).sign(data).decode()


def pushed(page: Any, repo: str) -> Any:
    """Push as a person does; the card of the job that has ended."""
    page.get_by_label("Name on the Hub").fill(repo)
    page.get_by_role("button", name="Push", exact=True).click()
    card = page.locator(f"{CARD} .job").first
    card.wait_for(timeout=LONG_MS)
    until(page, f"{CARD} .job", "e => !['waiting', 'running'].includes(e.dataset.state)")
    return card


def test_push__by_the_owner_with_the_token_of_the_machine(run, hub, tmp_path, chromium):
    with (
        served(run, **environment(hub, tmp_path, HF_TOKEN="hf_of-the-owner")) as url,
        opened(chromium, url, QUERY) as page,
    ):
        page.wait_for_selector(f"{CARD} form")
        assert "account of this machine" in page.inner_text(f"{CARD} .who")
        card = pushed(page, "me/my-set")
        assert card.get_attribute("data-state") == "done"
        link = card.get_by_role("link", name="Open me/my-set on the Hub")
        assert link.get_attribute("href") == "https://huggingface.co/datasets/me/my-set"
        assert {"README.md", "manifest.json", "data/train-00000.parquet"} <= hub.files[
            "me/my-set"
        ].keys()
        assert hub.private["me/my-set"]
        assert hub.tokens - {""} == {"Bearer hf_of-the-owner"}
        assert not list(tmp_path.glob("jobs/*/dataset"))
        assert fits(page)
        assert violations(page) == []


def test_push__a_name_that_is_none_is_refused_in_one_line(run, hub, tmp_path, chromium):
    with (
        served(run, **environment(hub, tmp_path, HF_TOKEN="hf_of-the-owner")) as url,
        opened(chromium, url, QUERY) as page,
    ):
        page.wait_for_selector(f"{CARD} form")
        page.get_by_label("Name on the Hub").fill("my set")
        page.get_by_role("button", name="Push", exact=True).click()
        said = "push must name a dataset as user/name"
        until(page, f"{CARD} .push-form .notice", f"e => e.textContent.includes('{said}')")
        assert hub.files == {}


def test_push__nobody_is_logged_in(run, hub, tmp_path, chromium):
    with served(run, **environment(hub, tmp_path)) as url:
        with opened(chromium, url, QUERY) as page:
            until(page, f"{CARD} .who", "e => e.textContent.includes('hf auth login')")
            assert page.locator(f"{CARD} form").is_hidden()
        with opened(chromium, url, QUERY, token="") as page:
            until(page, f"{CARD} .who", "e => e.textContent.includes('Only the owner of this app')")
            assert page.locator(f"{CARD} form").is_hidden()


def test_push__a_visitor_of_a_space_with_a_login_of_their_own(run, hub, tmp_path, chromium):
    port = free_port()
    space = {
        "SYSTEM": "spaces", "SPACE_HOST": f"127.0.0.1:{port}", "SPACE_ID": "me/space",
        "OAUTH_CLIENT_ID": "id", "OAUTH_CLIENT_SECRET": SECRET, "OAUTH_SCOPES": "openid profile",
        "OPENID_PROVIDER_URL": hub.url, "HF_TOKEN": "hf_of-the-space",
    }  # fmt: skip
    with served_at(run, port, **environment(hub, tmp_path, **space)) as url:
        with opened(chromium, url, QUERY, token="", allow=OF_A_SPACE) as page:
            login = page.get_by_role("link", name="Log in with Hugging Face")
            login.wait_for()
            target = login.get_attribute("href")  # the view, so that the visitor comes back to it
            assert target.startswith("login/huggingface?_target_url=%2F%3F")
            assert "tab%3Dexport" in target
            assert page.locator(f"{CARD} form").is_hidden()
            cookie = {"name": "session", "value": session_cookie("ada", TOKEN), "url": url}
            page.context.add_cookies([cookie])  # a secure one needs HTTPS
            seen: list[str] = []
            page.on("response", lambda r: "/_dsel/ask" in r.url and seen.append(r.text()))
            page.reload()
            until(page, f"{CARD} .who", "e => e.textContent.includes('Logged in as ada')")
            card = pushed(page, "ada/set")
            assert card.get_attribute("data-state") == "done"
            assert TOKEN not in page.content() + "".join(seen)
        assert hub.tokens - {""} == {f"Bearer {TOKEN}"}
        assert hub.private["ada/set"]
        stored = (path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert not any(TOKEN.encode() in content for content in stored)
