"""Stable Diffusion 3 and 3.5: a transformer with up to three text encoders; predicts a flow.

The maps hold the loss of the noise, |eps - eps_theta|^2 with eps_theta = z_t + (1 - sigma) v_theta,
which is (1 - sigma)^2 times the velocity loss that the model was trained with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dsel.priors.base import PipelinePrior, tokens_as_grid
from dsel.priors.schedules import flow_matching
from dsel.types import Conditioning, Schedule

T5_TOKENS = 256
"""Tokens that the T5 encoder reads, as diffusers has it."""


class SD3Prior(PipelinePrior):
    """A `StableDiffusion3Pipeline` as a prior."""

    pipeline = "StableDiffusion3Pipeline"
    network = "transformer"
    converts = False
    parts = (
        "scheduler/scheduler_config.json", "text_encoder/config.json",
        "text_encoder_2/config.json", "tokenizer/tokenizer.json|tokenizer/vocab.json",
        "tokenizer_2/tokenizer.json|tokenizer_2/vocab.json", "transformer/config.json",
        "vae/config.json",
    )  # fmt: skip
    left_out = ("image_encoder", "feature_extractor")
    optional = ("text_encoder_3", "tokenizer_3")  # T5, which is often omitted for its size

    @torch.inference_mode()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts: states (P, tokens, width), pooled (P, width)."""
        texts = list(prompts)
        states, _, pooled, _ = self._loaded.encode_prompt(
            texts, texts, texts, device=self._text_device, do_classifier_free_guidance=False,
            max_sequence_length=T5_TOKENS,
        )  # fmt: skip
        return {"states": states.to(self.device), "pooled": pooled.to(self.device)}

    def _tokenizers(self) -> Sequence[tuple[Any, int]]:
        third = self._loaded.tokenizer_3 if self._loaded.text_encoder_3 is not None else None
        return [*super()._tokenizers(), *([(third, T5_TOKENS)] if third is not None else [])]

    def _output(self, noised: Tensor, times: Tensor, conditioning: Conditioning) -> Tensor:
        output: Tensor = self._call_network(
            hidden_states=noised,
            timestep=times,
            encoder_hidden_states=conditioning["states"],
            pooled_projections=conditioning["pooled"],
            return_dict=False,
        )[0]
        return output

    def _as_grid(self, tapped: Any, latents: Tensor) -> Tensor:
        """Return the image tokens (B, N, F) of a block's output (text, image) as (B, F, fh, fw)."""
        tokens = tapped[1] if isinstance(tapped, tuple) else tapped
        return tokens_as_grid(tokens, latents, self._network.config.patch_size)

    def _default_layer(self) -> str:
        """Return the middle block, where a transformer's activations are the most semantic."""
        return f"transformer_blocks.{len(self._network.transformer_blocks) // 2}"

    def _schedule_and_prediction(self) -> tuple[Schedule, str]:
        return flow_matching(self._loaded.scheduler, self._tokens())

    def _step_px(self) -> int:
        return self.cell_px * int(self._network.config.patch_size)

    def _tokens(self) -> int:
        return (self.resolution_px // self._step_px()) ** 2
