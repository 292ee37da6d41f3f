"""Measures the cascade: what share of the network's evaluations gives the same distilled set.

    python tests/bench/cascade_bench.py --prior demo --draws 10 --refine 0.25

Scores toybox scenes of a fresh seed twice, with all draws for all images and with --refine, selects
from both runs by several rules, and compares the patches that an IPC keeps. Prints one JSON object.
`same_patches` counts a patch as the same if image and box are; `same_images` asks for the image
alone. `random` is the share that two random choices of images would have in common.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

# so that it also runs in a checkout that is not installed
sys.path.insert(0, str(Path(__file__).parents[2]))

from dsel.config import PriorSettings, ScoreSettings, SelectSettings, SourceSettings
from dsel.data import open_dataset
from dsel.pipeline.score import score
from dsel.pipeline.select import select
from dsel.priors import load_prior
from dsel.runs import Run, open_run
from dsel.types import Event, Patch, Started

RULES = {
    "default": SelectSettings(),
    "discriminative_share": SelectSettings(discriminative_share=0.2),
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
    cascade = ScoreSettings(
        draws=options.draws, first_draws=options.first_draws, refine=options.refine
    )
    with tempfile.TemporaryDirectory() as folder:
        seconds, runs = {}, {}
        for name, settings in (("cascade", cascade), ("full", cascade.replace(refine=0.0))):
            began = time.perf_counter()
            for event in score(dataset, prior, Path(folder, name), settings):
                _tell(name, event)
            seconds[name] = round(time.perf_counter() - began, 1)
            runs[name] = open_run(Path(folder, name))
        spent = runs["cascade"].summary.evaluations / runs["full"].summary.evaluations
        figures = {
            "prior": options.prior, "images": runs["full"].summary.scored, "ipc": options.ipc,
            "draws": options.draws, "first_draws": options.first_draws, "refine": options.refine,
            "evaluations_share": round(spent, 4),
            **{name: agreement(runs, rule.replace(ipc=options.ipc)) for name, rule in rules},
            "random": round(options.ipc / options.per_class, 4),
            "seconds": seconds, "precision": prior.precision,
        }  # fmt: skip
    print(json.dumps(figures))


def agreement(runs: Mapping[str, Run], chosen: SelectSettings) -> dict[str, float]:
    """What the IPC keeps of both runs."""
    kept = {name: kept_patches(run, chosen) for name, run in runs.items()}
    return {
        "same_patches": _share(kept["cascade"], kept["full"], whole=True),
        "same_images": _share(kept["cascade"], kept["full"], whole=False),
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prior", default="demo")
    parser.add_argument("--classes", nargs="*", default=[], help="use only these; all by default")
    parser.add_argument("--per-class", type=int, default=100)
    parser.add_argument("--seed", type=int, default=21, help="seed of the scenes")
    parser.add_argument("--ipc", type=int, default=10)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--first-draws", type=int, default=2)
    parser.add_argument("--refine", type=float, default=0.25)
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


if __name__ == "__main__":
    main()
