"""Measures scoring against the plain loop that published code uses, on the same small prior.

    python tests/bench/score_bench.py --images 32 --threads 1

The prior is Stable Diffusion at a fifth of its width, for pictures of 256 px, with random weights.
The loop takes one image at a time: it reads and resizes the file, encodes it and both prompts, asks
for all draws of both prompts at once, and saves the raw losses, in float32 as the pipeline is
loaded. It takes dsel's noise, so that the maps can be compared. dsel scores the same files into a
run, up to the layouts. The variants take turns in small blocks, so that a busy machine is busy for
all of them. Prints one JSON object; `ratio` is of images per second to those of the loop, and
`cpu_ratio` the same by processor time: on a busy machine the one to go by, with one thread. With
--compile dsel is measured both as it is and with its network compiled; `first_s`, the seconds of a
variant's first block, which is not measured, then holds the compiler's time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

# the checkout's own dsel, installed or not
sys.path[:0] = [str(Path(__file__).parents[up]) for up in (0, 2)]

from models import CLASSES, FIFTH, TOY, build, write_photographs  # noqa: E402

from dsel.config import PriorSettings, ScoreSettings, SourceSettings  # noqa: E402
from dsel.core.box_search import largest_mean_boxes  # noqa: E402
from dsel.core.gap_maps import combine_timesteps  # noqa: E402
from dsel.data import open_dataset  # noqa: E402
from dsel.data.images import to_proxy  # noqa: E402
from dsel.pipeline.score import score  # noqa: E402
from dsel.priors import load_prior  # noqa: E402
from dsel.priors.noise import draw_noise  # noqa: E402
from dsel.priors.scorer import Scorer  # noqa: E402
from dsel.runs import open_run  # noqa: E402
from dsel.types import Dataset, Done, Prior, Started  # noqa: E402

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
            "ratio": round(sum(against.wall) / sum(self.wall), 3),
            "cpu_ratio": round(sum(against.cpu) / sum(self.cpu), 3),
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
    size = TOY if options.tiny else FIFTH
    millions = build(size, folder / "prior")
    blocks = list(_blocks(folder / "blocks", options, size.px))
    settings = ScoreSettings(
        timesteps=tuple(options.timesteps), draws=options.draws, antithetic=False, fit="crop",
        rows_per_call=options.rows,
    )  # fmt: skip
    priors = _priors(folder / "prior", options.compile)
    loop = Loop(folder / "prior", settings)
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
        "million_parameters": millions, "rows_per_call": options.rows,
        **found, **_compare(folder, blocks, settings, priors),
    }  # fmt: skip


def _priors(folder: Path, also_compiled: bool) -> dict[str, Prior]:
    """The prior in both kinds of arithmetic, by the name of the variant."""
    return {
        f"dsel_{precision}{'_compiled' if compiles else ''}": load_prior(
            PriorSettings(prior=str(folder), precision=precision, device="cpu", compile=compiles)
        )
        for compiles in ((False, True) if also_compiled else (False,))
        for precision in ("float32", "bfloat16")
    }


class Loop:
    """Scores one image at a time, as published code does."""

    def __init__(self, prior: Path, settings: ScoreSettings) -> None:
        from diffusers import StableDiffusionPipeline

        self._pipeline = StableDiffusionPipeline.from_pretrained(prior, local_files_only=True)
        self._settings = settings
        self._px = self._pipeline.vae.config.sample_size

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
    parser.add_argument("--timesteps", type=int, nargs="+", default=[250, 550])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--rows", type=int, default=0, help="rows per call of dsel; 0 is its own")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 takes all")
    parser.add_argument("--compile", action="store_true", help="measure it compiled, too")
    parser.add_argument("--tiny", action="store_true", help="a toy prior, to try the bench itself")
    return parser.parse_args()


if __name__ == "__main__":
    main()
