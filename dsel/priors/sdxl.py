"""Stable Diffusion XL: a U-Net with two text encoders, a pooled embedding and size ids."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dsel.priors.base import PipelinePrior
from dsel.types import Conditioning


class SDXLPrior(PipelinePrior):
    """A `StableDiffusionXLPipeline` as a prior."""

    pipeline = "StableDiffusionXLPipeline"
    parts = (
        "scheduler/scheduler_config.json", "text_encoder/config.json",
        "text_encoder_2/config.json", "tokenizer/tokenizer.json|tokenizer/vocab.json",
        "tokenizer_2/tokenizer.json|tokenizer_2/vocab.json", "unet/config.json", "vae/config.json",
    )  # fmt: skip
    left_out = ("image_encoder", "feature_extractor", "add_watermarker")

    @torch.inference_mode()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts: states (P, tokens, width), pooled (P, width)."""
        texts = list(prompts)
        states, _, pooled, _ = self._loaded.encode_prompt(
            texts, device=self._text_device, do_classifier_free_guidance=False
        )
        if (
            self._loaded.config.force_zeros_for_empty_prompt
        ):  # as in training: zeros for an empty prompt
            words = torch.tensor([bool(text) for text in texts], device=states.device)
            states, pooled = states * words[:, None, None], pooled * words[:, None]
        return {"states": states.to(self.device), "pooled": pooled.to(self.device)}

    def _output(self, noised: Tensor, times: Tensor, conditioning: Conditioning) -> Tensor:
        height, width = (side * self.cell_px for side in noised.shape[-2:])
        # Original size, crop corner, target size: the whole image, uncropped.
        sizes = torch.tensor([height, width, 0, 0, height, width], device=noised.device)
        added = {
            "text_embeds": conditioning["pooled"],
            "time_ids": sizes.to(noised.dtype).expand(len(noised), -1),
        }
        output: Tensor = self._call_network(
            noised, times, conditioning["states"], added_cond_kwargs=added, return_dict=False
        )[0]
        return output
