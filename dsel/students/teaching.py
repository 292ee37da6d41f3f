"""The training of a teacher: checkpoints on the way, and the folder that it is saved to."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save
from torch import nn

from dsel.config import EvaluateSettings, TeachSettings
from dsel.files import write_atomically
from dsel.priors.training.checkpoints import load_checkpoint, save_checkpoint
from dsel.students.batches import to_tensor
from dsel.students.records import LabelledImages
from dsel.students.teacher_file import WEIGHTS
from dsel.students.training import accuracy, choose_device, iter_train_model
from dsel.types import Event, Progress

CHECKPOINT: Final = "checkpoint.safetensors"


class Checkpoint:
    """The state of a training in a file, written every `interval_s` seconds."""

    def __init__(self, path: Path, identity: str, interval_s: float) -> None:
        self._path, self._identity, self._interval_s = path, identity, interval_s
        self._saved_at = time.monotonic()

    def resume(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        """Restore model and optimizer in place; returns the steps that were done."""
        self._model, self._optimizer = model, optimizer
        return load_checkpoint(self._path, {"model": model}, optimizer, self._identity)

    def follow(
        self, training: Generator[Event, None, nn.Module]
    ) -> Generator[Event, None, nn.Module]:
        """Pass on the events of a training, and save its state in between."""
        done = 0
        while True:
            try:
                event = next(training)
            except StopIteration as finished:
                model: nn.Module = finished.value
                return model
            if isinstance(event, Progress):
                done += event.count
                if time.monotonic() - self._saved_at > self._interval_s:
                    self._save(done)
            yield event

    def _save(self, step: int) -> None:
        parts = {"model": self._model}
        save_checkpoint(self._path, parts, self._optimizer, step, self._identity)
        self._saved_at = time.monotonic()


def train_teacher(
    train: LabelledImages, classes: int, settings: TeachSettings, work: Path, identity: str
) -> Generator[Event, None, nn.Module]:
    """Train a teacher, or resume from the checkpoint in `work`; returns it.

    identity: the fingerprint of the training; the checkpoint of another one is refused.
    """
    checkpoint = Checkpoint(work / CHECKPOINT, identity, settings.checkpoint_s)
    how = EvaluateSettings(
        student=settings.student,
        steps=settings.steps,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        precision=settings.precision,
        threads=settings.threads,
    )
    training = iter_train_model(train, how, classes, settings.seed, checkpoint.resume)
    model = yield from checkpoint.follow(training)
    return model


def accuracy_of(model: nn.Module, images: LabelledImages) -> float | None:
    """Return the share of images that a trained model labels right; None without images."""
    if not len(images.labels):
        return None
    device = choose_device()
    pixels, labels = to_tensor(images.images), torch.from_numpy(images.labels)
    return accuracy(model, pixels.to(device), labels.to(device))


def save_weights(model: nn.Module, folder: Path) -> None:
    """Write a model's weights as safetensors."""
    tensors = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    write_atomically(folder / WEIGHTS, save(tensors))
