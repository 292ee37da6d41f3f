"""Training of students from scratch, and their accuracies on held-out images.

A student's numbers follow from its seed, the images and the settings alone: weights and batches
come from generators of their own, so that it does not matter which other students are trained.

On a processor, students that are trained at the same time have threads of their own: one student
cannot keep many busy, and five ConvNets as one network of grouped convolutions take about 1.3 times
as long as in turn (tests/bench/students_bench.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dsel.config.evaluate import EvaluateSettings
from dsel.config.training import Precision
from dsel.students.batches import (
    Data,
    index_batches,
    make_batch,
    to_input,
    to_tensor,
    training_data,
)
from dsel.students.convnet import WIDTH
from dsel.students.models import build_student
from dsel.students.recipes import Recipe, recipe_of
from dsel.students.records import LabelledImages, Outcome
from dsel.types import Done, Event, Progress, Started

CHECKPOINTS: Final = 5
"""A student is tested this often, evenly spaced; testing 1,000 images costs about 7 steps of 50."""

TEST_BATCH: Final = 250
REPORT_EVERY: Final = 10  # steps
PART_BYTES: Final = 2**23
"""A part of a batch has this many bytes of a ConvNet's first maps for each thread: 4 images of 64
px. Larger ones leave the cache, and their memory is returned to the system at every step."""

Resume: TypeAlias = Callable[[nn.Module, torch.optim.Optimizer], int]
"""(model, optimizer) -> the number of steps that were done before; restores both in place."""


def from_the_start(model: nn.Module, optimizer: torch.optim.Optimizer) -> int:  # noqa: ARG001
    """Resume nothing."""
    return 0


def train_students(
    train: LabelledImages,
    test: LabelledImages,
    classes: int,
    settings: EvaluateSettings,
    seeds: Sequence[int],
) -> Iterator[Event | Outcome]:
    """Train a student per seed, test it, and yield its outcome as soon as it is known.

    The images of both sets have the student's size. The same seed gives the same outcome on the
    same machine with the same number of threads, whatever the other seeds.
    """
    recipe, device = recipe_of(settings), choose_device()
    yield Started("train students", settings.steps * len(seeds), "steps")
    with limit_threads(settings.threads):
        data = training_data(train, classes, recipe, device)
        images, labels = to_tensor(test.images).to(device), torch.from_numpy(test.labels).to(device)
        found = []
        for seed in seeds:
            outcome = yield from _student(data, images, labels, settings, seed)
            found.append(outcome)
            yield outcome
    yield Done("train students", {"students": len(found)})


def divide_threads(threads: int, students: int) -> tuple[int, int]:
    """Return how many of the students to train at a time, and the threads of each.

    threads: those of the processor to use, 0 for all. An accelerator trains one at a time.
    """
    most = threads or torch.get_num_threads()
    if choose_device().type != "cpu":
        return 1, most
    at_once = max(1, min(most, students))
    return at_once, most // at_once


def iter_train_model(
    images: LabelledImages,
    settings: EvaluateSettings,
    classes: int,
    seed: int,
    resume: Resume = from_the_start,
) -> Generator[Event, None, nn.Module]:
    """Train one network, such as a teacher: yields events, and returns it ready for inference.

    resume: restores an interrupted training. The state at a progress event is that after the steps
    which all events together have counted.
    """
    recipe, device = recipe_of(settings), choose_device()
    yield Started("train", settings.steps, "steps")
    with limit_threads(settings.threads):
        data = training_data(images, classes, recipe, device)
        model = _new_student(settings, data, seed)
        reported = 0
        for step, loss in training_steps(model, data, recipe, settings.steps, seed, resume):
            if step % REPORT_EVERY == 0 or step == settings.steps:
                yield Progress(step - reported, f"loss {loss.item():.3f}")
                reported = step
    yield Done("train", {"images": len(images.labels), "steps": settings.steps})
    return _in_format(model.eval(), torch.contiguous_format)


def choose_device() -> torch.device:
    """Return the device that students are trained on: CUDA's where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def training_steps(
    model: nn.Module,
    data: Data,
    recipe: Recipe,
    steps: int,
    seed: int,
    resume: Resume = from_the_start,
) -> Iterator[tuple[int, Tensor]]:
    """Train a model in place; yields the number of steps done and the last loss after each."""
    generator = torch.Generator().manual_seed(_stream(seed))
    optimizer = torch.optim.AdamW(_groups(model, recipe.weight_decay), fused=True)
    first = resume(model, optimizer)
    _align_state(optimizer)
    batches = index_batches(len(data.images), recipe.batch_size, steps, generator)
    for step, rows in enumerate(batches):
        if step < first:  # only the random numbers are drawn again
            make_batch(data, rows, recipe, generator)
            continue
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, recipe)
        images, targets = make_batch(data, rows, recipe, generator)
        optimizer.zero_grad()
        loss = add_gradients(model, images, targets, recipe)
        optimizer.step()
        yield step + 1, loss


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Return the rate of a step: a linear warm-up, then half a cosine to 0 (arXiv 1608.03983)."""
    warm = max(1, round(recipe.warmup * steps))
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def accuracy(
    model: nn.Module, images: Tensor, labels: Tensor, precision: Precision = "auto"
) -> float:
    """Return the share of images (N, 3, px, px) uint8 that a model labels right."""
    return int(_rightly(model, images, labels, precision).sum()) / max(1, len(images))


def class_accuracies(right: Tensor, labels: Tensor, classes: int) -> tuple[float | None, ...]:
    """Return the share of right labels (N,) of each class; None for a class without images."""
    counts = torch.bincount(labels, minlength=classes).tolist()
    hits = torch.bincount(labels[right], minlength=classes).tolist()
    return tuple(hit / count if count else None for hit, count in zip(hits, counts, strict=True))


def _rightly(model: nn.Module, images: Tensor, labels: Tensor, precision: Precision) -> Tensor:
    """Return which images (N, 3, px, px) uint8 a model labels right, (N,)."""
    model.eval()
    right = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    with torch.inference_mode():
        for start in range(0, len(images), TEST_BATCH):
            rows = slice(start, start + TEST_BATCH)
            with _autocast(images.device, precision):
                logits = model(to_input(images[rows]))
            right[rows] = logits.argmax(1) == labels[rows]
    return right


def _student(
    data: Data, images: Tensor, labels: Tensor, settings: EvaluateSettings, seed: int
) -> Generator[Event, None, Outcome]:
    recipe, steps = recipe_of(settings), settings.steps
    model = _new_student(settings, data, seed)
    tested, curve, reported = checkpoints(steps), [], 0
    right = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    for step, loss in training_steps(model, data, recipe, steps, seed):
        if step in tested:
            right = _rightly(model, images, labels, recipe.precision)
            curve.append(int(right.sum()) / max(1, len(images)))
        if step % REPORT_EVERY == 0 or step == steps:
            yield Progress(step - reported, f"seed {seed}, loss {loss.item():.3f}")
            reported = step
    per_class = class_accuracies(right, labels, data.targets.shape[1])
    return Outcome(seed, curve[-1], max(curve), tested, tuple(curve), per_class)


def _new_student(settings: EvaluateSettings, data: Data, seed: int) -> nn.Module:
    classes, side_px = data.targets.shape[1], data.images.shape[-1]
    model = build_student(settings.student, classes, side_px, seed)
    return _in_format(model.to(data.images.device), torch.channels_last)


def _in_format(model: nn.Module, memory_format: torch.memory_format) -> nn.Module:
    placed: nn.Module = model.to(memory_format=memory_format)  # type: ignore[call-overload]
    return placed


def checkpoints(steps: int) -> tuple[int, ...]:
    """Return the steps after which a student is tested, the last one included."""
    count = min(CHECKPOINTS, steps)
    return tuple(round(steps * number / count) for number in range(1, count + 1))


def add_gradients(model: nn.Module, images: Tensor, targets: Tensor, recipe: Recipe) -> Tensor:
    """Add the gradients of a batch's loss, and return the loss.

    A part of the batch at a time where that changes nothing but rounding, which keeps the maps of
    the first layers in a processor's cache.
    """
    model.train()
    size = part_size(model, images)
    total = torch.zeros((), device=images.device)
    for start in range(0, len(images), size):
        part, target = images[start : start + size], targets[start : start + size]
        with _autocast(images.device, recipe.precision):
            logits = model(part)
        loss = divergence(logits.float(), target, recipe.temperature) * (len(part) / len(images))
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    return total


def divergence(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Return KL(targets || softmax(logits / T)), the mean over a batch; logits and targets (B, C).

    With the classes themselves as targets and a temperature of 1 it is the cross-entropy.
    """
    log_student = (logits / temperature).log_softmax(-1)
    return functional.kl_div(log_student, targets, reduction="batchmean")


def part_size(model: nn.Module, images: Tensor) -> int:
    """Images per part: as many as have `PART_BYTES` of the first layer's maps for each thread."""
    whole = images.device.type != "cpu" or any(
        isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()
    )
    if whole:
        return len(images)
    map_bytes = 4 * WIDTH * images.shape[-1] ** 2
    return max(1, PART_BYTES * torch.get_num_threads() // map_bytes)


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Matrices and kernels decay; biases and the scales of norms do not."""
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _align_state(optimizer: torch.optim.Optimizer) -> None:
    """Lay out restored moments like their parameters: the fused optimizer goes by memory order."""
    for parameter, state in optimizer.state.items():
        for name, moment in state.items():
            if moment.shape == parameter.shape:
                state[name] = torch.empty_like(parameter).copy_(moment)


def _stream(seed: int) -> int:
    """The seed of a student's batches, which is another one than that of its weights."""
    return int(np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Half the precision where it is asked for, and on accelerators unless it is refused."""
    half = precision == "bfloat16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


@contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """Use so many threads, 0 for all, and no denormals; other results must not change afterwards.

    Threads that are started meanwhile use as many; denormals are a setting of this thread.
    """
    before = torch.get_num_threads()
    torch.set_flush_denormal(True)  # late in a training they are up to 100 times slower on a CPU
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)
