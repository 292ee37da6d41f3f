"""Measures the default settings against the former ones: time, and hit rate on the same scenes.

    python tests/bench/recipes_bench.py --scenes 150 --seeds 51 52 53 --work WORK

Scores toybox scenes of each seed with every recipe in turn, in one process, the order changing from
seed to seed, and prints one JSON object: per recipe the evaluations per image, its time as a share
of that of the former default (on the wall, and of the processor, which a busy machine changes
less), and hit rates per patch size, with the default selection and with other maps that locate.
`former` is six timesteps of two antithetic pairs; `independent` has the default's timesteps with
two draws that are no pair, so that standard errors are known. A time is that of `dsel score` with a
loaded prior: reading, scoring, what the prior knows, layouts.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import torch

# so that it also runs in a checkout that is not installed
sys.path.insert(0, str(Path(__file__).parents[2]))

from dsel.analysis.localization import check_selection
from dsel.config import PriorSettings, ScoreSettings, SelectSettings
from dsel.data.spec import open_source
from dsel.data.toybox_dataset import write_toybox
from dsel.pipeline.score import score
from dsel.pipeline.selector import Selector
from dsel.priors import load_prior
from dsel.runs import open_run
from dsel.runs.ground_truth import read_ground_truth
from dsel.types import Prior

RECIPES = {
    "former": ScoreSettings(timesteps=(200, 300, 400, 500, 600, 700), draws=4, antithetic=True),
    "default": ScoreSettings(),
    "independent": ScoreSettings(antithetic=False),
}
LOCATING = {
    "default": SelectSettings(),
    "smooth": SelectSettings(smooth=1.0),
    "difference": SelectSettings(locate="difference", smooth=1.0),
}


def main() -> None:
    options = _options()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(options, Path(options.work or folder)), indent=2))


def measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    prior = load_prior(PriorSettings(prior=options.prior, precision=options.precision))
    sides = prior.resolution_px // 4, prior.resolution_px // 2
    _warm(prior, work / "warm")
    spent = {name: [0.0, 0.0] for name in RECIPES}
    rates: dict[str, list[dict[str, float]]] = {name: [] for name in RECIPES}
    for turn, seed in enumerate(options.seeds):
        scenes = work / f"scenes-{seed}"
        for _ in write_toybox(scenes, options.scenes // 10, seed):
            pass
        names = list(RECIPES)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            run = work / f"{name}-{seed}"
            began = time.perf_counter(), time.process_time()
            for _ in score(open_source(str(scenes)), prior, run, RECIPES[name]):
                pass
            spent[name][0] += time.perf_counter() - began[0]
            spent[name][1] += time.process_time() - began[1]
            rates[name].append(hit_rates(run, scenes / "boxes.json", sides))
            print(name, seed, rates[name][-1], spent[name], file=sys.stderr)
    return {
        "prior": options.prior, "precision": prior.precision, "scenes": options.scenes,
        "seeds": options.seeds,
        **{
            name: {
                "evaluations": 2 * len(settings.timesteps) * settings.draws,
                "time_ratio": round(spent[name][0] / spent["former"][0], 3),
                "cpu_ratio": round(spent[name][1] / spent["former"][1], 3),
                "hit_rate": {
                    side: round(sum(one[side] for one in rates[name]) / len(rates[name]), 4)
                    for side in rates[name][0]
                },
                "hit_rate_of_seeds": rates[name],
            }
            for name, settings in RECIPES.items()
        },
    }  # fmt: skip


def hit_rates(run_path: Path, boxes: Path, sides: tuple[int, ...]) -> dict[str, float]:
    selector, found = Selector(open_run(run_path)), {}
    truth = read_ground_truth(selector.run, boxes)
    for (name, settings), side in product(LOCATING.items(), sides):
        wanted = settings.replace(patch_px=side)
        chosen = [selector.select(index, wanted) for index in range(len(selector.classes))]
        found[f"{name} {side}"] = round(
            float(check_selection(selector.run, chosen, truth)["hit_rate"]), 4
        )  # type: ignore[arg-type]
    return found


def _warm(prior: Prior, folder: Path) -> None:
    """Score a few scenes, so that no recipe pays for what the first call imports and tries."""
    for _ in score(open_source("toybox:seed=1,per-class=2"), prior, folder, ScoreSettings()):
        pass


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=150, help="images per seed, of ten classes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[51, 52, 53])
    parser.add_argument("--prior", default="demo")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 takes all")
    parser.add_argument("--work", default="", help="empty folder that keeps the runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
