"""The accelerator that a Hugging Face Space lends for seconds (ZeroGPU), where there is one."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dsel.app.jobs.work import Accelerate, Events, Portion, ScoreTask
from dsel.errors import DselError, RunError
from dsel.types import Event


def accelerator() -> Accelerate | None:
    """What borrows the accelerator for a function; None where this is no ZeroGPU Space."""
    on = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
    if not on or find_spec("spaces") is None:
        return None
    spaces: Any = import_module("spaces")

    def accelerate(portion: Portion, duration: Callable[[ScoreTask, Path, int], int]) -> Portion:
        return _readable(spaces.GPU(portion, duration=duration))

    return accelerate


def _readable(portion: Portion) -> Portion:
    """The same, where a refusal, such as a quota that is used up, is an error in words."""
    import gradio as gr

    @wraps(portion)
    def ask(work: ScoreTask, folder: Path, left: int) -> Events[Event | DselError]:
        try:
            yield from portion(work, folder, left)
        except gr.Error as error:
            raise RunError(
                f"the Space's GPU could not be used: {error.message}; resume the job later"
            ) from error

    return ask
