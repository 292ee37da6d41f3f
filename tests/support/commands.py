"""Commands as processes of a fork server (see `support.forking`)."""

from __future__ import annotations

import os
from collections.abc import Sequence

# Imported once by the server that forks the processes.
import diffusers  # noqa: F401
import transformers  # noqa: F401
import umap  # noqa: F401

from dsel.cli.commands import main


def call(arguments: Sequence[str]) -> None:
    """Run `dsel` with arguments, and end with its exit status."""
    os._exit(main(arguments))
