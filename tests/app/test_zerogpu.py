"""A GPU that a Space lends is borrowed for a function, or refused in one line."""

from __future__ import annotations

import contextvars
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.context import LocalContext
from starlette.requests import Request

from dsel.app.jobs.tasks import ScoreTask
from dsel.app.zerogpu import accelerator, remember_visitor
from dsel.errors import RunError
from dsel.types import Progress, Started

EXCEEDED = "You have exceeded your GPU quota"


def fake_spaces(refusing: str = "") -> Any:
    spaces: Any = ModuleType("spaces")
    spaces.seconds = []

    def gpu(portion: Any, duration: Any) -> Any:
        def handler(*arguments: Any) -> Any:
            spaces.seconds.append(duration(*arguments))
            if refusing:
                raise gr.Error(refusing)
            yield from portion(*arguments)

        return handler

    spaces.GPU = gpu
    spaces.__spec__ = object()
    return spaces


def test_accelerator__on_a_zerogpu_space_only(monkeypatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    monkeypatch.setitem(sys.modules, "spaces", fake_spaces())
    assert accelerator() is None
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    accelerate = accelerator()
    assert accelerate is not None
    borrowed = accelerate(lambda *sent: iter(sent[2:]), lambda *_: 42)
    task = ScoreTask(title="", source="")
    assert list(borrowed(task, Path(), 3)) == [Started("gpu", 1, "GPUs"), Progress(), 3]
    assert sys.modules["spaces"].seconds == [42]


def test_accelerator__a_refusal_is_a_run_error(monkeypatch) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    monkeypatch.setitem(sys.modules, "spaces", fake_spaces(refusing=EXCEEDED))
    accelerate = accelerator()
    borrowed = accelerate(lambda *_: iter([]), lambda *_: 42)
    with pytest.raises(
        RunError, match="exceeded your GPU quota; what is scored is kept, so resume"
    ):
        list(borrowed(ScoreTask(title="", source=""), Path(), 3))


def test_accelerator__advice_on_examples_is_left_out(monkeypatch) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    said = f"{EXCEEDED}. Try re-running outside of examples if it happened after clicking one"
    monkeypatch.setitem(sys.modules, "spaces", fake_spaces(refusing=said))
    borrowed = accelerator()(lambda *_: iter([]), lambda *_: 42)
    with pytest.raises(RunError, match="exceeded your GPU quota; what is scored is kept"):
        list(borrowed(ScoreTask(title="", source=""), Path(), 3))


def test_remember_visitor__where_the_space_looks_for_it() -> None:
    headers = [(b"x-ip-token", b"of the visitor")]
    app = SimpleNamespace(blocks=SimpleNamespace(server="of the app"))
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers, "app": app}

    def work() -> str:
        remember_visitor(Request(scope))
        assert LocalContext.blocks.get().server == "of the app"
        inside = contextvars.copy_context()  # as the context of a job
        return str(inside.run(LocalContext.request.get).headers["x-ip-token"])

    assert contextvars.copy_context().run(work) == "of the visitor"
