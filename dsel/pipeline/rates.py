"""How fast a prior has been here: evaluations a second of the last long enough `dsel score`."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from dsel.config import PriorSettings
from dsel.config.base import fingerprint, result_settings
from dsel.errors import StorageError
from dsel.files import json_bytes, user_caches, write_atomically

FEWEST: Final = 2000
"""Evaluations from which on a rate is stored: the first calls of a prior are slow."""


@dataclass(frozen=True, slots=True)
class MeasuredRate:
    """Evaluations a second of a prior, and where that was measured."""

    evaluations_per_s: float
    device: str
    host: str


def known_rate(settings: PriorSettings) -> MeasuredRate | None:
    """Return the rate that was measured last with a prior of these settings."""
    with suppress(OSError, ValueError, TypeError):
        return MeasuredRate(**json.loads(_file(settings).read_text(encoding="utf-8")))
    return None


def record_rate(settings: PriorSettings, device: str, figures: Mapping[str, Any]) -> None:
    """Store the rate that the figures of `score` say; one that cannot be stored is no error."""
    per_image = float(figures.get("evaluations_per_image", 0))
    images = float(figures.get("images", 0))
    rate = float(figures.get("images_per_s", 0)) * per_image
    if rate <= 0 or images * per_image < FEWEST:
        return
    found = MeasuredRate(round(rate, 2), device, socket.gethostname())
    with suppress(StorageError, OSError):
        write_atomically(_file(settings), json_bytes(asdict(found)), synced=False)


def _file(settings: PriorSettings) -> Path:
    plain = result_settings(settings)
    folder = Path(settings.prior).expanduser()
    name = str(folder.resolve()) if folder.is_dir() else settings.prior
    return user_caches() / "rates" / f"{fingerprint('rate', plain | {'prior': name})}.json"
