"""Requests as the page sends them, and what it reads in the responses."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import numpy as np

from dsel.app.rpc import respond
from dsel.app.state import AppState

PATCH_KEYS = (
    "id", "box", "cut", "size", "score", "standard_error", "picture_score",
    "picture_standard_error", "margin", "cluster", "rank", "nth", "kept", "dropped", "pinned",
    "moved",
)  # fmt: skip
"""The wire form of a patch."""

TYPES = {"f4": np.float32, "f2": np.float16, "u1": np.uint8, "i4": np.int32}


def send(
    state: AppState, method: str, view: Any = "", run: str = "", local: bool = False,
    visitor: str = "", **params: Any,
) -> dict[str, Any]:  # fmt: skip
    """The response to a request; `view` is a query, or what `urlencode` makes one of."""
    query = view if isinstance(view, str) else urlencode(view, doseq=True)
    request = {"method": method, "run": run, "view": query, "params": params}
    response = json.loads(respond(state, json.dumps(request), local, visitor))
    assert isinstance(response, dict)
    return response


def ask(state: AppState, method: str, view: Any = "", **more: Any) -> Any:
    """The result of a request that succeeds."""
    response = send(state, method, view, **more)
    assert set(response) == {"result"}, response
    return response["result"]


def refused(state: AppState, method: str, view: Any = "", **more: Any) -> dict[str, Any]:
    """The error of a request that fails: code, message, fields."""
    return error_of(send(state, method, view, **more))


def error_of(response: dict[str, Any]) -> dict[str, Any]:
    """The error of a response, which has nothing else."""
    assert set(response) == {"error"}, response
    error: dict[str, Any] = response["error"]
    assert set(error) == {"code", "message", "fields"}
    assert "\n" not in error["message"]
    return error


def unpacked(value: dict[str, Any]) -> np.ndarray:
    """A packed array."""
    data = np.frombuffer(base64.b64decode(value["data"]), TYPES[value["type"]])
    return data.reshape(value["shape"])
