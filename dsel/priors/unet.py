"""Pixel-space U-Nets with class embeddings (`UNet2DModel`): a cell is a pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from dsel.errors import PriorError
from dsel.priors.base import LabelPrior, scaled
from dsel.types import Conditioning, Pixels


class UNetPrior(LabelPrior):
    """A `DDPMPipeline` or `DDIMPipeline` whose U-Net has an embedding per class, as a prior."""

    pipeline = "DDPMPipeline"
    parts = ("scheduler/scheduler_config.json", "unet/config.json")

    @torch.inference_mode()
    def encode(self, pixels: Pixels) -> Tensor:
        """Return pixels (B, height, width, 3) as (B, 3, height, width), -1 to 1."""
        return scaled(pixels).to(self.device)

    def _output(self, noised: Tensor, times: Tensor, conditioning: Conditioning) -> Tensor:
        labels = conditioning["labels"]
        output: Tensor = self._call_network(noised, times, class_labels=labels, return_dict=False)[
            0
        ]
        return output[:, : noised.shape[1]]  # further channels are a learned variance

    def _cell_px(self) -> int:
        return 1

    def _trained_px(self) -> int:
        size = self._network.config.sample_size
        if size is None:
            raise PriorError("the U-Net's config has no sample_size: give --resolution-px")
        return int(min(size) if isinstance(size, list | tuple) else size)

    def _label_count(self) -> int:
        count = self._network.config.num_class_embeds
        if not count:
            raise PriorError(
                f"{self.name} has no class embeddings: an unconditional U-Net knows no classes"
            )
        return int(count)
