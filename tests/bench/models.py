"""Stable Diffusion 1.5 with random weights, whole or scaled down, saved as diffusers saves it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

sys.path.insert(0, str(Path(__file__).parents[1]))

from families import SCALED_LINEAR, _clip_tokenizer, _save, _seeded  # noqa: E402

TOKENS = 49408
"""Rows of CLIP's vocabulary; the tokenizer here knows only the first few."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the parts are; everything else is Stable Diffusion 1.5's own layout.

    unet and vae: channels of the levels. heads: of each attention. text: width and layers.
    """

    cells: int
    unet: tuple[int, ...]
    heads: int
    vae: tuple[int, ...]
    text: tuple[int, int]


WHOLE = Size(64, (320, 640, 1280, 1280), 8, (128, 256, 512, 512), (768, 12))
"""Stable Diffusion 1.5 itself: 860 M, 84 M and 123 M parameters."""

FIFTH = Size(32, (64, 128, 256, 256), 2, (32, 64, 128, 128), (256, 6))
"""A fifth as wide in all parts, and for pictures of 256 px: what one processor can measure."""

TOY = Size(8, (32, 32, 64, 64), 2, (32, 32, 32, 32), (32, 2))
"""As small as the layout allows, to try the plumbing."""


def build(size: Size, folder: Path) -> dict[str, float]:
    """Save a pipeline of this size in the folder; millions of parameters of each part."""
    with _seeded(0):
        tokenizer = _clip_tokenizer()
        width, layers = size.text
        text = CLIPTextConfig(
            vocab_size=TOKENS, hidden_size=width, intermediate_size=4 * width,
            projection_dim=width, num_hidden_layers=layers, num_attention_heads=max(1, width // 64),
            max_position_embeddings=77, bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
        parts: dict[str, nn.Module] = {
            "unet": UNet2DConditionModel(
                sample_size=size.cells, block_out_channels=size.unet, cross_attention_dim=width,
                attention_head_dim=size.heads,
            ),
            "vae": AutoencoderKL(
                sample_size=8 * size.cells, block_out_channels=size.vae, layers_per_block=2,
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4,
                scaling_factor=0.18215,
            ),
            "text_encoder": CLIPTextModel(text),
        }  # fmt: skip
        _widen(parts["vae"], size.cells)
        pipeline = StableDiffusionPipeline(
            **parts, tokenizer=tokenizer, safety_checker=None, feature_extractor=None,
            scheduler=DDPMScheduler(**SCALED_LINEAR, clip_sample=False),
            requires_safety_checker=False,
        )  # fmt: skip
        _save(pipeline, folder)
    return {name: round(parameters(part) / 1e6, 1) for name, part in parts.items()}


@torch.no_grad()
def _widen(autoencoder: nn.Module, cells: int) -> None:
    """Give latents the spread that real ones have; they would count for little beside the noise."""
    mean = autoencoder.encode(torch.rand(1, 3, 8 * cells, 8 * cells) * 2 - 1).latent_dist.mean
    autoencoder.encoder.conv_out.weight /= mean.std() * autoencoder.config.scaling_factor


def parameters(module: nn.Module) -> int:
    """How many numbers a module has learnt."""
    return sum(one.numel() for one in module.parameters())
