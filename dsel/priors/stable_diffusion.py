"""Stable Diffusion 1.x and 2.x: a U-Net with one text encoder; predicts epsilon or v."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dsel.priors.base import PipelinePrior
from dsel.types import Conditioning


class StableDiffusionPrior(PipelinePrior):
    """A `StableDiffusionPipeline` as a prior."""

    pipeline = "StableDiffusionPipeline"
    parts = (
        "scheduler/scheduler_config.json", "text_encoder/config.json",
        "tokenizer/tokenizer.json|tokenizer/vocab.json", "unet/config.json", "vae/config.json",
    )  # fmt: skip
    left_out = ("safety_checker", "feature_extractor", "image_encoder", "requires_safety_checker")

    @torch.inference_mode()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts: states (P, tokens, width)."""
        states, _ = self._loaded.encode_prompt(list(prompts), self._text_device, 1, False)
        return {"states": states.to(self.device)}

    def _output(self, noised: Tensor, times: Tensor, conditioning: Conditioning) -> Tensor:
        output: Tensor = self._call_network(
            noised, times, conditioning["states"], return_dict=False
        )[0]
        return output
