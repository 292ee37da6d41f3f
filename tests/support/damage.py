"""A run with every kind of file and its exports, damage to it, and what commands make of it."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from dsel.app.rpc import respond
from dsel.app.state import AppState
from dsel.checksums import check_again
from dsel.cli.commands import main
from dsel.config import EvaluateSettings
from dsel.errors import DselError
from dsel.files import tensor_bytes, write_atomically
from dsel.pipeline.select import select
from dsel.runs.advice import Advice, Candidate, Rung, write_advice
from dsel.runs.evaluations import (
    Evaluation,
    EvaluationRow,
    HeldOutSource,
    StudentResult,
    add_validation,
    write_evaluation,
    write_student,
)
from dsel.runs.sweeps import write_sweep
from dsel.students.exported import labelled_images, read_export
from support.toyset import QUICK, SMALL, draw_picture, finish, scored_run, tree, write_pictures

CLASSES = {"cat": 4, "dog": 3}
ADAPTIVE = QUICK.replace(most_draws=8, keep=2)
REQUESTS = (
    "start", "gallery", "skipped", "projection", "marks", "distilled", "quality_overall",
    "cluster_cards", "ranges", "evaluations", "sweeps", "localization_overall",
)  # fmt: skip


class MeanColour:
    """Describes a picture by its mean colour."""

    fingerprint = "mean colour"

    def describe(self, pictures: list[np.ndarray]) -> np.ndarray:
        return np.stack([picture.mean((0, 1)) for picture in pictures]).astype(np.float32)


@dataclass(frozen=True)
class World:
    """A folder with `run`, its exports `out` and `out.zip`, and `boxes.json`."""

    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def zipped(self) -> Path:
        return self.folder / "out.zip"

    def files(self) -> list[Path]:
        """Every file that dsel wrote, below the folder."""
        every = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return [path.relative_to(self.folder) for path in every if path.name != "boxes.json"]


def make_world(folder: Path) -> World:
    """Score, select and export toy pictures, and store the other kinds of files by hand."""
    source = write_pictures(folder / "source", CLASSES)
    world = World(folder / "world")
    run = scored_run(source, world.run, ADAPTIVE)
    finish(select(run, SMALL.replace(features="reencode"), MeanColour()))
    finish(select(run, SMALL))
    _store_the_rest(world.run)
    _write_boxes(world.folder / "boxes.json")
    for out in (world.out, world.zipped):
        assert main(["export", str(world.run), "--out", str(out), "--pixels", "proxy"]) == 0
    return world


def _store_the_rest(run: Path) -> None:
    student = StudentResult(3, 0.25, 0.5, (10, 20), (0.5, 0.25), "ab" * 32)
    test = HeldOutSource("toybox:seed=1", {"source": "toybox", "scene_seed": 1}, "f" * 16, 20)
    row = EvaluationRow("dsel", 2, 4, 4, 32, 32, (student,), 0.25, best_mean=0.5)
    write_evaluation(run, Evaluation(
        fingerprint="0" * 16, complete=True, settings=EvaluateSettings(), select=SMALL.plain(),
        selection="1" * 16, made_of="2" * 16, test=test, validation=False,
        classes=tuple(CLASSES), rows=(row,),
    ))  # fmt: skip
    write_student(run, "3" * 16, student)
    add_validation(run, test)
    rung = Rung(100, 1, (Candidate({"ipc": 3}, (0.5,), 0.5),))
    write_advice(run, Advice(
        "4" * 16, test, SMALL.plain(), {"ipc": 3}, "dsel select RUN", 2, 0.5, None, 0.4, None, 0.1,
        None, False, "no better", (rung,),
    ))  # fmt: skip
    write_sweep(run, "5" * 16, [{"ipc": 1, "hit_rate": 0.5}, {"ipc": 2, "hit_rate": 0.25}])
    held_out = {"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": np.zeros(2, np.int64)}
    write_atomically(run / "evaluations/held_out/a-4.safetensors", tensor_bytes(held_out, {}))
    odds = tensor_bytes({"log_odds": np.zeros(3)}, {"teacher": "t"})
    write_atomically(run / "teachers" / ("6" * 16) / "00000-a.safetensors", odds)


def _write_boxes(path: Path) -> None:
    ids = [f"{name}/{n:02d}.png" for name, count in CLASSES.items() for n in range(count)]
    sizes = [draw_picture(0, i, n).shape for i, c in enumerate(CLASSES.values()) for n in range(c)]
    path.write_text(json.dumps({
        "images": [
            {"id": n, "file_name": name, "width": width, "height": height}
            for n, (name, (height, width, _)) in enumerate(zip(ids, sizes, strict=True))
        ],
        "annotations": [
            {"id": n, "image_id": n, "bbox": [0, 0, 20, 20], "category_id": 1}
            for n in range(len(ids))
        ],
        "categories": [{"id": 1, "name": "thing"}],
    }))  # fmt: skip


def damage(path: Path, seed: str) -> str:
    """Flip a bit of a file, or cut it off; returns what was done."""
    content, rng = path.read_bytes(), random.Random(seed)
    at = rng.randrange(len(content))
    if rng.random() < 0.3:
        path.write_bytes(content[:at])
        return f"{path.name} cut to {at} of {len(content)} bytes"
    bit = rng.randrange(8)
    path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
    return f"{path.name} with bit {bit} of byte {at} of {len(content)} flipped"


def places(world: World, count: int) -> Iterator[tuple[Path, str]]:
    """Yield files in turn, so that each is damaged as often, and a seed of the damage."""
    files = world.files()
    for number in range(count):
        yield files[number % len(files)], f"place {number}"


def renewed(world: World, folder: Path) -> World:
    """Copy a world to a folder in place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world.folder, folder)
    check_again()
    return World(folder)


@dataclass(frozen=True)
class Outcome:
    """What a command printed, its exit code, and what it wrote."""

    code: int
    printed: str
    line: str
    written: Mapping[str, str]


def command(*arguments: object, writes: Path | None = None) -> Outcome:
    """Run a command line; a traceback is raised."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as errors:
        code = main([*map(str, arguments), "--json"])
    line = next((one for one in errors.getvalue().splitlines() if one.startswith("dsel: ")), "")
    written = {} if writes is None or code else tree(writes) if writes.is_dir() else _file(writes)
    return Outcome(code, out.getvalue(), line, written)


def _file(path: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().hex()}


def ask_app(world: World) -> Outcome:
    """Ask the app for everything that it shows; errors are lines."""
    try:
        state = AppState(world.run)
    except DselError as error:
        return Outcome(2, "", f"dsel: {error}", {})
    answers: dict[str, Any] = {}
    for method in REQUESTS:
        text = json.dumps({"method": method, "params": {}, "view": "ipc=2&clusters=2"})
        answers[method] = json.loads(respond(state, text, True))
    refused = [one["error"] for one in answers.values() if "error" in one]
    assert not [one for one in refused if one["code"] == "bug"]
    whole = {name: json.dumps(one) for name, one in answers.items() if "result" in one}
    return Outcome(2 * bool(refused), "", "dsel: " * bool(refused), whole)


def read_set(world: World) -> Outcome:
    """Read an exported set as a training does."""
    try:
        found = labelled_images(read_export(world.out), 0, unpack=True)
    except DselError as error:
        return Outcome(2, "", f"dsel: {error}", {})
    return Outcome(0, found.images.tobytes().hex(), "", {})


CHOICE = ("--ipc", "2", "--clusters", "2")

COMMANDS: Mapping[str, Callable[[World], Outcome]] = {
    "info": lambda world: command("info", world.run),
    "select": lambda world: command("select", world.run, *CHOICE, writes=world.run / "selections"),
    "export": lambda world: command(
        "export", world.run, "--out", world.folder / "new", "--pixels", "proxy",
        writes=world.folder / "new",
    ),
    "export again": lambda world: command(
        "export", world.run, "--out", world.out, "--pixels", "proxy", writes=world.out
    ),
    "export a zip again": lambda world: command(
        "export", world.run, "--out", world.zipped, "--pixels", "proxy", writes=world.zipped
    ),
    "check": lambda world: command("check", world.run, "--boxes", world.folder / "boxes.json"),
    "app": ask_app,
    "read the set": read_set,
}  # fmt: skip
"""What is run on a damaged world, by name."""
