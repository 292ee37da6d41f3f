"""The PyTorch dataset of an export: the pixels and labels of `labelled_images`, and crops."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from support.exported import CLASSES, SIDE_PX, write_export
from torch.utils.data import DataLoader

import dsel
from dsel.errors import SettingError, SourceError
from dsel.students.exported import labelled_images, read_export
from dsel.students.label_crops import cropped, random_crops
from dsel.students.label_file import LABELS, CropLabels, SoftLabels, label_bytes


def pixels_of(image: torch.Tensor) -> np.ndarray:
    return image.mul(255).round().byte().permute(1, 2, 0).numpy()


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("unpack", [False, True])
@pytest.mark.parametrize("image_px", [0, 9])
def test_torch_dataset__the_images_and_labels(tmp_path, factor, unpack, image_px):
    write_export(tmp_path, factor=factor, tile_scale="native")
    dataset = dsel.torch_dataset(tmp_path, unpack, image_px)
    wanted = labelled_images(read_export(tmp_path), image_px, unpack)
    assert dataset.classes == CLASSES
    assert len(dataset) == len(wanted.images) == len(dataset.targets)
    for (image, label), pixels, target in zip(
        (dataset[at] for at in range(len(dataset))), wanted.images, wanted.labels, strict=True
    ):
        assert (image.dtype, label) == (torch.float32, target)
        assert image.shape == (3, image_px or SIDE_PX, image_px or SIDE_PX)
        assert np.array_equal(pixels_of(image), pixels)
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_torch_dataset__transform_and_batches(tmp_path):
    write_export(tmp_path, factor=2)
    dataset = dsel.torch_dataset(tmp_path, transform=lambda image: image.mean((1, 2)))
    images, labels = next(iter(DataLoader(dataset, batch_size=5)))
    assert images.shape == (5, 3)
    assert labels.tolist() == [0] * 5


def test_torch_dataset__goes_to_other_processes(tmp_path):
    write_export(tmp_path)
    copy = pickle.loads(pickle.dumps(dsel.torch_dataset(tmp_path)))
    assert torch.equal(copy[1][0], dsel.torch_dataset(tmp_path)[1][0])


def test_torch_dataset__soft_labels(tmp_path):
    write_export(tmp_path, factor=2)
    soft = np.random.default_rng(0).random((16, 2)).astype(np.float16)
    views = {"images": SoftLabels(soft[:4]), "tiles": SoftLabels(soft)}
    (tmp_path / LABELS).write_bytes(label_bytes(views, {}, CLASSES))
    dataset = dsel.torch_dataset(tmp_path, labels="soft")
    assert torch.equal(torch.stack([label for _, label in dataset]), torch.from_numpy(soft).float())
    assert len(dsel.torch_dataset(tmp_path, unpack=False, labels="soft")) == 4


def test_torch_dataset__crops(tmp_path):
    """Each crop is an item, cut out of the picture that it was labelled in."""
    write_export(tmp_path, factor=2)
    boxes, flips = random_crops(np.random.default_rng(0), 16 * 3)
    soft = np.random.default_rng(1).random((16, 3, 2)).astype(np.float16)
    crops = CropLabels(soft, boxes.reshape(16, 3, 4), flips.reshape(16, 3))
    views = {"images": SoftLabels(soft[:4, 0]), "tiles": SoftLabels(soft[:, 0], crops)}
    (tmp_path / LABELS).write_bytes(label_bytes(views, {}, CLASSES))
    dataset = dsel.torch_dataset(tmp_path, image_px=8, labels="crops")
    assert len(dataset) == 48
    assert dataset.targets == [0] * 24 + [1] * 24
    tiles = labelled_images(read_export(tmp_path), 0, unpack=True).images
    for at, (image, label) in enumerate(dataset):
        picture, number = divmod(at, 3)
        wanted = cropped(tiles[picture], crops.boxes[picture, number], flips[at], 8)
        assert np.array_equal(pixels_of(image), wanted)
        assert torch.equal(label, torch.from_numpy(soft[picture, number]).float())


def test_torch_dataset__refuses(tmp_path):
    with pytest.raises(SourceError, match="is not an export of dsel"):
        dsel.torch_dataset(tmp_path)
    write_export(tmp_path)
    with pytest.raises(SourceError, match="has no soft labels"):
        dsel.torch_dataset(tmp_path, labels="soft")
    with pytest.raises(SettingError, match="labels must be one of hard, soft, crops, got 'both'"):
        dsel.torch_dataset(tmp_path, labels="both")


def test_random_crops__inside_and_of_the_shares_of_inception():
    boxes, flips = random_crops(np.random.default_rng(0), 2000)
    x, y, width, height = boxes.T.astype(np.float64)
    assert min(x.min(), y.min()) >= 0
    assert max((x + width).max(), (y + height).max()) <= 1 + 1e-6
    area, ratio = width * height, width / height
    assert 0.08 - 1e-6 <= area.min() < 0.1
    assert area.max() > 0.95
    assert 3 / 4 - 1e-6 <= ratio.min() < 0.76
    assert 1.32 < ratio.max() <= 4 / 3 + 1e-6
    assert 0.45 < flips.mean() < 0.55


def test_cropped__by_hand():
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2, 2:] = 9
    pixels[0, 2] = 100
    box = np.array([0.5, 0, 0.5, 0.5], np.float32)
    assert cropped(pixels, box, False, 2)[..., 0].tolist() == [[100, 9], [9, 9]]
    assert cropped(pixels, box, True, 2)[..., 0].tolist() == [[9, 100], [9, 9]]
