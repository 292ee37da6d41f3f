"""Measures what launching costs: kept images after kills, and Ray against this machine alone.

    python tests/bench/launch_bench.py --images 2000

`repeated` kills a job at random moments: images that were given to the prior, in all tries, against
those of the run, and per kill. `rates` are images a second of toybox scenes with the demo prior, by
the times at which shards were written, without the first ones, so start-up is apart; the variants
take turns in blocks, and the ratios are medians over blocks. Prints one JSON object. A busy machine
slows the variants with two workers the most.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from types import MappingProxyType

# the checkout's own dsel, installed or not
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from dsel.config import PriorSettings, ScoreSettings, SourceSettings  # noqa: E402
from dsel.runs.run import SUMMARY  # noqa: E402
from dsel.runs.workers import list_workers  # noqa: E402

CLASSES = 10
LEAN = ScoreSettings(timesteps=(300,), draws=2, knowledge="off", shard_size=64, rows_per_call=4)
VARIANTS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "local": ("--threads", "1"),
    "ray_1": ("--on", "ray", "--workers", "1", "--threads", "1"),
    "threads_2": ("--threads", "2"),
    "ray_2": ("--on", "ray", "--workers", "2", "--threads", "1"),
})  # fmt: skip


def main() -> None:
    options = _options()
    if options.child:
        _score_counting(options, options.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        found = {"repeated": repeated(options, Path(folder))} if options.kills else {}
        if options.blocks:
            found |= rates(options, Path(folder))
    print(json.dumps(found))


def repeated(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Kill a job at random moments; how many images were scored in vain."""
    rng, run = random.Random(options.seed), folder / "run"
    command = [sys.executable, __file__, *sys.argv[1:], "--child", str(run)]
    kills = 0
    while not (run / SUMMARY).exists():
        job = subprocess.Popen(command)
        while job.poll() is None:
            at_work = any(s.pid == job.pid and s.stage == "score" for s in list_workers(run))
            if kills < options.kills and at_work:
                time.sleep(rng.uniform(0, options.kill_s))
                os.kill(job.pid, signal.SIGKILL)
                kills += 1
            time.sleep(0.05)
    begun = sum(map(int, run.with_suffix(".log").read_text().split()))
    images = options.images
    return {
        "images": images,
        "kills": kills,
        "keep_s": options.keep_s,
        "share": round(begun / images - 1, 4),
        "images_per_kill": round((begun - images) / max(kills, 1), 2),
    }


def _score_counting(options: argparse.Namespace, run: Path) -> None:
    """Score into a run; each call's images are noted before it is made."""
    from dsel.data import open_dataset
    from dsel.pipeline.score import score
    from dsel.priors import load_prior
    from dsel.priors.scorer import Scorer

    plain, log = Scorer.score, run.with_suffix(".log")

    def noting(self, refs, pixels, draws):
        with log.open("a") as file:
            file.write(f"{len(refs)}\n")
        return plain(self, refs, pixels, draws)

    Scorer.score = noting
    dataset = open_dataset("toybox", SourceSettings(per_class=options.images // CLASSES))
    prior = load_prior(PriorSettings(device="cpu", backend="torch"))
    for _ in score(dataset, prior, run, LEAN.replace(keep_s=options.keep_s)):
        pass


def rates(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Images a second of each variant in each block, and the medians of their ratios."""
    found: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for block in range(options.blocks):
        for name, flags in VARIANTS.items():
            found[name].append(_rate(options, folder / f"{name}-{block}", flags))
    pairs = {"ray_overhead": ("local", "ray_1"), "two_workers": ("ray_2", "threads_2")}
    ratios = {
        name: round(median(a / b for a, b in zip(found[one], found[other], strict=True)), 3)
        for name, (one, other) in pairs.items()
    }
    return {"rates": {name: [round(r, 2) for r in of] for name, of in found.items()}, **ratios}


def _rate(options: argparse.Namespace, run: Path, flags: tuple[str, ...]) -> float:
    command = [
        sys.executable, "-m", "dsel.cli", "score", "toybox", "--run", str(run), "--per-class",
        str(options.images // CLASSES), "--knowledge", "off", "--device", "cpu", "--backend",
        "torch", "--timesteps", *map(str, options.timesteps), "--draws", str(options.draws),
        "--shard-size", str(options.shard_size), *flags,
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
    written = sorted(path.stat().st_mtime for path in (run / "scores").glob("*.safetensors"))
    first = max(2, len(written) // 4)  # until all workers are there
    return options.shard_size * (len(written) - first - 1) / (written[-1] - written[first])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10, help="0 measures no kills")
    parser.add_argument("--kill-s", type=float, default=3.0, help="most seconds before a kill")
    parser.add_argument("--keep-s", type=int, default=0)
    parser.add_argument("--blocks", type=int, default=3, help="0 measures no rates")
    parser.add_argument("--timesteps", type=int, nargs="+", default=[300, 500])
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--shard-size", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=Path, default=None, help="score into this run and end")
    return parser.parse_args()


if __name__ == "__main__":
    main()
