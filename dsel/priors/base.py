"""What the adapters share: loading a diffusers pipeline, encoding, tapping, device, arithmetic."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from dsel.config import PriorSettings
from dsel.errors import PriorError, SettingError, first_line, unknown
from dsel.priors.batching import is_out_of_memory
from dsel.priors.labels import Labels, find_labels
from dsel.priors.loading import (
    LOADING_FAILS,
    add_lora,
    check_weights,
    compiled,
    load_text_encoders,
    pipeline_class,
    quiet,
)
from dsel.priors.schedules import diffusion_schedule
from dsel.types import Conditioning, Pixels, Prediction, Schedule


@dataclass(frozen=True, slots=True)
class Loading:
    """What an adapter is built from."""

    folder: Path
    settings: PriorSettings
    origin: Mapping[str, str | int | bool]
    fingerprint: str
    device: torch.device
    dtype: torch.dtype


class PipelinePrior:
    """A diffusers pipeline as a prior; a family says how it embeds and what it asks its network.

    The Prior protocol says what each public member does.
    """

    pipeline: ClassVar[str]
    """The diffusers class that the folder is loaded with."""
    network: ClassVar[str] = "unet"
    """The part that predicts."""
    parts: ClassVar[tuple[str, ...]]
    """Files that the folder must have; `a|b` is either."""
    left_out: ClassVar[tuple[str, ...]] = ()
    """Parts that are not used, and so not loaded."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Parts that the folder may lack."""
    reads: ClassVar[Literal["prompts", "labels"]] = "prompts"

    def __init__(self, loading: Loading) -> None:
        """Raise `PriorError` or `SettingError` for what cannot be loaded or does not fit."""
        self._check_parts(loading.folder)
        settings = loading.settings
        self._loaded = self._load(loading)
        if settings.lora:
            add_lora(self._loaded, settings.lora)
        self.name, self.origin = settings.prior, loading.origin
        self.fingerprint = loading.fingerprint
        self.device, self._dtype = loading.device, loading.dtype
        self.precision = str(loading.dtype).removeprefix("torch.")
        # A CPU's cluster norms are slow with the channels last, and lose digits.
        on_processor = loading.device.type == "cpu"
        self._layout = torch.contiguous_format if on_processor else torch.channels_last
        self.cell_px = self._cell_px()
        self.step_px = self._step_px()
        self.resolution_px = self._resolution_px(settings.resolution_px)
        self.schedule, self.prediction = self._read_schedule()
        self._place(settings)
        self._layer = settings.feature_layer or self._default_layer()
        self._caught: list[Any] = []
        self._tap_layer()
        self._ask: Any = compiled(self._network) if settings.compile else self._network

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts, one row of each tensor per prompt."""
        raise NotImplementedError

    @torch.inference_mode()
    def encode(self, pixels: Pixels) -> Tensor:
        """Encode proxies (B, height, width, 3) to the means of their latents, (B, C, h, w)."""
        vae = self._loaded.vae
        posterior = vae.encode(scaled(pixels).to(self.device, vae.dtype)).latent_dist
        shift = getattr(vae.config, "shift_factor", None) or 0.0
        latents: Tensor = (posterior.mean.float() - shift) * vae.config.scaling_factor
        return latents

    @torch.inference_mode()
    def predict(
        self,
        latents: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        *,
        tap: Tensor | None = None,
    ) -> Prediction:
        """The network's answer to noised latents (B, C, h, w), float32."""
        told = self.schedule.inputs[timesteps].to(self.device)
        # Of one channel or one cell, both memory layouts look alike, and this one is asked for.
        noised = latents.to(self.device, self._dtype, memory_format=self._layout)
        output = self._output(noised, told, conditioning).float()
        caught = self._caught.pop()
        features = None
        if tap is not None and len(tap):
            features = self._as_grid(caught, latents)[tap.to(self.device)]  # (N, F, fh, fw)
        return Prediction(output, features)

    def _output(self, noised: Tensor, told: Tensor, conditioning: Conditioning) -> Tensor:
        """Ask the network: noised (B, C, h, w) in its own arithmetic, told (B,) float32."""
        raise NotImplementedError

    def _as_grid(self, caught: Any, _latents: Tensor) -> Tensor:
        """The tapped layer's output as (B, F, fh, fw); a U-Net's is that already."""
        grid: Tensor = caught[0] if isinstance(caught, tuple) else caught
        return grid

    def _default_layer(self) -> str:
        """Up-block 1, or the last one of a small U-Net; Tang et al., arXiv 2306.03881, 4.2."""
        return f"up_blocks.{min(1, len(self._network.up_blocks) - 1)}"

    def _read_schedule(self) -> tuple[Schedule, str]:
        try:
            return self._schedule_and_prediction()
        except AttributeError as error:
            kind = type(self._loaded.scheduler).__name__
            raise PriorError(
                f"{self.name} comes with a {kind}, whose noise levels dsel cannot read "
                f"({first_line(error)}): save it with the scheduler that it was trained with"
            ) from error

    def _schedule_and_prediction(self) -> tuple[Schedule, str]:
        scheduler = self._loaded.scheduler
        kind: str = scheduler.config.prediction_type
        return diffusion_schedule(scheduler.alphas_cumprod), kind

    def _cell_px(self) -> int:
        return int(2 ** (len(self._loaded.vae.config.block_out_channels) - 1))

    def _step_px(self) -> int:
        """A U-Net halves its input once per level but the last."""
        return self.cell_px * int(2 ** (len(self._network.config.block_out_channels) - 1))

    def _trained_px(self) -> int:
        return int(self._network.config.sample_size) * self.cell_px

    @property
    def _network(self) -> Any:
        return getattr(self._loaded, self.network)

    def _resolution_px(self, asked: int) -> int:
        """The side asked for, or the one of training; it must be a multiple of the step."""
        side, step = asked or self._trained_px(), self.step_px or self.cell_px
        if asked and not self.step_px and asked != self._trained_px():
            raise SettingError(
                f"resolution px must be {self._trained_px()} for this prior, which sees squares of "
                f"one size only, got {asked}"
            )
        if side % step:
            near = max(step, round(side / step) * step)
            raise SettingError(
                f"resolution px must be a multiple of {step} for this prior, got {side}; "
                f"{near} would be right"
            )
        return side

    def _check_parts(self, folder: Path) -> None:
        """Name what is missing: a tokenizer without files would be made up, and know no word."""
        for names in self.parts:
            if not any((folder / name).is_file() for name in names.split("|")):
                raise PriorError(f"{folder} is not whole: it has no {names.replace('|', ' or ')}")
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        for part in self.optional:
            if any(index.get(part) or ()) and not (folder / part).is_dir():
                raise PriorError(
                    f"{folder} is not whole: it has no {part}, which its model_index.json names"
                )

    def _load(self, loading: Loading) -> Any:
        build = pipeline_class(self.pipeline)
        absent = (part for part in self.optional if not (loading.folder / part).is_dir())
        how = {"dtype": loading.dtype, "use_safetensors": True, "local_files_only": True}
        try:
            with quiet():
                encoders = load_text_encoders(loading.folder, how)
                loaded = build.from_pretrained(
                    loading.folder, **how, **encoders, **dict.fromkeys((*self.left_out, *absent))
                )
        except LOADING_FAILS as error:
            if is_out_of_memory(error):
                raise PriorError(
                    f"{loading.folder} does not fit into memory: take --precision bfloat16, a "
                    "smaller prior or a larger machine"
                ) from error
            raise PriorError(
                f"{loading.folder} cannot be loaded as a {self.pipeline} with safetensors "
                f"weights: {first_line(error)}"
            ) from error
        for name, part in loaded.components.items():
            if isinstance(part, nn.Module):
                lacking = [key for key, value in part.state_dict().items() if value.is_meta]
                check_weights(loading.folder, name, lacking)
        return loaded

    def _place(self, settings: PriorSettings) -> None:
        """Move the parts to where they work."""
        self._text_device = torch.device("cpu") if settings.low_memory else self.device
        try:
            self._network.to(self.device, memory_format=self._layout).eval()
            for name in ("text_encoder", "text_encoder_2", "text_encoder_3"):
                if encoder := getattr(self._loaded, name, None):
                    encoder.to(self._text_device).eval()
            if vae := getattr(self._loaded, "vae", None):
                # It runs once per picture, and its rounding would outweigh all the network's; some
                # families' overflow in half precision.
                vae.float().to(self.device).eval()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise PriorError(
                f"{settings.prior} does not fit into the memory of {self.device}: take "
                "--precision bfloat16, --low-memory or another --device"
            ) from error
        if settings.low_memory:
            self._loaded.enable_attention_slicing()
            if vae:
                vae.enable_tiling()

    def _tap_layer(self) -> None:
        """Keep the last output of one layer; the hook stays, since compiled code cannot lose it."""
        blocks = {n: block for n, block in self._network.named_modules() if _is_tappable(n)}
        if self._layer not in blocks:
            raise unknown("feature layer", self._layer, blocks)

        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._caught[:] = [output]

        blocks[self._layer].register_forward_hook(keep)


class LabelPrior(PipelinePrior):
    """A prior that is told a label instead of a prompt; one of the labels names no class."""

    reads: ClassVar[Literal["prompts", "labels"]] = "labels"

    def __init__(self, loading: Loading) -> None:
        super().__init__(loading)
        names = find_labels(loading.folder, loading.settings.labels)
        count = self._label_count()
        asked = loading.settings.null_class
        null = len(names) if asked < 0 else asked
        # Behind only a part of the names lies another class: there it must be asked for.
        whole = len(names) == count - 1 if asked < 0 else len(names) <= count
        if not (whole and null < count):
            raise SettingError(
                f"this prior has {count} labels, for {len(names)} names and the null class {null}: "
                "give its names in label order with --labels, its null class with --null-class"
            )
        self._labels = Labels(names, null)

    @torch.inference_mode()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """labels: (P,) int64."""
        found = [self._labels.find(name) for name in prompts]
        return {"labels": torch.tensor(found, device=self.device)}

    def _label_count(self) -> int:
        """How many labels the network tells apart, the null class among them."""
        raise NotImplementedError


def tokens_as_grid(tokens: Tensor, latents: Tensor, patch: int) -> Tensor:
    """Tokens (B, N, F) of patches of cells of latents (B, C, h, w), row by row: (B, F, fh, fw)."""
    height, width = latents.shape[-2:]
    return tokens.transpose(1, 2).reshape(len(tokens), -1, height // patch, width // patch)


def scaled(pixels: Pixels) -> Tensor:
    """Pixels (B, height, width, 3), 0 to 255, as (B, 3, height, width) float32, -1 to 1."""
    # As the strides of `pixels` lie, a CPU's cluster norms would lose three digits of flat
    # pictures.
    values = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    return values.float().div(127.5).sub(1.0)


def _is_tappable(name: str) -> bool:
    """Whether a layer is a whole block, whose output has the shape of a picture."""
    return name == "mid_block" or (name.count(".") == 1 and name.rpartition(".")[2].isdigit())
