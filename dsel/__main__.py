"""Runs the command line: python -m dsel."""

from __future__ import annotations

import sys

from dsel.cli.commands import main

sys.exit(main())
