"""Commands as processes of a fork server (see `support.forking`)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

# Imported once by the server that forks the processes.
import diffusers  # noqa: F401
import transformers  # noqa: F401
import umap  # noqa: F401

from dsel.cli.commands import main


def call(arguments: Sequence[str]) -> None:
    """Run `dsel` with arguments, and end with its exit status."""
    os._exit(main(arguments))


def call_and_die(arguments: Sequence[str], folder: Path, changes: int) -> None:
    """Run `dsel` with arguments, and be killed before the `changes`-th file is opened or renamed.

    Files below `folder` count alone, from 1. The moment depends on no speed; a command that ends
    before it returns its exit status.
    """
    number, inside = count(1), f"{folder}{os.sep}"

    def kill(event: str, given: tuple[object, ...]) -> None:
        is_change = event in ("open", "os.rename") and str(given[0]).startswith(inside)
        if is_change and next(number) == changes:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    call(arguments)
