"""Who sends a request, and whether the app answers it: hosts, origins, proxies and the token."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from dsel.app.access import LOOPBACK, is_bound_locally, served_host
from dsel.errors import SettingError

TOKEN_HEADER: Final = "x-dsel-token"
"""The header in which the page sends the app's token."""

SHORTEST_TOKEN: Final = 16
SHARES: Final = ".gradio.live"
"""The hosts of Gradio's share links, which it may make on its own, as on Colab."""

PROXIED: Final = re.compile(
    r"forwarded|via|x-(real|client|cluster-client|appengine-user)-ip|true-client-ip"
    r"|(x-forwarded|x-original-forwarded|x-envoy|x-proxy|cf|cdn|fly|fastly)-.*"
)
"""Headers that a proxy adds to the requests that it forwards."""

DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sends a request.

    local: whether the page was opened with the app's token, on the app's own machine. address: of
    a remote visitor's network, which quotas count for; empty for one who is local.
    """

    local: bool
    address: str = ""


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts that the app answers for; foreign ones may be names that lead here (DNS rebinding).

    names: in lower case; one that begins with a dot stands for all names below it, and "*" for all
    names. public: those of them, perhaps with a port, by which proxies are reached, and which are
    therefore also allowed as the origin of a request. addresses: whether any IP address is
    allowed, since no name leads to this app then.
    """

    names: frozenset[str]
    public: frozenset[str] = frozenset()
    addresses: bool = False

    def allow(self, host: str) -> bool:
        """Return whether the app answers for the value of a Host header."""
        name = _name(f"//{host}")
        if not name:
            return False
        if name in self.names or "*" in self.names or (self.addresses and _is_address(name)):
            return True
        return any(part.startswith(".") and name.endswith(part) for part in self.names)

    def allow_origin(self, origin: str, hosts: tuple[str, ...]) -> bool:
        """Return whether the origin of a request is the app itself, reached by one of `hosts`."""
        found = _netloc(origin)
        return bool(found) and (found in map(_bare, hosts) or found in self.public)


def hosts_of(host: str | None = None, environment: Mapping[str, str] = os.environ) -> Hosts:
    """Return the hosts of an app that is served at `host`.

    DSEL_HOSTS adds names, separated by spaces; SPACE_HOST is the name of a Space, and
    GRADIO_ROOT_PATH may be the address by which a proxy is reached.
    """
    public = {*environment.get("DSEL_HOSTS", "").lower().split()}
    public |= {environment.get("SPACE_HOST", "").lower()}
    public |= {_netloc(environment.get("GRADIO_ROOT_PATH", ""))}
    public -= {""}
    served = served_host(host, environment).lower()
    names = {*LOOPBACK, SHARES, served, *map(_without_port, public)}
    local = is_bound_locally(host, False, environment)
    if not local:
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return Hosts(frozenset(names), frozenset(public), addresses=not local)


def new_token(environment: Mapping[str, str] = os.environ) -> str:
    """Return the token of this start: DSEL_TOKEN, or one that nobody can guess."""
    token = environment.get("DSEL_TOKEN", "")
    if token and (len(token) < SHORTEST_TOKEN or not re.fullmatch(r"[\w.~-]+", token, re.ASCII)):
        raise SettingError(
            f"DSEL_TOKEN must have at least {SHORTEST_TOKEN} characters, each a letter, a digit, "
            f"or one of - . _ ~; got {len(token)} characters"
        )
    return token or secrets.token_urlsafe(24)


def refusal(headers: Mapping[str, str], method: str, hosts: Hosts) -> str:
    """Return why a request is not answered, in one line; empty for one that is."""
    asked = headers.get("host", ""), headers.get("x-forwarded-host", "").split(",")[0].strip()
    named = tuple(host for position, host in enumerate(asked) if host or position == 0)
    for host in named:
        if not hosts.allow(host):
            return (
                f"dsel does not answer for the host {host[:SHOWN]!r}: if it is yours, start the "
                "app with it in DSEL_HOSTS"
            )
    origin = headers.get("origin")
    if origin is not None:
        if not hosts.allow_origin(origin, named):
            return f"dsel does not answer to pages of another origin, got {origin[:SHOWN]!r}"
    elif _is_cross_site(headers, method):
        return "dsel does not answer to pages of another origin"
    return ""


def visitor_of(
    headers: Mapping[str, str], client_host: str | None, token: str, behind_proxy: bool = False
) -> Visitor:
    """Return who sends a request that is answered.

    Only who has the token is local, and only from this machine, by its own name, and without a
    proxy between: others may have read the token on the way.
    """
    given = headers.get(TOKEN_HEADER, "")
    if (
        hmac.compare_digest(given.encode(), token.encode())
        and client_host in LOOPBACK
        and not any(PROXIED.fullmatch(name.lower()) for name in headers)
        and _name(f"//{headers.get('host', '')}") in LOOPBACK
    ):
        return Visitor(local=True)
    return Visitor(local=False, address=_network(_sender(headers, client_host, behind_proxy)))


def _sender(headers: Mapping[str, str], client_host: str | None, behind_proxy: bool) -> str:
    """Return the address that sent a request to the app, or to the proxy before it.

    Behind a proxy that is the last address of X-Forwarded-For, since others are what the sender
    says of itself.
    """
    forwarded = headers.get("x-forwarded-for", "").split(",")[-1].strip() if behind_proxy else ""
    return forwarded or client_host or ""


def _network(address: str) -> str:
    """Return an address as quotas count it: an IPv6 one by its first 64 bits, which one has."""
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if found.version == 4:
        return str(found)
    return str(found.ipv4_mapped or ip_network(f"{found}/64", strict=False))


def _is_cross_site(headers: Mapping[str, str], method: str) -> bool:
    """Return whether a page of another site loads or sends something; a link may lead here."""
    site, mode = headers.get("sec-fetch-site", ""), headers.get("sec-fetch-mode", "")
    follows = mode == "navigate" and method in ("GET", "HEAD")
    return site in ("cross-site", "same-site") and not follows


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def _netloc(url: str) -> str:
    """Return the host of a URL in lower case, with its port unless the scheme implies it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        return ""
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return name if port in (None, DEFAULT_PORTS[parts.scheme]) else f"{name}:{port}"


def _bare(host: str) -> str:
    """Return a Host header as `_netloc` does; a proxy may serve its name by either scheme."""
    lower = host.lower()
    return lower.removesuffix(":80").removesuffix(":443")


def _without_port(host: str) -> str:
    return host if host.startswith((".", "*")) else _name(f"//{host}")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
