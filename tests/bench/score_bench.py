"""Measures scoring against the plain loop that published code uses, with the same prior.

    python tests/bench/score_bench.py --images 40 --threads 1
    python tests/bench/score_bench.py --same-recipe --images 32 --threads 1

The loop takes one image at a time: it reads and resizes the file, encodes it and both prompts, asks
for all draws of both prompts at once, and saves the raw losses, in float32 as the pipeline is
loaded. dsel scores the same files into a run, up to the layouts, on torch and on OpenVINO where it
is installed. The variants take turns in small blocks, so that a busy machine is busy for all of
them. Prints one JSON object; `ratio` is the median over blocks of images per second to those of the
loop, and `cpu_ratio` the same by processor time: on a busy machine the one to go by, with one
thread. `first_s`, the seconds of a variant's first block, which is not measured, holds conversions.

The loop's recipe is the older one, 64 random timesteps (128 evaluations), and dsel's is its
default, on toybox scenes with the demo prior; other benchmarks say how often they find the toy.
With --same-recipe both have the same timesteps and noise, so that the maps can be compared; the
prior is then Stable Diffusion at a fifth of its width, for pictures of 256 px, with random weights.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

# the checkout's own dsel, installed or not
sys.path[:0] = [str(Path(__file__).parents[up]) for up in (0, 2)]

from models import CLASSES, FIFTH, TOY, build, write_photographs  # noqa: E402

from dsel.assets import asset  # noqa: E402
from dsel.config import PriorSettings, ScoreSettings, SourceSettings  # noqa: E402
from dsel.core.box_search import largest_mean_boxes  # noqa: E402
from dsel.core.gap_maps import combine_timesteps  # noqa: E402
from dsel.data import open_dataset  # noqa: E402
from dsel.data.images import to_proxy  # noqa: E402
from dsel.data.toybox_dataset import write_toybox  # noqa: E402
from dsel.pipeline.score import score  # noqa: E402
from dsel.priors import load_prior  # noqa: E402
from dsel.priors.noise import draw_noise  # noqa: E402
from dsel.priors.scorer import Scorer  # noqa: E402
from dsel.runs import open_run  # noqa: E402
from dsel.types import Dataset, Done, Prior, Started  # noqa: E402

OLDER_DRAWS = 64
"""Random timesteps of the older recipe, one draw each."""

REFERENCE, FLOAT32 = "reference_float32", "dsel_float32"
Maps = NDArray[np.float32]


@dataclass(slots=True)
class Clock:
    """Seconds of one variant, on the wall and of the processor, block by block."""

    first_s: float = 0.0
    images: int = 0
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def time(self, images: int, call: Callable[[], None]) -> None:
        """Do the call, which scores so many images."""
        began = time.perf_counter(), time.process_time()
        call()
        self.wall.append(time.perf_counter() - began[0])
        self.cpu.append(time.process_time() - began[1])
        self.images += images

    def figures(self, against: Clock) -> dict[str, object]:
        """Images a second, and how many times those of another."""
        ratios = [other / own for other, own in zip(against.wall, self.wall, strict=True)]
        return {
            "images_per_s": round(self.images / sum(self.wall), 3),
            "images_per_cpu_s": round(self.images / sum(self.cpu), 3),
            "ratio": round(median(ratios), 3),
            "cpu_ratio": round(
                median(other / own for other, own in zip(against.cpu, self.cpu, strict=True)), 3
            ),
            "first_s": round(self.first_s, 1),
            "ratio_of_blocks": [round(one, 2) for one in ratios],
        }


def main() -> None:
    options = _options()
    if options.threads:
        torch.set_num_threads(options.threads)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(options, Path(folder))
    print(json.dumps(figures | {"seconds": round(time.perf_counter() - began, 1)}, indent=2))


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Score every block with every variant, in turns, and compare what they found."""
    os.environ["XDG_CACHE_HOME"] = str(folder / "caches")  # conversions of this prior
    recipes = _same_recipe(options, folder) if options.same_recipe else _recipes(options, folder)
    blocks, settings = recipes.blocks, recipes.settings
    priors = _priors(recipes.prior, options.precisions)
    loop = Loop(recipes.prior, recipes.of_loop)
    variants: dict[str, Callable[[Dataset, Path], None]] = {
        REFERENCE: loop.score,
        **{name: _scoring(prior, settings) for name, prior in priors.items()},
    }
    clocks = {name: Clock() for name in variants}
    for name, call in variants.items():  # the first calls choose kernels and fill caches
        began = time.perf_counter()
        call(blocks[0], folder / f"warm-{name}")
        clocks[name].first_s = time.perf_counter() - began
    for number, block in enumerate(blocks):
        for turn in range(len(variants)):
            name = list(variants)[(number + turn) % len(variants)]
            out = folder / f"{name}-{number}"
            clocks[name].time(len(block.refs), lambda n=name, o=out: variants[n](block, o))  # noqa: B023
    found = {name: clock.figures(clocks[REFERENCE]) for name, clock in clocks.items()}
    return {
        "images": sum(len(block.refs) for block in blocks), "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "rows_per_call": options.rows,
        "evaluations": {"dsel": _evaluations(settings), "loop": _evaluations(recipes.of_loop)},
        **found,
        **(_compare(folder, blocks, settings, priors) if options.same_recipe else {}),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recipes:
    """What is scored, with which prior, and how by dsel and by the loop."""

    prior: Path
    blocks: list[Dataset]
    settings: ScoreSettings
    of_loop: ScoreSettings


def _recipes(options: argparse.Namespace, folder: Path) -> Recipes:
    """The default against the older recipe, on toybox scenes of a seed per block."""
    blocks, per_class = [], max(1, options.images // options.blocks // 10)
    for number in range(options.blocks):
        out = folder / "blocks" / str(number)
        for _ in write_toybox(out, per_class, options.seed + number):
            pass
        blocks.append(open_dataset(str(out), SourceSettings()))
    settings = ScoreSettings(fit="crop", rows_per_call=options.rows, knowledge="off")
    if options.timesteps:
        settings = settings.replace(timesteps=tuple(options.timesteps), draws=options.draws)
    steps = np.random.default_rng(options.seed).choice(1000, OLDER_DRAWS, replace=False)
    older = ScoreSettings(
        timesteps=tuple(sorted(map(int, steps))), draws=1, antithetic=False, fit="crop"
    )
    return Recipes(asset("demo_prior"), blocks, settings, older)


def _same_recipe(options: argparse.Namespace, folder: Path) -> Recipes:
    size = TOY if options.tiny else FIFTH
    build(size, folder / "prior")
    settings = ScoreSettings(
        timesteps=tuple(options.timesteps or (250, 550)), draws=options.draws, antithetic=False,
        fit="crop", rows_per_call=options.rows, knowledge="off",
    )  # fmt: skip
    blocks = list(_blocks(folder / "blocks", options, size.px))
    return Recipes(folder / "prior", blocks, settings, settings)


def _evaluations(settings: ScoreSettings) -> int:
    """Rows through the network for one image."""
    return 2 * len(settings.timesteps) * settings.draws


def _priors(folder: Path, precisions: Sequence[str]) -> dict[str, Prior]:
    """The prior on each backend and in each precision, by the name of the variant."""
    backends = ["torch", *(["openvino"] if find_spec("openvino") else [])]
    return {
        f"dsel_{'' if backend == 'torch' else f'{backend}_'}{precision}": load_prior(
            PriorSettings(prior=str(folder), precision=precision, device="cpu", backend=backend)
        )
        for backend in backends
        for precision in precisions
    }


class Loop:
    """Scores one image at a time, as published code does."""

    def __init__(self, prior: Path, settings: ScoreSettings) -> None:
        from diffusers import StableDiffusionPipeline

        self._pipeline = StableDiffusionPipeline.from_pretrained(
            prior, dtype=torch.float32, local_files_only=True
        )
        self._settings = settings
        halvings = len(self._pipeline.vae.config.block_out_channels) - 1
        self._px = self._pipeline.unet.config.sample_size * 2**halvings

    def score(self, dataset: Dataset, out: Path) -> None:
        """Save the raw losses of every image, (2, T, D, C, h, w), null prompt first."""
        out.mkdir()
        source = Path(str(dataset.origin["source"]))
        for number, ref in enumerate(dataset.refs):
            losses = self._losses(source / ref.id, ref.id, dataset.classes[ref.class_index])
            np.save(out / f"{number}.npy", losses)

    @torch.no_grad()
    def _losses(self, path: Path, image_id: str, class_name: str) -> Maps:
        s, pipeline = self._settings, self._pipeline
        picture = _square(Image.open(path).convert("RGB"), self._px)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 127.5 - 1.0
        latent = pipeline.vae.encode(pixels).latent_dist.mean * pipeline.vae.config.scaling_factor
        prompts = ["An image of .", f"An image of {class_name}."]
        states, _ = pipeline.encode_prompt(prompts, "cpu", 1, False)  # (2, tokens, width)
        noise = draw_noise(
            s.noise_seed, image_id, s.timesteps, range(s.draws), latent.shape[1:], False
        ).flatten(0, 1)  # (T*D, C, h, w)
        times = torch.tensor(s.timesteps).repeat_interleave(s.draws)
        noised = pipeline.scheduler.add_noise(latent.repeat(len(noise), 1, 1, 1), noise, times)
        output = pipeline.unet(
            torch.cat([noised, noised]), torch.cat([times, times]),
            encoder_hidden_states=states.repeat_interleave(len(noise), 0),
        ).sample  # fmt: skip
        losses = (output - torch.cat([noise, noise])) ** 2
        return losses.reshape(2, len(s.timesteps), s.draws, *latent.shape[1:]).numpy()


def _scoring(prior: Prior, settings: ScoreSettings) -> Callable[[Dataset, Path], None]:
    def call(dataset: Dataset, out: Path) -> None:
        for event in score(dataset, prior, out, settings):
            if isinstance(event, Started) and event.stage == "layout":
                return
            assert not isinstance(event, Done), "the layouts come last"

    return call


def _compare(
    folder: Path, blocks: Sequence[Dataset], settings: ScoreSettings, priors: dict[str, Prior]
) -> dict[str, object]:
    """How often the chosen box is the loop's, and how far the maps in float32 are from its own."""
    prior = priors[FLOAT32]
    loops = [_loop_gap(folder / f"{REFERENCE}-{number}") for number in range(len(blocks))]
    chosen = _boxes(np.concatenate(loops), prior)
    same = {}
    for name in priors:
        boxes = _boxes(np.concatenate(list(_run_gaps(folder, name, blocks))), prior)
        same[f"same_box_{name}"] = round(float((boxes == chosen).all(axis=1).mean()), 4)
    refs = blocks[0].refs[:6]
    pixels = np.stack([
        to_proxy(blocks[0].read(ref), prior.resolution_px, "crop", prior.step_px).pixels
        for ref in refs
    ])  # fmt: skip
    scores = Scorer(prior, blocks[0].names, settings).score(refs, pixels, settings.first)
    ours, theirs = np.stack([one.gap for one in scores if one is not None]), loops[0][: len(refs)]
    return same | {
        "map_error_float32": float(f"{np.abs(ours - theirs).max() / np.abs(theirs).max():.2e}")
    }


def _loop_gap(folder: Path) -> Maps:
    """The gap maps of the loop's files, (N, T, h, w): means over draws and channels."""
    losses = [np.load(folder / f"{n}.npy") for n in range(len(list(folder.iterdir())))]
    raw = np.stack(losses).astype(np.float64)  # (N, 2, T, D, C, h, w)
    return (raw[:, 0] - raw[:, 1]).mean(axis=(2, 3)).astype(np.float32)


def _run_gaps(folder: Path, name: str, blocks: Sequence[Dataset]) -> Iterator[Maps]:
    for number, block in enumerate(blocks):
        run = open_run(folder / f"{name}-{number}")
        for index in range(len(block.classes)):
            for bucket in run.class_scores(index).buckets:
                yield bucket.gap.astype(np.float32)


def _boxes(gap: Maps, prior: Prior) -> NDArray[np.float64]:
    """The corner of each image's best box of half the side, (N, 2)."""
    maps = combine_timesteps(gap, np.ones(gap.shape[1]))
    found = largest_mean_boxes(maps, prior.cell_px, prior.resolution_px // 2, prior.cell_px)
    return np.concatenate([found.x, found.y], axis=1)


def _blocks(root: Path, options: argparse.Namespace, side_px: int) -> Iterator[Dataset]:
    per_class = max(1, options.images // options.blocks // len(CLASSES))
    for number in range(options.blocks):
        folder = write_photographs(root / str(number), per_class, side_px, seed=number)
        yield open_dataset(str(folder), SourceSettings())


def _square(picture: Image.Image, side_px: int) -> Image.Image:
    """Resize to the shorter side and cut the centre square."""
    scale = side_px / min(picture.size)
    width, height = (round(side * scale) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    left, top = (width - side_px) // 2, (height - side_px) // 2
    return picture.crop((left, top, left + side_px, top + side_px))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=32, help="in all blocks together")
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--seed", type=int, default=31, help="of the first block's scenes")
    parser.add_argument("--same-recipe", action="store_true", help="compare maps at equal cost")
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument(
        "--timesteps", type=int, nargs="*", default=[], help="instead of the default's"
    )
    parser.add_argument("--draws", type=int, default=4, help="with --timesteps")
    parser.add_argument("--rows", type=int, default=0, help="rows per call of dsel; 0 is its own")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 takes all")
    parser.add_argument("--tiny", action="store_true", help="a toy prior, to try the bench itself")
    return parser.parse_args()


if __name__ == "__main__":
    main()
