from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dsel.errors import SettingError
from dsel.students.augment import Views, show
from dsel.students.batches import (
    index_batches,
    make_batch,
    tempered,
    to_input,
    to_tensor,
    training_data,
)
from dsel.students.label_file import CropLabels
from dsel.students.recipes import HARD, SOFT
from dsel.students.records import LabelledImages

CPU = torch.device("cpu")


def drawn(count: int = 8, classes: int = 4, side_px: int = 8) -> LabelledImages:
    images = np.random.default_rng(0).integers(0, 256, (count, side_px, side_px, 3), np.uint8)
    return LabelledImages(images, np.arange(count) % classes)


def test_training_data__targets_are_classes_or_tempered_probabilities():
    images = drawn(count=2, classes=2)
    assert training_data(images, 3, HARD, CPU).targets.tolist() == [[1, 0, 0], [0, 1, 0]]
    soft = np.array([[0.8, 0.2], [0.5, 0.5]], np.float16)
    found = training_data(replace(images, soft=soft), 2, replace(SOFT, temperature=2.0), CPU)
    # 0.8 and 0.2 at temperature 2: their roots, 2 to 1
    torch.testing.assert_close(
        found.targets, torch.tensor([[2 / 3, 1 / 3], [0.5, 0.5]]), atol=1e-4, rtol=0
    )


def test_training_data__soft_needs_a_teachers_labels():
    with pytest.raises(SettingError, match="recipe soft needs a teacher's labels"):
        training_data(drawn(), 4, SOFT, CPU)


def test_tempered__is_the_softmax_of_the_logits_over_the_temperature():
    logits = torch.tensor([[2.0, -1.0, 0.5]])
    torch.testing.assert_close(tempered(logits.softmax(-1), 20.0), (logits / 20).softmax(-1))


def test_tempered__zero_counts_as_the_smallest_float16():
    least = 2.0**-24
    found = tempered(torch.tensor([[1.0, 0.0]]), 3.0)
    share = least ** (1 / 3)
    torch.testing.assert_close(found, torch.tensor([[1 / (1 + share), share / (1 + share)]]))


def test_index_batches__each_image_is_seen_equally_often():
    generator = torch.Generator().manual_seed(0)
    batches = [rows.tolist() for rows in index_batches(10, 4, 5, generator)]
    assert [len(rows) for rows in batches] == [4] * 5
    seen = [row for rows in batches for row in rows]
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]


def test_index_batches__a_small_set_is_a_batch():
    batches = list(index_batches(3, 50, 2, torch.Generator().manual_seed(0)))
    assert [sorted(rows.tolist()) for rows in batches] == [[0, 1, 2], [0, 1, 2]]


def test_make_batch__shows_views_of_the_rows_in_0_to_1():
    data = training_data(drawn(), 4, HARD, CPU)
    recipe = replace(HARD, crop_area=(1.0, 1.0), flip=False)  # the whole image
    images, targets = make_batch(data, torch.tensor([5, 2]), recipe, torch.Generator())
    torch.testing.assert_close(images, data.images[[5, 2]] / 255, atol=1e-4, rtol=0)
    assert targets.argmax(1).tolist() == [1, 2]


def test_make_batch__mixes_images_and_targets_alike():
    white, black = np.full((1, 8, 8, 3), 255, np.uint8), np.zeros((1, 8, 8, 3), np.uint8)
    pair = LabelledImages(np.concatenate([black, white]), np.array([0, 1]))
    recipe = replace(HARD, cutmix=1.0)
    data = training_data(pair, 2, recipe, CPU)
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        images, targets = make_batch(data, torch.tensor([0, 1]), recipe, generator)
        # the share of white is the share of the class of white images
        torch.testing.assert_close(images.mean((1, 2, 3)), targets[:, 1])


def test_make_batch__stored_crops_come_with_their_own_labels():
    images = drawn(count=3, classes=3)
    rng = np.random.default_rng(1)
    corner, size = rng.uniform(0, 0.5, (3, 4, 2)), rng.uniform(0.2, 0.5, (3, 4, 2))
    crops = CropLabels(
        probabilities=np.eye(12, dtype=np.float16).reshape(3, 4, 12),
        boxes=np.concatenate([corner, size], 2).astype(np.float32),
        flips=rng.random((3, 4)) < 0.5,
    )
    soft = np.full((3, 12), 1 / 12, np.float16)
    recipe = replace(SOFT, cutmix=0.0, temperature=1.0)
    data = training_data(replace(images, soft=soft, crops=crops), 12, recipe, CPU)
    rows = torch.tensor([2, 0])
    seen = set()
    for seed in range(20):
        shown, targets = make_batch(data, rows, recipe, torch.Generator().manual_seed(seed))
        for view, row, number in zip(shown, rows.tolist(), targets.argmax(1).tolist(), strict=True):
            assert number // 4 == row  # the label of a crop of this image
            box = torch.from_numpy(crops.boxes[row, number % 4])[None]
            views = Views(box, torch.tensor([crops.flips[row, number % 4]]))
            torch.testing.assert_close(view, show(to_input(data.images[row][None]), views)[0])
            seen.add(number)
    assert seen == {0, 1, 2, 3, 8, 9, 10, 11}


def test_to_tensor__moves_the_channels():
    images = drawn(count=2).images
    found = to_tensor(images)
    assert found.shape == (2, 3, 8, 8)
    assert int(found[1, 2, 3, 4]) == int(images[1, 3, 4, 2])
