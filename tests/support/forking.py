"""Processes that begin with the libraries loaded, while no library has threads yet.

A plain fork of the tests' own process would not do: libraries end a child whose parent has used
their threads.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

PRELOADED = ("support.pairs", "support.commands")


@contextmanager
def fork_server() -> Iterator[ForkServerContext]:
    """Let the server that forks the processes import everything once, from `tests` too."""
    paths = (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", ""))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        patched.setenv("TOKENIZERS_PARALLELISM", "false")
        yield context
