"""Runs in zip files and behind URLs: the same answers, and only what is needed is fetched."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from support.damage import CLASSES, REQUESTS, World, make_world
from support.serving import serve
from support.toyset import finish, tree

from dsel.app.rpc import respond
from dsel.app.state import AppState
from dsel.checksums import filled_on_read, reading
from dsel.cli.commands import main
from dsel.errors import DamageError, RunError, SettingError, SourceError, StorageError
from dsel.files import user_caches
from dsel.pipeline.bundle import bundle
from dsel.pipeline.sharing import shared_names
from dsel.pipeline.verify import verify
from dsel.runs import open_run, run_folder
from dsel.runs.bundle_cache import trim
from dsel.runs.bundles import MEMBER, RECORD, size_of
from dsel.runs.draws import read_draws
from dsel.runs.evaluations import HeldOutSource, write_evaluation
from dsel.runs.image_map import read_image_map
from dsel.runs.slices import Slice, list_slices, write_slice
from dsel.types import Done, Notice

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A run with every kind of file, and `bundle.zip` of it."""
    made = make_world(tmp_path_factory.mktemp("bundles"))
    finish(bundle(open_run(made.run), made.folder / "bundle.zip"))
    return made


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return user_caches() / "bundles"


@pytest.fixture
def in_memory(world: World):
    fs = fsspec.filesystem("memory")
    fs.put(str(world.run), "/bucket/run", recursive=True)
    yield "memory://bucket/run"
    fs.rm("/bucket", recursive=True)


def filled(folder: Path) -> set[str]:
    """The files that have been fetched."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
    return {path.relative_to(folder).as_posix() for path in files}


def rezipped(path: Path, out: Path, change) -> Path:
    """Copy a zip file; `change` takes a name and a content, and returns a content or None."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for info in source.infolist():
            content = change(info.filename, source.read(info))
            if content is not None:
                target.writestr(info.filename, content)
    return out


def same_run(shown: Path, original: Path) -> None:
    """Compare what readers read: scores, pictures, layouts, selections, evaluations."""
    one, other = open_run(shown), open_run(original)
    assert one.images == other.images
    assert one.summary == other.summary
    for index in range(len(CLASSES)):
        a, b = one.class_scores(index), other.class_scores(index)
        assert a.ids == b.ids
        for left, right in zip(a.buckets, b.buckets, strict=True):
            np.testing.assert_array_equal(left.gap, right.gap)
        np.testing.assert_array_equal(a.features, b.features)
        np.testing.assert_array_equal(one.read_layout(index), other.read_layout(index))
    rows = list(one.images)
    assert one.image_bytes(rows, "proxy") == other.image_bytes(rows, "proxy")
    assert one.read_selection()[1] == other.read_selection()[1]
    assert [e.rows for e in one.evaluations()] == [e.rows for e in other.evaluations()]


def test_run_folder__a_zip_file_and_a_url(world: World, in_memory: str) -> None:
    for source in (world.folder / "bundle.zip", in_memory):
        shown = run_folder(source)
        same_run(shown, world.run)
        assert shown == run_folder(source)
        assert not [one for one in finish(verify(shown)) if isinstance(one, Notice)]
    assert run_folder(world.run) == world.run


def test_run_folder__fetches_what_is_read(world: World, tmp_path: Path) -> None:
    """Opening takes three small files; a class takes the shards of its images alone."""
    shutil.copy(world.run / "../boxes.json", tmp_path)
    shown = run_folder(world.folder / "bundle.zip")
    assert filled(shown) == {"run.json", "summary.json", "selections/current.json"}
    run = open_run(shown)
    last = len(CLASSES) - 1
    run.class_scores(last)
    shards = {f"scores/{n:05d}.safetensors" for n in {r.shard for r in run.class_rows(last)}}
    rounds = {name for name in filled(shown) if name.startswith("rounds/")}
    assert filled(shown) - rounds == {
        "run.json", "summary.json", "selections/current.json", "images.parquet", *shards,
    }  # fmt: skip
    assert len(shards) < run.identity.shards


def test_run_folder__over_http_in_ranges(world: World, tmp_path: Path) -> None:
    """Of a zip file of 8 MB, its directory and the files that are read are sent."""
    with zipfile.ZipFile(tmp_path / "large.zip", "w") as archive:
        archive.writestr("padding.bin", bytes(8 << 20))
        with zipfile.ZipFile(world.folder / "bundle.zip") as whole:
            for name in whole.namelist():
                archive.writestr(name, whole.read(name))
    with serve(tmp_path) as served:
        shown = run_folder(f"{served.url}/large.zip")
        assert shown.name == "large"
        opening = served.bytes
        assert 0 < opening < 2 << 20  # the directory is read in blocks
        layout = open_run(shown).read_layout(0)
        assert layout is not None
        size = (world.run / "layouts/00000.safetensors").stat().st_size
        images = (world.run / "images.parquet").stat().st_size
        assert served.bytes - opening < size + images + (16 << 10)
        same_run(shown, world.run)
        url = f"{served.url}/large.zip"
    with pytest.raises(SourceError, match="cannot be read"):  # the server is gone
        run_folder(url)


def test_run_folder__over_http_without_ranges(world: World) -> None:
    """A folder is fetched file by file; a zip file cannot be read, which one line says."""
    with serve(world.folder, ranges=False) as served:
        same_run(run_folder(f"{served.url}/run"), world.run)
        assert all("/run/" in path for path, _ in served.sent)
        with pytest.raises(SourceError, match=r"bundle\.zip is not a readable zip file, or only"):
            run_folder(f"{served.url}/bundle.zip")


def test_run_folder__what_is_no_run(world: World, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"out.zip is not a run: it has no run\.json"):
        run_folder(world.zipped)
    with pytest.raises(RunError, match="is not a run"):
        run_folder(f"file://{world.folder.parent / 'source'}")
    with pytest.raises(SourceError, match="there is no such folder or zip file"):
        run_folder("memory://nothing/here")
    shutil.copytree(world.run, tmp_path / "two/a")
    shutil.copytree(world.run, tmp_path / "two/b")
    with pytest.raises(RunError, match="holds several runs; give the folder of one"):
        run_folder(f"file://{tmp_path / 'two'}")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(SourceError, match="is not a readable zip file"):
        run_folder(tmp_path / "text.zip")


def test_run_folder__names_that_lead_out_of_it(world: World, tmp_path: Path, caches: Path) -> None:
    """They are refused, or are no names of a run's files, and nothing is written elsewhere."""
    whole = world.folder / "bundle.zip"
    for number, name in enumerate(("../evil.json", "/tmp/evil.json", "run/../../evil.json")):
        path = rezipped(whole, tmp_path / f"{number}.zip", lambda _, content: content)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, "{}")
        with pytest.raises(SourceError, match="is refused, because the name of its entry"):
            run_folder(path)
    odd = ("run/app.py", "run/scores/x.pt", "run/.hidden/run.json", "run/selections/../run.json")
    assert not [name for name in odd if MEMBER.fullmatch(name.removeprefix("run/"))]
    with zipfile.ZipFile(rezipped(whole, tmp_path / "odd.zip", lambda _, c: c), "a") as archive:
        archive.writestr("run/scores/00000.pt", pickle.dumps(print))
        archive.writestr("run/app.py", "raise SystemExit")
    shown = run_folder(tmp_path / "odd.zip")
    assert sorted(path.suffix for path in shown.glob("scores/*")) == [".safetensors"] * 3
    assert not list(shown.glob("*.py"))
    assert [path.name for path in caches.iterdir()] == [shown.parent.name]


def test_run_folder__links_and_bombs(world: World, tmp_path: Path) -> None:
    """Refused by the directory of the zip file, before anything is unpacked."""
    whole = world.folder / "bundle.zip"
    link = zipfile.ZipInfo("run/boxes.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(rezipped(whole, tmp_path / "link.zip", lambda _, c: c), "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(SourceError, match=r"refused: its boxes\.json is a symbolic link"):
        run_folder(tmp_path / "link.zip")
    name = "scores/00000.safetensors"
    path = rezipped(whole, tmp_path / "bomb.zip", lambda n, c: None if n.endswith(name) else c)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"run/{name}", bytes(64 << 20))
    with pytest.raises(
        SourceError, match=r"its scores/00000\.safetensors would unpack to .* zip bomb"
    ):
        run_folder(path)


def test_run_folder__damage_is_found_and_not_stored(world: World, tmp_path: Path) -> None:
    def changed(name: str, content: bytes) -> bytes:
        return content.replace(b"gap", b"gas") if name.endswith("00001.safetensors") else content

    path = rezipped(world.folder / "bundle.zip", tmp_path / "changed.zip", changed)
    shown = run_folder(path)
    with pytest.raises(DamageError, match=r"scores/00001\.safetensors is damaged: its checksum"):
        open_run(shown).check_shard(1)
    assert "scores/00001.safetensors" not in filled(shown)


def test_run_folder__a_changed_run_is_another_folder(world: World, tmp_path: Path) -> None:
    """What was selected on a bundle stays with it; the bundle never changes."""
    path = shutil.copy(world.folder / "bundle.zip", tmp_path / "copy.zip")
    before = Path(path).read_bytes()
    assert main(["select", str(path), "--ipc", "1", "--patch-px", "8"]) == 0
    shown = run_folder(path)
    assert open_run(shown).read_selection()[0].patch_px == 8
    assert Path(path).read_bytes() == before
    rezipped(world.folder / "bundle.zip", Path(path), lambda n, c: None if "boxes" in n else c)
    assert run_folder(path) == shown or open_run(run_folder(path)).read_selection()[0].patch_px != 8


def test_open_run__the_shown_folder_in_another_process(world: World, in_memory: str) -> None:
    """Commands of the app name that folder; it is filled there too, unless the bundle is gone."""
    shown = run_folder(world.folder / "bundle.zip")
    code = "import sys, pathlib; from dsel.runs import open_run; "
    code += "print(len(open_run(pathlib.Path(sys.argv[1])).class_scores(0).ids))"
    done = subprocess.run(
        [sys.executable, "-c", code, shown], capture_output=True, text=True, check=True, cwd=ROOT,
        env=os.environ,
    )  # fmt: skip
    assert int(done.stdout) == CLASSES["cat"]


def test_commands__read_a_bundle_as_its_run(world: World, tmp_path: Path, capsys) -> None:
    def figures(*arguments: object) -> dict:
        capsys.readouterr()
        assert main([*map(str, arguments), "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))

    zipped, run = world.folder / "bundle.zip", shutil.copytree(world.run, tmp_path / "run")
    one, other = figures("info", zipped), figures("info", run)
    for facts in (one, other):
        del facts["run"], facts["dataset"]
    assert one == other
    boxes = ("--boxes", world.folder / "boxes.json")
    assert figures("check", zipped, *boxes) == figures("check", run, *boxes)
    choice = ("--ipc", "1", "--clusters", "1")
    assert figures("select", zipped, *choice) == figures("select", run, *choice)
    for source, out in ((zipped, "a"), (run, "b")):
        figures("export", source, "--out", tmp_path / out, "--pixels", "proxy")
    a, b = tree(tmp_path / "a"), tree(tmp_path / "b")
    assert {n for n in a.keys() | b.keys() if a.get(n) != b.get(n)} <= {"manifest.json"}
    assert main(["verify", str(zipped)]) == 0


def test_app__answers_as_on_the_run(world: World) -> None:
    def answers(path: Path) -> dict[str, object]:
        state, found = AppState(path), {}
        for method in REQUESTS:
            text = json.dumps({"method": method, "params": {}, "view": "ipc=2&clusters=2"})
            found[method] = json.loads(respond(state, text, False))
        return found

    one, other = answers(run_folder(world.folder / "bundle.zip")), answers(world.run)
    for method in REQUESTS:
        if method != "start":  # names the run and its source
            assert one[method] == other[method], method
    assert "error" not in one["start"]


def test_bundle__is_the_same_bytes_and_names_no_paths(world: World, tmp_path: Path) -> None:
    run = open_run(world.run)
    source = str(run.identity.dataset_origin["source"])
    events = finish(bundle(run, tmp_path / "a.zip"))
    assert (tmp_path / "a.zip").read_bytes() == (world.folder / "bundle.zip").read_bytes()
    assert isinstance(events[-1], Done)
    (note,) = [one.text for one in events if isinstance(one, Notice)]
    assert note == "paths of this machine are shared as names alone: source"
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        names = archive.namelist()
        content = b"".join(archive.read(name) for name in names)
    assert names[0] == "run/run.json"
    assert not [name for name in names if "held_out" in name or "features/" in name]
    assert source.encode() not in content
    assert str(world.folder).encode() not in content


def test_bundle__texts_of_an_evaluation_name_no_paths(world: World, tmp_path: Path) -> None:
    """A notice may name the held-out images by their path, as the command line was given it."""
    run = open_run(Path(shutil.copytree(world.run, tmp_path / "run")))
    place = "/data/mine/held out"
    test = HeldOutSource(place, {"source": place}, "f" * 16, 20)
    notices = (f"{place}: 2 images of {place}/cat are copies", "of x/data/mine/held outside")
    write_evaluation(run.path, replace(run.evaluations()[0], test=test, notices=notices))
    finish(bundle(run, tmp_path / "shared.zip"))
    (found,) = open_run(run_folder(tmp_path / "shared.zip")).evaluations()
    assert (found.test.source, found.test.origin["source"]) == ("held out", "held out")
    assert found.notices == ("held out: 2 images of held out/cat are copies", notices[1])


def test_bundle__has_the_map_the_slices_and_the_draws(world: World, tmp_path: Path) -> None:
    run = open_run(Path(shutil.copytree(world.run, tmp_path / "run")))
    write_slice(run.path, Slice("odd", (run.images.ids[1],)))
    finish(bundle(run, tmp_path / "shared.zip"))
    shown = open_run(run_folder(tmp_path / "shared.zip"))
    mine, theirs = read_image_map(run), read_image_map(shown)
    assert mine is not None
    assert theirs is not None
    np.testing.assert_array_equal(mine.positions, theirs.positions)
    assert list_slices(shown.path) == list_slices(run.path) != ()
    draws, other = (read_draws(one, run.images.ids[0]) for one in (run, shown))
    assert draws is not None
    assert other is not None
    np.testing.assert_array_equal(draws.gap, other.gap)


def test_run_folder__while_a_file_of_another_is_fetched(tmp_path: Path) -> None:
    """One thread opens a bundle just when another one reads a file of a bundle."""
    file = tmp_path / "one" / "run.json"
    file.parent.mkdir()
    file.touch()

    def fill(path: Path) -> None:
        for number in range(3):
            filled_on_read(tmp_path / f"other{number}", lambda _: None)
        path.write_bytes(b"filled")

    filled_on_read(tmp_path / "one", fill)
    with reading(file, "again"):
        assert file.read_bytes() == b"filled"


def test_bundle__refuses_what_others_wrote_and_what_is_unfinished(
    world: World, tmp_path: Path
) -> None:
    run = open_run(world.run)
    out = tmp_path / "mine.zip"
    for content in (b"text", world.zipped.read_bytes()):
        out.write_bytes(content)
        with pytest.raises(StorageError, match="is there already, and is no bundle of dsel"):
            finish(bundle(run, out))
        assert out.read_bytes() == content
    with pytest.raises(SettingError, match=r"out must be a file that ends in \.zip"):
        finish(bundle(run, tmp_path / "out"))
    copy = shutil.copytree(world.run, tmp_path / "run")
    content = (copy / "scores/00001.safetensors").read_bytes()
    (copy / "scores/00001.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DamageError):
        finish(bundle(open_run(copy), tmp_path / "new.zip"))
    (copy / "summary.json").unlink()
    with pytest.raises(RunError, match="is not finished"):
        finish(bundle(open_run(copy), tmp_path / "new.zip"))
    assert sorted(path.name for path in tmp_path.glob("*.zip")) == ["mine.zip"]


def test_size_of__a_file_that_is_not_read_yet(world: World, in_memory: str) -> None:
    shown = run_folder(in_memory)
    names = shared_names(open_run(world.run))
    large = [name for name in names if name.startswith(("scores/", "proxies/"))]
    assert not filled(shown) & set(large)
    assert {name: size_of(shown, name) for name in names} == {
        name: (world.run / name).stat().st_size for name in names
    }


def test_trim__the_least_recently_used_is_emptied_and_fetched_again(
    world: World, in_memory: str, tmp_path: Path, caches: Path
) -> None:
    shutil.copy(world.folder / "bundle.zip", tmp_path / "other.zip")
    shown = [run_folder(one) for one in (in_memory, world.folder / "bundle.zip")]
    for number, run in enumerate(shown):
        same_run(run, world.run)
        os.utime(run.parent / RECORD, (1000 + number, 1000 + number))
    before = [filled(run) for run in shown]
    opened = run_folder(tmp_path / "other.zip")
    assert [filled(run) for run in shown] == before  # far below the limit
    large = {name for name in before[0] if name.startswith(("scores/", "proxies/", "rounds/"))}
    both = sum((run / name).stat().st_size for run in shown for name in large)
    trim(caches, opened.parent, RECORD, both - 1)
    assert filled(shown[0]) == before[0] - large
    assert filled(shown[1]) == before[1]
    same_run(shown[0], world.run)
    assert filled(shown[0]) >= large
    trim(caches, opened.parent, RECORD, 0)
    assert [filled(run) & large for run in shown] == [set(), set()]
