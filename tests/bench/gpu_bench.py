"""Measures scoring on a CUDA device with Stable Diffusion 1.5's own architecture, at 512 px.

    python tests/bench/gpu_bench.py --images 200
    python tests/bench/gpu_bench.py --device cpu --tiny    # a toy prior: tries the bench

The weights are random and made on the spot, since speed does not depend on them. `scorer` feeds
pictures to the prior once it has found its rows per call; `engine` scores an image folder into a
run, so that reading, packing, writing and finding the rows count too. A share is the U-Net's
floating-point operations per second, counted and not guessed, over the peak: that of a large matrix
product measured here, and the one given by --peak-tflops. `imagenet` is what the training set of
ImageNet-1K would take at the rate of the engine, with the same settings and one device. Prints one
JSON object; exits with code 2 where the device is not available.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

# the checkout's own dsel, installed or not
sys.path[:0] = [str(Path(__file__).parents[up]) for up in (0, 2)]

from dsel.config import PriorSettings, ScoreSettings, SourceSettings  # noqa: E402
from dsel.data import open_dataset  # noqa: E402
from dsel.data.images import to_proxy  # noqa: E402
from dsel.errors import PriorError  # noqa: E402
from dsel.pipeline.score import score  # noqa: E402
from dsel.priors import load_prior  # noqa: E402
from dsel.priors.backends import MIN_SPEEDUP, differs  # noqa: E402
from dsel.priors.scorer import Scorer  # noqa: E402
from dsel.types import Dataset, Prior, Started  # noqa: E402

IMAGENET = 1_281_167
"""Images of the training set of ImageNet-1K."""

SETTLED = 3
"""So many batches of one size say that the rows per call have been found."""


def main() -> None:
    options = _options()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("gpu_bench: there is no CUDA device here; --device cpu --tiny tries the bench",
              file=sys.stderr)  # fmt: skip
        sys.exit(2)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(options, Path(folder)), indent=2))


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Build, score and count."""
    from models import TOY, WHOLE, build, count_flops, write_photographs  # slow, and talkative

    size, device = TOY if options.tiny else WHOLE, options.device
    millions = build(size, folder / "prior")
    photographs = write_photographs(folder / "photographs", -(-options.images // 4), size.px)
    dataset = open_dataset(str(photographs), SourceSettings())
    prior = load_prior(
        PriorSettings(
            prior=str(folder / "prior"), precision="bfloat16", device=device,
            backend=options.backend,
        )
    )  # fmt: skip
    settings = ScoreSettings(
        timesteps=tuple(options.timesteps), draws=options.draws, fit="crop",
        rows_per_call=options.rows,
    )  # fmt: skip
    flops = count_flops(size)
    peak = matmul_tflops(torch.device(device), 512 if options.tiny else 8192)
    rows = 2 * len(settings.timesteps) * settings.draws

    def figures(images: int, seconds: float) -> dict[str, object]:
        tflops = images * rows * flops["unet"] / seconds / 1e12
        return {
            "images": images, "images_per_s": round(images / seconds, 3),
            "rows_per_s": round(images * rows / seconds, 1), "unet_tflops": round(tflops, 3),
            "share_of_measured_peak": round(tflops / peak, 4),
            "share_of_given_peak": round(tflops / options.peak_tflops, 4)
            if options.peak_tflops else None,
        }  # fmt: skip

    with_backend = Scorer(prior, dataset.names, settings)
    choose_backend(prior, with_backend)
    fed, found = feed(prior, dataset, settings, options.images)
    chosen = prior.backend
    prior.requested_backend = chosen  # a run this short would not try another backend than torch
    in_run = run_seconds(prior, dataset, folder / "run", settings)
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "torch": torch.__version__, "million_parameters": millions, "backend": chosen,
        "engine_backend": prior.backend,
        "unet_gflop_per_row": round(flops["unet"] / 1e9, 3),
        "encoder_gflop_per_image": round(flops["encoder"] / 1e9, 3),
        "rows_per_image": rows, "rows_per_call": found, "measured_peak_tflops": round(peak, 2),
        "given_peak_tflops": options.peak_tflops,
        "scorer": figures(*fed), "engine": figures(len(dataset.refs), in_run),
        "imagenet": imagenet_plan(rows, len(dataset.refs) / in_run),
        "peak_memory_gb": round(torch.cuda.max_memory_allocated() / 2**30, 2)
        if device == "cuda" else None,
    }  # fmt: skip


def choose_backend(prior: Prior, scorer: Scorer) -> None:
    """Leave the prior with the backend that a long run would choose."""
    backend = prior.backend_to_try
    if backend == "torch":
        return
    try:
        trial = scorer.try_backend(backend)
    except PriorError as error:
        print(f"gpu_bench: the {backend} backend cannot run it: {error}", file=sys.stderr)
        prior.use_backend("torch")
        return
    is_faster = prior.requested_backend != "auto" or trial.speedup >= MIN_SPEEDUP
    is_taken = is_faster and not differs(trial, prior.precision)
    prior.use_backend(backend if is_taken else "torch")


def imagenet_plan(rows_per_image: int, images_per_s: float) -> dict[str, float]:
    """What the training set of ImageNet-1K takes on one device."""
    return {
        "images": IMAGENET, "evaluations": IMAGENET * rows_per_image,
        "device_hours": round(IMAGENET / images_per_s / 3600, 1),
    }  # fmt: skip


def feed(
    prior: Prior, dataset: Dataset, settings: ScoreSettings, images: int
) -> tuple[tuple[int, float], int]:
    """Score pictures from memory, past warming up: how many in how long, at which rows per call."""
    scorer = Scorer(prior, dataset.names, settings)
    refs = dataset.refs[:16]
    proxies = [
        to_proxy(dataset.read(ref), prior.resolution_px, "crop", prior.step_px).pixels
        for ref in refs
    ]

    def batch() -> int:
        count = scorer.images_per_call(settings.draws)
        chosen = [number % len(refs) for number in range(count)]
        pixels = np.stack([proxies[number] for number in chosen])
        scorer.score([refs[number] for number in chosen], pixels, settings.first)
        return count

    sizes = [batch()]
    while len(sizes) < SETTLED or len(set(sizes[-SETTLED:])) > 1:
        sizes.append(batch())
    began, done = time.perf_counter(), 0
    while done < images:
        done += batch()  # ends with its scores in main memory, so nothing is left under way
    return (done, time.perf_counter() - began), scorer.budget.rows


def run_seconds(prior: Prior, dataset: Dataset, out: Path, settings: ScoreSettings) -> float:
    """Seconds that a whole run takes, up to its layouts."""
    began = time.perf_counter()
    for event in score(dataset, prior, out, settings):
        if isinstance(event, Started) and event.stage == "layout":
            break
    return time.perf_counter() - began


def matmul_tflops(device: torch.device, side: int) -> float:
    """The best rate of a square matrix product in bfloat16, in 10^12 operations a second."""
    one, two = (torch.randn(side, side, device=device).bfloat16() for _ in range(2))
    best = float("inf")
    for _ in range(10):
        began = time.perf_counter()
        for _ in range(10):
            product = one @ two
        product[0, 0].item()  # waits for the device
        best = min(best, (time.perf_counter() - began) / 10)
    return 2 * side**3 / best / 1e12


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--timesteps", type=int, nargs="+", default=[*ScoreSettings().timesteps])
    parser.add_argument("--draws", type=int, default=ScoreSettings().draws)
    parser.add_argument("--rows", type=int, default=0, help="rows per call; 0 finds the best")
    parser.add_argument(
        "--peak-tflops", type=float, default=0.0,
        help="the device's dense bfloat16 rate, by its data sheet (H100 SXM and H200: 989)",
    )  # fmt: skip
    parser.add_argument("--backend", default="auto", choices=("auto", "torch", "compile"))
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true", help="a toy prior, to try the bench itself")
    return parser.parse_args()


if __name__ == "__main__":
    main()
