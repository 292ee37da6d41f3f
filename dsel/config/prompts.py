"""The prompts that name a class."""

from __future__ import annotations

from dsel.errors import SettingError


def check_prompt(prompt: str) -> None:
    """Raise `SettingError` for a prompt that cannot name a class."""
    if "{class}" not in prompt:
        raise SettingError(f"prompt must contain {{class}}, got {prompt!r}", setting="prompt")
