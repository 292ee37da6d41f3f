"""Baselines in a browser: four columns at equal budget, and their hits where there are boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browsing import PHONE, Opener, fits, opened, served, until, violations
from support.synthetic import MIXED, synthetic_run
from support.truths import write_boxes

pytestmark = pytest.mark.browser

KINDS = ("chosen", "random", "centre", "whole")


@pytest.fixture(scope="module")
def boxed_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that carries its true boxes."""
    path = tmp_path_factory.mktemp("boxed") / "run"
    write_boxes(synthetic_run(path, classes=2, per_class=16, sizes=MIXED))
    return path


@pytest.fixture(scope="module")
def boxed(boxed_path: Path) -> Iterator[str]:
    with served(boxed_path) as url:
        yield url


def column(kind: str) -> str:
    return f".baseline[data-kind={kind}]"


def styles(page: Any, kind: str) -> list[str]:
    """Return the positions of the crops of a column."""
    found: list[str] = page.eval_on_selector_all(
        f"{column(kind)} .crop img", "all => all.map((e) => e.style.left + ' ' + e.style.top)"
    )
    return found


def test_columns__same_images_with_other_places(visit: Opener) -> None:
    page = visit("tab=baselines&ipc=6&patch_px=48")
    page.wait_for_selector(f"{column('whole')} .crop img[src]")
    ids = [
        page.eval_on_selector_all(
            f"{column(kind)} .patch", "all => all.map((e) => e.dataset.id).join()"
        )
        for kind in KINDS
    ]
    assert len(set(ids)) == 1
    assert ids[0].count(",") == 5
    assert set(styles(page, "whole")) == {"0% 0%"}
    assert styles(page, "chosen") != styles(page, "centre")
    words = page.locator(".budget").inner_text()
    assert "6 images of disc" in words
    assert "48 × 48 px" in words


def test_sliders__all_columns_follow(visit: Opener) -> None:
    page = visit("tab=baselines&ipc=6")
    page.wait_for_selector(f"{column('chosen')} .crop")
    page.get_by_label("IPC", exact=True).press("ArrowRight")
    for kind in KINDS:
        until(page, f"{column(kind)} .images", "e => e.children.length === 7")
    page.get_by_role("group", name="Mosaic").get_by_role("button", name="2 × 2").click()
    until(page, f"{column('random')} .distilled", "e => e.children.length === 4")
    until(page, ".budget", "e => e.textContent.includes('mosaics of 2 × 2 patches')")


def test_draw_again__moves_random_patches_alone(visit: Opener) -> None:
    page = visit("tab=baselines&ipc=6&patch_px=32")
    page.wait_for_selector(f"{column('whole')} .crop")
    before = {kind: styles(page, kind) for kind in KINDS}
    page.get_by_role("button", name="Draw again").click()
    page.wait_for_function(
        "([s, old]) => [...document.querySelectorAll(s)]"
        ".map((e) => e.style.left + ' ' + e.style.top).join() !== old",
        arg=[f"{column('random')} .crop img", ",".join(before["random"])],
    )
    for kind in ("chosen", "centre", "whole"):
        assert styles(page, kind) == before[kind]


def test_click__marks_the_image_in_every_column(visit: Opener) -> None:
    page = visit("tab=baselines&ipc=6")
    page.locator(f"{column('random')} .patch").nth(2).click()
    until(
        page, ".baselines-grid",
        "e => e.querySelectorAll('.patch[aria-current=true]').length === 4",
    )  # fmt: skip
    assert "image=disc" in page.url


def test_no_boxes__the_page_explains_how_to_add_them(visit: Opener) -> None:
    page = visit("tab=baselines")
    page.wait_for_selector(".no-boxes")
    assert "boxes.json" in page.locator(".no-boxes").inner_text()
    assert page.locator(".meters:visible").count() == 0
    assert violations(page) == []


def test_hit_rates__live_for_class_and_all_classes(chromium: Any, boxed: str) -> None:
    with opened(chromium, boxed, "tab=baselines&patch_px=64") as page:
        for kind in KINDS:
            until(page, f"{column(kind)} .meter-value", "e => e.textContent.endsWith('%')")
            until(page, f"{column(kind)} .meter-all", "e => /[0-9] %/.test(e.textContent)")
        rate = page.locator(f"{column('random')} .meter-value").first.inner_text()
        assert "at least 50 % of the object" in page.locator(".truth").inner_text()
        assert page.locator(".boxes-fit").inner_text() == (
            "32 of the run's 32 images have a true box."
        )
        notes = page.locator(".boxes-notes li").all_inner_texts()
        assert notes == [
            "The file has no categories: all objects of an image are joined, whatever they are."
        ]
        page.get_by_label("Patch size", exact=True).press("PageDown")
        until(page, f"{column('random')} .meter-value", f"e => e.textContent !== '{rate}'")


CHOSEN, BASELINE = ".selection[aria-label='Chosen set']", ".selection:last-child"


def ids_of(page: Any, selection: str) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        f"{selection} .patch", "all => all.map((e) => e.dataset.id)"
    )
    return found


def test_selections__a_baseline_beside_the_chosen_set(visit: Opener) -> None:
    page = visit("tab=baselines&ipc=6")
    page.wait_for_selector(f"{BASELINE} .crop")
    assert len(ids_of(page, CHOSEN)) == len(ids_of(page, BASELINE)) == 6
    before = ",".join(ids_of(page, BASELINE))
    page.get_by_role("button", name="Draw another selection").click()
    ids = "[...e.querySelectorAll('.patch')].map((p) => p.dataset.id).join()"
    until(page, BASELINE, f"e => {ids} !== '{before}'")
    page.get_by_label("Baseline", exact=True).select_option("no-clusters")
    until(page, ".selections", "e => e.textContent.includes('in both sets')")
    assert "6 images of disc" in page.locator(".selections > .soft").inner_text()


def test_selections__a_baseline_can_be_compared_and_used(visit: Opener) -> None:
    page = visit("tab=baselines&ipc=6")
    page.wait_for_selector(f"{BASELINE} .crop")
    page.get_by_label("Baseline", exact=True).select_option("herding")
    until(page, BASELINE, "e => e.querySelectorAll('.patch').length === 6")
    page.get_by_role("button", name="Use this selection").click()
    until(page, ".selections .notice", "e => e.textContent.includes('the baseline herding')")
    assert "baseline=herding" in page.url
    page.wait_for_function(
        "([a, b]) => [a, b].map((s) => [...document.querySelectorAll(`${s} .patch`)]"
        ".map((e) => e.dataset.id).join()).every((ids, _, all) => ids === all[0])",
        arg=[CHOSEN, BASELINE],
    )
    page.get_by_role("button", name="Return to dsel's own ranking").click()
    page.wait_for_selector(".selections .notice", state="detached")
    assert "baseline" not in page.url.replace("tab=baselines", "")
    page.get_by_role("button", name="Compare image by image").click()
    until(page, ".pins .between", "e => e.textContent.includes('herding')")


def test_selections__what_a_baseline_lacks_is_said(visit: Opener) -> None:
    page = visit("tab=baselines&ipc=6")
    page.wait_for_selector(f"{BASELINE} .crop")
    page.get_by_label("Baseline", exact=True).select_option("rded")
    until(page, ".selections .notice", "e => e.textContent.includes('needs a teacher')")
    assert page.locator(BASELINE).is_hidden()
    page.get_by_label("Baseline", exact=True).select_option("herding")
    page.locator(BASELINE).wait_for()
    assert page.locator(".selections .notice").count() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_axe__no_barriers(chromium: Any, boxed: str, dark: bool) -> None:
    with opened(chromium, boxed, "tab=baselines", dark=dark) as page:
        until(page, f"{column('whole')} .meter-all", "e => /[0-9] %/.test(e.textContent)")
        assert violations(page) == []


def test_phone__nothing_is_wider_than_the_page(chromium: Any, boxed: str) -> None:
    with opened(chromium, boxed, "tab=baselines", viewport=PHONE) as page:
        page.wait_for_selector(f"{column('whole')} .crop")
        assert fits(page)


def test_broken_boxes__are_one_line(chromium: Any, tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", classes=1, per_class=4)
    run.objects_path.write_text("{}")
    with served(run.path) as url, opened(chromium, url, "tab=baselines") as page:
        until(page, ".truth .notice.bad", "e => e.textContent.includes('is not COCO JSON')")
        page.wait_for_selector(f"{column('whole')} .crop")
