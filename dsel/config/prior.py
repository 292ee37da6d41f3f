"""Which prior is used, and how it runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dsel.config.base import SPEED, Display, Settings


class PriorSettings(Settings):
    """Which prior is used, and how it runs."""

    prior: Annotated[
        str,
        Field(description="the word demo, the folder of a diffusers pipeline, or its Hub id"),
        Display("Name, folder or Hub id"),
    ] = "demo"
    family: Annotated[
        Literal["auto", "stable-diffusion", "sdxl", "sd3", "flux", "dit", "unet"],
        Field(description="model family of the prior; auto reads it from model_index.json"),
        Display("Family"),
    ] = "auto"
    revision: Annotated[
        str,
        Field(description="branch, tag or commit of a Hub id; empty is its main branch"),
        Display("Revision", placeholder="main"),
    ] = ""
    lora: Annotated[
        str,
        Field(description="LoRA weights to add: a safetensors file, a folder or a Hub id"),
        Display("LoRA weights", placeholder="none"),
    ] = ""
    labels: Annotated[
        str,
        Field(
            description="JSON file with the class names of a class-conditional prior, in label "
            "order, or the word imagenet; empty uses the names stored with the prior"
        ),
        Display("Class names of the prior", placeholder="those stored with the prior"),
    ] = ""
    null_class: Annotated[
        int,
        Field(
            ge=-1,
            le=1_000_000,
            description="label that a class-conditional prior uses for no class; -1 is the label "
            "after the last class",
        ),
        Display("Null label"),
    ] = -1
    resolution_px: Annotated[
        int,
        Field(
            ge=0,
            le=8192,
            description="shorter side of the images that the prior sees; 0 is its training "
            "resolution",
        ),
        Display("Resolution", unit="px"),
    ] = 0
    feature_layer: Annotated[
        str,
        Field(
            description="layer whose activations are the features, such as up_blocks.1; empty is "
            "the default of the family"
        ),
        Display("Feature layer", placeholder="the default of the family"),
    ] = ""
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Field(
            description="floating-point type inside the prior; auto uses the fastest one that the "
            "device supports"
        ),
        Display("Precision"),
    ] = "auto"
    low_memory: Annotated[
        bool,
        Field(
            description="use less memory: attention in slices, the autoencoder in tiles, text "
            "encoders on the CPU"
        ),
        Display("Low memory"),
    ] = False
    device: Annotated[
        str,
        SPEED,
        Field(description="cpu, cuda, cuda:1, mps or xpu; auto uses an accelerator if available"),
        Display("Device"),
    ] = "auto"
    backend: Annotated[
        Literal["auto", "torch", "compile", "openvino"],
        SPEED,
        Field(
            description="what runs the network: torch, torch's compiler or OpenVINO; auto uses the "
            "compiler on accelerators and OpenVINO on a CPU, where that is installed, if a trial "
            "finds it faster than torch"
        ),
        Display(
            "Backend",
            choices=(
                ("auto", "Fastest"), ("torch", "torch"), ("compile", "torch, compiled"),
                ("openvino", "OpenVINO"),
            ),
        ),
    ] = "auto"  # fmt: skip
