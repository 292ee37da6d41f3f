"""ConvNet, the student that papers on dataset distillation compare with."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from torch import Tensor, nn

WIDTH: Final = 128


class ConvNet(nn.Module):
    """Blocks of a 3 x 3 convolution, instance norm, ReLU and 2 x 2 average pooling, then a head.

    The network of dataset condensation (arXiv 2006.05929, section 4.1), unchanged: 128 channels,
    convolutions with bias, an affine instance norm (a group norm with one group per channel), and
    one linear layer on the flattened map, (B, 3, px, px) to logits (B, classes). PyTorch's own
    initial weights, as there. With 3 blocks and 10 classes at 32 px: 320,010 parameters.
    """

    def __init__(self, depth: int, classes: int, image_px: int) -> None:
        super().__init__()
        channels = [3, *[WIDTH] * depth]
        blocks = [_block(*pair) for pair in pairwise(channels)]
        self.features = nn.Sequential(*blocks)
        side = image_px >> depth  # each pooling halves the side, rounded down
        self.classifier = nn.Linear(WIDTH * side * side, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images (B, 3, px, px)."""
        logits: Tensor = self.classifier(self.features(images).flatten(1))
        return logits


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.GroupNorm(outputs, outputs),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2),
    )
