"""What holds in every tab: no barriers in either scheme, wide and narrow, and numbers explained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from support.browsing import PHONE, Opener, fits, job_server, opener, painted, violations
from support.evaluated import write_evaluations, write_sweep
from support.synthetic import MIXED, synthetic_run
from support.tooltips import unexplained

pytestmark = pytest.mark.browser

TABS = (
    "inspect", "map", "find", "clusters", "distilled", "compare", "baselines", "evaluate", "score",
    "export",
)  # fmt: skip
CLASSES = f"find&find={quote('show=classes')}"
COMPARED = f"compare&a={quote('patch_px=32')}"
DESK = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def full_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app on a run with evaluations and a sweep."""
    folder = tmp_path_factory.mktemp("all tabs")
    run = synthetic_run(folder / "run", classes=3, per_class=16, sizes=MIXED)
    write_evaluations(run.path)
    write_sweep(run.path)
    with job_server(run.path, folder) as url:
        yield url


@pytest.fixture
def visit(chromium: Any, full_url: str) -> Iterator[Opener]:
    yield from opener(chromium, full_url, settled, "")


def settled(page: Any) -> None:
    """Wait until the tab shows what it is about."""
    page.wait_for_selector(".panel:not([hidden]) *")
    painted(page)
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["1440", "390"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("tab", [*TABS, CLASSES, COMPARED])
def test_axe__nothing_serious(
    visit: Opener, tab: str, dark: bool, viewport: dict[str, int]
) -> None:
    page = visit(f"tab={tab}", dark=dark, viewport=viewport)
    assert violations(page) == []
    assert fits(page)


@pytest.mark.parametrize("tab", [*TABS, CLASSES, COMPARED])
def test_numbers__have_a_tooltip(visit: Opener, tab: str) -> None:
    assert unexplained(visit(f"tab={tab}", viewport=DESK)) == []
