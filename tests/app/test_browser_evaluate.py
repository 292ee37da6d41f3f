"""The Evaluate tab: stored evaluations, the sweep, a job, and the line on the distilled set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browsing import (
    LONG_MS,
    PHONE,
    WIDE,
    Opener,
    fits,
    job_server,
    opened,
    opener,
    until,
    violations,
)
from support.evaluated import write_evaluations, write_sweep
from support.synthetic import synthetic_run
from support.toyset import write_pictures

pytestmark = pytest.mark.browser

PANEL = "#dsel-panel-evaluate"
PLOT = f"{PANEL} .accuracy-plot"


@pytest.fixture(scope="module")
def evaluated_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app on a run with two evaluations and a sweep."""
    folder = tmp_path_factory.mktemp("evaluated")
    run = synthetic_run(folder / "run", classes=2, per_class=14)
    write_evaluations(run.path)
    write_sweep(run.path)
    with job_server(run.path, folder) as url:
        yield url


@pytest.fixture
def visit(chromium: Any, evaluated_url: str) -> Iterator[Opener]:
    yield from opener(chromium, evaluated_url, shown, "tab=evaluate")


def shown(page: Any) -> None:
    if "tab=evaluate" not in page.url:
        return
    page.wait_for_selector(f"{PANEL} .job-form")
    page.wait_for_selector(f"{PLOT} .main-svg")


def test_evaluations__the_answer_and_the_table_follow_the_settings(visit: Opener) -> None:
    page = visit()
    verdict = page.locator(f"{PANEL} .verdict")
    assert verdict.inner_text() == (
        "Trains better than random whole images, by 5.0 points (p = 0.012)."
    )
    own = page.locator(f"{PANEL} .evaluation").first
    assert own.get_attribute("data-current") == "true"
    assert own.locator("tr.own").last.inner_text().split("\t")[:4] == [
        "dsel's set", "10", "100", "36.0 ± 1.0",
    ]  # fmt: skip
    page.get_by_role("button", name="Load these settings").click()
    until(page, f"{PANEL} .verdict", "e => e.dataset.kind === 'worse'")
    assert "patch_px=32" in page.url
    assert "random whole" in (page.locator(PLOT).get_attribute("aria-label") or "")


def test_classes__the_table_of_find_has_the_accuracy_of_each(visit: Opener) -> None:
    page = visit("tab=find&find=show%3Dclasses&ipc=10")
    until(page, ".class-table", "e => e.textContent.includes('25.0 %')")
    cells = page.locator(".class-table td[title*='accuracy of students']")
    assert cells.all_inner_texts() == ["25.0 %", "47.0 %"]
    head = page.locator(".class-table thead button", has_text="Accuracy")
    head.click()
    assert page.locator(".class-table tbody th").all_inner_texts() == ["disc", "square"]
    head.click()
    assert page.locator(".class-table tbody th").all_inner_texts() == ["square", "disc"]
    page.get_by_label("IPC", exact=True).press("ArrowRight")
    until(page, ".class-table", "e => !e.textContent.includes('25.0 %')")


def test_sweep__a_cell_loads_its_settings(visit: Opener) -> None:
    page = visit()
    cell = page.get_by_role("button", name="Patch size 96 px, Ranking within clusters Central")
    assert cell.inner_text() == "0.625"
    cell.click()
    until(page, f"{PANEL} .sweep-cell[aria-pressed=true]", "e => e.textContent === '0.625'")
    assert "patch_px=96" in page.url
    assert "within=centroid" in page.url


def test_distilled__the_line_leads_to_the_evaluation(visit: Opener) -> None:
    page = visit()
    page.get_by_role("tab", name="Distilled set").click()
    line = page.locator(".verdict-line")
    line.wait_for()
    assert line.inner_text().startswith("Trains better than random whole images")
    page.get_by_label("IPC", exact=True).press("ArrowRight")
    until(page, ".verdict-line .verdict", "e => e.textContent.startsWith('Not evaluated')")
    page.get_by_role("button", name="Evaluate…").click()
    page.locator(PANEL).wait_for()


def test_evaluate__a_job_fills_an_empty_tab(chromium: Any, tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", classes=2, per_class=6)
    write_pictures(tmp_path / "unseen", {"disc": 2, "square": 2}, seed=1)
    with (
        job_server(run.path, tmp_path) as url,
        opened(chromium, url, "tab=evaluate&ipc=1") as page,
    ):
        page.locator(f"{PANEL} .nothing").wait_for()
        assert "dsel evaluate" in page.locator(f"{PANEL} .code-block").inner_text()
        form = page.locator(".job-form")
        form.get_by_role("button", name="Folder", exact=True).click()
        form.get_by_label("Folder", exact=True).fill(str(tmp_path / "unseen"))
        form.get_by_label("Student", exact=True).select_option(label="convnet-3")
        form.get_by_label("Steps", exact=True).fill("1")
        form.get_by_label("Students per set", exact=True).fill("2")
        assert "4 students of 1 step" in form.locator(".estimate").inner_text()
        form.get_by_role("button", name="Start the evaluation").click()
        page.wait_for_selector(f"{PANEL} .evaluation tr.own", timeout=LONG_MS)
        page.locator(f"{PANEL} .job").wait_for(state="detached", timeout=LONG_MS)
        until(page, f"{PANEL} .verdict", "e => e.dataset.kind !== 'unknown'")


@pytest.mark.parametrize("dark", [False, True])
def test_axe__no_barriers(visit: Opener, dark: bool) -> None:
    assert violations(visit(dark=dark)) == []


@pytest.mark.parametrize("viewport", [PHONE, WIDE])
def test_page__nothing_is_wider_than_it(visit: Opener, viewport: dict[str, int]) -> None:
    assert fits(visit(viewport=viewport))
