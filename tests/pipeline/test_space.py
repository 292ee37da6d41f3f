"""A written Space starts in a process of its own, and nothing of others is overwritten."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.browsing import TOKEN
from support.toyset import finish, scored_run, tree, write_pictures

from dsel.cli.commands import main
from dsel.errors import RunError, SettingError, StorageError
from dsel.pipeline import space as space_module
from dsel.pipeline.bundle import bundle
from dsel.pipeline.space import write_space
from dsel.pipeline.space_files import Space, requirements
from dsel.pipeline.verify import verify
from dsel.runs import Run, open_run
from dsel.types import Done, Notice

CLASSES = {"cat": 5, "dog": 4}
WAIT_S = 300


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("space")
    return scored_run(write_pictures(folder / "my photos", CLASSES), folder / "run")


def written(run: Run, out: Path, **space: str) -> list:
    return finish(write_space(run, out, Space(**space)))


def front_matter(out: Path) -> dict[str, str]:
    _, block, _ = (out / "README.md").read_text("utf-8").split("---\n", 2)
    return dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)


def get(url: str, host: str) -> str:
    request = urllib.request.Request(url, headers={"Host": host})
    with urllib.request.urlopen(request, timeout=WAIT_S) as response:
        assert response.status == 200
        return str(response.read().decode())


def classes(url: str, host: str) -> list[str]:
    """Call the app's public function of that name."""
    headers = {"Host": host, "Content-Type": "application/json"}
    request = urllib.request.Request(url, b'{"data": [""]}', headers)
    with urllib.request.urlopen(request, timeout=WAIT_S) as response:
        event = json.loads(response.read())["event_id"]
    (line,) = [one for one in get(f"{url}/{event}", host).splitlines() if one.startswith("data: ")]
    return list(json.loads(line.removeprefix("data: "))[0])


@contextmanager
def started(out: Path, scratch: Path, **environment: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """Start app.py as a Space does, without this checkout on the path."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (scratch / "errors").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=out, stdout=subprocess.DEVNULL, stderr=errors,
            env=own | {
                "GRADIO_SERVER_PORT": str(port), "DSEL_JOBS": str(scratch / "jobs"),
                "XDG_CACHE_HOME": str(scratch / "caches"), "DSEL_TOKEN": TOKEN, **environment,
            },
        )  # fmt: skip
        try:
            yield process, port
        finally:
            process.terminate()
            process.wait(WAIT_S)


def wait_for(process: subprocess.Popen, port: int, host: str, scratch: Path) -> str:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        assert process.poll() is None, (scratch / "errors").read_text()
        try:
            return get(f"http://127.0.0.1:{port}/", host)
        except OSError:  # refused, reset, or no answer in time
            time.sleep(0.5)
    raise AssertionError((scratch / "errors").read_text())


def test_app__of_a_written_space_serves_its_run(run: Run, tmp_path: Path) -> None:
    """In a fresh process, with the environment of a Space, from the files in the folder alone."""
    out, host = tmp_path / "space", "user-space.hf.space"
    written(run, out)
    before = tree(out)
    with started(out, tmp_path, SPACE_ID="user/space", SPACE_HOST=host) as (process, port):
        page = wait_for(process, port, host, tmp_path)
        assert '"title":"dsel"' in page.replace(" ", "")
        assert "export" in get(f"http://127.0.0.1:{port}/_dsel/app/main.js", host)
        assert classes(f"http://127.0.0.1:{port}/gradio_api/call/classes", host) == list(CLASSES)
    left = {name: one for name, one in tree(out).items() if "__pycache__" not in name}
    assert left == before


def test_app__of_a_linked_run_reads_it_from_there(run: Run, tmp_path: Path) -> None:
    finish(bundle(run, tmp_path / "shared.zip"))
    out = tmp_path / "space"
    events = written(run, out, link=(tmp_path / "shared.zip").as_uri())
    assert not (out / "run").exists()
    notes = [one.text for one in events if isinstance(one, Notice)]
    assert notes[-1].startswith("the run must be at file://")
    with started(out, tmp_path) as (process, port):
        wait_for(process, port, "127.0.0.1", tmp_path)
    assert list((tmp_path / "caches/dsel/bundles").glob("*/shared/run.json"))


def test_write_space__what_a_space_reads(run: Run, tmp_path: Path) -> None:
    events = written(run, tmp_path / "a")
    figures = events[-1].figures if isinstance(events[-1], Done) else {}
    out = tmp_path / "a"
    head = front_matter(out)
    assert head["title"] == '"my photos, distilled by selection"'
    assert (head["sdk"], head["app_file"]) == ("gradio", "app.py")
    assert f"gradio=={head['sdk_version']}\n" in (out / "requirements.txt").read_text()
    assert len(head["short_description"]) <= 60
    assert head["hf_oauth"] == "true"
    readme = (out / "README.md").read_text("utf-8")
    assert "\nhf_oauth_scopes:\n- contribute-repos\ntags:\n" in readme  # the least that can push
    assert "9 images of my photos in 2 classes" in (out / "README.md").read_text("utf-8")
    assert "*.safetensors filter=lfs" in (out / ".gitattributes").read_text()
    files = [path for path in out.rglob("*") if path.is_file() and path.name != "space.json"]
    assert figures["bytes"] == sum(path.stat().st_size for path in files)
    assert not [one for one in finish(verify(out / "run")) if isinstance(one, Notice)]
    text = b"".join(path.read_bytes() for path in (out / "run").rglob("*.json"))
    assert str(run.path.parent).encode() not in text
    assert not list(out.glob("dsel/**/__pycache__"))
    assert not (out / "dsel/assets/demo_run").exists()


def test_write_space__link_and_title(run: Run, tmp_path: Path) -> None:
    link = "hf://someone/my-run"
    written(run, tmp_path / "a", link=link, title="Toys & `things`: a test")
    head = front_matter(tmp_path / "a")
    readme = (tmp_path / "a/README.md").read_text("utf-8")
    assert head["title"] == '"Toys & things : a test"'
    assert "datasets:\n- someone/my-run\n---" in readme
    assert f"dsel app {link}" in readme
    assert f"RUN = {link!r}" in (tmp_path / "a/app.py").read_text()
    assert "s3fs" in requirements("s3://bucket/run").splitlines()
    assert "s3fs" not in requirements(link)
    written(run, tmp_path / "bucket", link="hf://buckets/someone/my-run")
    assert "datasets:" not in (tmp_path / "bucket/README.md").read_text("utf-8")
    for wrong in (
        "someone/my-run",
        "hf://someone",
        "hf://datasets/someone",
        "hf://buckets/someone",
    ):
        with pytest.raises(SettingError, match="link must be a URL such as hf://user/name"):
            written(run, tmp_path / "b", link=wrong)


def test_write_space__again_mends_and_renews(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "space"
    written(run, out)
    whole = tree(out)
    (out / "run/summary.json").unlink()
    (out / ".git").mkdir()
    (out / ".git/config").write_text("[core]")
    written(run, out)
    assert {**tree(out)} == {**whole, ".git/config": tree(out)[".git/config"]}
    written(run, out, link="hf://someone/my-run")
    assert not list((out / "run").rglob("*.*"))
    assert (out / ".git/config").exists()


def test_write_space__never_overwrites_what_others_wrote(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "space"
    out.mkdir()
    (out / "README.md").write_text("mine")
    with pytest.raises(StorageError, match=r"holds other files, such as README\.md"):
        written(run, out)
    assert sorted(tree(out)) == ["README.md"]
    shutil.rmtree(out)
    written(run, out)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(StorageError, match=r"holds other files, such as notes\.txt"):
        written(run, out)
    (out / "notes.txt").unlink()
    (out / "folder").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(StorageError, match=r"holds other files, such as folder"):
        written(run, out)
    (out / "folder").unlink()
    (out / "README.md").write_text("edited")
    with pytest.raises(StorageError, match=r"README\.md was changed since dsel wrote it"):
        written(run, out)
    assert (out / "README.md").read_text() == "edited"


def test_write_space__resumes_after_an_interruption(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(run, tmp_path / "whole")
    events = write_space(run, tmp_path / "space", Space())
    for _ in range(200):
        next(events)
    events.close()
    assert not json.loads((tmp_path / "space/space.json").read_text())["complete"]
    written(run, tmp_path / "space")
    assert tree(tmp_path / "space") == tree(tmp_path / "whole")


def test_write_space__sizes_beyond_a_free_space(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space_module, "FREE_BYTES", 1000)
    texts = [one.text for one in written(run, tmp_path / "a") if isinstance(one, Notice)]
    assert re.match(r"the Space has 0\.0\d GB, and the repository of a free one", texts[-1])
    monkeypatch.setattr(space_module, "DISK_BYTES", 1000)
    told = written(run, tmp_path / "b", link="hf://a/b")
    assert any("the disk of a free Space" in one.text for one in told if isinstance(one, Notice))


def test_command__space(run: Run, tmp_path: Path, capsys) -> None:
    out = tmp_path / "space"
    assert main(["space", str(run.path), "--out", str(out), "--dry-run"]) == 0
    assert not out.exists()
    assert main(["space", str(run.path), "--out", str(out), "--title", "Two animals"]) == 0
    assert f"out: {out}" in capsys.readouterr().out
    assert "# Two animals" in (out / "README.md").read_text("utf-8")
    copy = shutil.copytree(run.path, tmp_path / "run")
    (copy / "summary.json").unlink()
    with pytest.raises(RunError, match="is not finished"):
        written(open_run(copy), tmp_path / "other")
    assert not (tmp_path / "other").exists()
