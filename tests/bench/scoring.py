"""Measures scoring: images a second, the prior's share of the time, and memory on many images.

    python tests/bench/scoring.py --prior demo --source toybox --small 200 --large 2000

Each number of images is scored in a process of its own, into a folder that is thrown away. Prints
one JSON object; peak_mb is the largest resident memory of that process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from dsel.config import PriorSettings, ScoreSettings  # noqa: E402  (the checkout's own dsel, installed or not)


def main() -> None:
    options = _options()
    if options.images:
        print(json.dumps(measure(options, options.images)))
        return
    found = {name: _apart(name, getattr(options, name)) for name in ("small", "large")}
    growth = found["large"]["peak_mb"] - found["small"]["peak_mb"]
    print(json.dumps(found | {"growth_mb": round(growth, 1)}))


def measure(options: argparse.Namespace, images: int) -> dict[str, float]:
    """Score that many images in this process; the figures of the stage, and its peak memory."""
    from dsel.config import SourceSettings
    from dsel.data import open_dataset
    from dsel.pipeline.score import score
    from dsel.priors import load_prior
    from dsel.types import Done

    classes = len(open_dataset(options.source, SourceSettings()).classes)
    per_class = max(1, images // classes)
    dataset = open_dataset(options.source, SourceSettings(per_class=per_class))
    timesteps = tuple(options.timesteps)
    settings = ScoreSettings(draws=options.draws, timesteps=timesteps)
    prior = load_prior(PriorSettings(prior=options.prior, device=options.device))
    loaded_mb = _peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        events = score(dataset, prior, Path(folder, "run"), settings)
        figures = next(event.figures for event in events if isinstance(event, Done))
    return {**figures, "precision": prior.precision, "loaded_mb": loaded_mb, "peak_mb": _peak_mb()}


def _apart(name: str, images: int) -> dict[str, float]:
    print(f"{name}: {images} images", file=sys.stderr)
    command = [sys.executable, __file__, *sys.argv[1:], "--images", str(images)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prior", default="demo")
    parser.add_argument("--source", default="toybox")
    parser.add_argument("--small", type=int, default=200)
    parser.add_argument("--large", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--timesteps", type=int, nargs="+", default=[*ScoreSettings().timesteps])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--images", type=int, default=0, help="score this many in this process")
    return parser.parse_args()


if __name__ == "__main__":
    main()
