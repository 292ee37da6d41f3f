"""What scoring is measured on: Stable Diffusion 1.5 with random weights, and drawn photographs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPTextConfig, CLIPTextModel

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.families import SCALED_LINEAR, _clip_tokenizer, _save, _seeded

TOKENS = 49408
"""Rows of CLIP's vocabulary; the tokenizer here knows only the first few."""

CLASSES = ("cat", "dog", "bird", "church")


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

    @property
    def px(self) -> int:
        """The side of its pictures."""
        return 8 * self.cells


WHOLE = Size(64, (320, 640, 1280, 1280), 8, (128, 256, 512, 512), (768, 12))
"""Stable Diffusion 1.5 itself: 860 M, 84 M and 123 M parameters, for pictures of 512 px."""

FIFTH = Size(32, (64, 128, 256, 256), 2, (32, 64, 128, 128), (256, 6))
"""A fifth as wide in all parts, for pictures of 256 px: what one processor can measure."""

TOY = Size(16, (32, 32, 64, 64), 2, (32, 32, 32, 32), (32, 2))
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
        autoencoder = _autoencoder(size)
        _widen(autoencoder, size.px)
        pipeline = StableDiffusionPipeline(
            unet=_unet(size), vae=autoencoder, text_encoder=CLIPTextModel(text),
            tokenizer=tokenizer, scheduler=DDPMScheduler(**SCALED_LINEAR, clip_sample=False),
            safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
        _save(pipeline, folder)
    parts = {"unet": pipeline.unet, "vae": autoencoder, "text_encoder": pipeline.text_encoder}
    return {
        name: round(sum(one.numel() for one in part.parameters()) / 1e6, 1)
        for name, part in parts.items()
    }


def count_flops(size: Size) -> dict[str, int]:
    """Floating-point operations of the U-Net per row, and of the encoder per picture."""
    with torch.device("meta"), torch.no_grad():
        unet, autoencoder = _unet(size), _autoencoder(size)
        latent = torch.randn(1, 4, size.cells, size.cells)
        with FlopCounterMode(display=False) as of_unet:
            unet(latent, torch.zeros(1), torch.randn(1, 77, size.text[0]))
        with FlopCounterMode(display=False) as of_encoder:
            autoencoder.encode(torch.randn(1, 3, size.px, size.px))
    return {"unet": of_unet.get_total_flops(), "encoder": of_encoder.get_total_flops()}


def write_photographs(root: Path, per_class: int, side_px: int, seed: int = 0) -> Path:
    """Write CLASS/000.jpg and so on, a quarter wider than high."""
    for index, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            drawn = photograph(np.random.default_rng([seed, index, number]), side_px)
            drawn.save(root / name / f"{number:03d}.jpg", quality=92)
    return root


def photograph(rng: np.random.Generator, side_px: int) -> Image.Image:
    """Noise of every scale, each octave half as strong as the one below it."""
    shape = side_px, side_px * 5 // 4
    total = np.zeros((*shape, 3), np.float32)
    for octave in range(2, 8):
        coarse = rng.integers(0, 256, (2**octave, 2**octave, 3), np.uint8)
        layer = Image.fromarray(coarse).resize(shape[::-1], Image.Resampling.BICUBIC)
        total += np.asarray(layer, np.float32) / 2 ** (octave - 1)
    total -= total.min()
    return Image.fromarray((255 * total / total.max()).astype(np.uint8))


def _unet(size: Size) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=size.cells, block_out_channels=size.unet, cross_attention_dim=size.text[0],
        attention_head_dim=size.heads,
    )  # fmt: skip


def _autoencoder(size: Size) -> AutoencoderKL:
    return AutoencoderKL(
        sample_size=size.px, block_out_channels=size.vae, layers_per_block=2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=0.18215,
    )  # fmt: skip


@torch.no_grad()
def _widen(autoencoder: nn.Module, side_px: int) -> None:
    """Give latents the spread that real ones have; they would count for little beside the noise."""
    mean = autoencoder.encode(torch.rand(1, 3, side_px, side_px) * 2 - 1).latent_dist.mean
    autoencoder.encoder.conv_out.weight /= mean.std() * autoencoder.config.scaling_factor
