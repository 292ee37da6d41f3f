"""FLUX.1 (dev and schnell): a transformer with a CLIP and a T5 encoder; predicts a flow.

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

PACK = 2
"""Cells per side of one of the transformer's tokens."""

GUIDANCE = 1.0
"""The guidance input of a guidance-distilled model (dev): follow the prompt without emphasis."""


class FluxPrior(PipelinePrior):
    """A `FluxPipeline` as a prior."""

    pipeline = "FluxPipeline"
    network = "transformer"
    converts = False
    parts = (
        "scheduler/scheduler_config.json", "text_encoder/config.json",
        "text_encoder_2/config.json", "tokenizer/tokenizer.json|tokenizer/vocab.json",
        "tokenizer_2/tokenizer.json|tokenizer_2/spiece.model", "transformer/config.json",
        "vae/config.json",
    )  # fmt: skip
    left_out = ("image_encoder", "feature_extractor")

    @torch.inference_mode()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts: states (P, tokens, width), pooled (P, width)."""
        texts = list(prompts)
        states, pooled, _ = self._loaded.encode_prompt(
            texts, texts, device=self._text_device, max_sequence_length=self._text_tokens()
        )
        return {"states": states.to(self.device), "pooled": pooled.to(self.device)}

    def _tokenizers(self) -> Sequence[tuple[Any, int]]:
        clip = self._loaded.tokenizer
        return [(clip, clip.model_max_length), (self._loaded.tokenizer_2, self._text_tokens())]

    def _text_tokens(self) -> int:
        """Return the tokens of the T5 encoder as in training: padding is not masked."""
        return 512 if self._is_guided() else 256

    def _output(self, noised: Tensor, times: Tensor, conditioning: Conditioning) -> Tensor:
        states = conditioning["states"]
        output: Tensor = self._call_network(
            hidden_states=pack(noised),
            timestep=times / 1000,
            guidance=torch.full_like(times, GUIDANCE) if self._is_guided() else None,
            encoder_hidden_states=states,
            pooled_projections=conditioning["pooled"],
            txt_ids=states.new_zeros(states.shape[1], 3),
            img_ids=positions(noised),
            return_dict=False,
        )[0]
        return unpack(output, noised)

    def _as_grid(self, tapped: Any, latents: Tensor) -> Tensor:
        """Return the image tokens (B, N, F) of a block's output (text, image) as (B, F, fh, fw)."""
        tokens = tapped[1] if isinstance(tapped, tuple) else tapped
        return tokens_as_grid(tokens, latents, PACK)

    def _default_layer(self) -> str:
        """Return the middle block, where a transformer's activations are the most semantic."""
        double, single = (
            len(self._network.transformer_blocks), len(self._network.single_transformer_blocks),
        )  # fmt: skip
        middle = (double + single) // 2
        if middle < double:
            return f"transformer_blocks.{middle}"
        return f"single_transformer_blocks.{middle - double}"

    def _schedule_and_prediction(self) -> tuple[Schedule, str]:
        tokens = (self.resolution_px // self._step_px()) ** 2
        return flow_matching(self._loaded.scheduler, tokens)

    def _step_px(self) -> int:
        return self.cell_px * PACK

    def _trained_px(self) -> int:
        return int(self._loaded.default_sample_size) * self.cell_px

    def _is_guided(self) -> bool:
        return bool(self._network.config.guidance_embeds)


def pack(latents: Tensor) -> Tensor:
    """Return latents (B, C, h, w) as tokens of 2 x 2 cells, (B, h/2 w/2, 4 C)."""
    images, channels, height, width = latents.shape
    blocks = latents.reshape(images, channels, height // PACK, PACK, width // PACK, PACK)
    return blocks.permute(0, 2, 4, 1, 3, 5).reshape(images, -1, channels * PACK**2)


def unpack(tokens: Tensor, latents: Tensor) -> Tensor:
    """Return tokens (B, h/2 w/2, 4 C) in the shape of `latents` (B, C, h, w)."""
    channels, height, width = latents.shape[1:]
    blocks = tokens.reshape(-1, height // PACK, width // PACK, channels, PACK, PACK)
    return blocks.permute(0, 3, 1, 4, 2, 5).reshape(-1, channels, height, width)


def positions(latents: Tensor) -> Tensor:
    """Return the row and column of each token, (h/2 w/2, 3), after a zero."""
    rows, columns = (side // PACK for side in latents.shape[-2:])
    grid = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
    return torch.nn.functional.pad(grid, (1, 0)).to(latents)
