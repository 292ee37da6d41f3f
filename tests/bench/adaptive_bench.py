"""Measures adaptive draws: what share of the network's evaluations gives the same distilled set.

    python tests/bench/adaptive_bench.py --prior demo --per-class 40 --draws 4 --most-draws 16

Scores toybox scenes of a fresh seed with rounds of further draws, and once more with the same
settings where the rounds give every image all draws that it may get. Selects from both by several
rules, and compares what an IPC keeps. Prints one JSON object: evaluations per image of both, the
share of equal images (`same_images`), and of equal images and boxes (`same_patches`). `random` is
the share that two random choices of images would have in common, and `first_draws` what the first
draws alone would keep of the reference.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

# so that it also runs in a checkout that is not installed
sys.path.insert(0, str(Path(__file__).parents[2]))

from dsel.config import PriorSettings, ScoreSettings, SelectSettings, SourceSettings
from dsel.core.adaptive import Needs, needing_draws
from dsel.data import open_dataset
from dsel.pipeline.score import score
from dsel.pipeline.select import select
from dsel.priors import load_prior
from dsel.runs import Run, open_run
from dsel.types import ClassScores, Dataset, Event, Geometry, Patch, Prior, Started

RULES = {
    "default": SelectSettings(),
    "by_patch": SelectSettings(rank_by="patch"),
    "pooled": SelectSettings(across="pooled"),
}


def main() -> None:
    """Measure, and print what was found."""
    options, rules = _options(), RULES.items()
    prior = load_prior(PriorSettings(prior=options.prior, device=options.device))
    source = SourceSettings(
        classes=tuple(options.classes), per_class=options.per_class, scene_seed=options.seed
    )
    dataset = open_dataset("toybox", source)
    settings = ScoreSettings(
        timesteps=tuple(options.timesteps), draws=options.draws, most_draws=options.most_draws,
        tolerance=options.tolerance, keep=options.ipc,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        runs, seconds = scored_runs(dataset, prior, settings, Path(folder))
        spent = {name: run.summary.evaluations_per_image for name, run in runs.items()}
        figures = {
            "prior": options.prior, "images": runs["adaptive"].summary.scored, "ipc": options.ipc,
            "timesteps": options.timesteps, "draws": options.draws,
            "most_draws": options.most_draws, "tolerance": options.tolerance,
            "evaluations_per_image": {name: round(each, 2) for name, each in spent.items()},
            "evaluations_share": round(spent["adaptive"] / spent["uniform"], 4),
            "rounds": len(runs["adaptive"].summary.rounds),
            "images_with_further_draws": runs["adaptive"].summary.further,
            **{name: agreement(runs, rule.replace(ipc=options.ipc)) for name, rule in rules},
            "random": round(options.ipc / options.per_class, 4),
            "seconds": seconds, "precision": prior.precision,
        }  # fmt: skip
    print(json.dumps(figures))


def scored_runs(
    dataset: Dataset, prior: Prior, settings: ScoreSettings, folder: Path
) -> tuple[dict[str, Run], dict[str, float]]:
    """Score three runs that share the first draws; returns them, and the seconds that each took."""
    seconds = {}
    for name in ("adaptive", "uniform", "first"):
        path, began = folder / name, time.perf_counter()
        if name != "adaptive":
            shutil.copytree(folder / "adaptive", path, ignore=shutil.ignore_patterns(
                "rounds", "summary.json", "layouts", "selections"))  # fmt: skip
        with everything_needs(None if name == "adaptive" else name == "uniform"):
            for event in score(dataset, prior, path, settings):
                _tell(name, event)
        seconds[name] = round(time.perf_counter() - began, 1)
    return {name: open_run(folder / name) for name in seconds}, seconds


@contextmanager
def everything_needs(draws: bool | None) -> Iterator[None]:
    """Let every image need further draws for its place, or none; None asks the rule."""

    def needs(
        scores: ClassScores, geometry: Geometry, settings: ScoreSettings, copies: Collection[str]
    ) -> Needs:
        found = needing_draws(scores, geometry, settings, copies)
        if draws is None:
            return found
        return replace(found, place=np.full(len(scores.ids), draws), box=found.box & draws)

    with patch("dsel.pipeline.rounds.needing_draws", needs):
        yield


def agreement(runs: Mapping[str, Run], chosen: SelectSettings) -> dict[str, float]:
    """What the IPC keeps of both runs."""
    kept = {name: kept_patches(run, chosen) for name, run in runs.items()}
    return {
        "same_images": _share(kept["adaptive"], kept["uniform"], whole=False),
        "same_patches": _share(kept["adaptive"], kept["uniform"], whole=True),
        "first_draws": _share(kept["first"], kept["uniform"], whole=False),
    }


def kept_patches(run: Run, settings: SelectSettings) -> list[Patch]:
    """The patches in the images that the IPC keeps, of all classes."""
    for event in select(run, settings):
        _tell("select", event)
    _, selections = run.read_selection()
    return [s.patches[at] for s in selections for image in s.images[: settings.ipc] for at in image]


def _share(found: list[Patch], wanted: list[Patch], *, whole: bool) -> float:
    def keys(patches: list[Patch]) -> set[object]:
        return {(p.image_id, p.box) if whole else p.image_id for p in patches}

    return round(len(keys(found) & keys(wanted)) / max(1, len(keys(wanted))), 4)


def _tell(name: str, event: Event) -> None:
    if isinstance(event, Started):
        print(f"{name}: {event.stage} of {event.total} {event.unit}", file=sys.stderr)


def _options() -> argparse.Namespace:
    usual = ScoreSettings()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prior", default="demo")
    parser.add_argument("--classes", nargs="*", default=[], help="use only these; all by default")
    parser.add_argument("--per-class", type=int, default=40)
    parser.add_argument("--seed", type=int, default=21, help="seed of the scenes")
    parser.add_argument("--ipc", type=int, default=10)
    parser.add_argument("--timesteps", nargs="*", type=int, default=[200, 300])
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--most-draws", type=int, default=16)
    parser.add_argument("--tolerance", type=float, default=usual.tolerance)
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


if __name__ == "__main__":
    main()
