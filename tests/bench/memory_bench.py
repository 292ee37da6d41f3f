"""Measures memory at batch 1: a family's real architecture with random weights, one picture.

    python tests/bench/memory_bench.py --family stable-diffusion --precision bfloat16

Builds the pipeline with the sizes that its published weights have (nothing is downloaded; a folder
of several gigabytes is made and thrown away), scores one picture with one pair of noised latents in
a process of its own, and prints one JSON object: parameters, weights and peak memory in GB. On a
CPU the peak is the process's resident memory, libraries and all; on CUDA it is what torch reserved.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

# so that it also runs in a checkout that is not installed
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    DiTPipeline,
    DiTTransformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from support.families import SCALED_LINEAR, _clip_tokenizer
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

GB = 2**30


def main() -> None:
    """Measure, and print what was found."""
    options = _options()
    if options.folder:
        print(json.dumps(measure(options)))
        return
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        torch.set_default_dtype(torch.bfloat16)  # builds the largest in half the memory
        numbers = BUILDERS[options.family](Path(folder))
        command = [sys.executable, __file__, *sys.argv[1:], "--folder", folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    weights = 2 if options.precision != "float32" else 4
    print(json.dumps({
        "family": options.family, "parameters_m": round(numbers / 1e6), "precision":
        options.precision, "weights_gb": round(weights * numbers / GB, 2), **found,
    }))  # fmt: skip


def measure(options: argparse.Namespace) -> dict[str, float | int | str]:
    """Load the folder's prior and score one picture, in this process."""
    from dsel.config import PriorSettings, ScoreSettings
    from dsel.priors import load_prior
    from dsel.priors.scorer import Scorer
    from dsel.types import ImageRef

    prior = load_prior(
        PriorSettings(
            prior=options.folder, precision=options.precision, device=options.device,
            low_memory=options.low_memory, labels=str(Path(options.folder, "labels.json"))
            if options.family == "dit" else "",
        )
    )  # fmt: skip
    scorer = Scorer(prior, [("tench",)], ScoreSettings(timesteps=(300,), draws=2, rows_per_call=2))
    side = prior.resolution_px
    scorer.score([ImageRef("one", 0)], np.full((1, side, side, 3), 90, np.uint8), range(2))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if prior.device.type == "cuda":
        peak = torch.cuda.max_memory_reserved()
    return {"resolution_px": side, "device": str(prior.device), "peak_gb": round(peak / GB, 2)}


def stable_diffusion(folder: Path) -> int:
    """Stable Diffusion 1.5."""
    parts = {
        "unet": UNet2DConditionModel(cross_attention_dim=768, sample_size=64),
        "vae": _autoencoder(64),
        "text_encoder": CLIPTextModel(_text(768, 12, 12)),
    }
    pipeline = StableDiffusionPipeline(
        **parts, tokenizer=_clip_tokenizer(), scheduler=DDPMScheduler(**SCALED_LINEAR),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    return _saved(pipeline, parts, folder)


def sdxl(folder: Path) -> int:
    """Stable Diffusion XL base 1.0."""
    unet = UNet2DConditionModel(
        sample_size=128, block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * 2),
        up_block_types=(*["CrossAttnUpBlock2D"] * 2, "UpBlock2D"),
        transformer_layers_per_block=[1, 2, 10], attention_head_dim=[5, 10, 20],
        cross_attention_dim=2048, use_linear_projection=True, addition_embed_type="text_time",
        addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
    )  # fmt: skip
    parts = {
        "unet": unet,
        "vae": _autoencoder(128),
        "text_encoder": CLIPTextModel(_text(768, 12, 12)),
        "text_encoder_2": CLIPTextModelWithProjection(_text(1280, 32, 20)),
    }
    tokenizer = _clip_tokenizer()
    pipeline = StableDiffusionXLPipeline(
        **parts, tokenizer=tokenizer, tokenizer_2=tokenizer,
        scheduler=DDPMScheduler(**SCALED_LINEAR), add_watermarker=False,
    )  # fmt: skip
    return _saved(pipeline, parts, folder)


def dit(folder: Path) -> int:
    """DiT-XL/2 at 256 px."""
    parts = {
        "transformer": DiTTransformer2DModel(sample_size=32, out_channels=8),
        "vae": _autoencoder(32),
    }
    pipeline = DiTPipeline(**parts, scheduler=DDPMScheduler())
    numbers = _saved(pipeline, parts, folder)
    names = ["tench", *(f"class {n}" for n in range(1, 1000))]
    (folder / "labels.json").write_text(json.dumps(names))
    return numbers


BUILDERS = {"stable-diffusion": stable_diffusion, "sdxl": sdxl, "dit": dit}


def _text(width: int, layers: int, heads: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
        num_attention_heads=heads, projection_dim=width,
    )  # fmt: skip


def _autoencoder(cells: int) -> AutoencoderKL:
    return AutoencoderKL(
        sample_size=8 * cells, block_out_channels=(128, 256, 512, 512), layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4, scaling_factor=0.18215,
    )  # fmt: skip


def _saved(pipeline: object, parts: dict[str, nn.Module], folder: Path) -> int:
    pipeline.save_pretrained(folder)  # type: ignore[attr-defined]
    return sum(one.numel() for part in parts.values() for one in part.parameters())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=["stable-diffusion", "sdxl", "dit"], required=True)
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--low-memory", action="store_true")
    parser.add_argument("--scratch", help="folder for the weights; the system's own by default")
    parser.add_argument("--folder", default="", help="score this folder in this process")
    return parser.parse_args()


if __name__ == "__main__":
    main()
