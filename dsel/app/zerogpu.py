"""The GPU that a Hugging Face Space lends for seconds (ZeroGPU)."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from dsel.app.jobs.runner import Accelerate, Events, Portion
from dsel.app.jobs.tasks import ScoreTask
from dsel.errors import DselError, QuotaError, RunError, first_line
from dsel.types import Event, Progress, Started

KEPT: Final = "what is scored is kept, so resume the job later"
QUOTAS: Final = ("quota", "credits")
"""Words of the titles of refusals for which only time, or another account, helps."""

OF_EXAMPLES: Final = "Try re-running outside of examples if it happened after clicking one"
"""What `spaces` advises visitors without an account: dsel has no such examples."""


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
    """Let the work on a request know it, and the app's server, as Gradio's do.

    A Space lends its GPU by the request's headers. The process that borrows it is a fork of this
    one, and closes its copies of the server's connections if it knows the server: a connection that
    the fork kept would never end, and the page would wait for its next response on it forever.
    """
    import gradio as gr
    from gradio.context import LocalContext

    LocalContext.request.set(gr.Request(request))
    LocalContext.blocks.set(getattr(request.scope.get("app"), "blocks", None))


def _readable(portion: Portion) -> Portion:
    """Say that the GPU is waited for, and turn a refusal into a `DselError`.

    A used-up quota is a `QuotaError`; all else, such as no free GPU, a `RunError`.
    """
    import gradio as gr
    import httpx  # the library by which `spaces` asks for the GPU

    @wraps(portion)
    def borrow(task: ScoreTask, folder: Path, left: int) -> Events[Event | DselError]:
        yield Started("gpu", 1, "GPUs")
        try:
            for number, event in enumerate(portion(task, folder, left)):
                if not number:
                    yield Progress()
                yield event
        except gr.Error as error:
            raise _refusal(getattr(error, "title", ""), str(error.message)) from error
        except httpx.HTTPError as error:
            raise _refusal("", first_line(error)) from error

    return borrow


def _refusal(title: str, text: str) -> DselError:
    """Return the error for what a Space says when it lends no GPU."""
    said = " ".join(text.replace(OF_EXAMPLES, "").split()).rstrip(". ")
    if any(word in title.lower() for word in QUOTAS):
        return QuotaError(f"the Space's GPU time is used up: {said}; {KEPT}", quota="gpu")
    return RunError(f"the Space's GPU could not be used: {said}; {KEPT}")
