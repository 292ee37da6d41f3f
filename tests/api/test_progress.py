"""The bars of a notebook: what is left when a call is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dsel.api import progress
from dsel.api.progress import follow
from dsel.locks import LOCK, locked
from dsel.types import Event, Progress


def test_follow__interrupted_between_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook keeps the traceback; the folder is free all the same."""

    def stage() -> Iterator[Event]:
        yield Progress()

    def interrupt(*_: object) -> None:
        assert (tmp_path / LOCK).exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(progress._Bars, "show", interrupt)
    with pytest.raises(KeyboardInterrupt) as kept:
        follow(locked(tmp_path, stage()), progress=False)
    assert not (tmp_path / LOCK).exists()
    assert kept.tb is not None
