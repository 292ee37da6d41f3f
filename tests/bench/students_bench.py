"""Measures the training of students: one against a bare PyTorch loop, and five against one.

    python tests/bench/students_bench.py --steps 300
    python tests/bench/students_bench.py --steps 10 --image-px 32 --depth 3

`bare` is the shortest loop that trains the same network on the same number of images: modules of
PyTorch, no augmentation, no test. `one` and `five` are 1 and 5 students, trained at the same time
as `dsel evaluate` does it, with augmentation and tests on --test-images images. `grouped` is a step
of five ConvNets as one network of grouped convolutions over a step of each in turn. Times are
seconds, wall and processor's; where others use the machine, compare the processor's. Prints one
JSON object.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

# the checkout's own dsel, installed or not
sys.path[:0] = [str(Path(__file__).parents[2])]

from dsel.config.evaluate import EvaluateSettings  # noqa: E402
from dsel.pipeline.parallel import merged  # noqa: E402
from dsel.students.recipes import recipe_of  # noqa: E402
from dsel.students.records import LabelledImages  # noqa: E402
from dsel.students.training import (  # noqa: E402
    choose_device,
    divide_threads,
    limit_threads,
    train_students,
)

CLASSES = 10
TRAIN_IMAGES = 100
WIDTH = 128
SEEDS = 5


def main() -> None:
    options = _options()
    settings = EvaluateSettings(
        student=f"convnet-{options.depth}", steps=options.steps, threads=options.threads
    )
    train, test = (noise(n, options.image_px) for n in (TRAIN_IMAGES, options.test_images))
    torch.set_num_threads(options.threads)

    def students(count: int) -> Callable[[], None]:
        at_once, threads = divide_threads(options.threads, count)
        share = settings.replace(threads=threads)

        def train_all() -> None:
            with limit_threads(threads):
                each = (train_students(train, test, CLASSES, share, [n]) for n in range(count))
                deque(merged(each, at_once), maxlen=0)

        return train_all

    bare = timed(lambda: bare_loop(train, options.depth, settings))
    one, five = timed(students(1)), timed(students(SEEDS))
    found = {
        "device": str(choose_device()),
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "options": vars(options),
        "bare": bare,
        "one": one,
        "five": five,
        "one_over_bare": ratio(one, bare),
        "five_over_one": ratio(five, one),
        "grouped_over_in_turn": grouped(options.depth, options.image_px),
    }
    print(json.dumps(found, indent=2))


def bare_loop(train: LabelledImages, depth: int, settings: EvaluateSettings) -> None:
    """Train for `settings.steps` steps on random batches of the recipe's size."""
    device, size = choose_device(), recipe_of(settings).batch_size
    images = torch.from_numpy(train.images).permute(0, 3, 1, 2).float().div(255).to(device)
    labels = torch.from_numpy(train.labels).to(device)
    model = convnet(depth, images.shape[-1]).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(settings.steps):
        rows = torch.randint(len(images), (size,), generator=generator).to(device)
        optimizer.zero_grad()
        functional.cross_entropy(model(images[rows]), labels[rows]).backward()
        optimizer.step()
    labels.cpu()  # waits for the device


def convnet(depth: int, image_px: int, copies: int = 1) -> nn.Sequential:
    """Return a ConvNet of PyTorch's modules, or the convolutions of several as groups of one."""
    layers: list[nn.Module] = []
    for inputs in (3, *[WIDTH] * (depth - 1)):
        layers += [
            nn.Conv2d(inputs * copies, WIDTH * copies, 3, padding=1, groups=copies),
            nn.GroupNorm(WIDTH * copies, WIDTH * copies),
            nn.ReLU(inplace=True),
            nn.AvgPool2d(2),
        ]
    if copies == 1:
        side = image_px >> depth
        layers += [nn.Flatten(), nn.Linear(WIDTH * side * side, CLASSES)]
    return nn.Sequential(*layers)


def grouped(depth: int, image_px: int, batch: int = 8, repeats: int = 5) -> float:
    """Return the processor's time of five networks in one over that of five in turn."""
    group, single = convnet(depth, image_px, SEEDS), convnet(depth, image_px)[:-2]
    images = torch.rand(batch, 3, image_px, image_px)
    seconds = []
    for network, inputs, times in (
        (group, images.repeat(1, SEEDS, 1, 1), 1),
        (single, images, SEEDS),
    ):
        network.to(memory_format=torch.channels_last)
        inputs = inputs.to(memory_format=torch.channels_last)

        def steps(network: nn.Module = network, x: torch.Tensor = inputs, n: int = times) -> None:
            for _ in range(n):
                network(x).sum().backward()

        seconds.append(min(timed(steps)["processor_s"] for _ in range(repeats)))
    return round(seconds[0] / seconds[1], 2)


def timed(action: Callable[[], object]) -> dict[str, float]:
    """Run an action once; returns the seconds that passed and those of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    action()
    return {
        "wall_s": round(time.perf_counter() - wall, 2),
        "processor_s": round(time.process_time() - processor, 2),
    }


def ratio(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    return {unit: round(ours[unit] / theirs[unit], 2) for unit in ours}


def noise(count: int, image_px: int) -> LabelledImages:
    images = np.random.default_rng(0).integers(0, 256, (count, image_px, image_px, 3), np.uint8)
    return LabelledImages(images, np.arange(count) % CLASSES)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=4, choices=(3, 4, 5, 6))
    parser.add_argument("--image-px", type=int, default=64)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--test-images", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


if __name__ == "__main__":
    main()
