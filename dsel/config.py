"""The settings of each stage: declared once, with default, help and range.

Flags, widgets, the manifest and the documentation derive from these classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from typing_extensions import Doc

from dsel.errors import SettingError
from dsel.overrides import Overrides
from dsel.settings import OVERRIDE, SPEED, Range, Settings


@dataclass(frozen=True, kw_only=True)
class SourceSettings(Settings):
    """Which pictures of a source are used."""

    split: Annotated[
        str, Doc("split folder below SOURCE, such as train; empty finds it when there is one")
    ] = ""
    classes: Annotated[tuple[str, ...], Doc("use only these classes; empty uses all of them")] = ()
    per_class: Annotated[
        int, Doc("use at most this many images of each class; 0 uses all (toybox: 100)"), Range(0)
    ] = 0
    scene_seed: Annotated[int, Doc("seed of the toybox scenes"), Range(0, 2**31 - 1)] = 0


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


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(Settings):
    """How the prior looks at each image."""

    timesteps: Annotated[
        tuple[int, ...], Doc("timesteps at which noise is predicted"), Range(0, 999)
    ] = (200, 300, 400, 500, 600, 700)
    draws: Annotated[int, Doc("noise samples per timestep"), Range(1, 1024)] = 4
    antithetic: Annotated[bool, Doc("draw noise in pairs of a sample and its negative")] = True
    refine: Annotated[
        float,
        Doc(
            "score all images with the first draws, then spend the remaining ones on this share of "
            "each class, the most promising; 0 gives all draws to all images"
        ),
        Range(0.0, 1.0),
    ] = 0.0
    first_draws: Annotated[
        int, Doc("draws that every image gets where --refine is set"), Range(1, 1024)
    ] = 2
    prompt: Annotated[str, Doc("prompt that names the class; {class} is replaced by its name")] = (
        "An image of {class}."
    )
    null_prompt: Annotated[
        str | None, Doc("prompt that names no class; None is the prompt with an empty slot")
    ] = None
    names: Annotated[
        Literal["first", "all"],
        Doc("of a class with several names, use the first, or average the prompts of all of them"),
    ] = "first"
    fit: Annotated[
        Literal["whole", "crop", "squash"],
        Doc(
            "show the prior the whole picture at its own aspect ratio, its square centre crop, or "
            "all of it squashed to a square; a prior that sees squares only crops"
        ),
    ] = "whole"
    min_side_px: Annotated[
        int, Doc("skip images whose shorter side is smaller than this"), Range(1, 4096)
    ] = 16
    noise_seed: Annotated[int, Doc("seed of all noise"), Range(0, 2**31 - 1)] = 0
    feature_timestep: Annotated[
        int, Doc("diffusion features are read at the scored timestep nearest to this"),
        Range(0, 999),
    ] = 161  # fmt: skip
    feature_grid: Annotated[
        int, Doc("features are stored on a grid of this many positions a side"), Range(1, 64)
    ] = 8
    feature_dim: Annotated[
        int, Doc("dimensions of a stored feature, after a random projection"), Range(2, 4096)
    ] = 64
    shard_size: Annotated[
        int, Doc("images per shard, the unit of work and of resume"), Range(1, 100_000)
    ] = 256
    rows_per_call: Annotated[
        int, SPEED, Doc("most noised latents in one call of the prior; 0 finds the best by trying"),
        Range(0, 8192),
    ] = 0  # fmt: skip
    decoders: Annotated[
        int, SPEED, Doc("workers that decode pictures ahead of the prior"), Range(1, 256)
    ] = 2

    def __post_init__(self) -> None:
        """Check ranges, and what holds between fields."""
        super().__post_init__()
        if not self.timesteps or len(set(self.timesteps)) != len(self.timesteps):
            raise SettingError(f"timesteps must be different numbers, got {list(self.timesteps)}")
        if self.antithetic and self.draws % 2:
            raise SettingError(
                f"draws must be even with antithetic pairs, got {self.draws}; "
                "use an even number or turn antithetic off"
            )
        if self.refine and self.first_draws >= self.draws:
            raise SettingError(
                f"first draws must be fewer than draws, got {self.first_draws} of {self.draws}; "
                "raise --draws"
            )
        _check_prompt(self.prompt)

    @property
    def first(self) -> range:
        """The draws that every image gets."""
        return range(self.first_draws if self.refine else self.draws)

    @property
    def further(self) -> range:
        """The draws that the most promising images get besides."""
        return range(self.first_draws, self.draws)

    def conditional_prompt(self, name: str) -> str:
        """The prompt that names a class."""
        return self.prompt.replace("{class}", name)

    def unconditional_prompt(self) -> str:
        """The prompt that names none."""
        slot_empty = self.prompt.replace("{class}", "")
        return slot_empty if self.null_prompt is None else self.null_prompt


@dataclass(frozen=True, kw_only=True)
class SelectSettings(Settings):
    """Which patches are cut, and which of them stay."""

    patch_px: Annotated[
        int,
        Doc("side of the patch, in pixels of the picture as the prior saw it; 0 is half"),
        Range(0, 8192),
    ] = 0
    stride_px: Annotated[
        int, Doc("step between candidate boxes; 0 is one cell of the prior"), Range(0, 8192)
    ] = 0
    per_image: Annotated[int, Doc("patches per image, not overlapping"), Range(1, 64)] = 1
    timesteps: Annotated[
        tuple[int, ...], Doc("scored timesteps that count; empty counts all of them"), Range(0, 999)
    ] = ()
    gap: Annotated[
        Literal["positive", "signed"],
        Doc(
            "count only cells where naming the class helps (positive), or let those where it "
            "misleads cancel them (signed)"
        ),
    ] = "positive"
    features: Annotated[
        Literal["free", "reencode", "clip"],
        Doc(
            "what patches are grouped by: activations kept from scoring, the cut patch shown to "
            "the prior once more, or an image model's features (--feature-model)"
        ),
    ] = "free"
    feature_model: Annotated[
        str, Doc("image model of transformers for --features clip (CLIP, SigLIP, DINOv2): "
                 "folder or Hub id")
    ] = ""  # fmt: skip
    groups: Annotated[
        int, Doc("k-means groups per class (k); 0 takes as many as IPC"), Range(0, 10_000)
    ] = 0
    telling: Annotated[
        float,
        Doc(
            "find groups among this share of a class's patches, the most telling; the others join "
            "the nearest group. Below 1 what is kept is more telling and steadier, but less varied"
        ),
        Range(0.0, 1.0),
    ] = 1.0
    ipc: Annotated[int, Doc("images per class in the distilled set"), Range(1, 100_000)] = 10
    within: Annotated[
        Literal["score", "centroid"],
        Doc("order inside a group: highest score first, or nearest to the centroid first"),
    ] = "score"
    across: Annotated[
        Literal["round-robin", "pooled"],
        Doc("order over groups: one of each group in turn, or all pooled regardless of group"),
    ] = "round-robin"
    factor: Annotated[
        int,
        Doc("patches per side of a distilled image: 1 is one patch, 2 a 2 x 2 mosaic"),
        Range(1, 8),
    ] = 1
    pins: Annotated[
        tuple[str, ...], OVERRIDE,
        Doc("ids of images whose patch is kept first in its class, in this order"),
    ] = ()  # fmt: skip
    bans: Annotated[tuple[str, ...], OVERRIDE, Doc("ids of images that are never kept")] = ()
    moves: Annotated[
        tuple[str, ...], OVERRIDE,
        Doc("boxes given by hand, as ID@X,Y: the corner in pixels of the picture as the prior saw "
            "it, such as cat/1.png@16,24"),
    ] = ()  # fmt: skip

    def __post_init__(self) -> None:
        """Check ranges, and what holds between fields."""
        super().__post_init__()
        if (self.features == "clip") != bool(self.feature_model):
            raise SettingError(
                f"--features clip and --feature-model go together, got {self.features!r} and "
                f"{self.feature_model!r}"
            )
        if len(set(self.timesteps)) != len(self.timesteps):
            raise SettingError("timesteps must be different numbers, got one of them twice")
        _ = self.overrides  # which checks them

    @property
    def k(self) -> int:
        """The number of groups asked for per class."""
        return self.groups or self.ipc

    @property
    def overrides(self) -> Overrides:
        """What was decided by hand."""
        return Overrides(self.pins, self.bans, self.moves)

    def with_overrides(self, overrides: Overrides) -> SelectSettings:
        """The same settings with these decisions by hand."""
        return replace(self, pins=overrides.pins, bans=overrides.bans, moves=overrides.moves)


@dataclass(frozen=True, kw_only=True)
class ExportSettings(Settings):
    """How the distilled set is written."""

    image_px: Annotated[
        int, Doc("side of a distilled image; 0 is the prior's resolution"), Range(0, 8192)
    ] = 0
    file_format: Annotated[Literal["png", "jpeg"], Doc("file format of the images")] = "png"
    pixels: Annotated[
        Literal["auto", "source", "proxy"],
        Doc(
            "cut from the source's own pixels, or from the run's proxies; "
            "auto takes the source if it is there"
        ),
    ] = "auto"


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """How a small prior is trained from scratch."""

    resolution_px: Annotated[
        int, Doc("side of the pictures that the prior sees"), Range(16, 512)
    ] = 128
    cells: Annotated[int, Doc("latent cells per side"), Range(4, 64)] = 16
    latent_channels: Annotated[int, Doc("channels of a latent"), Range(1, 64)] = 8
    widths: Annotated[tuple[int, ...], Doc("channels of the U-Net's levels"), Range(16, 2048)] = (
        64,
        96,
        160,
    )
    autoencoder_images: Annotated[
        int, Doc("images seen while the autoencoder is trained"), Range(1)
    ] = 20_000
    images: Annotated[
        int, Doc("images seen while the U-Net and text encoder are trained"), Range(1)
    ] = 200_000
    batch_size: Annotated[int, Doc("images per training step"), Range(1, 65_536)] = 64
    learning_rate: Annotated[float, Doc("peak learning rate of the U-Net"), Range(1e-7, 1.0)] = 5e-4
    null_share: Annotated[
        float, Doc("share of the images trained with a null prompt"), Range(0.0, 0.9)
    ] = 0.2
    ema_decay: Annotated[
        float, Doc("decay of the moving average of the weights"), Range(0.0, 0.99999)
    ] = 0.999
    prompt: Annotated[str, Doc("prompt that names the class; {class} is replaced by its name")] = (
        "An image of {class}."
    )
    fit: Annotated[
        Literal["crop", "squash"],
        Doc("make a picture square by its centre crop, or by squashing the whole of it"),
    ] = "crop"
    flip: Annotated[bool, Doc("train on mirrored pictures too")] = True
    seed: Annotated[int, Doc("seed of weights, batches and noise"), Range(0, 2**31 - 1)] = 0
    checkpoint_s: Annotated[int, SPEED, Doc("seconds between checkpoints"), Range(1)] = 120
    threads: Annotated[int, SPEED, Doc("processor threads; 0 takes all"), Range(0, 1024)] = 0

    def __post_init__(self) -> None:
        """Check ranges, and what holds between fields."""
        super().__post_init__()
        _check_prompt(self.prompt)
        cell_px, rest = divmod(self.resolution_px, self.cells)
        if rest or cell_px & (cell_px - 1):
            raise SettingError(
                f"resolution px must be cells times a power of two, got {self.resolution_px} px "
                f"with {self.cells} cells; {self.cells * 8} would be right"
            )
        if len(self.widths) < 2 or any(width % 16 for width in self.widths):
            raise SettingError(
                f"widths must be two or more multiples of 16, got {list(self.widths)}; "
                "64 96 160 would be right"
            )

    @property
    def cell_px(self) -> int:
        """Image pixels per latent cell."""
        return self.resolution_px // self.cells


def _check_prompt(prompt: str) -> None:
    if "{class}" not in prompt:
        raise SettingError(f"prompt must contain {{class}}, got {prompt!r}")
