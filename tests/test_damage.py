"""Damage at 300 places of a run and its exports: the same result as before, or one line."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from support.damage import (
    ADAPTIVE,
    CHOICE,
    COMMANDS,
    Outcome,
    World,
    command,
    damage,
    make_world,
    places,
    renewed,
)
from support.toyset import dataset_of, finish, toy_prior, tree

from dsel.pipeline.score import score
from dsel.pipeline.verify import verify
from dsel.types import Notice

PLACES, PARTS = 300, 10
REPAIRED = frozenset({
    "run", "scores", "proxies", "rounds", "layouts", "images.parquet", "summary.json", "run.json",
    "out", "out.zip",
})  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def unsynced() -> Iterator[None]:
    """Thousands of files are written, and none has to outlive a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("damage"))


@pytest.fixture(scope="module")
def before(world: World) -> dict[str, Outcome]:
    """What each command gives without damage, in the folder in which damage is done later."""
    found = {name: run(fresh(world)) for name, run in COMMANDS.items()}
    assert {name: one.line for name, one in found.items() if one.code} == {}
    return found


def fresh(world: World) -> World:
    return renewed(world, world.folder.with_name("work"))


def check_place(
    world: World, before: dict[str, Outcome], names: Collection[str], file: Path, seed: str
) -> None:
    """Damage a file, for each command anew: the result is the same, or an error of one line."""
    for name in names:
        work = fresh(world)
        what = damage(work.folder / file, seed)
        left = hashlib.sha256((work.folder / file).read_bytes()).hexdigest()
        found = COMMANDS[name](work)
        told = f"{name} of {file.parent}/{what}: {found.line}"
        assert found.code in (0, 2), told
        assert found.line.startswith("dsel: ") == bool(found.code), told
        if not found.code:
            assert found.printed == before[name].printed, told
        for part, content in found.written.items():
            assert content in (before[name].written[part], left), told
        if name in ("export", "export again", "export a zip again", "app"):
            assert set(found.written.values()) <= set(before[name].written.values()), told


def check_verified(world: World, file: Path, seed: str) -> None:
    """Damage a file: verify names it, and ends with 2."""
    work = fresh(world)
    what = damage(work.folder / file, seed)
    path = work.folder / file.parts[0]
    noticed = [event.text for event in verify(path) if isinstance(event, Notice)]
    if file == Path("out.zip") and not noticed:  # a date, or another field that is not content
        assert entries(work.zipped) == entries(world.zipped), what
        return
    (line,) = noticed
    assert line.startswith(f"{work.folder / file}"), what
    assert "\n" not in line
    assert command("verify", path).code == 2


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("part", range(PARTS))
def test_damage__the_same_or_one_line(world: World, before: dict[str, Outcome], part: int) -> None:
    """Each place meets verify and one of the other commands."""
    names = list(COMMANDS)
    for number, (file, seed) in enumerate(places(world, PLACES)):
        if number % PARTS == part:
            check_verified(world, file, seed)
            turn = number // PARTS + number // len(world.files())
            check_place(world, before, [names[turn % len(names)]], file, seed)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_damage__the_same_or_one_line_of_every_command(
    world: World, before: dict[str, Outcome], part: int
) -> None:
    for number, (file, seed) in enumerate(places(world, PLACES)):
        if number % PARTS == part:
            check_place(world, before, COMMANDS, file, seed)


def test_damage__score_select_and_export_make_all_of_theirs_again(world: World) -> None:
    """One place of each file; a zip file that is damaged has to be removed first."""
    source = dataset_of(world.folder.with_name("source"))
    whole = tree(world.folder)
    for file, seed in places(world, len(world.files())):
        if file.parts[0] == "out.zip" or file.name == "manifest.json":
            continue
        if file.parts[0] == "run" and file.parts[1] not in REPAIRED:
            continue
        work = fresh(world)
        what = damage(work.folder / file, seed)
        finish(score(source, toy_prior(source.classes), work.run, ADAPTIVE))
        assert command("select", work.run, *CHOICE).code == 0, what
        again = command("export", work.run, "--out", work.out, "--pixels", "proxy")
        assert again.code == 0, (what, again.line)
        assert tree(work.folder) == whole, what
