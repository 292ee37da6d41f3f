"""The run folder: everything that dsel stores about one scored dataset.

This room reads and writes the folder, and nothing else does: its manifest, its shards of scores,
its tables of images and selections. Add a module here for a new kind of stored file; list the file
in the docstring of `dsel.runs.run`, and raise `FORMAT` in `dsel.runs.manifest` when an older file
can no longer be read. Computing something from a run belongs to the rooms further down.
"""

from __future__ import annotations

from dsel.runs.bundles import run_folder
from dsel.runs.manifest import Identity, Summary
from dsel.runs.opening import create_run, made_again, open_run, record_backend
from dsel.runs.run import Run

__all__ = [
    "Identity", "Run", "Summary", "create_run", "made_again", "open_run", "record_backend",
    "run_folder",
]  # fmt: skip
