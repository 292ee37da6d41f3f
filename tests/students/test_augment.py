from __future__ import annotations

import math

import pytest
import torch

from dsel.students.augment import (
    RATIOS,
    Mix,
    Views,
    mix_images,
    mix_labels,
    random_mix,
    random_views,
    show,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def slow_view(image: torch.Tensor, box: torch.Tensor, mirrored: bool) -> torch.Tensor:
    """Interpolate pixel by pixel: the centre of each output pixel, mapped into the box."""
    side = image.shape[-1]
    x0, y0, width, height = (float(v) * side for v in box)
    out = torch.empty_like(image)
    for row in range(side):
        for column in range(side):
            across = (column + 0.5) / side
            x = x0 + width * ((1 - across) if mirrored else across) - 0.5
            y = y0 + height * (row + 0.5) / side - 0.5
            out[:, row, column] = slow_sample(image, x, y)
    return out


def slow_sample(image: torch.Tensor, x: float, y: float) -> torch.Tensor:
    side = image.shape[-1]
    x, y = (min(max(v, 0.0), side - 1.0) for v in (x, y))
    left, top = math.floor(x), math.floor(y)
    right, bottom = min(left + 1, side - 1), min(top + 1, side - 1)
    a, b = x - left, y - top
    upper = image[:, top, left] * (1 - a) + image[:, top, right] * a
    lower = image[:, bottom, left] * (1 - a) + image[:, bottom, right] * a
    return upper * (1 - b) + lower * b


def test_show__interpolates_each_pixel_of_the_box():
    images = torch.rand(6, 3, 7, 7, generator=generator())
    views = random_views(6, (0.2, 1.0), True, generator(1))
    shown = show(images, views)
    for image, box, mirrored, found in zip(
        images, views.boxes, views.mirrored.tolist(), shown, strict=True
    ):
        torch.testing.assert_close(found, slow_view(image, box, mirrored), rtol=1e-4, atol=1e-5)


def test_show__the_whole_box_is_the_image_and_its_mirror_image():
    images = torch.rand(2, 3, 8, 8, generator=generator())
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2)
    shown = show(images, Views(whole, torch.tensor([False, True])))
    torch.testing.assert_close(shown[0], images[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(shown[1], images[1].flip(-1), atol=1e-5, rtol=0)


def test_random_views__boxes_have_the_areas_and_ratios_and_lie_inside():
    views = random_views(2000, (0.25, 0.9), True, generator())
    x, y, width, height = views.boxes.T
    assert bool(((x >= 0) & (y >= 0) & (x + width < 1.0001) & (y + height < 1.0001)).all())
    areas, ratios = width * height, width / height
    fits = areas < 0.9999  # the whole image where no draw fitted
    assert float(areas.min()) > 0.2499
    assert float(areas[fits].max()) < 0.9001
    assert RATIOS[0] - 1e-4 < float(ratios.min()) < 0.77
    assert 1.3 < float(ratios.max()) < RATIOS[1] + 1e-4
    assert 0.46 < float(views.mirrored.float().mean()) < 0.54


def test_random_views__without_flips_and_at_full_area():
    views = random_views(50, (1.0, 1.0), False, generator())
    assert not bool(views.mirrored.any())
    # only a square of the whole side fits
    torch.testing.assert_close(views.boxes, torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(50, 4))


def test_random_views__follow_from_the_generator_alone():
    state = torch.random.get_rng_state()
    first, second = (random_views(9, (0.5, 1.0), True, generator(3)) for _ in range(2))
    assert torch.equal(first.boxes, second.boxes)
    assert torch.equal(first.mirrored, second.mirrored)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_mix__pastes_the_rectangle_and_mixes_labels_by_area():
    images = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    mix = Mix(torch.tensor([1, 0]), x0=1, y0=0, x1=4, y1=2, share=1 - 6 / 16)
    mixed = mix_images(images, mix)
    expected = torch.tensor([[0.0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert torch.equal(mixed[0], expected.expand(3, 4, 4))
    assert torch.equal(mixed[1], 1 - expected.expand(3, 4, 4))
    labels = mix_labels(torch.eye(2), mix)
    torch.testing.assert_close(labels, torch.tensor([[0.625, 0.375], [0.375, 0.625]]))


def test_random_mix__share_is_what_the_rectangle_leaves():
    drawn = [random_mix(5, 8, generator(seed)) for seed in range(200)]
    for mix in drawn:
        assert 0 <= mix.x0 <= mix.x1 <= 8
        assert 0 <= mix.y0 <= mix.y1 <= 8
        assert mix.share == pytest.approx(1 - (mix.x1 - mix.x0) * (mix.y1 - mix.y0) / 64)
        assert sorted(mix.order.tolist()) == [0, 1, 2, 3, 4]
    assert min(mix.share for mix in drawn) < 0.3
    assert max(mix.share for mix in drawn) > 0.95
