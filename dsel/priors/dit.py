"""DiT: a transformer that is told a label, of ImageNet's for instance, and a null label."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dsel.priors.base import LabelPrior, tokens_as_grid
from dsel.types import Conditioning


class DiTPrior(LabelPrior):
    """A `DiTPipeline` as a prior. Its positions are learnt for one size: it sees squares only."""

    pipeline = "DiTPipeline"
    network = "transformer"
    parts = ("scheduler/scheduler_config.json", "transformer/config.json", "vae/config.json")
    left_out = ("id2label",)  # `Labels` reads them; diffusers warns of their type

    def _output(self, noised: Tensor, told: Tensor, conditioning: Conditioning) -> Tensor:
        output: Tensor = self._ask(
            noised, timestep=told.long(), class_labels=conditioning["labels"], return_dict=False
        )[0]
        return output[:, : noised.shape[1]]  # the other half is a learned variance

    def _as_grid(self, caught: Any, latents: Tensor) -> Tensor:
        return tokens_as_grid(caught, latents, self._network.config.patch_size)

    def _default_layer(self) -> str:
        """The middle block, where a transformer's activations carry most meaning."""
        return f"transformer_blocks.{len(self._network.transformer_blocks) // 2}"

    def _step_px(self) -> int:
        return 0

    def _label_count(self) -> int:
        return int(self._network.config.num_embeds_ada_norm) + 1
