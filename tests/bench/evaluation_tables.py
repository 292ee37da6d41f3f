"""Make the tables of docs/evaluation.md: students trained on dsel's sets and on every baseline.

    python tests/bench/evaluation_tables.py toybox --work WORK --out toybox.json
    python tests/bench/evaluation_tables.py cifar10 --data FOLDER --prior FOLDER --work WORK

Each pool of images is scored once, and each student is stored in its run, so the same command
resumes. `--split validation` trains for choices of defaults; the tables come from `--split test`.
Toybox needs nothing else. For CIFAR-10, the folder holds cifar10_train_0.npz (the pool),
cifar10_train_2.npz (validation) and cifar10_test.npz.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, variance
from typing import Any

from scipy.stats import t

import dsel
from dsel.config import ScoreSettings
from dsel.data.spec import open_source
from dsel.runs.evaluations import Evaluation

FREE = ("random-whole", "random-crop", "centre-crop", "no-clusters", "kmeans-nearest", "herding",
        "facility-location")  # fmt: skip
"""Baselines that need no teacher."""

TAUGHT = ("rded", "easiest", "hardest")
SETS: Mapping[str, Mapping[str, Any]] = {
    "single": {},
    "mosaic": {"factor": 2},
    "score": {"within": "score"},
    "centroid": {"within": "centroid"},
}
"""Selections that are evaluated: the default, mosaics of 2 x 2 that students unpack, and the two
orders within clusters."""


@dataclass(frozen=True)
class Pool:
    """Images to choose from, and those that students are tested on."""

    name: str
    source: str
    validation: str
    test: str
    prior: str = "demo"
    student_px: int = 64


def toybox_pools(given: argparse.Namespace) -> list[Pool]:
    """Pools of scenes; validation and test scenes have seeds of their own."""
    return [
        Pool(
            name=f"toybox-{seed}",
            source=f"toybox:seed={seed},per-class={given.per_class}",
            validation=f"toybox:seed={seed + 20},per-class=50",
            test=f"toybox:seed={seed + 30},per-class=100",
            student_px=given.student_px or 64,
        )
        for seed in given.pools
    ]


def cifar10_pools(given: argparse.Namespace) -> list[Pool]:
    """Training images of the first file are the pool, those of the last one validation."""
    folder = Path(given.data)
    return [
        Pool(
            name=f"cifar10-{given.per_class}",
            source=f"{folder / 'cifar10_train_0.npz'}:per-class={given.per_class}",
            validation=f"{folder / 'cifar10_train_2.npz'}:per-class=100",
            test=f"{folder / 'cifar10_test.npz'}:per-class={given.test_per_class}",
            prior=given.prior,
            student_px=given.student_px or 32,
        )
    ]


def evaluations(pool: Pool, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Score a pool, evaluate its selections, and yield the rows of all students."""
    folder = Path(given.work) / f"{pool.name}{_recipe_name(given)}"
    run = dsel.score(
        open_source(pool.source), folder, prior=pool.prior, precision=given.precision,
        shard_size=100, timesteps=tuple(given.timesteps), draws=given.draws,
        antithetic=given.antithetic,
    )  # fmt: skip
    teacher = _teacher(pool, folder, given)
    for student in given.students:
        for recipe in given.recipes:
            for kind in given.sets:
                found = _evaluate(run, pool, teacher, student, recipe, kind, given)
                for row in found.rows:
                    yield {
                        "pool": pool.name, "student": student, "recipe": recipe, "set": kind,
                        "name": row.name, "ipc": row.ipc, "images": row.images,
                        "training_images": row.training_images, "test": found.test.source,
                        "last": [one.last for one in row.students],
                        "best": [one.best for one in row.students],
                    }  # fmt: skip


def _recipe_name(given: argparse.Namespace) -> str:
    """Name another way to score than the default one."""
    chosen = tuple(given.timesteps), given.draws, given.antithetic
    usual = ScoreSettings()
    if chosen == (usual.timesteps, usual.draws, usual.antithetic):
        return ""
    parts = "-".join(map(str, given.timesteps))
    return f"-t{parts}-d{given.draws}{'' if given.antithetic else '-independent'}"


def _evaluate(
    run: Any, pool: Pool, teacher: str, student: str, recipe: str, kind: str, given: Any
) -> Evaluation:
    """Evaluate one selection of a run with one student and one recipe."""
    selection = dsel.select(run, **SETS[kind], ipc=max(given.ipcs))
    held_out = pool.test if given.split == "test" else pool.validation
    baselines = [name for name in given.baselines if teacher or name not in TAUGHT]
    return dsel.evaluate(
        selection, held_out, student=student, recipe=recipe, student_px=pool.student_px,
        seeds=given.seeds, steps=given.steps, ipcs=tuple(given.ipcs), baselines=tuple(baselines),
        threads=given.threads, precision=given.student_precision, workers=given.workers,
        **({"teacher": teacher} if teacher else {}),
    )  # fmt: skip


def _teacher(pool: Pool, folder: Path, given: argparse.Namespace) -> str:
    """Train a teacher on the whole pool where one is needed; an empty text otherwise."""
    if "soft" not in given.recipes and not set(TAUGHT) & set(given.baselines):
        return ""
    out = folder.with_name(f"{folder.name}-teacher")
    dsel.teach(
        open_source(pool.source), out, student=given.teacher_student, image_px=pool.student_px,
        steps=given.teacher_steps, validation=pool.validation, threads=given.threads,
        precision=given.student_precision,
    )  # fmt: skip
    return str(out)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return Markdown tables, one per student, recipe and set: methods by IPC, in percent."""
    parts = []
    for key, group in _grouped(rows, "student", "recipe", "set").items():
        ipcs = sorted({row["ipc"] for row in group})
        parts.append(f"\n{', '.join(key)}\n\n| method | " + " | ".join(f"IPC {n}" for n in ipcs))
        parts[-1] += " |\n|---|" + "---|" * len(ipcs)
        for (name,), of_name in _grouped(group, "name").items():
            cells = [_cell(of_name, group, ipc) for ipc in ipcs]
            parts.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(parts)


def _cell(rows: Sequence[Mapping[str, Any]], group: Sequence[Mapping[str, Any]], ipc: int) -> str:
    """Return mean and deviation, and how random images differ: bold where they are worse."""
    ours = {row["pool"]: row["last"] for row in rows if row["ipc"] == ipc}
    random = {
        row["pool"]: row["last"]
        for row in group
        if (row["name"], row["ipc"]) == ("random-whole", ipc)
    }
    if not ours:
        return ""
    text = f"{100 * fmean(map(fmean, ours.values())):.1f}"
    if (spread := deviation_within(ours)) is not None:
        text += f" ± {100 * spread:.1f}"
    found = None if rows[0]["name"] == "random-whole" else difference(ours, random)
    if found is None:
        return text
    figures = f"{100 * found[0]:+.1f}, p = {found[1]:.2g}"
    return f"**{text}** ({figures})" if found[0] > 0 and found[1] < 0.05 else f"{text} ({figures})"


def deviation_within(pools: Mapping[str, Sequence[float]]) -> float | None:
    """Return the standard deviation of students around the mean of their own pool.

    None where every pool has one student.
    """
    degrees = sum(len(values) - 1 for values in pools.values())
    if not degrees:
        return None
    squares = sum((value - fmean(v)) ** 2 for v in pools.values() for value in v)
    return math.sqrt(squares / degrees)


def difference(
    ours: Mapping[str, Sequence[float]], theirs: Mapping[str, Sequence[float]]
) -> tuple[float, float] | None:
    """Return the mean over pools of the difference of two sets, and its two-sided p-value.

    Sets are compared within their pools, as some pools are easier than others: with one pool it is
    Welch's t test, with several the variances of all means are added (Satterthwaite's degrees of
    freedom). None where pools differ or a pool has fewer than two students.
    """
    if set(ours) != set(theirs) or min(map(len, (*ours.values(), *theirs.values()))) < 2:
        return None
    gap = fmean(fmean(ours[pool]) - fmean(theirs[pool]) for pool in ours)
    sides = [values for side in (ours, theirs) for values in side.values()]
    parts = [variance(values) / len(values) / len(ours) ** 2 for values in sides]
    total = sum(parts)
    if total == 0.0:
        return gap, float(gap == 0.0)
    degrees = total**2 / sum(v**2 / (len(side) - 1) for v, side in zip(parts, sides, strict=True))
    return gap, float(2 * t.sf(abs(gap) / math.sqrt(total), degrees))


def _grouped(
    rows: Sequence[Mapping[str, Any]], *names: str
) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return dict(groups)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", choices=("toybox", "cifar10"))
    parser.add_argument("--work", required=True, help="folder of runs and teachers; resumes there")
    parser.add_argument("--out", help="JSON file of all students")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--pools", type=int, nargs="+", default=(0, 2, 3), help="scene seeds")
    parser.add_argument("--per-class", type=int, default=100, help="images of a pool's class")
    parser.add_argument("--test-per-class", type=int, default=0, help="0 is all (CIFAR-10)")
    parser.add_argument("--data", default="../shared/data/cifar10", help="CIFAR-10's npz files")
    parser.add_argument("--prior", default="../shared/data/priors/cifar10", help="its prior")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--timesteps", type=int, nargs="+", default=ScoreSettings().timesteps)
    parser.add_argument("--draws", type=int, default=ScoreSettings().draws)
    parser.add_argument("--antithetic", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--ipcs", type=int, nargs="+", default=(1, 10, 50))
    parser.add_argument("--students", nargs="+", default=("convnet-4", "resnet-10"))
    parser.add_argument("--recipes", nargs="+", default=("hard", "soft"))
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=("single", "mosaic"))
    parser.add_argument("--baselines", nargs="*", default=(*FREE, *TAUGHT))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--teacher-student", default="resnet-18", help="the teacher's network")
    parser.add_argument("--teacher-steps", type=int, default=3000)
    parser.add_argument("--student-px", type=int, default=0)
    parser.add_argument("--student-precision", default="auto", help="of students and teachers")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument(
        "--workers", type=int, default=0,
        help="processes that train students; several keep one GPU busy, which one student cannot",
    )  # fmt: skip
    return parser.parse_args()


def main() -> int:
    """Run the chosen part of the tables."""
    given = _arguments()
    pools = toybox_pools(given) if given.dataset == "toybox" else cifar10_pools(given)
    rows: list[dict[str, Any]] = []
    for pool in pools:
        rows += evaluations(pool, given)
        if given.out:
            Path(given.out).write_text(json.dumps(rows, indent=1), "utf-8")
    sys.stdout.write(table(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
