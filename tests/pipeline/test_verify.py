"""Verification: every kind of damage to a run or an export is named with what repairs it."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from support.damage import World, make_world
from support.stored import flip, record_of, rewrite

from dsel.errors import RunError, SourceError
from dsel.pipeline.verify import verify
from dsel.types import Done, Notice, Started


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def world(made: World, tmp_path: Path) -> World:
    return World(Path(shutil.copytree(made.folder, tmp_path / "world")))


def lines(path: Path) -> list[str]:
    """The notices; the counts agree with them."""
    events = list(verify(path))
    found = [event.text for event in events if isinstance(event, Notice)]
    started, *_, done = events
    assert isinstance(started, Started)
    assert done == Done("verify", {"files": started.total, "damaged": len(found)})
    return found


def test_verify__whole(world: World) -> None:
    assert [lines(path) for path in (world.run, world.out, world.zipped)] == [[], [], []]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("run.json", "run the same dsel score again, or score the dataset into a new folder"),
        ("summary.json", "run the same dsel score again, which makes it anew"),
        ("rounds/01/00001.safetensors", "run the same dsel score again, which makes it anew"),
        ("selections/current.json", "run the same dsel select again, which makes it anew"),
        ("sweeps/5555555555555555.parquet", "delete it and run the sweep again"),
        ("advice/4444444444444444.json", "delete it and ask for advice again"),
        ("evaluations/students/3333333333333333-3.json", "delete it and evaluate again"),
    ],
)
def test_verify__names_the_file_and_the_remedy(world: World, name: str, remedy: str) -> None:
    flip(world.run / name, 120)
    (line,) = lines(world.run)
    assert line.startswith(f"{world.run / name} is damaged: it")
    assert line.endswith(f"; {remedy}")


@pytest.mark.parametrize(
    "name", ["scores/00001.safetensors", "proxies/00002.parquet", "rounds/02/00000.safetensors"]
)
def test_verify__a_lost_shard(world: World, name: str) -> None:
    (world.run / name).unlink()
    (line,) = lines(world.run)
    assert (
        line == f"{world.run / name} is missing: run the same dsel score again, which makes it anew"
    )


def test_verify__everything_that_is_damaged(world: World) -> None:
    names = ["layouts/00000.safetensors", "images.parquet", "proxies/00000.parquet"]
    for name in names:
        flip(world.run / name, 200)
    found = lines(world.run)
    assert sorted(line.split(" is damaged")[0] for line in found) == sorted(
        str(world.run / name) for name in names
    )


def test_verify__an_export(world: World) -> None:
    image = world.out / "train/cat/cat_id00001.png"
    flip(image, 90)
    (world.out / "README.md").unlink()
    (world.out / "train/dog/mine.png").write_bytes(b"")
    extra = world.out / "train/dog/mine.png"
    assert lines(world.out) == [
        f"{world.out / 'README.md'} is missing: export the set again",
        f"{image} is damaged: it differs from its checksum in the manifest; export the set again",
        f"{extra} is not part of the export, but loaders read it: remove it",
    ]


def test_verify__an_export_with_its_run_inside(world: World) -> None:
    shutil.move(world.run, world.out / "run")
    assert lines(world.out) == []
    flip(world.out / "run/summary.json", 100)
    (line,) = lines(world.out)
    assert line.startswith(f"{world.out / 'run/summary.json'} is damaged: ")


def test_verify__a_zip_file(world: World) -> None:
    with zipfile.ZipFile(world.zipped) as archive:
        entry = archive.getinfo("train/cat/cat_id00001.png")
    flip(world.zipped, entry.header_offset + 200)
    (line,) = lines(world.zipped)
    assert line.startswith(f"{world.zipped / entry.filename} is damaged: Bad CRC-32")
    world.zipped.write_bytes(world.zipped.read_bytes()[:-30])
    (line,) = lines(world.zipped)
    assert line == f"{world.zipped} is damaged: File is not a zip file; export the set again"


def test_verify__what_is_neither(world: World, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone", world.folder / "boxes.json"):
        with pytest.raises(RunError, match="is neither a run nor an exported set: give one of"):
            lines(path)
    rewrite(world.out / "manifest.json", record_of(world.out / "manifest.json") | {"format": "x"})
    with pytest.raises(SourceError, match="has the format 'x'"):
        lines(world.out)
    rewrite(world.run / "run.json", record_of(world.run / "run.json") | {"format": 2})
    with pytest.raises(RunError, match="is a run of format 2"):
        lines(world.run)
