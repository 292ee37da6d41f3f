"""Handlers of jobs, as local and remote visitors call them."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.jobs import WAIT_S, Gate, wait
from support.page import send
from support.synthetic import synthetic_run
from support.toyset import draw_picture, toy_prior, write_pictures

from dsel.app.access import access_of
from dsel.app.jobs.queue import Jobs
from dsel.app.jobs.runner import JobRunner, Priors
from dsel.app.state import AppState
from dsel.errors import SettingError

HASH = "0a" * 32
LOCAL, SPACE = access_of(environment={}), access_of(environment={"SPACE_ID": "me/dsel"})
SCORE = {"timesteps": [300, 600], "draws": 2, "shard_size": 3, "feature_grid": 4, "feature_dim": 8}


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("jobbing") / "run"
    synthetic_run(path, classes=2, per_class=14)
    return path


class Page:
    """A page of a visitor; errors are raised."""

    def __init__(self, state: AppState, folder: Path) -> None:
        self.state, self.folder, self.local = state, folder, True

    def ask(self, method: str, view: str = "", run: str = "", **params: Any) -> Any:
        response = send(self.state, method, view, run, self.local, **params)
        if "error" in response:
            raise SettingError(response["error"]["message"])
        return response["result"]

    def upload(self, name: str, content: bytes) -> str:
        path = self.folder / HASH / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    def done(self, token: str) -> Any:
        wait(self.state.jobs, token)
        return self.ask("job", token=token)


@pytest.fixture
def page_of(run_path: Path, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Make pages of apps, whose prior is the exact one of cats and dogs."""
    opened: list[Jobs] = []

    def make(access: Any = LOCAL, prior: Any = None) -> Page:
        uploads = tmp_path / "gradio"
        uploads.mkdir(exist_ok=True)
        jobs = Jobs(
            tmp_path / "jobs",
            runner=JobRunner(Priors(lambda _: prior or toy_prior())),
            served=uploads / "dsel_exports",
        )
        opened.append(jobs)
        return Page(AppState(run_path, jobs, access, str(uploads)), uploads)

    yield make
    for jobs in opened:
        jobs.close(WAIT_S)


def png(class_index: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(draw_picture(0, class_index, 0)).save(stream, "png")
    return stream.getvalue()


def zipped(names: list[str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, png())
    return stream.getvalue()


def bomb_png(side: int = 30_000) -> bytes:
    """An image of a few bytes whose header declares 900 million pixels."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


# Scoring


def test_score_start__a_zip_and_its_run_opens(page_of) -> None:
    page = page_of()
    path = page.upload("my pets.zip", zipped(["cat/1.png", "cat/2.png", "dog/1.png"]))
    token = page.ask("score_start", source={"kind": "zip", "path": path}, score=SCORE)["token"]
    report = page.done(token)
    assert (report["state"], report["title"]) == ("done", "my pets.zip")
    assert report["figures"]["images"] == 3
    assert report["download"] is None
    assert [one["name"] for one in page.ask("start", run=token)["classes"]] == ["cat", "dog"]
    assert page.ask("image", run=token)["image_id"] in ("cat/1.png", "cat/2.png")
    assert [one["token"] for one in page.ask("jobs", tokens=[token, "gone"])["jobs"]] == [token]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"readme.txt": b"hello"}, "pets.zip"),
        ({"cat/readme.txt": b"hello", "dog/notes.md": b"x"}, "pets.zip"),
        ({"cat/1.png": b"hello", "cat/2.png": b"hello"}, "none of its 2 images can be scored; "
         "cat/1.png is text, not an image"),
        ({}, "pets.zip"),
    ],
)  # fmt: skip
def test_score_start__a_zip_without_images_fails(
    page_of, files: dict[str, bytes], words: str
) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    page = page_of()
    source = {"kind": "zip", "path": page.upload("pets.zip", stream.getvalue())}
    report = page.done(page.ask("score_start", source=source, score=SCORE)["token"])
    assert report["state"] == "failed"
    assert words in report["error"]
    assert "\n" not in report["error"]


def test_score_start__one_image_and_a_class(page_of) -> None:
    page = page_of()
    source = {"kind": "picture", "path": page.upload("Tom's.PNG", png()), "class_name": " cat "}
    token = page.ask("score_start", source=source, score=SCORE)["token"]
    report = page.done(token)
    assert (report["state"], report["title"]) == ("done", "Tom's.PNG as cat"), report["error"]
    assert page.ask("start", run=token)["classes"] == [{"name": "cat", "scored": 1, "skipped": 0}]
    shown = page.ask("image", run=token)
    assert shown["image_id"] == "class/Tom_s.png"
    (kept,) = page.state.jobs.result(token).parent.glob("picture/class/*")
    assert kept.read_bytes() == png()


@pytest.mark.parametrize("name", ["../x", "train", ".hidden", "a/b", "cat.png", 'd\'été "é"'])
def test_score_start__odd_class_names(page_of, name: str) -> None:
    page = page_of()
    source = {"kind": "picture", "path": page.upload("a.png", png()), "class_name": name}
    report = page.done(token := page.ask("score_start", source=source, score=SCORE)["token"])
    assert report["state"] == "done", report["error"]
    assert page.ask("start", run=token)["classes"][0]["name"] == name


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", bomb_png(), "more than the 100 megapixels"),
        ("a.png", b"hello", "a.png: is text, not an image"),
        ("a.svg", b"<svg>", "a.svg must end in .jpg"),
    ],
)
def test_score_start__images_that_are_refused(page_of, name, content, words) -> None:
    page = page_of()
    source = {"kind": "picture", "path": page.upload(name, content), "class_name": "cat"}
    with pytest.raises(SettingError, match=words):
        page.ask("score_start", source=source)


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", "a\x00b"])
def test_score_start__invalid_class_names(page_of, name: str) -> None:
    page = page_of()
    source = {"kind": "picture", "path": page.upload("a.png", png()), "class_name": name}
    with pytest.raises(SettingError, match="class name must be one line"):
        page.ask("score_start", source=source)


def test_score_start__a_folder_of_this_machine(page_of, tmp_path) -> None:
    folder = write_pictures(tmp_path / "pets", {"cat": 3, "dog": 3})
    ask = {"source": {"kind": "folder", "path": str(folder)}, "score": SCORE}
    page = page_of()
    assert page.done(page.ask("score_start", **ask)["token"])["state"] == "done"
    with pytest.raises(SettingError, match="whole path"):
        page.ask("score_start", source={"kind": "folder", "path": "pets"})
    page.local = False
    with pytest.raises(SettingError, match="a folder can be named only"):
        page.ask("score_start", **ask)
    with pytest.raises(SettingError, match="a folder can be named only"):
        page_of(SPACE).ask("score_start", **ask)


def test_score_start__only_uploads(page_of) -> None:
    with pytest.raises(SettingError, match="was not uploaded here"):
        page_of().ask("score_start", source={"kind": "zip", "path": "/etc/passwd"})


def test_score_start__limits_of_a_space(page_of) -> None:
    page = page_of(SPACE)
    for more, words in (
        ({"prior": {"prior": "owner/huge"}}, "unknown prior 'owner/huge'; known are: demo"),
        ({"prior": {"lora": "/etc/x"}}, "lora can only be set on the app's own machine"),
        ({"score": {"draws": 64}}, "draws must be between 1 and 16 here, got 64"),
        ({"score": {"decoders": 8}}, "decoders can only be set on the app's own machine"),
    ):
        with pytest.raises(SettingError, match=words):
            page.ask("score_start", source={"kind": "toybox"}, **more)


def test_score_options__the_forms(page_of) -> None:
    local, space = page_of().ask("score_options"), page_of(SPACE).ask("score_options")
    assert local["kinds"] == ["zip", "folder", "picture", "toybox"]
    assert space["kinds"] == ["zip", "picture", "toybox"]
    assert (local["trusted"], space["trusted"], space["priors"]) == (True, False, ["demo"])
    assert [field["name"] for field in local["score"]][:2] == ["timesteps", "draws"]
    assert "lora" in [field["name"] for field in local["prior"]]
    assert "lora" not in [field["name"] for field in space["prior"]]


def test_job__cancel_and_resume(page_of) -> None:
    gate = Gate(0)
    page = page_of(prior=gate)
    path = page.upload("a.zip", zipped(["cat/1.png", "dog/1.png"]))
    token = page.ask("score_start", source={"kind": "zip", "path": path}, score=SCORE)["token"]
    assert gate.reached.wait(WAIT_S)
    assert page.ask("job", token=token)["stage"] == "score"
    assert page.ask("job_cancel", token=token)["stopping"]
    gate.calls = None
    gate.open.set()
    assert page.done(token)["state"] == "cancelled"
    assert page.ask("job_resume", token=token)["state"] in ("waiting", "running")
    assert page.done(token)["state"] == "done"
    with pytest.raises(SettingError, match="there is no such job"):
        page.ask("job", token="x")


# Exporting


def test_export__from_summary_to_download(page_of) -> None:
    page, view = page_of(), "ipc=3&factor=2&patch_px=32&file_format=jpeg"
    summary = page.ask("export_summary", view)
    token = page.ask("export_start", view)["token"]
    report = page.done(token)
    assert report["state"] == "done", report["error"]
    assert report["download"]["name"] == "dsel_export.zip"
    assert report["download"]["path"].startswith(str(page.folder / "dsel_exports"))
    with zipfile.ZipFile(report["download"]["path"]) as archive:
        names = archive.namelist()
        images = [one.file_size for one in archive.infolist() if one.filename.endswith(".jpg")]
    assert len(names) == summary["files"] == summary["images"] + 4
    assert report["figures"]["images"] == summary["images"] == len(images)
    assert abs(report["download"]["bytes"] / summary["zip_bytes"] - 1) < 0.02
    assert summary["images_bytes"] == pytest.approx(sum(images), rel=0.02)
    assert (summary["pixels"], summary["image_px"]) == ("proxy", 128)
    assert summary["source_problem"] == "missing"
    assert "cutting from the run's proxies" in summary["source_message"]


def test_export_summary__of_each_class(page_of) -> None:
    summary = page_of().ask("export_summary", "ipc=20&pixels=proxy")
    assert [(short["name"], short["images"]) for short in summary["short"]] == [
        ("disc", 14), ("square", 14),
    ]  # fmt: skip
    assert (summary["images"], summary["source_problem"], summary["source_message"]) == (28, "", "")
    assert [(one["name"], one["images"]) for one in summary["classes"]] == [
        ("disc", 14), ("square", 14),
    ]  # fmt: skip
    assert sum(one["images_bytes"] for one in summary["classes"]) == summary["images_bytes"]


def test_export_summary__png_is_larger_than_jpeg(page_of) -> None:
    page = page_of()
    png, jpeg = (
        page.ask("export_summary", f"ipc=3&file_format={kind}")["classes"][0]["images_bytes"]
        for kind in ("png", "jpeg")
    )
    assert png > jpeg > 0


def test_export_commands__paths_for_local_visitors_only(page_of, run_path) -> None:
    page = page_of()
    found = page.ask("export_commands", "ipc=3&image_px=64")
    assert found["command"] == (
        f"dsel select {run_path} --ipc 3 && "
        f"dsel export {run_path} --out dsel_export.zip --image-px 64"
    )
    page.local = False
    found = page.ask("export_commands", "ipc=3")
    assert found["command"] == "dsel select RUN --ipc 3 && dsel export RUN --out dsel_export.zip"
    assert found["placeholder"]
    assert str(run_path) not in json.dumps(found)
