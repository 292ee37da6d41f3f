"""Which requests are answered, and whose they are."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from starlette.datastructures import Headers

from dsel.app.visitors import Hosts, Visitor, hosts_of, new_token, refusal, visitor_of
from dsel.errors import SettingError

TOKEN = "a-token-of-this-start"
LOCAL = hosts_of(None, {})
SPACE = hosts_of(None, {"SPACE_ID": "me/dsel", "SPACE_HOST": "me-dsel.hf.space"})
PROXIED = hosts_of(None, {"DSEL_HOSTS": "dsel.example.org Other.example.org:8443"})


def headers(**named: str) -> Headers:
    return Headers({name.replace("_", "-"): value for name, value in named.items()})


@pytest.mark.parametrize(
    ("hosts", "host", "allowed"),
    [
        (LOCAL, "127.0.0.1:7860", True),
        (LOCAL, "LocalHost:9000", True),  # a tunnel to this machine
        (LOCAL, "[::1]:7860", True),
        (LOCAL, "localhost.", True),
        (LOCAL, "evil.example:7860", False),
        (LOCAL, "192.168.1.5:7860", False),
        (LOCAL, "127.0.0.1.evil.example", False),
        (LOCAL, "127.0.0.1@evil.example", False),
        (LOCAL, "", False),
        (LOCAL, "[", False),
        (hosts_of("0.0.0.0", {}), "192.168.1.5:7860", True),
        (hosts_of("0.0.0.0", {}), f"{socket.gethostname()}:7860", True),
        (hosts_of("0.0.0.0", {}), "evil.example", False),
        (hosts_of("box.lan", {}), "box.lan:7860", True),
        (hosts_of("box.lan", {}), "evil.example", False),
        (hosts_of(None, {"GRADIO_SERVER_NAME": "box.lan"}), "box.lan:7860", True),
        (hosts_of(None, {"GRADIO_ROOT_PATH": "https://x.org/dsel"}), "x.org", True),
        (hosts_of(None, {"GRADIO_ROOT_PATH": "/dsel"}), "x.org", False),
        (LOCAL, "1a2b.gradio.live", True),
        (LOCAL, "gradio.live.evil.example", False),
        (SPACE, "me-dsel.hf.space", True),
        (SPACE, "you-dsel.hf.space", False),
        (PROXIED, "dsel.example.org", True),
        (PROXIED, "other.example.org", True),
        (hosts_of(None, {"DSEL_HOSTS": ".example.org"}), "a.example.org", True),
        (hosts_of(None, {"DSEL_HOSTS": "*"}), "any.example", True),
    ],
)
def test_hosts__which_are_answered(hosts: Hosts, host: str, allowed: bool) -> None:
    assert hosts.allow(host) is allowed
    assert bool(refusal(headers(host=host), "GET", hosts)) is not allowed


@pytest.mark.parametrize(
    ("hosts", "sent", "answered"),
    [
        (LOCAL, {"origin": "http://127.0.0.1:7860"}, True),
        (LOCAL, {"origin": "http://localhost:7860"}, False),
        (LOCAL, {"origin": "http://127.0.0.1:1234"}, False),
        (LOCAL, {"origin": "http://127.0.0.1"}, False),
        (LOCAL, {"origin": "https://evil.example"}, False),
        (LOCAL, {"origin": "null"}, False),
        (LOCAL, {"origin": ""}, False),
        (LOCAL, {"origin": "http://["}, False),
        (LOCAL, {"host": "localhost", "origin": "http://localhost"}, True),
        (LOCAL, {"x_forwarded_host": "evil.example"}, False),
        (LOCAL, {"x_forwarded_host": "evil.example", "origin": "http://evil.example"}, False),
        (SPACE, {"host": "me-dsel.hf.space", "origin": "https://me-dsel.hf.space"}, True),
        (SPACE, {"host": "me-dsel.hf.space", "origin": "https://evil.example"}, False),
        (SPACE, {"host": "10.1.2.3:7860", "origin": "https://me-dsel.hf.space"}, True),
        (PROXIED, {"origin": "https://dsel.example.org"}, True),
        (PROXIED, {"origin": "https://other.example.org:8443"}, True),
        (PROXIED, {"origin": "https://dsel.example.org:1234"}, False),
        (
            PROXIED,
            {"x_forwarded_host": "dsel.example.org", "origin": "https://dsel.example.org"},
            True,
        ),
        (LOCAL, {"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}, True),
        (LOCAL, {"sec_fetch_site": "none", "sec_fetch_mode": "navigate"}, True),
        (LOCAL, {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, True),
        (LOCAL, {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, False),
        (LOCAL, {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"}, False),
    ],
)
def test_refusal__of_foreign_pages(hosts: Hosts, sent: dict[str, str], answered: bool) -> None:
    line = refusal(headers(**{"host": "127.0.0.1:7860"} | sent), "GET", hosts)
    assert (line == "") is answered
    assert "\n" not in line


def test_refusal__of_a_form_that_navigates() -> None:
    sent = headers(host="localhost", sec_fetch_site="cross-site", sec_fetch_mode="navigate")
    assert refusal(sent, "POST", LOCAL) == "dsel does not answer to pages of another origin"


def test_refusal__says_how_to_allow_a_host() -> None:
    assert refusal(headers(host="x" * 10_000), "GET", LOCAL) == (
        f"dsel does not answer for the host '{'x' * 60}': if it is yours, start the app with it "
        "in DSEL_HOSTS"
    )


MINE: dict[str, str] = {"host": "127.0.0.1:7860", "x_dsel_token": TOKEN}


@pytest.mark.parametrize(
    ("client", "sent", "local"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {"host": "[::1]:7860"}, True),
        ("127.0.0.1", {"host": "LocalHost:7860", "origin": "http://localhost:7860"}, True),
        ("127.0.0.1", {"x_dsel_token": ""}, False),
        ("127.0.0.1", {"x_dsel_token": TOKEN[:-1]}, False),
        ("127.0.0.1", {"x_dsel_token": "\u00e9" * 21}, False),
        ("192.168.1.9", {}, False),
        (None, {}, False),
        ("127.0.0.1", {"host": "dsel.example.org"}, False),
        *(
            ("127.0.0.1", {name: "127.0.0.1"}, False)
            for name in (
                "x_forwarded_for", "forwarded", "x_real_ip", "via", "cf_connecting_ip",
                "true_client_ip", "x_forwarded_host", "x_forwarded_proto", "x_client_ip",
                "x_cluster_client_ip", "fastly_client_ip", "fly_client_ip", "cf_ray", "cdn_loop",
                "x_envoy_external_address", "x_original_forwarded_for",
            )
        ),
    ],
)  # fmt: skip
def test_visitor_of__who_is_local(client: str | None, sent: dict[str, str], local: bool) -> None:
    assert visitor_of(headers(**MINE | sent), client, TOKEN).local is local


@pytest.mark.parametrize(
    ("client", "forwarded", "proxy", "address"),
    [
        ("1.2.3.4", "", False, "1.2.3.4"),
        ("1.2.3.4", "9.9.9.9", False, "1.2.3.4"),  # what a sender says of itself
        ("10.0.0.1", "9.9.9.9, 5.6.7.8", True, "5.6.7.8"),
        ("2001:db8:1:2:3:4:5:6", "", False, "2001:db8:1:2::/64"),
        ("::ffff:1.2.3.4", "", False, "1.2.3.4"),
        (None, "", False, "unknown"),
    ],
)
def test_visitor_of__addresses(
    client: str | None, forwarded: str, proxy: bool, address: str
) -> None:
    sent = headers(host="localhost", **({"x_forwarded_for": forwarded} if forwarded else {}))
    assert visitor_of(sent, client, TOKEN, proxy) == Visitor(False, address)


def test_new_token() -> None:
    assert len(new_token({})) == 32
    assert new_token({}) != new_token({})
    assert new_token({"DSEL_TOKEN": "0123456789abcdef"}) == "0123456789abcdef"
    short: Any
    for short in ("short", "0123456789abcde#", "0123456789abcdef\u00e9"):
        with pytest.raises(SettingError, match="DSEL_TOKEN must have at least 16 characters"):
            new_token({"DSEL_TOKEN": short})
