"""The report of a run: its figures are those of the run, and it needs no other file."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.evaluated import evaluation, row, write_evaluations
from support.synthetic import MIXED, draw, synthetic_run, write_run
from support.toyset import finish, value_of

from dsel.analysis.explorer import Explorer
from dsel.analysis.report import plan_report, write_report
from dsel.analysis.report import report_html as report_events
from dsel.analysis.report_chart import accuracy_chart
from dsel.analysis.report_pictures import gradient_of, overlay_uri
from dsel.analysis.report_text import number_text, percent_text, share_text, value_text
from dsel.config import SelectSettings, SourceSettings
from dsel.data.base import origin_of
from dsel.errors import SettingError
from dsel.pipeline.select import select
from dsel.runs import Run, open_run

SETTINGS = SelectSettings(patch_px=64, ipc=4)


def report_html(*arguments: Any, **more: Any) -> str:
    """The report, without the events on the way."""
    return value_of(report_events(*arguments, **more))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("report") / "run"
    found = synthetic_run(path, classes=3, per_class=12, sizes=MIXED)
    write_evaluations(path)
    return found


@pytest.fixture(scope="module")
def explorer(run: Run) -> Explorer:
    return Explorer(run)


@pytest.fixture(scope="module")
def html(explorer: Explorer) -> str:
    return report_html(explorer, SETTINGS, explorer.run.evaluations())


class Page(HTMLParser):
    """The attributes and the cells of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.inside = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


def test_report_html__refers_to_no_other_file(html):
    page = Page(html)
    links = [value for name, value in page.attributes if name in ("src", "href")]
    assert all(link.startswith(("#", "data:image/")) for link in links)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html
    assert len(html) < 1_000_000


def test_report_html__the_same_again(explorer, html):
    assert report_html(explorer, SETTINGS, explorer.run.evaluations()) == html


def test_report_html__class_figures_are_the_run_s(explorer, html):
    rows = {cells[0]: cells for cells in Page(html).rows if cells}
    for index, name in enumerate(explorer.classes):
        selected, quality = explorer.select(index, SETTINGS), explorer.quality(index, SETTINGS)
        kept = [selected.patches[rank] for rank in sorted(selected.kept(4))]
        mean = sum(one.picture_score for one in kept) / len(kept)
        error = sum(one.picture_standard_error**2 for one in kept) ** 0.5 / len(kept)
        assert rows[name][1:7] == [
            "12", "0", str(quality.kept), share_text(mean, error),
            number_text(quality.coverage_distance),
            f"{quality.clusters_covered} of {quality.clusters}",
        ]  # fmt: skip


def test_report_html__shows_each_kept_patch_with_its_map(explorer, html):
    page = Page(html)
    shown = [value for name, value in page.attributes if name == "alt" and value]
    expected = []
    for index in range(3):
        views = [view for image in explorer.distilled(index, SETTINGS) for view in image]
        expected += [view.image_id for view in sorted(views, key=lambda view: view.rank)]
    assert shown == expected
    thumbnails = re.findall(r'src="data:image/webp;base64,([^"]+)"', html)
    rows = explorer.run.class_rows(0)
    first = rows[explorer.row_of(0, expected[0])]
    assert base64.b64decode(thumbnails[0]) == explorer.run.image_bytes([first], "thumbnail")[0]
    maps = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert len(maps) == len(thumbnails) == 12
    image = Image.open(io.BytesIO(base64.b64decode(maps[0])))
    combined = explorer.maps(0, explorer.row_of(0, expected[0]), SETTINGS).combined
    assert image.size == combined.shape[::-1]
    alpha = np.array(image)[:, :, 3]
    assert alpha.ravel()[combined.argmax()] == 255
    assert (alpha[combined == 0] == 0).all()


def test_report_html__evaluations_with_their_figures_and_commands(html):
    rows = Page(html).rows
    assert ["dsel", "10", "100", "3", "36.0 ± 1.0", "0.50", "+5.0", "p = 0.012"] in rows
    assert "dsel&#39;s set trains better than random whole images at IPC 10" in html
    assert "dsel evaluate" in html
    assert "--test=toybox:seed=13" in html
    assert html.count("<svg") == 2


def test_report_html__without_evaluations_has_no_part_for_them(explorer):
    assert 'id="evaluations"' not in report_html(explorer, SETTINGS, [])


def test_report_html__settings_that_differ_are_marked(html):
    rows = {cells[0]: cells[1] for cells in Page(html).rows if cells}
    assert rows["Patch size"] == "64 px not the default"
    assert rows["IPC"] == "4 images per class not the default"
    assert rows["Score by"] == "signed"
    assert rows["Draws per timestep"] == "2"


def test_report_html__names_are_never_markup(tmp_path):
    origin = origin_of(str(tmp_path / "gone"), SourceSettings())
    found = write_run(tmp_path / "run", {"<b>disc</b>": 4}, origin, lambda c, n: draw(c, n))
    html = report_html(Explorer(found), SETTINGS, [])
    assert "<b>disc" not in html
    assert "&lt;b&gt;disc&lt;/b&gt;" in html


def test_report_html__skipped_images_by_reason(tmp_path):
    origin = origin_of(str(tmp_path / "gone"), SourceSettings())
    drawn = write_run(
        tmp_path / "run", {"disc": 6, "square": 4}, origin,
        lambda c, n: None if n < 2 and c == 0 else draw(c, n),
    )  # fmt: skip
    rows = Page(report_html(Explorer(drawn), SETTINGS, [])).rows
    assert ["is damaged: it was drawn so", "2", "disc/000000, disc/000001"] in rows
    assert next(cells for cells in rows if cells[:1] == ["disc"])[1:3] == ["4", "2"]


def test_report_html__a_class_without_images(tmp_path):
    origin = origin_of(str(tmp_path / "gone"), SourceSettings())
    found = write_run(
        tmp_path / "run", {"disc": 3, "square": 2}, origin,
        lambda c, n: None if c else draw(c, n),
    )  # fmt: skip
    html = report_html(Explorer(found), SETTINGS, [])
    assert "No patch of this class is kept." in html


def test_report_html__remote_visitors_see_no_folder(explorer, run):
    html = report_html(explorer, SETTINGS, [], path=Path("RUN"), is_public=True)
    assert str(run.path.parent) not in html
    assert "dsel score gone --run RUN" in html


def test_report_html__fewer_pictures(explorer):
    html = report_html(explorer, SETTINGS, [], shown=1)
    assert html.count("data:image/webp") == 3
    assert "1 of 4 kept patches" in html
    assert report_html(explorer, SETTINGS, [], shown=0).count("data:image") == 0


def test_plan_report__of_the_current_selection(tmp_path):
    found = synthetic_run(tmp_path / "run", classes=2, per_class=6)
    out = tmp_path / "report.html"
    assert plan_report(found, out).settings == SelectSettings()
    finish(select(found, SETTINGS))
    plan = plan_report(open_run(found.path), out)
    assert plan.settings == SETTINGS
    finish(write_report(Explorer(found), out, plan))
    assert out.read_text("utf-8") == report_html(Explorer(found), SETTINGS, [])


def test_write_report__counts_the_classes(explorer, tmp_path):
    out = tmp_path / "report.html"
    plan = plan_report(explorer.run, out)
    started, *progress, done = finish(write_report(explorer, out, plan))
    assert (started.stage, started.total, len(progress)) == ("report", 3, 3)
    assert done.figures == {"out": str(out), "bytes": out.stat().st_size}


def test_plan_report__of_one_evaluation(run, tmp_path):
    plan = plan_report(run, tmp_path / "report.html", evaluation="b" * 16)
    assert plan.settings == SelectSettings(patch_px=32)
    assert [one.fingerprint for one in plan.evaluations] == ["b" * 16]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"out": "report.pdf"}, "must be a file that ends in .html, got"),
        ({"evaluation": "nothing"}, "unknown evaluation 'nothing'"),
        ({"evaluation": "a" * 16, "selection": "s"}, "name one of the two"),
    ],
)
def test_plan_report__refuses(run, tmp_path, how: dict[str, Any], says):
    more = {name: value for name, value in how.items() if name != "out"}
    with pytest.raises(SettingError, match=re.escape(says)):
        plan_report(run, tmp_path / how.get("out", "report.html"), **more)


def test_accuracy_chart__curves_over_ipc():
    rows = [row("dsel", 1, 0.2), row("dsel", 10, 0.4), row("random-whole", 1, 0.1),
            row("random-whole", 10, 0.3)]  # fmt: skip
    chart = accuracy_chart(rows)
    assert [tick.text for tick in chart.across] == ["1", "10"]
    own, random = chart.lines
    assert (own.name, own.is_own, random.name) == ("dsel", True, "random whole")
    zero, top = chart.up[0].at, chart.up[-1].at
    share = float(chart.up[-1].text) / 100
    for mark, mean in zip(own.marks, (0.2, 0.4), strict=True):
        assert (zero - mark.y) / (zero - top) * share == pytest.approx(mean)
        low, high = (((zero - y) / (zero - top)) * share for _, y in (mark.start, mark.end))
        assert (low, high) == (pytest.approx(mean - 0.005), pytest.approx(mean + 0.005))


def test_accuracy_chart__a_row_for_each_set_at_one_ipc():
    chart = accuracy_chart([row("random-whole", 5, 0.1), row("dsel", 5, 0.3)])
    assert chart.is_single
    assert [tick.text for tick in chart.up] == ["dsel", "random whole"]
    assert chart.lines[0].marks[0].x > chart.lines[1].marks[0].x


def test_accuracy_chart__nothing_measured():
    assert accuracy_chart([]) is None
    assert accuracy_chart(evaluation().rows) is None


def test_overlay_uri__colours_are_those_of_the_scale():
    uri = overlay_uri(np.array([[-1.0, 0.0, 1.0]], np.float32), 1.0, "signed")
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
    ends = gradient_of("signed").split(", ")
    assert ["#" + bytes(one[:3].tolist()).hex() for one in pixels[0, ::2]] == [ends[0], ends[-1]]
    assert pixels[0, :, 3].tolist() == [255, 0, 255]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (number_text(1234.5), "1234"),
        (number_text(-0.01234), "−0.0123"),
        (number_text(float("nan")), "–"),
        (number_text(None), "–"),
        (percent_text(0.02346), "2.35 %"),
        (share_text(0.0235, 0.00085), "2.350 ± 0.085 %"),
        (share_text(-0.0235, 0.011), "−2.4 ± 1.1 %"),
        (share_text(0.02, None), "2.00 %"),
        (value_text(()), "–"),
        (value_text((1, 2)), "1 2"),
        (value_text(True), "yes"),
    ],
)
def test_text(text, expected):
    assert text == expected


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_report__opens_in_a_browser(html, tmp_path, chromium, dark):
    path = tmp_path / "report.html"
    path.write_text(html, "utf-8")
    context = chromium.new_context(color_scheme="dark" if dark else "light")
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    pictures = page.locator(".shot img")
    widths = pictures.evaluate_all("all => all.map((one) => one.naturalWidth)")
    assert len(widths) == 24
    assert min(widths) > 0
    assert page.locator(".map").first.is_visible()
    page.get_by_label("Show the heat maps").uncheck()
    assert page.locator(".map").first.is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    assert said == []
    assert {one.partition(":")[0] for one in asked} <= {"file", "data"}
    context.close()
