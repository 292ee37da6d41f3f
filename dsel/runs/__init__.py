"""The run folder: everything that is known of one scored dataset.

One manifest, one immutable file of scores per shard, tables of images and selections. This room
reads and writes the folder; what is computed from it belongs to the rooms further down.
"""

from __future__ import annotations

from dsel.runs.manifest import Identity
from dsel.runs.run import Run, Summary, create_run, open_run

__all__ = ["Identity", "Run", "Summary", "create_run", "open_run"]
