"""The app on a Hugging Face Space: the queue, limits of visitors, a used-up GPU, and its sleep."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from support.browsing import (
    LONG_MS,
    OF_A_SPACE,
    PHONE,
    WIDE,
    fits,
    free_port,
    opened,
    served_at,
    until,
    violations,
)
from support.device_api import GRANT, Device, lend, visitor_token, zerogpu
from support.score_form import FORM, begin, choose, give, picture, quick, zipped
from support.serving import asleep

pytestmark = pytest.mark.browser

RESTARTS = (*OF_A_SPACE, "net::ERR_", "WebSocket")
WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; import spaces; del sys.modules['torch']; "
"""Imports `spaces` before torch, whose build here has no CUDA for it to prepare."""


def space(port: int, folder: Path) -> dict[str, str]:
    """The environment of a Space with jobs in a folder."""
    return {
        "SYSTEM": "spaces", "SPACE_ID": "me/space", "SPACE_HOST": f"127.0.0.1:{port}",
        "DSEL_JOBS": str(folder / "jobs"), "GRADIO_TEMP_DIR": str(folder / "gradio"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def url(app_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Space without ZeroGPU."""
    port = free_port()
    with served_at(app_run, port, **space(port, tmp_path_factory.mktemp("space"))) as found:
        yield found


def visitor(stack: ExitStack, chromium: Any, url: str, number: int, **how: Any) -> Any:
    """The Score tab as a visitor of an own address sees it."""
    headers = {"X-Forwarded-For": f"192.0.2.{number}"}
    how = {"token": "", "headers": headers, "allow": OF_A_SPACE} | how
    page = stack.enter_context(opened(chromium, url, "tab=score", **how))
    page.wait_for_selector(FORM)
    return page


def start_toybox(page: Any, per_class: int) -> None:
    choose(page, "Toybox scenes")
    page.get_by_label("Most per class", exact=True).fill(str(per_class))
    begin(page)


def jobs(page: Any, count: int) -> Any:
    """The cards of so many jobs, the newest first."""
    until(page, ".job-list", f"e => e.children.length === {count}")
    return page.locator(".job-list .job")


def states(page: Any, *wanted: str) -> None:
    texts = "e => [...e.querySelectorAll('.job .state')].map((one) => one.textContent).join(' | ')"
    until(page, ".job-list", f"e => ({texts})(e) === {' | '.join(wanted)!r}")


def test_queue__a_visitor_sees_the_place_while_the_job_of_another_one_runs(
    chromium: Any, url: str
) -> None:
    with ExitStack() as stack:
        first = visitor(stack, chromium, url, 1)
        start_toybox(first, 100)
        states(first, "running")
        second = visitor(stack, chromium, url, 2, dark=True)
        start_toybox(second, 1)
        states(second, "place 1 in the queue")
        assert jobs(second, 1).locator(".job-queue").inner_text() == (
            "It starts after the job that is running: the jobs of all visitors run in turn. "
            "You can close the page meanwhile."
        )
        start_toybox(second, 1)
        states(second, "place 2 in the queue", "place 1 in the queue")
        newest = jobs(second, 2).first
        assert "running and 1 job before it in the queue" in newest.inner_text()
        assert violations(second) == []
        second.reload()  # as one who closed the page and comes back
        states(second, "place 2 in the queue", "place 1 in the queue")
        begin_third_and_cancel(second)
        first.get_by_role("button", name="Cancel").click()
        second.locator(".run-row:has-text('toybox')").nth(1).wait_for(timeout=LONG_MS)
        assert not second.locator(".job-list .job").count()


def begin_third_and_cancel(page: Any) -> None:
    """Two jobs of a visitor run or wait, which is the limit of a Space: a third one is refused."""
    start_toybox(page, 1)
    until(page, ".form-problem", "e => !e.hidden")
    assert page.locator(".form-problem").inner_text() == (
        "the jobs that run or wait of one visitor may be at most 2 here, and 2 are in use: cancel "
        "one, or try again when one is done"
    )
    jobs(page, 2).first.get_by_role("button", name="Cancel").click()
    states(page, "cancelled", "place 1 in the queue")
    begin(page)
    states(page, "place 2 in the queue", "cancelled", "place 1 in the queue")
    cancelled = jobs(page, 3).nth(1)
    cancelled.get_by_role("button", name="Delete").click()
    page.locator("dialog").get_by_role("button", name="Delete", exact=True).click()
    states(page, "place 2 in the queue", "place 1 in the queue")


UPLOAD = """
async ([bytes, count]) => {
  const body = new Uint8Array(bytes);
  const headers = { "Content-Type": "application/octet-stream" };
  const one = () => fetch("_dsel/upload?name=pets.zip", { method: "POST", headers, body });
  for (let n = 0; n < count; n++) if (!(await one()).ok) throw new Error(`upload ${n}`);
}
"""


def test_uploads__of_a_visitor_are_limited_and_those_of_others_go_on(
    chromium: Any, url: str
) -> None:
    pets = zipped({"cat/1.png": picture(), "dog/1.png": picture(1)})
    with ExitStack() as stack:
        page = visitor(stack, chromium, url, 3)
        page.evaluate(UPLOAD, [list(pets), 40])
        choose(page, "Zip of class folders")
        give(page, "pets.zip", pets)
        problem = ".pane:not([hidden]) .notice.bad"
        until(page, problem, "e => !e.hidden")
        assert page.locator(problem).first.inner_text() == (
            "the uploads of one visitor may be at most 40 here, and 40 are in use: they are "
            "removed a day after they were uploaded, so try again tomorrow"
        )
        other = visitor(stack, chromium, url, 4)
        choose(other, "Zip of class folders")
        give(other, "pets.zip", pets)
        until(other, f"{FORM} .source-contents", "e => e.textContent.includes('2 classes')")


def test_zerogpu__a_used_up_quota_says_what_helps_and_the_job_is_resumed(
    chromium: Any, app_run: Path, tmp_path: Path
) -> None:
    """Through the real `spaces` package, by a service that refuses first and lends later."""
    pytest.importorskip("spaces")
    refusal = Device(429, {"left": 12, "wait": 2520}, {"X-Authenticated": "regular"})
    with ExitStack() as stack:
        device = stack.enter_context(lend(refusal))
        port = free_port()
        environment = space(port, tmp_path) | zerogpu(device.url, tmp_path)
        url = stack.enter_context(served_at(app_run, port, before=WITHOUT_TORCH, **environment))
        stack.callback(end_workers, device)
        headers = {"X-Forwarded-For": "192.0.2.5", "X-IP-Token": visitor_token()}
        page = visitor(stack, chromium, url, 5, headers=headers)
        quick(page)
        start_toybox(page, 1)
        card = ".job[data-state=failed]"
        page.wait_for_selector(card, timeout=LONG_MS)
        assert page.locator(f"{card} .notice").inner_text() == (
            "the Space's GPU time is used up: You have exceeded your free ZeroGPU quota "
            "(30s requested vs. 12s left). Try again in 0:42:00; what is scored is kept, so resume "
            "the job later"
        )
        assert "log in at huggingface.co" in page.locator(f"{card} .job-advice").inner_text()
        assert violations(page) == []
        page.emulate_media(color_scheme="dark")
        assert violations(page) == []
        page.set_viewport_size(PHONE)
        assert fits(page)
        page.set_viewport_size(WIDE)
        page.reload()  # also after the page was closed
        page.wait_for_selector(f"{card} .job-advice li")
        device.status, device.body = 200, GRANT
        page.get_by_role("button", name="Resume").click()
        page.locator(".run-row:has-text('toybox')").first.wait_for(timeout=LONG_MS)
        assert {one["token"] for one in device.of("/schedule")} == {visitor_token()}
        assert device.of("/release")
        page.locator(".run-row:has-text('toybox')").get_by_role("button", name="Open").click()
        until(page, "#dsel-panel-inspect .sentence", "e => e.textContent.length > 20")


def end_workers(device: Device) -> None:
    """End the processes that borrowed the GPU, which would outlive the app outside a container."""
    for pid in {one["pid"] for one in device.of("/allow")}:
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def test_sleep__the_page_says_so_and_goes_on_when_the_space_wakes(
    chromium: Any, app_run: Path, tmp_path: Path
) -> None:
    """A proxy answers in the place of a Space that sleeps; its disk is empty when it wakes."""
    port = free_port()
    with ExitStack() as stack:
        with served_at(app_run, port, **space(port, tmp_path / "before")) as url:
            page = visitor(stack, chromium, f"{url}", 6, allow=RESTARTS)
            page.get_by_label("IPC", exact=True).press("ArrowLeft")
            quick(page)
            start_toybox(page, 1)
            page.locator(".run-row:has-text('toybox')").wait_for(timeout=LONG_MS)
        with asleep(port):
            page.get_by_role("tab", name="Inspect").click()
            until(page, ".lost", "e => !e.hidden")
            assert page.locator(".lost").inner_text() == (
                "The app is asleep or starting: something else answers in its place. The page "
                "keeps trying; your settings stay. If it takes minutes, reload the page: a visit "
                "wakes a Space."
            )
            assert "<" not in page.locator(".toasts").inner_text()
            assert violations(page) == []
            page.get_by_role("tab", name="Score").click()
            choose(page, "Zip of class folders")
            give(page, "pets.zip", zipped({"cat/1.png": picture()}))
            problem = ".pane:not([hidden]) .notice.bad"
            until(page, problem, "e => e.textContent.startsWith('The upload failed (HTTP 503)')")
        stack.enter_context(served_at(app_run, port, **space(port, tmp_path / "after")))
        until(page, ".lost", "e => e.hidden")
        until(page, ".toasts", "e => e.textContent.includes('The app answers again.')")
        until(page, ".toasts", "e => e.textContent.includes('toybox is no longer here')")
        page.locator(".run-row:has-text('toybox')").wait_for(state="detached")
        assert "ipc=9" in page.url
        page.get_by_role("tab", name="Inspect").click()
        until(page, "#dsel-panel-inspect .sentence", "e => e.textContent.length > 20")
