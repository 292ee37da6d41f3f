from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from dsel.config.evaluate import EvaluateSettings
from dsel.pipeline.parallel import merged
from dsel.students.batches import training_data
from dsel.students.models import build_student
from dsel.students.recipes import HARD, recipe_of
from dsel.students.records import LabelledImages, Outcome
from dsel.students.training import (
    PART_BYTES,
    accuracy,
    add_gradients,
    checkpoints,
    class_accuracies,
    divergence,
    divide_threads,
    iter_train_model,
    learning_rate,
    limit_threads,
    part_size,
    train_students,
    training_steps,
)
from dsel.types import Done, Progress, Started

SETTINGS = EvaluateSettings(student="convnet-3", steps=6, batch_size=4)


def drawn(count: int = 8, classes: int = 4, side_px: int = 16, seed: int = 0) -> LabelledImages:
    """Images of noise around a gray of their own, with labels in turn."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    gray = 40 + 50 * labels[:, None, None, None]
    images = (gray + rng.integers(-30, 30, (count, side_px, side_px, 3))).clip(0, 255)
    return LabelledImages(images.astype(np.uint8), labels)


def outcomes(
    train: LabelledImages, settings: EvaluateSettings, seeds: list[int]
) -> dict[int, Outcome]:
    events = train_students(train, drawn(seed=1), 4, settings, seeds)
    return {event.seed: event for event in events if isinstance(event, Outcome)}


def test_train_students__a_student_learns_20_images_by_heart():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    train = LabelledImages(noise, np.arange(20) % 10)
    settings = EvaluateSettings(student="convnet-3", steps=60)
    (found,) = (e for e in train_students(train, train, 10, settings, [0]) if type(e) is Outcome)
    assert found.last == 1.0


def test_train_students__counts_every_step_and_ends_with_the_figures():
    events = list(train_students(drawn(), drawn(seed=1), 4, SETTINGS, [3, 4]))
    assert events[0] == Started("train students", 12, "steps")
    assert sum(event.count for event in events if isinstance(event, Progress)) == 12
    assert [event.seed for event in events if isinstance(event, Outcome)] == [3, 4]
    assert events[-1] == Done("train students", {"students": 2})


def test_train_students__last_is_the_last_accuracy_and_best_the_highest():
    (found,) = outcomes(drawn(), SETTINGS.replace(steps=10), [0]).values()
    assert found.steps == (2, 4, 6, 8, 10)
    assert len(found.curve) == 5
    assert found.last == found.curve[-1]
    assert found.best == max(found.curve)


@pytest.mark.parametrize("student", ["convnet-3", "resnet-10"])
def test_train_students__a_seed_gives_the_same_whatever_runs_beside_it(student: str):
    settings = SETTINGS.replace(student=student, steps=2)
    state = torch.random.get_rng_state()
    together = outcomes(drawn(), settings, [7, 8, 9])
    torch.rand(1)  # the global generator does not matter
    assert outcomes(drawn(), settings, [9]) == {9: together[9]}
    assert not torch.equal(torch.random.get_rng_state(), state)  # only the line above moved it


def test_train_students__leaves_threads_as_they_were():
    before = torch.get_num_threads()
    list(train_students(drawn(), drawn(), 4, SETTINGS.replace(steps=1, threads=before + 1), [0]))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("threads", "students", "expected"),
    [(8, 5, (5, 1)), (8, 3, (3, 2)), (2, 5, (2, 1)), (1, 5, (1, 1)), (4, 1, (1, 4))],
)
def test_divide_threads__on_a_processor(threads: int, students: int, expected: tuple[int, int]):
    assert divide_threads(threads, students) == expected
    assert divide_threads(0, 1) == (1, torch.get_num_threads())


def test_train_students__students_at_the_same_time_are_those_in_turn():
    images, settings = drawn(), SETTINGS.replace(steps=2)
    in_turn = outcomes(images, settings, [0, 1, 2, 3])
    streams = (
        (one for one in train_students(images, drawn(seed=1), 4, settings, [seed]))
        for seed in (0, 1, 2, 3)
    )
    with limit_threads(1):
        together = list(merged(streams, 4))
    assert {one.seed: one for one in together if isinstance(one, Outcome)} == in_turn


def trained(seed: int) -> nn.Module:
    training = iter_train_model(drawn(), SETTINGS, 4, seed)
    while True:
        try:
            next(training)
        except StopIteration as finished:
            return finished.value


def test_iter_train_model__same_seed_same_weights():
    first, same, other = map(trained, (1, 1, 2))
    assert not first.training
    pairs = list(zip(first.parameters(), same.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not all(torch.equal(a, c) for a, _, c in pairs)


def test_training_steps__resumes_from_moments_in_any_memory_format():
    data = training_data(drawn(), 4, HARD, torch.device("cpu"))

    def new_model() -> nn.Module:
        return build_student("convnet-3", 4, 16, 0).to(memory_format=torch.channels_last)

    whole, stopped, resumed = (new_model() for _ in range(3))
    optimizers: list[torch.optim.Optimizer] = []

    def note(model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        optimizers.append(optimizer)
        return 0

    def restore(model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        model.load_state_dict(stopped.state_dict())
        state = optimizers[0].state_dict()["state"]
        plain = {n: {k: v.contiguous() for k, v in of.items()} for n, of in state.items()}
        optimizer.load_state_dict(optimizer.state_dict() | {"state": plain})
        return 3

    list(training_steps(whole, data, HARD, 6, 0))
    steps = training_steps(stopped, data, HARD, 6, 0, note)
    assert [next(steps)[0] for _ in range(3)] == [1, 2, 3]
    assert [step for step, _ in training_steps(resumed, data, HARD, 6, 0, restore)] == [4, 5, 6]
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_divergence__by_hand():
    logits = torch.tensor([[0.0, 4 * math.log(3.0)], [0.0, 0.0]])
    targets = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    # at temperature 4 the student says 1/4, 3/4 and 1/2, 1/2
    first = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    second = 1.0 * math.log(1.0 / 0.5)
    assert divergence(logits, targets, 4.0).item() == pytest.approx((first + second) / 2)


def test_divergence__of_classes_is_the_cross_entropy():
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 2, 1, 1, 0])
    targets = nn.functional.one_hot(labels, 3).float()
    expected = nn.functional.cross_entropy(logits, labels)
    torch.testing.assert_close(divergence(logits, targets, 1.0), expected)


def test_add_gradients__parts_add_up_to_the_whole_batch(monkeypatch: pytest.MonkeyPatch):
    images = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    targets = torch.eye(5)
    found = []
    for part_bytes in (2**30, 1):  # the whole batch, and one image at a time
        monkeypatch.setattr("dsel.students.training.PART_BYTES", part_bytes)
        model = build_student("convnet-3", 5, 16, 0)
        loss = add_gradients(model, images, targets, HARD)
        found.append([loss, *(p.grad for p in model.parameters())])
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-6)


def test_add_gradients__bfloat16_is_near_float32():
    images = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    targets = torch.eye(6)
    found = []
    for precision in ("float32", "bfloat16"):
        model = build_student("convnet-3", 6, 16, 0)
        loss = add_gradients(model, images, targets, replace(HARD, precision=precision))
        gradients = [loss.flatten(), *(p.grad.flatten() for p in model.parameters())]
        found.append(torch.cat(gradients))
    exact, rounded = found
    assert exact.dtype == rounded.dtype == torch.float32
    # 8 bits of mantissa, and three layers with norms that add their errors
    assert 0 < (exact - rounded).norm() < 0.2 * exact.norm()


def test_part_size__a_batch_norm_needs_the_whole_batch():
    images = torch.zeros(50, 3, 64, 64)
    assert part_size(build_student("resnet-10", 2, 64, 0), images) == 50
    # 128 channels of 64 x 64 float32 are 2 MiB
    expected = PART_BYTES * torch.get_num_threads() // 2**21
    assert part_size(build_student("convnet-4", 2, 64, 0), images) == expected


def test_learning_rate__rises_and_falls_to_nothing():
    recipe = replace(HARD, learning_rate=0.1, warmup=0.2)
    rates = [learning_rate(step, 10, recipe) for step in range(10)]
    assert rates[:3] == pytest.approx([0.05, 0.1, 0.1])
    # half a cosine over the 8 steps after the warm-up
    assert rates[6] == pytest.approx(0.05)
    assert rates[9] == pytest.approx(0.05 * (1 + math.cos(math.pi * 7 / 8)))


@pytest.mark.parametrize(
    ("steps", "expected"), [(1, (1,)), (3, (1, 2, 3)), (300, (60, 120, 180, 240, 300))]
)
def test_checkpoints__are_evenly_spaced_and_have_the_last(steps: int, expected: tuple[int, ...]):
    assert checkpoints(steps) == expected


def test_accuracy__is_the_share_of_right_answers():
    class Brightest(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3))

    images = np.zeros((4, 2, 2, 3), np.uint8)
    images[[0, 1, 2, 3], :, :, [0, 1, 2, 0]] = 255
    labels = torch.tensor([0, 1, 2, 2])
    assert accuracy(Brightest(), torch.from_numpy(images).permute(0, 3, 1, 2), labels) == 0.75


def test_class_accuracies__by_hand():
    labels = torch.tensor([0, 0, 1, 3, 3, 3])
    right = torch.tensor([True, False, False, True, True, False])
    assert class_accuracies(right, labels, 5) == (0.5, 0.0, None, 2 / 3, None)


def test_train_students__accuracies_of_classes_add_up_to_the_last_one():
    (found,) = outcomes(drawn(), SETTINGS, [0]).values()
    counts = np.bincount(drawn(seed=1).labels, minlength=4)
    assert len(found.per_class) == 4
    assert np.dot(counts, found.per_class) / counts.sum() == pytest.approx(found.last)


def test_recipe_of__takes_the_settings_before_its_own():
    assert recipe_of(SETTINGS.replace(batch_size=0)) == HARD
    assert recipe_of(SETTINGS).batch_size == 4
    assert recipe_of(SETTINGS.replace(student="mobilenet-v2")).learning_rate == 2.5e-3
    found = recipe_of(SETTINGS.replace(recipe="soft", student="vit-small", learning_rate=0.5))
    assert (found.learning_rate, found.soft) == (0.5, True)
