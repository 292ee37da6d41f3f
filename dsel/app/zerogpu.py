"""The GPU that a Hugging Face Space lends for seconds (ZeroGPU)."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dsel.app.jobs.runner import Accelerate, Events, Portion
from dsel.app.jobs.tasks import ScoreTask
from dsel.errors import DselError, RunError
from dsel.types import Event


def accelerator() -> Accelerate | None:
    """Return what borrows the GPU for a function, or None outside a ZeroGPU Space."""
    on = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
    if not on or find_spec("spaces") is None:
        return None
    spaces: Any = import_module("spaces")

    def accelerate(portion: Portion, duration: Callable[[ScoreTask, Path, int], int]) -> Portion:
        return _readable(spaces.GPU(portion, duration=duration))

    return accelerate


def remember_visitor(request: Any) -> None:
    """Let the work on a request know it as Gradio's do: a Space lends its GPU by its headers."""
    import gradio as gr
    from gradio.context import LocalContext

    LocalContext.request.set(gr.Request(request))


def _readable(portion: Portion) -> Portion:
    """Turn a refusal, such as a used-up quota, into a `RunError`."""
    import gradio as gr

    @wraps(portion)
    def borrow(task: ScoreTask, folder: Path, left: int) -> Events[Event | DselError]:
        try:
            yield from portion(task, folder, left)
        except gr.Error as error:
            raise RunError(
                f"the Space's GPU could not be used: {error.message}; resume the job later"
            ) from error

    return borrow
