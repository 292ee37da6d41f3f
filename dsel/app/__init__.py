"""The app: widgets -> settings -> explore and engine -> widgets; no model is loaded for it."""

from __future__ import annotations

from dsel.app.page import build_app
from dsel.app.server import launch_app

__all__ = ["build_app", "launch_app"]
