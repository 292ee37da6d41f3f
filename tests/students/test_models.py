from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from dsel.config.evaluate import Student
from dsel.errors import SettingError
from dsel.students.convnet import ConvNet, norm_relu_pool
from dsel.students.models import MEAN, STD, build_student


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_build_student__convnet_3_has_the_parameters_that_papers_state():
    assert parameters(build_student("convnet-3", 10, 32, 0)) == 320_010


@pytest.mark.parametrize(
    ("name", "classes", "image_px", "expected"),
    [
        ("resnet-18", 1000, 64, 11_689_512),  # torchvision's, as are those below
        ("mobilenet-v2", 1000, 64, 3_504_872),
        ("efficientnet-b0", 1000, 64, 5_288_548),
        ("resnet-18", 10, 32, 11_173_962),  # with the 3 x 3 first convolution of CIFAR's
    ],
)
def test_build_student__has_the_published_number_of_parameters(
    name: str, classes: int, image_px: int, expected: int
):
    assert parameters(build_student(name, classes, image_px, 0)) == expected


@pytest.mark.parametrize("name", sorted(set(get_args(Student)) - {"resnet-50", "resnet-101"}))
def test_build_student__gives_a_logit_per_class_and_gradients_everywhere(name: str):
    model = build_student(name, 7, 64, 0)
    logits = model(torch.rand(2, 3, 64, 64))
    assert logits.shape == (2, 7)
    logits.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "side"),
    [("resnet-10", 4), ("mobilenet-v2", 4), ("efficientnet-b0", 4)],
)
def test_build_student__keeps_the_resolution_of_small_images(name: str, side: int):
    sides: list[int] = []

    def note(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        sides.append(output.shape[-1])

    model = build_student(name, 3, 32, 0).eval()
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1):
            module.register_forward_hook(note)
    with torch.inference_mode():
        model(torch.rand(1, 3, 32, 32))
    assert sides[0] == 32
    assert min(sides) == side


def test_build_student__weights_follow_from_the_seed_and_global_state_stays():
    state = torch.random.get_rng_state()
    first, same, other = (build_student("convnet-3", 4, 16, seed) for seed in (5, 5, 6))
    assert torch.equal(torch.random.get_rng_state(), state)
    pairs = list(zip(first.parameters(), same.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not all(torch.equal(a, c) for a, _, c in pairs)


def test_build_student__normalizes_its_images():
    model = build_student("convnet-3", 4, 16, 0).eval()
    images = torch.rand(2, 3, 16, 16)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    with torch.inference_mode():
        inner = model.get_submodule("network")((images - mean) / std)
        torch.testing.assert_close(model(images), inner)


def test_build_student__unknown_names_and_sides_that_do_not_fit():
    with pytest.raises(SettingError, match="unknown student 'convnet-9'; known are: convnet-3"):
        build_student("convnet-9", 10, 32, 0)
    with pytest.raises(SettingError, match="convnet-6 needs images of at least 64 px, got 32 px"):
        build_student("convnet-6", 10, 32, 0)
    with pytest.raises(SettingError, match="multiple of 8 px, got 70 px"):
        build_student("vit-small", 10, 70, 0)
    with pytest.raises(SettingError, match="resnet-10 needs images of at least 16 px, got 8 px"):
        build_student("resnet-10", 10, 8, 0)


@pytest.mark.parametrize("name", ["resnet-10", "mobilenet-v2", "efficientnet-b0"])
def test_build_student__trains_on_a_single_smallest_image(name: str):
    """A batch norm needs several values of each channel."""
    assert build_student(name, 3, 16, 0).train()(torch.rand(1, 3, 16, 16)).isfinite().all()


@pytest.mark.parametrize("image_px", [16, 18])  # 18 px: the second block's side, 9, is odd
def test_convnet__is_the_plain_network_of_its_layers(image_px: int):
    model = ConvNet(2, 5, image_px).double()
    images = torch.rand(3, 3, image_px, image_px, dtype=torch.float64)
    layers: list[nn.Module] = []
    for block in model.features:
        layers += [block.convolution, block.norm, nn.ReLU(), nn.AvgPool2d(2)]
    plain = nn.Sequential(*layers, nn.Flatten(), model.classifier)
    torch.testing.assert_close(model(images), plain(images))
    model.eval()
    with torch.inference_mode():
        torch.testing.assert_close(model(images), plain(images))


def test_norm_relu_pool__has_the_values_and_gradients_of_the_modules():
    draw = torch.Generator().manual_seed(0)
    shape = {"generator": draw, "dtype": torch.float64}
    maps = torch.randn(3, 5, 8, 6, **shape) * 2 + 1
    weight, bias, onward = (torch.randn(*s, **shape) for s in ((5,), (5,), (3, 5, 4, 3)))

    def plain(maps: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        normed = nn.functional.group_norm(maps, 5, weight, bias)
        return nn.functional.avg_pool2d(normed.relu(), 2)

    found = []
    for function in (norm_relu_pool, plain):
        inputs = [t.clone().requires_grad_() for t in (maps, weight, bias)]
        pooled = function(*inputs)
        (pooled * onward).sum().backward()
        found.append([pooled, *(t.grad for t in inputs)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)
