"""Modules that test files name at the top and import when a test first uses them.

Collecting all tests takes seconds because of it: diffusers alone takes longer to import than all
test files take to collect.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class LazyModule:
    """A module that is imported when one of its attributes is first read."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):  # pytest looks for its own marks in everything it collects
            raise AttributeError(attribute)
        return getattr(import_module(self._name), attribute)
