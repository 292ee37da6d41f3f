"""DiT: a class-conditional transformer, for example of ImageNet, with a null label."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dsel.priors.base import LabelPrior, tokens_as_grid
from dsel.types import Conditioning


class DiTPrior(LabelPrior):
    """A `DiTPipeline` as a prior. Its positions are those of one size, so it sees squares only."""

    pipeline = "DiTPipeline"
    network = "transformer"
    parts = ("scheduler/scheduler_config.json", "transformer/config.json", "vae/config.json")
    left_out = ("id2label",)  # `dsel.priors.labels` reads them; diffusers warns about their type

    def _output(self, noised: Tensor, times: Tensor, conditioning: Conditioning) -> Tensor:
        output: Tensor = self._call_network(
            noised, timestep=times.long(), class_labels=conditioning["labels"], return_dict=False
        )[0]
        return output[:, : noised.shape[1]]  # the other half is a learned variance

    def _as_grid(self, tapped: Any, latents: Tensor) -> Tensor:
        return tokens_as_grid(tapped, latents, self._network.config.patch_size)

    def _default_layer(self) -> str:
        """Return the middle block, where a transformer's activations are the most semantic."""
        return f"transformer_blocks.{len(self._network.transformer_blocks) // 2}"

    def _step_px(self) -> int:
        return 0

    def _label_count(self) -> int:
        return int(self._network.config.num_embeds_ada_norm) + 1
