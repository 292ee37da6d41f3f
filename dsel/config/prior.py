"""Which prior is asked, and how it is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from typing_extensions import Doc

from dsel.config.base import SPEED, Range, Settings


@dataclass(frozen=True, kw_only=True)
class PriorSettings(Settings):
    """Which prior is asked, and how it is run."""

    prior: Annotated[
        str, Doc("the word demo, the folder of a diffusers pipeline, or its Hub id")
    ] = "demo"
    family: Annotated[
        Literal["auto", "stable-diffusion", "sdxl", "sd3", "flux", "dit", "unet"],
        Doc("family of models that the prior belongs to; auto reads it from model_index.json"),
    ] = "auto"
    revision: Annotated[str, Doc("branch, tag or commit of a Hub id; empty is its main branch")] = (
        ""
    )
    lora: Annotated[str, Doc("LoRA weights to add: a safetensors file, a folder or a Hub id")] = ""
    labels: Annotated[
        str,
        Doc(
            "JSON file with the class names of a prior of labels, in label order, or the word "
            "imagenet; empty takes those that lie with the prior"
        ),
    ] = ""
    null_class: Annotated[
        int, Doc("label of a prior of labels that names no class; -1 is the one after the names"),
        Range(-1, 1_000_000),
    ] = -1  # fmt: skip
    resolution_px: Annotated[
        int, Doc("shorter side of the pictures it sees; 0 is what it was trained on"),
        Range(0, 8192),
    ] = 0  # fmt: skip
    feature_layer: Annotated[
        str, Doc("layer whose activations are the features, such as up_blocks.1; empty is the "
                 "family's own")
    ] = ""  # fmt: skip
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Doc("arithmetic inside the prior; auto takes the fastest that the processor supports"),
    ] = "auto"
    low_memory: Annotated[
        bool,
        Doc(
            "spare memory: attention in slices, the autoencoder in tiles, text encoders on the CPU"
        ),
    ] = False
    device: Annotated[
        str, SPEED, Doc("cpu, cuda, cuda:1, mps, xpu; auto takes an accelerator if there is one")
    ] = "auto"
    compile: Annotated[
        bool, SPEED, Doc("compile the network first: minutes at the start, faster from there")
    ] = False
