"""The command line: flags to settings, settings to the pipeline, events to lines.

A new command is one function in `commands`; what it does belongs to the pipeline or to analysis.
"""

from __future__ import annotations

from dsel.cli.commands import main

__all__ = ["main"]
