"""The adapter of Stable Diffusion pipelines: one text encoder, a U-Net, an autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from dsel.errors import PriorError
from dsel.records import Pixels

PARTS = (
    ("scheduler/scheduler_config.json",),
    ("text_encoder/config.json",),
    ("tokenizer/tokenizer.json", "tokenizer/vocab.json"),
    ("unet/config.json",),
    ("vae/config.json",),
)


class StableDiffusionPrior:
    """A `StableDiffusionPipeline` as a prior; the Prior protocol says what each member does."""

    def __init__(
        self, folder: Path, name: str, fingerprint: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        _check_parts(folder)
        pipeline = _load(folder, dtype)
        self.name = name
        self.fingerprint = fingerprint
        self.prediction: str = pipeline.scheduler.config.prediction_type
        self.alphas_cumprod: Tensor = pipeline.scheduler.alphas_cumprod.float()
        self.cell_px: int = pipeline.vae_scale_factor
        self.resolution_px: int = pipeline.unet.config.sample_size * self.cell_px
        self.precision = str(dtype).removeprefix("torch.")
        self._tokenizer = pipeline.tokenizer
        self._text_encoder = pipeline.text_encoder.to(device).eval()
        self._autoencoder = pipeline.vae.to(device).eval()
        self._unet = pipeline.unet.to(device, memory_format=torch.channels_last).eval()
        self._device, self._dtype = device, dtype

    @torch.inference_mode()
    def embed(self, prompts: Sequence[str]) -> Tensor:
        """Encode prompts, (P, tokens, width)."""
        batch = self._tokenizer(
            list(prompts),
            padding="max_length",
            truncation=True,
            max_length=self._tokenizer.model_max_length,
            return_tensors="pt",
        )
        states: Tensor = self._text_encoder(batch.input_ids.to(self._device)).last_hidden_state
        return states

    @torch.inference_mode()
    def encode(self, pixels: Pixels) -> Tensor:
        """Encode one proxy to the mean of its latent, (channels, h, w) float32 on the CPU."""
        picture = torch.from_numpy(pixels).permute(2, 0, 1)[None].float().div(127.5).sub(1.0)
        posterior = self._autoencoder.encode(picture.to(self._device, self._dtype)).latent_dist
        latent: Tensor = posterior.mean[0].float().cpu() * self._autoencoder.config.scaling_factor
        return latent

    @torch.inference_mode()
    def predict(self, latents: Tensor, timesteps: Tensor, prompts: Tensor) -> Tensor:
        """The U-Net's output for noised latents (B, C, h, w), float32 on the CPU."""
        output: Tensor = self._unet(
            latents.to(self._device, self._dtype, memory_format=torch.channels_last),
            timesteps.to(self._device),
            prompts.to(self._device, self._dtype),
        ).sample
        return output.float().cpu()

    @torch.inference_mode()
    def features(self, latents: Tensor, timesteps: Tensor, prompts: Tensor) -> Tensor:
        """Activations of up-block 1, (B, F, fh, fw); Tang et al., arXiv 2306.03881, section 4.2."""
        caught: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            caught.append(output)

        block = self._unet.up_blocks[min(1, len(self._unet.up_blocks) - 1)]
        handle = block.register_forward_hook(keep)
        try:
            self.predict(latents, timesteps, prompts)
        finally:
            handle.remove()
        return caught[0].float().cpu()


def _check_parts(folder: Path) -> None:
    """Name what is missing: without its files a tokenizer would be made up, and know no word."""
    for names in PARTS:
        if not any((folder / name).is_file() for name in names):
            raise PriorError(f"{folder} is not whole: it has no {' or '.join(names)}")


def _load(folder: Path, dtype: torch.dtype) -> StableDiffusionPipeline:
    # Both draw bars of their own on standard error, which holds dsel's lines.
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    try:
        return StableDiffusionPipeline.from_pretrained(
            folder,
            dtype=dtype,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            use_safetensors=True,
            local_files_only=True,
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise PriorError(
            f"{folder} cannot be loaded as a Stable Diffusion pipeline with safetensors weights: "
            f"{first}"
        ) from error
