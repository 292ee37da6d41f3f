"""Handlers of jobs, as local and remote visitors call them."""

from __future__ import annotations

import io
import json
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
from dsel.app.quota import NO_QUOTAS, Quota, Quotas
from dsel.app.state import AppState
from dsel.errors import SettingError, UnreadableImage
from dsel.runs.workers import FailedShard, write_failed

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
        self.state, self.folder, self.local, self.visitor = state, folder, True, ""

    def ask(self, method: str, view: str = "", run: str = "", **params: Any) -> Any:
        response = send(self.state, method, view, run, self.local, self.visitor, **params)
        if "error" in response:
            raise SettingError(response["error"]["message"])
        return response["result"]

    def upload(self, name: str, content: bytes) -> str:
        path = self.folder / HASH / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return f"{HASH}/{name}"

    def done(self, token: str) -> Any:
        wait(self.state.jobs, token)
        return self.ask("job", token=token)


@pytest.fixture
def page_of(run_path: Path, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Make pages of apps, whose prior is the exact one of cats and dogs."""
    opened: list[Jobs] = []

    def make(access: Any = LOCAL, prior: Any = None, quotas: Quotas = NO_QUOTAS) -> Page:
        uploads = tmp_path / "gradio"
        uploads.mkdir(exist_ok=True)
        jobs = Jobs(
            tmp_path / "jobs",
            runner=JobRunner(Priors(lambda _: prior or toy_prior())),
            quotas=quotas,
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


# What a source contains


def test_source_contents__of_an_upload_before_its_job(page_of) -> None:
    page = page_of(SPACE)
    page.local = False
    names = ["p/Train/cat/1.png", "p/Train/cat/2.png", "p/Train/dog/1.png", "p/Test/cat/3.png"]
    source = {
        "kind": "zip",
        "path": page.upload("my pets.zip", zipped([*names, "p/Train/dog/1.txt"])),
    }
    found = page.ask("source_contents", source=source, score={"prompt": "a {class}", "draws": "x"})
    assert found == {
        "split": "p/Train",
        "classes": [
            {"name": "cat", "folder": "cat", "images": 2, "prompts": ["a cat"]},
            {"name": "dog", "folder": "dog", "images": 1, "prompts": ["a dog"]},
        ],
        "total": 2,
        "images": 3,
        "null_prompt": "a ",
        "notes": [
            "the split Train is read, and not Test",
            "1 file is no picture by its name and is left out, such as dog/1.txt",
        ],
    }
    chosen = {"per_class": 1, "split": "test"}
    found = page.ask("source_contents", source=source, source_settings=chosen)
    assert [(one["name"], one["images"]) for one in found["classes"]] == [("cat", 1)]
    assert not list(page.folder.parent.glob("jobs/*/run"))


def test_source_contents__refusals_name_an_upload_without_its_path(page_of) -> None:
    page = page_of(SPACE)
    page.local = False
    path = page.upload("flat.zip", zipped(["train/1.png", "test/2.png"]))
    with pytest.raises(SettingError) as caught:
        page.ask("source_contents", source={"kind": "zip", "path": path})
    assert str(caught.value).startswith("flat.zip has the splits test, train without class folders")
    with pytest.raises(SettingError, match="the file was not uploaded here"):
        page.ask("source_contents", source={"kind": "zip", "path": "/etc/passwd.zip"})
    with pytest.raises(SettingError, match="a folder can be named only"):
        page.ask("source_contents", source={"kind": "folder", "path": "/etc"})


def test_source_contents__of_each_kind(page_of, tmp_path: Path) -> None:
    page = page_of()
    write_pictures(tmp_path / "pictures", {f"{number:03d}": 1 for number in range(205)})
    source = {"kind": "folder", "path": str(tmp_path / "pictures")}
    found = page.ask("source_contents", source=source)
    assert (len(found["classes"]), found["total"], found["images"]) == (200, 205, 205)
    found = page.ask("source_contents", source={"kind": "picture", "class_name": " a cat "})
    assert found["classes"] == [
        {"name": "a cat", "folder": "", "images": 1, "prompts": ["An image of a cat."]}
    ]
    found = page.ask("source_contents", source={"kind": "toybox"}, source_settings={"per_class": 3})
    assert (found["total"], found["images"], found["classes"][0]["images"]) == (10, 30, 3)


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


@pytest.mark.parametrize("local", [False, True])
def test_score_start__workers_are_for_local_visitors(page_of, local: bool) -> None:
    page = page_of()
    page.local = local
    form = [one["name"] for one in page.ask("score_options")["launch"]]
    assert form == (["workers"] if local else [])
    if not local:
        with pytest.raises(SettingError, match="workers can only be set on the app's own machine"):
            page.ask("score_start", source={"kind": "toybox"}, workers=2)


def test_job__shards_that_failed_are_listed(page_of) -> None:
    page = page_of()
    path = page.upload("pets.zip", zipped(["cat/1.png", "dog/1.png"]))
    gate = Gate()
    page.state.jobs.runner.priors = Priors(lambda _: gate)
    gate.calls = 0
    token = page.ask("score_start", source={"kind": "zip", "path": path}, score=SCORE)["token"]
    assert gate.reached.wait(WAIT_S)
    run = page.state.jobs.folder(token) / "run"
    write_failed(run, FailedShard(0, 7, 3, "its worker was killed", 0.0))
    report = page.ask("job", token=token)
    assert [(one["shard"], one["tries"]) for one in report["failed"]] == [(7, 3)]
    (worker,) = report["workers"]
    assert {"device", "stage", "shard", "done", "total", "rate"} == worker.keys()
    gate.open.set()
    assert page.done(token)["workers"] == []


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"readme.txt": b"hello"}, "pets.zip"),
        ({"cat/readme.txt": b"hello", "dog/notes.md": b"x"}, "pets.zip"),
        ({"cat/1.png": b"hello", "cat/2.png": b"hello"}, "none of the 2 images was scored: "
         "cat/1.png: is text, not an image"),
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
    (cat,) = page.ask("start", run=token)["classes"]
    assert (cat["name"], cat["scored"], cat["skipped"]) == ("cat", 1, 0)
    shown = page.ask("image", run=token)
    assert shown["image_id"] == "class/Tom_s.png"
    (kept,) = page.state.jobs.result(token).parent.glob("picture/class/*")
    assert kept.read_bytes() == png()


def test_score_start__an_image_under_several_names(page_of) -> None:
    page = page_of()
    source = {
        "kind": "picture",
        "path": page.upload("a.png", png()),
        "class_names": [" cat ", "dog"],
    }
    contents = page.ask("source_contents", source={**source, "path": ""})
    assert [one["name"] for one in contents["classes"]] == ["cat", "dog"]
    assert contents["images"] == 1
    token = page.ask("score_start", source=source, score=SCORE)["token"]
    report = page.done(token)
    assert (report["state"], report["title"]) == ("done", "a.png as cat or dog"), report["error"]
    assert report["figures"]["names"] == 2
    found = page.ask("names", run=token)
    assert {one["name"] for one in found["rows"]} == {"cat", "dog"}
    scores = [one["score"] for one in found["rows"]]
    assert scores[0] >= scores[1]
    assert found["rows"][1]["behind"] == pytest.approx(scores[0] - scores[1])
    assert found["range"]["low"] == -found["range"]["high"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat", " cat"], "the class names of an image must differ, got 'cat' twice"),
        (["cat", " "], "class name must be one line of 1 to 200 characters, got ''"),
        (["cat"] * 17, "class_names must have at most 16 entries, got 17"),
    ],
)
def test_score_start__names_that_are_refused(page_of, names: list[str], message: str) -> None:
    page = page_of()
    source = {"kind": "picture", "path": page.upload("a.png", png()), "class_names": names}
    with pytest.raises(SettingError, match=message):
        page.ask("score_start", source=source, score=SCORE)


@pytest.mark.parametrize(
    "name", ["../cat", "train cat", ".cat", "a/cat", "cat.png", 'd\'été "cat"']
)
def test_score_start__odd_class_names(page_of, name: str) -> None:
    page = page_of()  # whose prior knows the word cat
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


def test_score_start__a_large_picture_of_a_remote_visitor(page_of) -> None:
    """25.5 megapixels of one colour: decoded for the app's own machine alone."""
    large = io.BytesIO()
    Image.new("P", (5100, 5000)).save(large, "PNG", transparency=0)
    page = page_of()
    source = {"kind": "picture", "path": page.upload("a.png", large.getvalue())}
    page.local = False
    with pytest.raises(SettingError) as caught:
        page.ask("score_start", source=source | {"class_name": "cat"})
    assert str(caught.value) == (
        "a.png: 5100 x 5000 px is more than the limit of 25 megapixels (--max-megapixels)"
    )
    page.local = True
    report = page.done(
        token := page.ask("score_start", source=source | {"class_name": "cat"}, score=SCORE)[
            "token"
        ]
    )
    assert report["state"] == "done", report["error"]
    assert token


def test_score_start__one_picture_is_decoded_at_a_time(page_of, monkeypatch) -> None:
    page, running, most = page_of(), [], []

    def slow(*given: object) -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.05)
        running.pop()
        raise UnreadableImage("is refused")

    monkeypatch.setattr("dsel.app.handlers.jobs.decode", slow)
    source = {"kind": "picture", "path": page.upload("a.png", png()), "class_name": "cat"}

    def ask(_: int) -> None:
        with pytest.raises(SettingError, match="is refused"):
            page.ask("score_start", source=source)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    assert most == [1] * 4


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", "a\x00b"])
def test_score_start__invalid_class_names(page_of, name: str) -> None:
    page = page_of()  # whose prior knows the word cat
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


@pytest.mark.parametrize(
    ("source", "more", "words"),
    [
        ({"kind": "toybox", "path": "a.zip"}, {}, "path is no parameter of a source of the kind"),
        ({"kind": "toybox", "class_name": "cat"}, {}, "class_name is no parameter of a source"),
        ({"kind": "zip", "path": "a.zip", "class_name": "cat"}, {}, "class_name is no parameter"),
        ({"kind": "toybox", "per_class": 2}, {}, "unknown parameter 'per_class'; known are: kind"),
        ({"kind": "toybox"}, {"per_class": 2}, "unknown parameter 'per_class'; known are: source"),
        ({"kind": "toybox"}, {"score": {"per_class": 2}}, "unknown setting 'per_class'; known"),
        ({"kind": "toybox"}, {"prior": {"draws": 2}}, "unknown setting 'draws'; known are"),
        (
            {"kind": "picture", "path": "a.png", "class_name": "cat"},
            {"source_settings": {"per_class": 2}},
            "one image has no source settings",
        ),
    ],
)
def test_score_start__misplaced_keys_start_no_job(page_of, source, more, words) -> None:
    page = page_of()
    for local in (True, False):
        page.local = local
        with pytest.raises(SettingError, match=words):
            page.ask("score_start", source=source, **more)
    assert not list(page.state.jobs._jobs)


def test_score_start__a_remote_visitor_has_one_decoder(page_of) -> None:
    page = page_of(SPACE)
    page.local = False
    path = page.upload("a.zip", zipped(["cat/1.png", "dog/1.png"]))
    token = page.ask("score_start", source={"kind": "zip", "path": path}, score=SCORE)["token"]
    assert page.state.jobs.task(token).settings.decoders == 1


def test_score_start__quotas_of_a_visitor(page_of) -> None:
    gate = Gate(0)
    page = page_of(SPACE, gate, Quotas(Quota(active=1), Quota()))
    page.visitor, page.local = "1.2.3.4", False
    start = {"source": {"kind": "toybox"}, "source_settings": {"per_class": 1}, "score": SCORE}
    token = page.ask("score_start", **start)["token"]
    with pytest.raises(SettingError, match="the jobs that run or wait of one visitor may be at"):
        page.ask("score_start", **start)
    with pytest.raises(SettingError, match="the jobs that run or wait of one visitor may be at"):
        page.ask("export_start", "ipc=1")
    page.ask("job_cancel", token=token)
    gate.calls = None
    gate.open.set()
    page.done(token)
    assert page.ask("export_start", "ipc=1")["token"]


def test_score_start__limits_of_a_space(page_of) -> None:
    page = page_of(SPACE)
    for more, words in (
        ({"prior": {"prior": "owner/huge"}}, "unknown prior 'owner/huge'; known are: demo"),
        ({"prior": {"lora": "/etc/x"}}, "lora can only be set on the app's own machine"),
        ({"score": {"draws": 64}}, "draws must be between 1 and 16 here, got 64"),
        ({"source_settings": {"max_megapixels": 9}}, "max megapixels can only be set on the app's"),
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


def test_job_remove__by_whoever_started_it(page_of) -> None:
    """Others have the token from a link to the run: they see it and cannot change it."""
    page = page_of()
    page.local, page.visitor = False, "192.0.2.1"
    path = page.upload("cat.png", png())
    source = {"kind": "picture", "path": path, "class_name": "cat"}
    token = page.ask("score_start", source=source, score=SCORE)["token"]
    assert page.done(token)["mine"] is True
    page.visitor = "192.0.2.2"
    assert page.ask("job", token=token)["mine"] is False
    for method, more in (("job_remove", {}), ("job_rename", {"title": "theirs"})):
        with pytest.raises(SettingError, match="only the visitor who started a job"):
            page.ask(method, token=token, **more)
    page.visitor = "192.0.2.1"
    assert page.ask("job_rename", token=token, title=" mine ")["title"] == "mine"
    assert page.ask("start", run=token)["run"]["scored"] == 1
    assert page.ask("job_remove", token=token) == {"token": token}
    assert page.ask("jobs", tokens=[token]) == {"jobs": []}
    with pytest.raises(SettingError, match="there is no such job"):
        page.ask("start", run=token)


@pytest.mark.parametrize("title", ["", "  ", "two\nlines", "x" * 201])
def test_job_rename__invalid_names(page_of, title: str) -> None:
    page = page_of()
    source = {"kind": "picture", "path": page.upload("cat.png", png()), "class_name": "cat"}
    token = page.ask("score_start", source=source, score=SCORE)["token"]
    page.done(token)
    with pytest.raises(SettingError, match="name of a job must be one line"):
        page.ask("job_rename", token=token, title=title)
    assert page.ask("job_rename", token=token, title="ours")["title"] == "ours"


def test_export__from_summary_to_download(page_of) -> None:
    page, view = page_of(), "ipc=3&factor=2&patch_px=32&file_format=jpeg"
    summary = page.ask("export_summary", view)
    token = page.ask("export_start", view)["token"]
    report = page.done(token)
    assert report["state"] == "done", report["error"]
    assert report["download"]["name"] == "dsel_export.zip"
    assert report["download"]["path"] == f"exports/{token}"
    with zipfile.ZipFile(page.state.jobs.result(token)) as archive:
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
