"""Where the files that ship with dsel lie: beside the package, or inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

DEMO_PRIOR = "demo_prior"
DEMO_RUN = "demo_run"


def asset(name: str) -> Path:
    """The path of a shipped file or folder; it may be absent."""
    package = Path(__file__).parent
    inside = package / "assets"
    return (inside if inside.is_dir() else package.parent / "assets") / name
