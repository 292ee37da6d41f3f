"""The training loop of both parts: seeded steps, a learning rate schedule, checkpoints."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from dsel.priors.training.checkpoints import load_checkpoint, save_checkpoint
from dsel.types import Event, Progress, Started

WARMUP_STEPS = 200
FINAL_RATE = 0.05  # share of the peak learning rate that is left at the end
LOG_EVERY = 20  # steps


@dataclass(frozen=True, slots=True)
class Job:
    """The training of one part; `loss` gets a generator that depends on seed, part and step.

    accumulate: losses of a step, whose mean counts, each of its own generator.
    """

    name: str
    steps: int
    batch_size: int
    learning_rate: float
    modules: Mapping[str, nn.Module]
    trained: nn.Module
    loss: Callable[[torch.Generator], Tensor]
    after_step: Callable[[], None]
    folder: Path
    identity: str
    seed: int
    checkpoint_s: float
    accumulate: int = 1


def train_part(job: Job) -> Iterator[Event]:
    """Train from the last checkpoint to `job.steps`; write the losses to `<name>.jsonl`."""
    # Adam with decay; the second moment is short because training is short.
    optimizer = torch.optim.AdamW(
        job.trained.parameters(), job.learning_rate, betas=(0.9, 0.99), weight_decay=0.01
    )
    path = job.folder / f"{job.name}.safetensors"
    first = load_checkpoint(path, job.modules, optimizer, job.identity)
    log = LossLog(job.folder / f"{job.name}.jsonl", first)
    yield Started(f"train {job.name}", job.steps * job.batch_size, "images", first * job.batch_size)
    saved_at = time.monotonic()
    for step in range(first, job.steps):
        loss = _step(job, optimizer, step)
        log.add(step, (step + 1) * job.batch_size, loss)
        yield Progress(job.batch_size, f"loss {log.mean:.4f}")
        if time.monotonic() - saved_at > job.checkpoint_s:
            save_checkpoint(path, job.modules, optimizer, step + 1, job.identity)
            saved_at = time.monotonic()
    save_checkpoint(path, job.modules, optimizer, max(first, job.steps), job.identity)


class LossLog:
    """A smoothed loss, appended to a JSON-lines file every `LOG_EVERY` steps."""

    def __init__(self, path: Path, first_step: int) -> None:
        self._path = path
        self._losses: list[float] = []
        self.mean = math.nan
        # An interrupted training may have logged past its last checkpoint, and repeats those lines.
        logged = [line for line in read_losses(path) if line["step"] < first_step]
        path.write_text("".join(json.dumps(line) + "\n" for line in logged), encoding="utf-8")

    def add(self, step: int, images: int, loss: float) -> None:
        """Add the loss of one step."""
        self._losses.append(loss)
        self.mean = sum(self._losses[-LOG_EVERY:]) / len(self._losses[-LOG_EVERY:])
        if (step + 1) % LOG_EVERY == 0:
            line = {"step": step, "images": images, "loss": round(self.mean, 6)}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            del self._losses[:-LOG_EVERY]


def read_losses(path: Path) -> list[dict[str, float]]:
    """Read the logged lines, each with step, images and loss; none without a file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Return the rate of a step: linear warm-up, then half a cosine to `FINAL_RATE` of the peak."""
    warm = min(1.0, (step + 1) / min(WARMUP_STEPS, max(1, steps // 5)))
    cool = FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * step / steps))
    return peak * warm * cool


def step_generator(seed: int, name: str, step: int) -> torch.Generator:
    """Return the generator of one step, so that a resumed training draws the same numbers."""
    number = int.from_bytes(f"{name}/{seed}/{step}".encode()) % (2**63 - 25)
    return torch.Generator().manual_seed(number)


def autocast(device: torch.device) -> torch.autocast:
    """Return autocasting to bfloat16, enabled where the device supports it."""
    supported = device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=bool(supported))


@contextmanager
def cpu_settings(threads: int) -> Iterator[None]:
    """Set the process's threads and denormals, and reset them: later results must not change."""
    before = torch.get_num_threads()
    # Denormals appear in late training and are up to 100 times slower on a CPU.
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def _step(job: Job, optimizer: torch.optim.Optimizer, step: int) -> float:
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step, job.steps, job.learning_rate)
    total = 0.0
    for part in range(job.accumulate):
        name = f"{job.name}/{part}" if part else job.name
        loss = job.loss(step_generator(job.seed, name, step)) / job.accumulate
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    nn.utils.clip_grad_norm_(job.trained.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    job.after_step()
    return total
