"""The command line: every command, its figures, and one line for whatever the user can mend."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.classifiers import save_teacher
from support.commands import call_and_die
from support.forking import fork_server
from support.stored import flip, record_of, rewrite
from support.toyset import TINY_CLASSES, tree, write_pictures

import dsel
from dsel.cli.commands import main
from dsel.locks import LOCK
from dsel.pipeline.selector import Selector
from dsel.runs import open_run
from dsel.runs.knowledge import Knowledge, KnowledgePlan, Measured, write_knowledge

ROOT = Path(__file__).parents[2]
QUICK = (
    "--timesteps", "300", "600", "--draws", "2", "--shard-size", "3", "--feature-grid", "4",
    "--feature-dim", "8", "--precision", "float32", "--device", "cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("source") / "pictures", TINY_CLASSES)


@pytest.fixture(scope="module")
def finished(source: Path, tiny_prior: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was scored, and selected from."""
    path = tmp_path_factory.mktemp("runs") / "run"
    assert main(["score", str(source), "--run", str(path), "--prior", str(tiny_prior), *QUICK]) == 0
    assert main(["select", str(path), "--ipc", "2"]) == 0
    return path


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def figures(capsys: pytest.CaptureFixture[str]):
    """Run a command that succeeds; the JSON object of its last line."""

    def call(*arguments: object) -> dict:
        capsys.readouterr()
        assert main([*map(str, arguments), "--json"]) == 0
        found = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert isinstance(found, dict)
        return found

    return call


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]):
    """Run a command that fails with the user's error; the one line that says so."""

    def call(*arguments: object) -> str:
        capsys.readouterr()
        assert main(list(map(str, arguments))) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        (line,) = captured.err.splitlines()
        assert line.startswith("dsel: ")
        return line

    return call


# What each command does


def test_score__figures_and_resume(figures, source, tiny_prior, tmp_path):
    command = ("score", source, "--run", tmp_path / "run", "--prior", tiny_prior, *QUICK)
    made = figures(*command)
    assert set(made) == {
        "images", "skipped", "evaluations", "evaluations_per_image", "model_calls",
        "images_per_s", "model_share", "knowledge_auc",
    }  # fmt: skip
    assert (made["images"], made["skipped"]) == (8, 0)
    assert made["images_per_s"] > 0
    assert 0 < made["model_share"] <= 1
    before = tree(tmp_path / "run")
    again = figures(*command)
    assert again | {"images": 8, "skipped": 0, "model_calls": 0} == again
    assert tree(tmp_path / "run") == before


def test_score__classes_and_number_of_images(figures, source, tiny_prior, tmp_path):
    made = figures(
        "score", source, "--run", tmp_path / "run", "--prior", tiny_prior, *QUICK,
        "--classes", "dog", "--per-class", "3",
    )  # fmt: skip
    assert made["images"] == 3


def test_score__skipped_images_are_told(capsys, source, tiny_prior, tmp_path):
    other = Path(shutil.copytree(source, tmp_path / "pictures"))
    (other / "dog/a").write_text("notes")
    (other / "dog/b.txt").write_text("a caption")
    command = ["score", str(other), "--run", str(tmp_path / "run"), "--prior", str(tiny_prior)]
    assert main([*command, *QUICK]) == 0
    captured = capsys.readouterr()
    assert "skipped dog/a: is text, not an image" in captured.err
    left_out = "note: 1 file is no picture by its name and is left out, such as dog/b.txt"
    assert left_out in captured.err.splitlines()
    assert "skipped: 1" in captured.out
    assert main(["info", str(tmp_path / "run")]) == 0
    assert "dog/a: is text, not an image" in capsys.readouterr().out


def test_select__figures(figures, run):
    made = figures("select", run, "--ipc", "3", "--clusters", "2", "--patch-px", "12")
    assert made | {"classes": 2, "patches": 8, "images": 6} == made
    assert (run / "selections" / made["selection"] / "patches.parquet").is_file()


def test_select__overrides_behind_one_flag_or_several(figures, run):
    ids = ("dog/03.png", "cat/01.png")
    made = [
        figures("select", run, "--pins", *ids, "--bans", "cat/00.png", "--moves=dog/03.png@2,5"),
        figures("select", run, f"--pins={ids[0]}", "--moves", "dog/03.png@2,5", "--bans",
                "cat/00.png", f"--pins={ids[1]}"),
    ]  # fmt: skip
    assert made[0] == made[1]
    kept = json.loads((run / "selections" / made[0]["selection"] / "settings.json").read_text())
    assert kept["settings"]["pins"] == list(ids)
    assert made[0]["patches"] == 7
    assert figures("select", run, "--pins")["selection"] == figures("select", run)["selection"]


def test_select__by_a_baseline(figures, run, tmp_path):
    made = figures("select", run, "--baseline", "random-crop", "--baseline-seed", "3", "--ipc", "2")
    assert made["images"] == 4
    exported = figures("export", run, "--out", tmp_path / "out")
    assert exported["images"] == 4
    again = figures(
        "select", run, "--baseline", "random-crop", "--baseline-seed", "3", "--ipc", "2"
    )
    assert again == made
    other = figures(
        "select", run, "--baseline", "random-crop", "--baseline-seed", "4", "--ipc", "2"
    )
    assert other["selection"] != made["selection"]


def test_select__by_a_teacher_whose_answers_stay_in_the_run(figures, refusal, run, tmp_path):
    teacher = save_teacher(tmp_path / "teacher", [["cat"], ["dog"]])
    how = ("--baseline", "rded", f"--teacher={teacher}", "--factor", "2", "--ipc", "1")
    made = figures("select", run, *how)
    assert made["images"] == 2
    assert len(list((run / "teachers").glob("*/*.safetensors"))) == 2
    found = Selector(open_run(run)).select(0, open_run(run).read_selection()[0])
    assert len(found.images[0]) == 4
    line = refusal("select", run, "--baseline", "rded")
    assert "the baseline rded needs a teacher: pass --teacher with a folder" in line
    strange = save_teacher(tmp_path / "strange", [["cat"], ["cow"]])
    line = refusal("select", run, "--baseline", "easiest", f"--teacher={strange}")
    assert "has no label for dog" in line


def test_select__shortfall_is_told(capsys, run):
    assert main(["select", str(run), "--ipc", "9"]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert len(notes) == 2
    assert "class 'cat' has 4 patches and gives 4 images, fewer than IPC 9" in notes[0]


def test_export__figures(figures, run, tmp_path):
    out = tmp_path / "out"
    made = figures("export", run, "--out", out, "--image-px", "20")
    images = list((out / "train").rglob("*.png"))
    assert (made["images"], len(images)) == (4, 4)
    assert made["bytes"] == sum(path.stat().st_size for path in images)


def test_export__of_a_named_selection(figures, run, tmp_path):
    named = figures("select", run, "--ipc", "1")["selection"]
    figures("select", run, "--ipc", "3")
    made = figures("export", run, "--out", tmp_path / "out", "--selection", named)
    assert made["images"] == 2


def test_distill__is_score_select_and_export(figures, source, tiny_prior, finished, tmp_path):
    out = tmp_path / "out"
    made = figures(
        "distill", source, "--out", out, "--prior", tiny_prior, *QUICK, "--ipc", "2",
    )  # fmt: skip
    assert set(made) == {"score", "select", "export"}
    assert made["export"]["images"] == 4
    assert tree(out / "run") == tree(finished)
    figures("export", finished, "--out", tmp_path / "alone")
    alone = tree(tmp_path / "alone")
    assert {name: print_ for name, print_ in tree(out).items() if name in alone} == alone


def test_distill__with_a_run_elsewhere(figures, source, tiny_prior, tmp_path):
    figures(
        "distill", source, "--out", tmp_path / "out", "--run", tmp_path / "run",
        "--prior", tiny_prior, *QUICK, "--ipc", "1", "--factor", "2", "--clusters", "1",
    )  # fmt: skip
    assert not (tmp_path / "out/run").exists()
    assert (tmp_path / "run/run.json").is_file()


def test_toybox__figures(figures, tmp_path):
    made = figures("toybox", tmp_path / "toys", "--per-class", "1")
    assert made["images"] == 10
    assert len(list((tmp_path / "toys").rglob("*.png"))) == 10
    assert json.loads((tmp_path / "toys/boxes.json").read_text())["images"][0]["width"] == 128


def test_train__figures(figures, source, tmp_path):
    made = figures(
        "train", source, "--out", tmp_path / "prior", "--resolution-px", "16", "--cells", "4",
        "--widths", "16", "16", "--autoencoder-images", "16", "--images", "16", "--batch-size",
        "16", "--threads", "1",
    )  # fmt: skip
    assert made["images"] == 8
    assert (tmp_path / "prior/model_index.json").is_file()


def write_boxes(path: Path) -> Path:
    """Every object is the picture's left half."""
    names = [f"{name}/{n:02d}.png" for name in TINY_CLASSES for n in range(4)]
    widths = [40 + 3 * (n % 3) for _ in TINY_CLASSES for n in range(4)]
    record = {
        "images": [
            {"id": i, "file_name": name, "width": width, "height": 36}
            for i, (name, width) in enumerate(zip(names, widths, strict=True))
        ],
        "annotations": [
            {"id": i, "image_id": i, "bbox": [0, 0, width // 2, 36], "category_id": 1}
            for i, width in enumerate(widths)
        ],
    }
    path.write_text(json.dumps(record))
    return path


def test_check__figures(figures, run, tmp_path):
    made = figures("check", run, "--boxes", write_boxes(tmp_path / "boxes.json"))
    assert set(made) >= {"images", "hit_rate", "hit_rate_random", "hit_rate_centre", "coverage"}
    assert made["images"] == 8
    assert all(0 <= made[name] <= 1 for name in made if "images" not in name and name != "notes")
    assert (made["run_images"], made["run_images_with_objects"]) == (8, 8)
    assert (made["file_images"], made["file_images_not_in_run"]) == (8, 0)
    assert len(made["notes"]) == 1


def test_check__takes_the_boxes_of_the_run(figures, refusal, run, tmp_path):
    assert "has no boxes.json: name a file with --boxes" in refusal("check", run)
    named = figures("check", run, "--boxes", write_boxes(tmp_path / "boxes.json"))
    write_boxes(run / "boxes.json")
    assert figures("check", run) == named


def test_check__notes_are_lines(capsys, figures, run, tmp_path):
    path = write_boxes(tmp_path / "boxes.json")
    record = json.loads(path.read_text())
    record["images"].append({"id": 99, "file_name": "cow/1.png", "width": 9, "height": 9})
    record["annotations"].append({"image_id": 0, "bbox": [0, 0, 40, 36], "iscrowd": 1})
    path.write_text(json.dumps(record))
    assert figures("check", run, "--boxes", path)["file_images_not_in_run"] == 1
    assert main(["check", str(run), "--boxes", str(path)]) == 0
    *_, absent, joined, crowds = capsys.readouterr().out.splitlines()
    assert absent == "file images not in run: 1"
    assert joined.startswith("note: the file has no categories")
    assert crowds == "note: crowd regions left out: 1, first in 'cat/00.png'"


def test_verify__whole_and_damaged(figures, capsys, run, tmp_path):
    figures("export", run, "--out", tmp_path / "out")
    for path in (run, tmp_path / "out"):
        assert figures("verify", path)["damaged"] == []
    assert figures("verify", run, "--dry-run")["work"]["files"] > 10
    shard = run / "scores/00001.safetensors"
    flip(shard, -1, 6)
    line = (
        f"{shard} is damaged: its checksum does not match; run the same dsel score again, which "
        "makes it anew"
    )
    for flags in ((), ("--json",)):
        assert main(["verify", str(run), *flags]) == 2
        printed = capsys.readouterr()
        assert printed.err.splitlines()[-1] == (
            f"dsel: {run} is damaged: 1 of its files must be repaired"
        )
        if flags:
            assert json.loads(printed.out)["damaged"] == [line]
        else:
            assert printed.out.splitlines()[0] == line


def test_info__of_a_run_of_countless_images(run, capsys):
    """It took for ever."""
    rewrite(run / "run.json", record_of(run / "run.json") | {"images": 10**18})
    (run / "summary.json").unlink()
    assert main(["info", str(run)]) == 0
    assert f"shards: 3 of {-(-(10**18) // 3)}" in capsys.readouterr().out


def test_info__says_what_a_run_holds(figures, capsys, run, source):
    made = figures("info", run)
    assert made["dataset"] == str(source)
    assert (made["images"], made["scored"], made["skipped"]) == (8, 8, {})
    assert made["shards"] == "3 of 3"
    assert (made["evaluations"], made["evaluations_per_image"]) == (8 * 8, 8.0)
    assert made["images_with_further_draws"] == 0
    assert made["settings"]["timesteps"] == [300, 600]
    assert len(made["selections"]) == 1
    assert main(["info", str(run)]) == 0
    shown = capsys.readouterr().out
    assert "shards: 3 of 3" in shown
    assert made["knowledge"]["reason"] == "too_few"
    assert "knowledge:\n  unknown: because the run has too few images" in shown


def test_info__what_the_prior_knows(figures, capsys, run):
    measured = Measured(2, 8, 0.75, 0.125), Measured(1, 4, 0.5, None), Measured(0, 0, None, None)
    plan = KnowledgePlan(2, 4, (300,), 2, 100)
    write_knowledge(run, Knowledge(plan, "", measured[0], measured[1:]))
    made = figures("info", run)["knowledge"]
    assert made["run"] == {"images": 2, "pairs": 8, "auc": 0.75, "standard_error": 0.125}
    assert [one["auc"] for one in made["classes"].values()] == [0.5, None]
    assert main(["info", str(run)]) == 0
    first, second = made["classes"]
    assert (
        "knowledge:\n  all classes: AUC 0.75 ± 0.12 (8 pairs, 2 images)\n"
        f"  {first}: AUC 0.50 (4 pairs, 1 images)\n  {second}: unknown\n"
    ) in capsys.readouterr().out


def test_info__of_an_unfinished_run(figures, run):
    (run / "summary.json").unlink()
    (run / "scores/00002.safetensors").unlink()
    made = figures("info", run)
    assert made["shards"] == "2 of 3"
    assert "scored" not in made


# What a dry run does


def test_dry_run__says_what_an_image_takes_at_least_and_at_most(figures, source, tmp_path):
    command = ("score", source, "--run", tmp_path / "run", "--timesteps", "200", "300", "--draws",
               "4", "--dry-run")  # fmt: skip
    assert figures(*command)["work"]["evaluations_per_image"] == 16
    found = figures(*command, "--most-draws", "16")["work"]["evaluations_per_image"]
    assert found == "at least 16, at most 64"


@pytest.mark.parametrize("command", ["score", "distill", "train", "toybox"])
def test_dry_run__writes_nothing(capsys, source, tiny_prior, tmp_path, command):
    new = tmp_path / "new"
    arguments = {
        "score": ("score", source, "--run", new, "--prior", tiny_prior),
        "distill": ("distill", source, "--out", new, "--prior", tiny_prior, "--ipc", "3"),
        "train": ("train", source, "--out", new),
        "toybox": ("toybox", new),
    }[command]
    assert main([*map(str, arguments), "--dry-run"]) == 0
    assert list(tmp_path.iterdir()) == []
    shown = capsys.readouterr().out
    told = {
        "score": (
            "images: 8",
            "classes: 2",
            "timesteps: 300, 500, 700",
            "decoders: 2",
        ),
        "distill": ("images: 8", "ipc: 3", "image px: 0"),
        "train": ("images: 8", "classes: 2", "resolution px: 128"),
        "toybox": ("per class: 100", f"out: {new}"),
    }[command]
    assert all(text in shown for text in told)


@pytest.mark.parametrize("command", ["score", "distill"])
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_score__says_first_what_is_scored(capsys, tiny_prior, tmp_path, command, more):
    """The split, the classes with their images, and the words of the prompts."""
    root = tmp_path / "pictures"
    write_pictures(root / "Training", {"10": 3, "9": 2})
    write_pictures(root / "Testing", {"10": 1, "9": 1})
    (root / "classes.json").write_text('["black cat", "red dog"]')
    where = {"score": "--run", "distill": "--out"}[command]
    flags = (*QUICK, "--prompt", "a {class}!", "--null-prompt", "?", "--per-class", "2", *more)
    arguments = (command, root, where, tmp_path / "new", "--prior", tiny_prior, *flags)
    assert main([*map(str, arguments)]) == 0
    assert capsys.readouterr().err.splitlines()[:7] == [
        f"source: {root}",
        "split: Training",
        "classes: 2, with 4 images",
        '  black cat (folder 9): 2 images, "a black cat!"',
        '  red dog (folder 10): 2 images, "a red dog!"',
        'null prompt: "?"',
        "note: the split Training is read, and not Testing",
    ]


@pytest.mark.parametrize("command", ["select", "export", "check"])
def test_dry_run__leaves_the_run_alone(capsys, run, tmp_path, command):
    boxes = write_boxes(tmp_path / "boxes.json")
    more = {"select": ("--ipc", "1"), "export": ("--out", tmp_path / "out"), "check": ()}[command]
    more = ("--boxes", boxes) if command == "check" else more
    before = tree(tmp_path)
    assert main([command, str(run), *map(str, more), "--dry-run"]) == 0
    assert tree(tmp_path) == before
    assert capsys.readouterr().out


# What is refused, in one line


def test_refusal__source(refusal, tiny_prior, tmp_path):
    def score(source: Path, *more: str) -> str:
        return refusal("score", source, "--run", tmp_path / "run", "--prior", tiny_prior, *more)

    absent = tmp_path / "absent"
    assert f"'{absent}' is not a dataset: there is no such file or folder; give" in score(absent)
    flat = tmp_path / "flat"
    flat.mkdir()
    assert f"{flat} is empty: it must contain one folder of images per class" in score(flat)
    (flat / "a.png").write_bytes(b"")
    assert f"{flat} contains images but no class folders: put each class's images" in score(flat)
    root = write_pictures(tmp_path / "pictures", {"cat": 2, "dog": 0})
    assert f"{root}: no images in class dog: add images, or choose other" in score(root)
    assert "unknown class 'cow'; known are: cat, dog" in score(root, "--classes", "cow")
    assert "unknown split 'val'; known are: cat, dog" in score(root, "--split", "val")
    assert not (tmp_path / "run").exists()


def test_refusal__distill_into_a_zip_file(refusal, source, tmp_path):
    line = refusal("distill", source, "--out", tmp_path / "set.zip")
    assert "out must be a folder" in line
    assert not list(tmp_path.iterdir())


def test_refusal__prior(refusal, source, tmp_path):
    def score(prior: object) -> str:
        return refusal("score", source, "--run", tmp_path / "run", "--prior", prior)

    assert f"{source} is not a prior: it has no model_index.json; give the folder" in score(source)
    assert "'nosuch' is not a prior: give the word demo, the folder of a saved" in score("nosuch")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--timesteps", "300", "1000"), "timesteps must be between 0 and 999, got 1000"),
        (("--timesteps", "300", "300"), "timesteps must be different numbers, got [300, 300]"),
        (("--draws", "3"), "draws must be even with antithetic pairs, got 3"),
        (("--draws", "0"), "draws must be between 1 and 1024, got 0"),
        (("--prompt", "a toy"), "prompt must contain {class}, got 'a toy'"),
        (("--device", "cuda:77"), "device 'cuda:77' is not available; this machine has"),
        (("--per-class", "-1"), "per class must be at least 0, got -1"),
    ],
)
def test_refusal__score_settings(refusal, source, tiny_prior, tmp_path, flags, told):
    line = refusal("score", source, "--run", tmp_path / "run", "--prior", tiny_prior, *flags)
    assert told in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--patch-px", "64"), "patch size must be between 1 and 32 px for 32 x 32 px images, got"),
        (("--patch-px", "-1"), "patch (px) must be between 0 and 8192, got -1"),
        (("--per-image", "5"), "at most 4 patches of 16 px fit side by side in 32 x 32 px, got 5"),
        (("--timesteps", "301"), "timestep 301 was not scored in this run; scored are 300, 600"),
        (("--ipc", "0"), "ipc must be between 1 and 100000, got 0"),
        (("--factor", "9"), "factor must be between 1 and 8, got 9"),
        (("--pins", "cow"), "unknown image 'cow' in pins: ids look like 'cat/00.png'"),
        (("--pins", "a", "--bans=a"), "an image is either pinned or banned, got 'a' in both"),
        (("--pins", "a", "--pins=a"), "pins must name each image once, got 'a' more than once"),
        (
            ("--moves", "cat/00.png"),
            "moves must be image@x,y in whole pixels, such as cat/1.png@16",
        ),
        (("--moves", "cat/00.png@0,17"), "must be between 0,0 and 16,16 for a 16 px patch in its"),
    ],
)
def test_refusal__select_settings(refusal, run, flags, told):
    before = tree(run)
    assert told in refusal("select", run, *flags)
    assert tree(run) == before


def test_refusal__run_of_other_settings(refusal, run, source, tiny_prior):
    line = refusal(
        "score", source, "--run", run, "--prior", tiny_prior, *QUICK, "--noise-seed", "7"
    )
    assert (
        f"{run} was made with other settings (noise_seed was 0, now 7): use the same settings"
        in line
    )


def test_refusal__run_of_other_data(refusal, run, source, tiny_prior):
    line = refusal("score", source, "--run", run, "--prior", tiny_prior, *QUICK, "--classes", "dog")
    assert "was made with other settings (classes was ('cat', 'dog'), now ('dog',)" in line


@pytest.mark.parametrize("command", ["select", "info", "export", "check"])
def test_refusal__folder_that_is_no_run(refusal, source, tmp_path, command):
    more = {"export": ("--out", tmp_path / "out"), "check": ("--boxes", tmp_path)}.get(command, ())
    absent = tmp_path / "absent"
    for folder, what in ((source, "it has no run.json"), (absent, "there is no such folder")):
        line = refusal(command, folder, *more)
        assert line == f"dsel: {folder} is not a run: {what}; create one with dsel score"


def test_refusal__unfinished_run(refusal, run):
    (run / "summary.json").unlink()
    assert "is not finished: 3 of 3 shards are scored; run dsel score again" in refusal(
        "select", run
    )


def test_refusal__selection(refusal, run, tmp_path):
    kept = next(path.name for path in (run / "selections").iterdir() if path.is_dir())
    for command in (("export", run, "--out", tmp_path / "out"), ("check", run, "--boxes",
                    write_boxes(tmp_path / "boxes.json"))):  # fmt: skip
        line = refusal(*command, "--selection", "nosuch")
        assert line == f"dsel: {run} has no selection nosuch; it has: {kept}"
    shutil.rmtree(run / "selections")
    line = refusal("export", run, "--out", tmp_path / "out")
    assert line == f"dsel: {run} has no selection yet: run dsel select {run} first"


def test_refusal__foreign_folders(refusal, run, source, tiny_prior, tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    before = tree(folder)
    for command in (
        ("score", source, "--run", folder, "--prior", tiny_prior),
        ("export", run, "--out", folder),
        ("toybox", folder),
        ("train", source, "--out", folder),
    ):
        line = refusal(*command)
        assert f"{folder} holds other files" in line
        assert "choose an empty" in line
    assert tree(folder) == before


def test_distill__foreign_folder_is_refused_before_hours_of_scoring(
    refusal, source, tiny_prior, tmp_path
):
    (tmp_path / "thesis.tex").write_text("years of work")
    line = refusal(
        "distill", source, "--out", tmp_path, "--prior", tiny_prior, *QUICK, "--ipc", "2"
    )
    assert "holds other files, such as thesis.tex" in line
    assert set(tree(tmp_path)) == {"thesis.tex"}


def test_distill__unknown_images_are_refused_before_hours_of_scoring(
    refusal, source, tiny_prior, tmp_path
):
    line = refusal(
        "distill", source, "--out", tmp_path / "out", "--prior", tiny_prior, *QUICK,
        "--bans", "cat/00.png", "cow",
    )  # fmt: skip
    assert line == "dsel: unknown image 'cow' in bans: ids look like 'cat/00.png'"
    assert not (tmp_path / "out").exists()


def test_refusal__boxes(refusal, run, tmp_path):
    (tmp_path / "boxes.json").write_text("{}")
    assert "is not COCO JSON" in refusal("check", run, "--boxes", tmp_path / "boxes.json")
    assert str(tmp_path / "absent") in refusal("check", run, "--boxes", tmp_path / "absent")
    record = json.loads(write_boxes(tmp_path / "boxes.json").read_text())
    for image in record["images"]:
        image["file_name"] = "other.png" + image["file_name"]
    (tmp_path / "boxes.json").write_text(json.dumps(record))
    assert "none of the run's images is among" in refusal(
        "check", run, "--boxes", tmp_path / "boxes.json"
    )


def test_refusal__full_disk(refusal, run, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("dsel.files.os.fsync", full)
    assert "no space left on the disk while writing" in refusal("select", run, "--ipc", "1")


def test_main__interrupted(monkeypatch, capsys, run):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dsel.pipeline.selector.Selector.select", interrupt)
    assert main(["select", str(run)]) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "dsel: interrupted; run the same command again to resume"


def test_main__a_bug_keeps_its_traceback(monkeypatch, run):
    monkeypatch.setattr("dsel.pipeline.selector.Selector.select", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["select", str(run)])


# A process of its own


def test_process__one_line_and_code_2(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "dsel.cli", "info", str(tmp_path)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"dsel: {tmp_path} is not a run: it has no run.json; create one with dsel score\n"
    )


def test_process__figures_are_alone_on_standard_output(source, tiny_prior, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "dsel.cli", "distill", str(source), "--out", str(out),
         "--prior", str(tiny_prior), *QUICK, "--ipc", "2", "--json"],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["export"]["images"] == 4
    # a stage that takes long, as a map may on a slow machine, has a line of progress
    told = [line for line in done.stderr.splitlines() if not line.startswith("map: ")]
    assert told == [
        f"source: {source}",
        "split: none",
        "classes: 2, with 8 images",
        '  cat: 4 images, "An image of cat."',
        '  dog: 4 images, "An image of dog."',
        'null prompt: "An image of ."',
    ]


def _was_killed(arguments: Sequence[str], folder: Path, changes: int) -> bool:
    """Run a command that is killed at a change of a file; false if it ended before."""
    with fork_server() as context:
        process = context.Process(target=call_and_die, args=(arguments, folder, changes))
        process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork server")
def test_distill__killed_at_any_moment_and_finished(source, tiny_prior, tmp_path):
    """A first kill is at one of as many changes as there are files, which are all renamed once."""
    command = ("--prior", str(tiny_prior), *QUICK, "--ipc", "2", "--shard-size", "2")
    whole = tmp_path / "whole"
    assert main(["distill", str(source), "--out", str(whole), *command]) == 0
    total = len(tree(whole))
    rng = random.Random(0)
    for attempt, changes in enumerate(sorted(rng.sample(range(1, total), 3))):
        out = tmp_path / f"out{attempt}"
        arguments = ["distill", str(source), "--out", str(out), *command]
        assert _was_killed(arguments, out, changes)
        _was_killed(arguments, out, rng.randint(1, 8))  # again, unless it is done before
        assert main(arguments) == 0
        assert tree(out) == tree(whole)


def _stderr_at_sigterm(arguments: Sequence[str], begun: Callable[[], bool]) -> str:
    """Send SIGTERM to a command once it has begun; it must end with 143."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dsel.cli", *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 300
    while not begun() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, printed = process.communicate(timeout=300)
    assert process.returncode == 143, printed
    return printed


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_main__sigterm_ends_as_sigint_does(tmp_path: Path) -> None:
    out = tmp_path / "scenes"
    arguments = ("toybox", str(out), "--per-class", "2000")
    printed = _stderr_at_sigterm(arguments, lambda: any(out.glob("*/*.png")))
    assert printed == "dsel: terminated; run the same command again to resume\n"
    assert not (out / LOCK).exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_main__sigterm_ends_the_app(tmp_path: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]

    def listens() -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", port)) == 0

    printed = _stderr_at_sigterm(("app", "--port", str(port)), listens)
    assert "Traceback" not in printed


def test_main__no_port(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["app", "--port", "99999"]) == 2
    line = capsys.readouterr().err
    assert line.startswith("dsel: port must be ")
    assert line.count("\n") == 1


def test_main__control_characters_are_escaped(tmp_path, capsys) -> None:
    """An escape sequence in a name would set the window's title, or move the cursor."""
    name = "\x1b]0;mine\x07\x1b[2Jx\n\u202ey"
    assert main(["info", str(tmp_path / name)]) == 2
    line = capsys.readouterr().err
    assert "\\x1b]0;mine\\x07\\x1b[2Jx\\n\\u202ey is not a run" in line
    assert line.count("\n") == 1
    assert line[:-1].isprintable()


def test_main__a_reader_that_stops_early(tmp_path: Path) -> None:
    """As in `dsel --help | head -1`, whose pipe is closed before all is printed."""
    code = "import sys; from dsel.cli.commands import main; sys.exit(main(['distill', '--help']))"
    shown = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert shown.stdout is not None
    assert shown.stderr is not None
    shown.stdout.close()
    assert shown.stderr.read() == b""
    assert shown.wait() == 141
    shown.stderr.close()


@pytest.mark.parametrize("module", ["dsel", "dsel.cli"])
def test_process__version(module):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"dsel {dsel.__version__}\n"
