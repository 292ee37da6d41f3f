"""The untrained parts of a miniature Stable Diffusion, with the layout of the original."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.models.resnet import Downsample2D, ResnetBlock2D, Upsample2D
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from dsel.config import TrainSettings
from dsel.errors import PriorError

TEXT_WIDTH = 128
TOKENS = 24


class Denoiser(nn.Module):
    """The U-Net and its text encoder, trained together."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.unet = unet
        self.text_encoder = text_encoder

    def forward(self, latents: Tensor, timesteps: Tensor, tokens: Tensor, which: Tensor) -> Tensor:
        """Predict noise for latents (B, C, h, w); row `which[b]` of tokens (P, L) is its prompt."""
        states = self.text_encoder(tokens).last_hidden_state  # (P, L, width)
        output: Tensor = self.unet(latents, timesteps, states[which]).sample
        return output


def new_autoencoder(settings: TrainSettings) -> AutoencoderKL:
    """Return an autoencoder that divides an image's sides by `settings.cell_px`."""
    levels = settings.cell_px.bit_length()
    widths = tuple(min(16 * 2**level, 64) for level in range(levels))
    # Small cells need few levels, which can be wide and still cheap.
    widths = tuple(max(width, 32) for width in widths) if levels < 4 else widths
    autoencoder = AutoencoderKL(
        sample_size=settings.resolution_px,
        latent_channels=settings.latent_channels,
        block_out_channels=widths,
        layers_per_block=1,
        norm_num_groups=1,  # narrow levels: more groups would remove the image's colours
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        mid_block_add_attention=False,
    )
    _start_as_identity(autoencoder)
    return autoencoder


@torch.no_grad()
def _start_as_identity(autoencoder: AutoencoderKL) -> None:
    """Initialise convolutions near the identity, so that colours pass from the first step.

    Measured: 120 steps reach the loss of 1,000 steps from PyTorch's own initial weights.
    """
    for module in autoencoder.modules():
        if isinstance(module, ResnetBlock2D):
            module.conv2.weight.mul_(0.1)
            if module.conv_shortcut is not None:
                _add_identity(module.conv_shortcut, keep=0.3)
        elif isinstance(module, Upsample2D):
            _add_identity(module.conv, keep=0.3)
        elif isinstance(module, Downsample2D):
            weight = module.conv.weight.mul_(0.3)  # (C, C, 3, 3)
            channels = torch.arange(len(weight))
            weight[channels, channels] += 1 / 9  # the mean of its 3 x 3 pixels
    for half in (autoencoder.encoder, autoencoder.decoder):
        _add_identity(half.conv_in, keep=1.0)
        _add_identity(half.conv_out, keep=1.0)
    for convolution in (autoencoder.quant_conv, autoencoder.post_quant_conv):
        _add_identity(convolution, keep=1.0)


def _add_identity(convolution: nn.Conv2d, keep: float) -> None:
    identity = nn.init.dirac_(torch.zeros_like(convolution.weight))
    convolution.weight.mul_(keep).add_(identity)


def new_denoiser(settings: TrainSettings, tokenizer: CLIPTokenizer) -> Denoiser:
    """Return a U-Net with cross-attention below its first level, and a two-layer text encoder."""
    widths = settings.widths
    below = len(widths) - 1
    unet = UNet2DConditionModel(
        sample_size=settings.cells,
        in_channels=settings.latent_channels,
        out_channels=settings.latent_channels,
        layers_per_block=1,
        block_out_channels=widths,
        norm_num_groups=16,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,  # in this class the number of heads
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * below,
        up_block_types=("CrossAttnUpBlock2D",) * below + ("UpBlock2D",),
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    # The layout in which convolutions are fastest; it does not change the weights' values.
    unet.to(memory_format=torch.channels_last)
    return Denoiser(unet, text_encoder)


def new_scheduler() -> DDPMScheduler:
    """Return Stable Diffusion's schedule: the square roots of the betas are linear in t."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,  # what StableDiffusionPipeline expects
        prediction_type="epsilon",
    )


def new_tokenizer(prompts: Sequence[str]) -> CLIPTokenizer:
    """Return a CLIP tokenizer with merges for the words of these prompts; it spells other words."""
    # Split like CLIP, so that every part of a name such as english_springer has merges.
    words = sorted({word for prompt in prompts for word in re.findall("[a-z]+", prompt.lower())})
    merges = _merges(words)
    letters = list(_byte_letters())
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary += list(dict.fromkeys("".join(pair) for pair in merges))
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    with TemporaryDirectory() as folder:
        numbers = {word: number for number, word in enumerate(vocabulary)}
        Path(folder, "vocab.json").write_text(json.dumps(numbers), encoding="utf-8")
        lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
        Path(folder, "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder, model_max_length=TOKENS)
    return tokenizer


def tokenize(tokenizer: Any, prompts: Sequence[str]) -> Tensor:
    """Return the token numbers of prompts, padded to the model's length, (P, tokens).

    Raises `PriorError` for prompts that differ only after the last token.
    """
    batch = tokenizer(
        list(prompts),
        padding="max_length",
        truncation=True,
        max_length=tokenizer.model_max_length,
        return_tensors="pt",
    )
    numbers: torch.Tensor = batch.input_ids
    _check_distinct(prompts, numbers)
    return numbers


def _check_distinct(prompts: Sequence[str], numbers: Tensor) -> None:
    """Raise `PriorError` for different prompts that are truncated to the same tokens."""
    seen: dict[tuple[int, ...], str] = {}
    for prompt, row in zip(prompts, numbers.tolist(), strict=True):
        other = seen.setdefault(tuple(row), prompt)
        if other != prompt:
            raise PriorError(
                f"the prompts {other!r} and {prompt!r} have the same first {len(row)} tokens: "
                "shorten the class names, for example in classes.json"
            )


def _merges(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return byte-pair merges that build each word from the left, letter by letter."""
    pairs: dict[tuple[str, str], None] = {}
    for word in words:
        letters = [*word[:-1], f"{word[-1]}</w>"]
        whole = letters[0]
        for letter in letters[1:]:
            pairs[whole, letter] = None
            whole += letter
    return list(pairs)


def _byte_letters() -> Sequence[str]:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return list(bytes_to_unicode().values())
