"""The training of a teacher resumes from its checkpoint, and ends with the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dsel.config import EvaluateSettings, TeachSettings
from dsel.errors import RunError
from dsel.students.records import LabelledImages
from dsel.students.teaching import Checkpoint, accuracy_of, train_teacher
from dsel.students.training import iter_train_model
from dsel.types import Progress, Started

STEPS = 30
HOW = EvaluateSettings(student="convnet-3", steps=STEPS, batch_size=4, threads=1)


def images(count: int = 10) -> LabelledImages:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    pixels = rng.integers(0, 90, (count, 16, 16, 3), np.uint8)
    pixels[labels == 1] += 120  # one class is dark, the other bright
    return LabelledImages(pixels, labels.astype(np.int64))


def trained(path: Path, stop_after: int = STEPS, how: EvaluateSettings = HOW) -> nn.Module | None:
    """Train with a checkpoint after every event; None if it was stopped before its end."""
    checkpoint = Checkpoint(path, "this one", interval_s=-1)
    training = checkpoint.follow(iter_train_model(images(), how, 2, 0, checkpoint.resume))
    done = 0
    while True:
        try:
            event = next(training)
        except StopIteration as finished:
            return finished.value
        done += event.count if isinstance(event, Progress) else 0
        if stop_after <= done < STEPS:
            training.close()
            return None


@pytest.mark.parametrize("student", ["convnet-3", "resnet-10"])
def test_checkpoint__an_interrupted_training_ends_with_the_same_weights(tmp_path, student):
    how = HOW.replace(student=student)
    assert trained(tmp_path / "a.safetensors", 10, how) is None
    assert (tmp_path / "a.safetensors").is_file()
    resumed = trained(tmp_path / "a.safetensors", how=how)
    whole = trained(tmp_path / "b.safetensors", how=how)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name


def test_checkpoint__of_another_training_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    trained(path, stop_after=10)
    checkpoint = Checkpoint(path, "another one", interval_s=99)
    with pytest.raises(RunError, match="was trained with other settings or data"):
        list(checkpoint.follow(iter_train_model(images(), HOW, 2, 0, checkpoint.resume)))


def test_train_teacher__learns_and_reports(tmp_path):
    settings = TeachSettings(student="convnet-3", image_px=16, steps=STEPS, batch_size=8, threads=1)
    training = train_teacher(images(40), 2, settings, tmp_path, "x")
    events = []
    while True:
        try:
            events.append(next(training))
        except StopIteration as finished:
            model = finished.value
            break
    assert events[0] == Started("train", STEPS, "steps")
    assert sum(one.count for one in events if isinstance(one, Progress)) == STEPS
    assert accuracy_of(model, images(40)) == 1.0
    assert not list(tmp_path.iterdir())  # the training took less than one interval


def test_accuracy_of__no_images():
    assert accuracy_of(nn.Identity(), images(0)) is None
