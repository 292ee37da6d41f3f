"""Standard errors beside scores, and what the page says of classes that the prior does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browsing import Opener, gallery, job_server, opener, until, violations
from support.synthetic import synthetic_run

from dsel.runs.knowledge import Knowledge, KnowledgePlan, Measured, write_knowledge

pytestmark = pytest.mark.browser

GOOD, BAD = Measured(4, 16, 0.97, 0.02), Measured(4, 16, 0.523, 0.1)
SHARE = r"−?\d+(\.\d+)? ± \d+(\.\d+)? % of the mean loss"
BANNER = ".knowledge"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app on a run of three classes, of which the prior does not know the second."""
    folder: Path = tmp_path_factory.mktemp("knowing")
    run = synthetic_run(folder / "run", classes=3, per_class=12)
    plan = KnowledgePlan(4, 3, (200, 500), 2, 144)
    write_knowledge(run.path, Knowledge(plan, "", GOOD, (GOOD, BAD, GOOD)))
    with job_server(run.path, folder) as address:
        yield address


@pytest.fixture
def visit(chromium: Any, url: str) -> Iterator[Opener]:
    yield from opener(chromium, url, lambda page: page.wait_for_selector(".dsel .top"), "")


def test_banner__where_the_prior_does_not_know_the_class(visit: Opener) -> None:
    page = gallery(visit("class=square"), 12)
    assert page.inner_text(BANNER) == (
        "This prior does not tell square from other classes (AUC 0.52, chance is 0.5): its scores "
        "mean little."
    )
    assert violations(page) == []
    page = gallery(visit("class=disc"), 12)
    assert page.locator(BANNER).is_hidden()
    assert visit("class=square&tab=export").locator(BANNER).is_hidden()


@pytest.mark.parametrize("dark", [False, True])
def test_facts__a_score_and_its_standard_error(visit: Opener, dark: bool) -> None:
    page = gallery(visit("class=disc", dark=dark), 12)
    until(page, ".facts dd", "e => e.textContent.includes('±')")
    facts = page.locator(".detail-head .facts div")
    assert re.fullmatch(rf"score\s*{SHARE}", facts.nth(0).inner_text())
    assert re.fullmatch(rf"picture score\s*{SHARE}", facts.nth(1).inner_text())
    assert "± is the standard error over the noise" in facts.nth(0).get_attribute("title")


def test_hover_card__the_standard_error(visit: Opener) -> None:
    page = visit("class=disc&tab=clusters")
    page.wait_for_selector(".panel:not([hidden]) .gallery .cell")
    page.wait_for_selector(".plot canvas, .js-plotly-plot .main-svg")
    page.wait_for_function("() => document.querySelector('.hover-card')")
    box = page.locator(".js-plotly-plot").first.bounding_box()
    for step in range(400):
        across, down = (step % 20 + 0.5) / 20, (step // 20 + 0.5) / 20
        page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
        if page.locator(".hover-card").is_visible():
            break
    assert re.search(rf"score {SHARE}", page.inner_text(".hover-card"))


def test_class_name__the_demo_prior_says_what_it_was_trained_on(visit: Opener) -> None:
    page = visit("tab=score")
    page.wait_for_selector("form.score-form")
    page.get_by_text("One image", exact=True).click()
    assert page.inner_text(".hint.known") == (
        "It was trained on 10 classes only: snowman, mushroom, cactus, rocket, teapot, castle, "
        "robot, rubber duck, car, cupcake."
    )
    hint = page.locator(".unknown-class")
    name = page.get_by_role("combobox", name="Class name", exact=True)
    name.fill("fish")
    assert hint.inner_text().startswith("This prior was not trained on “fish”")
    name.fill("Rubber duck")
    assert hint.is_hidden()
