"""The Gradio app is built on a run only."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsel.app import build_app
from dsel.app.state import AppState
from dsel.errors import RunError


def test_build_app__refuses_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        build_app(AppState(tmp_path))
