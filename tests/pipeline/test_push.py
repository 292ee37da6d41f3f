"""Pushing to the Hub: what is sent, to a stand-in for the Hub's API, and what is refused."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.toyset import finish, scored_run, write_pictures

from dsel.cli.commands import main
from dsel.config import ExportSettings
from dsel.errors import SettingError, StorageError
from dsel.pipeline.export import export
from dsel.pipeline.push import check_push, push
from dsel.runs import Run
from dsel.types import Done, Notice

PARQUET = ExportSettings(format="parquet")


class FakeApi:
    """Datasets in memory: the files of each, and whether it is private."""

    def __init__(self) -> None:
        self.files: dict[str, set[str]] = {}
        self.private: dict[str, bool] = {}
        self.error: Exception | None = None

    def create_repo(self, repo: str, repo_type: str, private: bool, exist_ok: bool) -> None:
        assert (repo_type, exist_ok) == ("dataset", True)
        if self.error:
            raise self.error
        if repo not in self.files:
            self.files[repo], self.private[repo] = {".gitattributes"}, private

    def list_repo_files(self, repo: str, repo_type: str) -> list[str]:
        assert repo_type == "dataset"
        return sorted(self.files[repo])

    def repo_info(self, repo: str, repo_type: str) -> SimpleNamespace:
        assert repo_type == "dataset"
        return SimpleNamespace(private=self.private[repo])

    def upload_folder(
        self, repo_id: str, repo_type: str, folder_path: Path, commit_message: str,
        ignore_patterns: list[str], delete_patterns: list[str],
    ) -> SimpleNamespace:  # fmt: skip
        assert repo_type == "dataset"
        assert commit_message
        kept = {f for f in self.files[repo_id] if not any(fnmatch(f, p) for p in delete_patterns)}
        names = {
            p.relative_to(folder_path).as_posix() for p in folder_path.rglob("*") if p.is_file()
        }
        sent = {name for name in names if not any(fnmatch(name, p) for p in ignore_patterns)}
        self.files[repo_id] = kept | sent
        return SimpleNamespace(oid="0123")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    work = tmp_path_factory.mktemp("push")
    return scored_run(write_pictures(work / "pictures", {"cat": 2, "dog": 2}), work / "run")


@pytest.fixture
def out(run: Run, tmp_path: Path) -> Path:
    finish(export(run, tmp_path / "out", PARQUET))
    return tmp_path / "out"


SENT = {
    ".gitattributes", "README.md", "classes.json", "data/train-00000.parquet", "manifest.json",
    "patches/train-00000.parquet", "preview.webp",
}  # fmt: skip


def test_push__private_unless_public(out):
    api = FakeApi()
    (out / "run").mkdir()
    (out / "run/run.json").write_text("stays here")
    (out / ".dsel.lock").write_text("stays here")
    events = finish(push(out, "me/set", api=api))
    assert events == [Done("push", {"dataset": "me/set", "commit": "0123"})]
    assert api.files["me/set"] == SENT
    assert api.private == {"me/set": True}
    finish(push(out, "me/shown", public=True, api=api))
    assert api.private["me/shown"] is False


def test_push__one_of_several_formats(run, tmp_path):
    api = FakeApi()
    finish(export(run, tmp_path, ExportSettings(format="folder,parquet")))
    finish(push(tmp_path, "me/set", api=api))
    assert api.files["me/set"] == SENT


def test_push__again_replaces_the_data(out):
    api = FakeApi()
    finish(push(out, "me/set", api=api))
    api.files["me/set"].add("data/train-00001.parquet")  # of a larger set
    (notice, done) = finish(push(out, "me/set", public=True, api=api))
    assert notice == Notice(
        "me/set exists and stays private: change that in its settings on the Hub"
    )
    assert isinstance(done, Done)
    assert api.files["me/set"] == SENT


def test_push__files_of_others_are_left_alone(out):
    api = FakeApi()
    api.files["me/set"], api.private["me/set"] = {"README.md", "thesis.pdf"}, True
    with pytest.raises(StorageError, match=r"me/set holds other files, such as thesis\.pdf: push"):
        finish(push(out, "me/set", api=api))
    assert api.files["me/set"] == {"README.md", "thesis.pdf"}


def test_push__the_hub_refuses(out):
    from huggingface_hub.errors import HfHubHTTPError

    api = FakeApi()
    base = HfHubHTTPError.__bases__[0]
    for error in (ConnectionError("no network\nat all"), base("no network")):
        api.error = error
        with pytest.raises(StorageError) as caught:
            finish(push(out, "me/set", api=api))
        assert str(caught.value) == ("me/set cannot be pushed to the Hugging Face Hub: no network")


@pytest.mark.parametrize(
    ("repo", "settings", "name", "said"),
    [
        ("set", PARQUET, "out", "push must name a dataset as user/name, got 'set'"),
        ("../x", PARQUET, "out", "push must name a dataset as user/name, got '../x'"),
        ("me/set", ExportSettings(format="folder,csv"), "out",
         "needs the format parquet, got folder,csv"),
        ("me/set", PARQUET, "out.zip", "needs a folder, got out.zip: leave out the suffix .zip"),
    ],
)  # fmt: skip
def test_check_push__in_one_line(repo, settings, name, said):
    with pytest.raises(SettingError) as caught:
        check_push(repo, settings, Path(name), token="hf_x")
    assert said in str(caught.value)


def test_command__without_a_token(run, tmp_path, monkeypatch, capsys):
    """Nothing is exported that could not be pushed."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    flags = ["export", str(run.path), "--out", str(tmp_path / "out")]
    assert main([*flags, "--format", "parquet", "--push", "me/set"]) == 2
    assert capsys.readouterr().err == (
        "dsel: --push me/set needs a token of the Hugging Face Hub: run hf auth login, or set "
        "HF_TOKEN to one that may write\n"
    )
    assert main([*flags, "--public"]) == 2
    assert "--public is for a dataset that is pushed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_command__exports_and_pushes(run, tmp_path, monkeypatch, capsys):
    api = FakeApi()
    monkeypatch.setattr("dsel.pipeline.push.hub_api", lambda: api)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_x")
    flags = ["--out", str(tmp_path / "out"), "--format", "parquet", "--push", "me/set", "--json"]
    assert main(["export", str(run.path), *flags]) == 0
    assert '"dataset": "me/set"' in capsys.readouterr().out
    assert api.files["me/set"] == SENT
