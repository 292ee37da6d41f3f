"""Where the app can listen: checked first, since Gradio would try a hundred ports in vain."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

from dsel.errors import SettingError, first_line

LAST_PORT: Final = 65_535
HOSTS: Final = "127.0.0.1 serves this machine only, 0.0.0.0 all networks"


def check_address(host: str | None, port: int, environment: Mapping[str, str] = os.environ) -> None:
    """Raise `SettingError` for a host that is none of this machine's, or a number that is no port.

    Without a host or a port, Gradio's GRADIO_SERVER_NAME and GRADIO_SERVER_PORT count.
    """
    given = str(port) if port else environment.get("GRADIO_SERVER_PORT") or "0"
    if not given.isdecimal() or int(given) > LAST_PORT:
        raise SettingError(f"port must be between 0 and {LAST_PORT}, got {given}", setting="port")
    _check_host(host or environment.get("GRADIO_SERVER_NAME") or "127.0.0.1")


def _check_host(host: str) -> None:
    try:
        found = socket.getaddrinfo(host.strip("[]"), 0, type=socket.SOCK_STREAM)
    except (socket.gaierror, ValueError) as error:  # ValueError: no name at all
        raise SettingError(f"host {host!r:.80} is not known: {HOSTS}", setting="host") from error
    family, kind, _, _, address = found[0]
    try:
        with socket.socket(family, kind) as trial:
            trial.bind(address)
    except OSError as error:
        raise SettingError(
            f"host {host!r} is not an address of this machine ({first_line(error)}): {HOSTS}",
            setting="host",
        ) from error
