"""The architectures of students and teachers, with random weights.

ConvNets are dsel's own; the others are built from configurations of transformers, without a
download. Networks that were made for 224 px lose too much of a small image in their first layers,
so below 64 px these are changed as the field does for CIFAR (arXiv 1512.03385, section 4.2, and
RDED's `resnet18_modified`, arXiv 2312.03526): a ResNet begins with a 3 x 3 convolution of stride 1
and no pooling, MobileNet-V2 and EfficientNet-B0 halve the side 3 times instead of 5. The vision
transformer's patches are an eighth of the side at 32, 64 and 128 px.

Dropout and stochastic depth are off: trainings are short, and a student's random numbers all come
from its own generators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn

from dsel.errors import unknown
from dsel.students.convnet import ConvNet
from dsel.students.sides import check_side, vit_patch_px

SMALL_PX: Final = 64
"""Images below this side get first layers that keep their resolution."""

MEAN: Final = (0.485, 0.456, 0.406)
STD: Final = (0.229, 0.224, 0.225)
"""The mean and standard deviation of ImageNet's channels, for images in 0 to 1."""


_GLOBAL_GENERATOR: Final = Lock()


class Student(nn.Module):
    """A classifier of images (B, 3, px, px) in 0 to 1; returns logits (B, classes).

    It normalizes the images itself, so that whoever has the weights has all that inference needs.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (B, classes)."""
        output = self.network((images - self.mean) / self.std)
        logits: Tensor = output if isinstance(output, Tensor) else output.logits
        return logits


def build_student(name: str, classes: int, image_px: int, seed: int) -> nn.Module:
    """Build an architecture for square images of `image_px`; its weights follow from `seed`.

    They are drawn on the processor from its global generator, which is restored afterwards, by one
    thread at a time.
    """
    if name not in _BUILDERS:
        raise unknown("student", name, _BUILDERS)
    check_side(name, image_px)
    with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return Student(_BUILDERS[name](classes, image_px))


def _convnet(depth: int) -> Callable[[int, int], nn.Module]:
    def build(classes: int, image_px: int) -> nn.Module:
        return ConvNet(depth, classes, image_px)

    return build


def _resnet(kind: str, depths: tuple[int, ...]) -> Callable[[int, int], nn.Module]:
    widths = (64, 128, 256, 512) if kind == "basic" else (256, 512, 1024, 2048)

    def build(classes: int, image_px: int) -> nn.Module:
        from transformers import ResNetConfig, ResNetForImageClassification

        network = ResNetForImageClassification(
            ResNetConfig(
                layer_type=kind, depths=list(depths), hidden_sizes=list(widths), num_labels=classes
            )
        )
        if image_px < SMALL_PX:
            embedder = network.resnet.embedder
            embedder.embedder.convolution = nn.Conv2d(3, 64, 3, padding=1, bias=False)
            embedder.pooler = nn.Identity()
        return _as_published(network)

    return build


def _mobilenet(classes: int, image_px: int) -> nn.Module:
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

    config = MobileNetV2Config(
        image_size=image_px, num_labels=classes, classifier_dropout_prob=0.0, tf_padding=False
    )
    network = MobileNetV2ForImageClassification(config)
    if image_px < SMALL_PX:
        body = network.mobilenet_v2
        _keep_resolution(body.conv_stem.first_conv.convolution)
        _keep_resolution(body.layer[0].conv_3x3.convolution)
    return _as_published(network)


def _efficientnet(classes: int, image_px: int) -> nn.Module:
    from transformers import EfficientNetConfig, EfficientNetForImageClassification

    config = EfficientNetConfig(
        image_size=image_px,
        width_coefficient=1.0,
        depth_coefficient=1.0,
        hidden_dim=1280,
        dropout_rate=0.0,
        drop_connect_rate=0.0,
        num_labels=classes,
    )
    network = EfficientNetForImageClassification(config)
    if image_px < SMALL_PX:
        body = network.efficientnet
        body.embeddings.padding = nn.Identity()
        _keep_resolution(body.embeddings.convolution)
        layer = next(b.depthwise_conv for b in body.encoder.blocks if b.depthwise_conv.stride == 2)
        layer.stride = 1
        _keep_resolution(layer.depthwise_conv)
    return _as_published(network)


def _vit(classes: int, image_px: int) -> nn.Module:
    """ViT-S (arXiv 2012.12877, table 1): 12 layers of 384 channels, 6 heads."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        image_size=image_px,
        patch_size=vit_patch_px(image_px),
        hidden_size=384,
        num_attention_heads=6,
        intermediate_size=1536,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        num_labels=classes,
    )
    network: nn.Module = ViTForImageClassification(config)
    return network


def _as_published(network: nn.Module) -> nn.Module:
    """Initialize a network with batch norm as its paper does, which transformers does not.

    Convolutions are drawn by He's rule (arXiv 1502.01852); a batch norm's running averages take a
    tenth of the newest batch, where some configurations have the share of the old average instead.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1
    return network


def _keep_resolution(convolution: nn.Conv2d) -> None:
    convolution.stride = (1, 1)
    convolution.padding = tuple(side // 2 for side in convolution.kernel_size)


_BUILDERS: Final[Mapping[str, Callable[[int, int], nn.Module]]] = MappingProxyType({
    **{f"convnet-{depth}": _convnet(depth) for depth in (3, 4, 5, 6)},
    "resnet-10": _resnet("basic", (1, 1, 1, 1)),
    "resnet-18": _resnet("basic", (2, 2, 2, 2)),
    "resnet-50": _resnet("bottleneck", (3, 4, 6, 3)),
    "resnet-101": _resnet("bottleneck", (3, 4, 23, 3)),
    "mobilenet-v2": _mobilenet,
    "efficientnet-b0": _efficientnet,
    "vit-small": _vit,
})  # fmt: skip
