"""The base of all adapters: loads a diffusers pipeline, encodes, predicts, taps activations."""

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
from dsel.priors.backends import COMPILE, TORCH, backend_to_try
from dsel.priors.batching import is_out_of_memory
from dsel.priors.labels import Labels, find_labels
from dsel.priors.loading import (
    LOADING_FAILS,
    add_lora,
    check_weights,
    compiled,
    load_components,
    pipeline_class,
    quiet,
)
from dsel.priors.schedules import check_schedule_length, diffusion_schedule
from dsel.priors.transfers import to_device
from dsel.priors.variants import variants_of
from dsel.types import Conditioning, Pixels, Prediction, Schedule


@dataclass(frozen=True, slots=True)
class Loading:
    """The arguments of an adapter."""

    folder: Path
    settings: PriorSettings
    origin: Mapping[str, str | int | bool]
    fingerprint: str
    device: torch.device
    dtype: torch.dtype


class PipelinePrior:
    """A diffusers pipeline as a prior; each family implements how it embeds and calls its network.

    The public members are documented in `dsel.types.Prior`.
    """

    pipeline: ClassVar[str]
    """The diffusers class that the folder is loaded with."""
    network: ClassVar[str] = "unet"
    """The name of the component that predicts."""
    parts: ClassVar[tuple[str, ...]]
    """Files that the folder must have; `a|b` is one of two."""
    left_out: ClassVar[tuple[str, ...]] = ()
    """Components that are not used, and so not loaded."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Components that the folder may lack."""
    reads: ClassVar[Literal["prompts", "labels"]] = "prompts"
    converts: ClassVar[bool] = True
    """Whether OpenVINO can run the network: each tensor that it takes has a row per latent."""

    def __init__(self, loading: Loading) -> None:
        """Load the pipeline; raises `PriorError` or `SettingError` if that is impossible."""
        self._check_parts(loading.folder)
        check_schedule_length(loading.folder)
        settings = loading.settings
        self._loaded = self._load(loading)
        if settings.lora:
            add_lora(self._loaded, settings.lora)
        self.name, self.origin = settings.prior, loading.origin
        self.fingerprint = loading.fingerprint
        self.device, self._dtype = loading.device, loading.dtype
        self.precision = str(loading.dtype).removeprefix("torch.")
        # On a CPU, group norms are slow with channels last, and less exact.
        is_cpu = loading.device.type == "cpu"
        self._memory_format = torch.contiguous_format if is_cpu else torch.channels_last
        self.cell_px = self._cell_px()
        self.step_px = self._step_px()
        self.resolution_px = self._resolution_px(settings.resolution_px)
        self.schedule, self.prediction = self._read_schedule()
        self._place(settings)
        self._layer = settings.feature_layer or self._default_layer()
        self._tapped: list[Any] = []
        self._tap_layer()
        self._converts = self.converts and not settings.low_memory  # whose slices stay constant
        self._device_name, self.requested_backend = settings.device, settings.backend
        self._networks: dict[str, Any] = {}
        self.backend = TORCH
        self.use_backend(TORCH)

    @property
    def weights(self) -> int:
        """The number of the network's weights."""
        return sum(weight.numel() for weight in self._network.parameters())

    @property
    def backend_to_try(self) -> str:
        """The requested backend, or for auto the one that may be faster than torch here."""
        return backend_to_try(self.requested_backend, self.device, self._converts)

    def use_backend(self, name: str) -> None:
        """Call the network through this backend from now on; its first call prepares it."""
        if name not in self._networks:
            self._networks[name] = self._network_on(name)
        self.backend, self._call_network = name, self._networks[name]

    def _network_on(self, name: str) -> Any:
        if name == COMPILE:
            return compiled(self._network)
        if name == TORCH:
            return self._network
        if not self._converts:
            what = "attention in slices" if self.converts else f"a {self.pipeline}"
            raise PriorError(f"OpenVINO does not run {what}")
        from dsel.priors.openvino_network import OpenVINONetwork, Target, openvino_device

        device = openvino_device(self.device, self._device_name)
        target = Target(self.fingerprint, self.precision, device)
        return OpenVINONetwork(self._network, self._tapped, target)

    def tokens(self, text: str) -> list[tuple[list[int], int]]:
        """Return each text encoder's tokens of a text, and how many it reads."""
        read = self._tokenizers()
        return [(tokenizer(text, verbose=False).input_ids, most) for tokenizer, most in read]

    def _tokenizers(self) -> Sequence[tuple[Any, int]]:
        """Return each text encoder's tokenizer, and the number of tokens that it reads."""
        found = [getattr(self._loaded, name, None) for name in ("tokenizer", "tokenizer_2")]
        return [(one, one.model_max_length) for one in found if one is not None]

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts, one row of each tensor per prompt."""
        raise NotImplementedError

    @torch.inference_mode()
    def encode(self, pixels: Pixels) -> Tensor:
        """Encode proxies (B, height, width, 3) to the means of their latents, (B, C, h, w)."""
        vae = self._loaded.vae
        placed = to_device(scaled(pixels), torch.empty(0, dtype=vae.dtype, device=self.device))
        posterior = vae.encode(placed).latent_dist
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
        """Run the network on noised latents (B, C, h, w), float32."""
        times = self.schedule.inputs[timesteps].to(self.device)
        # With one channel or one cell both memory formats look alike, so it is set explicitly.
        noised = latents.to(self.device, self._dtype, memory_format=self._memory_format)
        output = self._output(noised, times, conditioning).float()
        tapped = self._tapped.pop()
        features = None
        if tap is not None and len(tap):
            features = self._as_grid(tapped, latents)[tap.to(self.device)]  # (N, F, fh, fw)
        return Prediction(output, features)

    def predict_with_gradients(
        self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning
    ) -> Tensor:
        """Return the output of `predict` for training: the network's weights get gradients."""
        times = self.schedule.inputs[timesteps].to(self.device)
        noised = latents.to(self.device, self._dtype, memory_format=self._memory_format)
        output = self._output(noised, times, conditioning).float()
        self._tapped.clear()
        return output

    def _output(self, noised: Tensor, times: Tensor, conditioning: Conditioning) -> Tensor:
        """Call the network: noised (B, C, h, w) in its precision, times (B,) float32."""
        raise NotImplementedError

    def _as_grid(self, tapped: Any, _latents: Tensor) -> Tensor:
        """Return the tapped layer's output as (B, F, fh, fw), the shape that a U-Net's has."""
        grid: Tensor = tapped[0] if isinstance(tapped, tuple) else tapped
        return grid

    def _default_layer(self) -> str:
        """Return up-block 1, or a small U-Net's last one; Tang et al., arXiv 2306.03881, 4.2."""
        return f"up_blocks.{min(1, len(self._network.up_blocks) - 1)}"

    def _read_schedule(self) -> tuple[Schedule, str]:
        try:
            return self._schedule_and_prediction()
        except AttributeError as error:
            kind = type(self._loaded.scheduler).__name__
            raise PriorError(
                f"{self.name} has a {kind}, whose noise levels dsel cannot read "
                f"({first_line(error)}): save it with the scheduler of its training"
            ) from error

    def _schedule_and_prediction(self) -> tuple[Schedule, str]:
        scheduler = self._loaded.scheduler
        kind: str = scheduler.config.prediction_type
        return diffusion_schedule(scheduler.alphas_cumprod), kind

    def _cell_px(self) -> int:
        return int(2 ** (len(self._loaded.vae.config.block_out_channels) - 1))

    def _step_px(self) -> int:
        """Return the step of a U-Net, which halves its input at every level but the last."""
        return self.cell_px * int(2 ** (len(self._network.config.block_out_channels) - 1))

    def _trained_px(self) -> int:
        return int(self._network.config.sample_size) * self.cell_px

    @property
    def diffusers_pipeline(self) -> Any:
        """The pipeline that was loaded, on this prior's device."""
        return self._loaded

    @property
    def _network(self) -> Any:
        return getattr(self._loaded, self.network)

    def _resolution_px(self, requested: int) -> int:
        """Return the requested side, or that of training; it must be a multiple of the step."""
        side, step = requested or self._trained_px(), self.step_px or self.cell_px
        if requested and not self.step_px and requested != self._trained_px():
            raise SettingError(
                f"resolution px must be {self._trained_px()} for this prior, which sees squares of "
                f"one size only, got {requested}",
                setting="resolution_px",
            )
        if side % step:
            near = max(step, round(side / step) * step)
            raise SettingError(
                f"resolution px must be a multiple of {step} for this prior, got {side}; "
                f"the nearest is {near}",
                setting="resolution_px",
            )
        return side

    def _check_parts(self, folder: Path) -> None:
        """Raise `PriorError` for missing files; without them, a tokenizer would know no word."""
        for names in self.parts:
            if not any((folder / name).is_file() for name in names.split("|")):
                raise PriorError(f"{folder} is incomplete: it has no {names.replace('|', ' or ')}")
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        for part in self.optional:
            if any(index.get(part) or ()) and not (folder / part).is_dir():
                raise PriorError(
                    f"{folder} is incomplete: it has no {part}, which its model_index.json lists"
                )

    def _load(self, loading: Loading) -> Any:
        absent = (part for part in self.optional if not (loading.folder / part).is_dir())
        variants = variants_of(loading.folder, self.left_out, loading.dtype)
        options = {"dtype": loading.dtype, "use_safetensors": True, "local_files_only": True}
        try:
            with quiet():
                build = pipeline_class(self.pipeline)  # imports it, with warnings of its own
                components = load_components(loading.folder, variants, options)
                loaded = build.from_pretrained(
                    loading.folder,
                    **options,
                    **components,
                    **dict.fromkeys((*self.left_out, *absent)),
                )
        except LOADING_FAILS as error:
            if is_out_of_memory(error):
                raise PriorError(
                    f"{loading.folder} does not fit into memory: use --precision bfloat16, a "
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
        """Move the components to their devices."""
        self._text_device = torch.device("cpu") if settings.low_memory else self.device
        try:
            self._network.to(self.device, memory_format=self._memory_format).eval()
            for name in ("text_encoder", "text_encoder_2", "text_encoder_3"):
                if encoder := getattr(self._loaded, name, None):
                    encoder.to(self._text_device).eval()
            if vae := getattr(self._loaded, "vae", None):
                # It runs once per image, and its rounding error would exceed the network's; some
                # families' autoencoders overflow in half precision.
                vae.float().to(self.device).eval()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise PriorError(
                f"{settings.prior} does not fit into the memory of {self.device}: use "
                "--precision bfloat16, --low-memory or another --device"
            ) from error
        if settings.low_memory:
            self._loaded.enable_attention_slicing()
            if vae:
                vae.enable_tiling()

    def _tap_layer(self) -> None:
        """Store the last output of one layer; the hook stays, as compiled code cannot remove it."""
        blocks = {n: block for n, block in self._network.named_modules() if _is_tappable(n)}
        if self._layer not in blocks:
            raise unknown("feature layer", self._layer, blocks)

        def store(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._tapped[:] = [output]

        blocks[self._layer].register_forward_hook(store)


class LabelPrior(PipelinePrior):
    """A prior with labels instead of prompts; one of the labels is the null class."""

    reads: ClassVar[Literal["prompts", "labels"]] = "labels"

    def __init__(self, loading: Loading) -> None:
        super().__init__(loading)
        names = find_labels(loading.folder, loading.settings.labels)
        count = self._label_count()
        requested = loading.settings.null_class
        null = len(names) if requested < 0 else requested
        # By default the null class follows all names, so none may be missing.
        fits = len(names) == count - 1 if requested < 0 else len(names) <= count
        if not (fits and null < count):
            raise SettingError(
                f"this prior has {count} labels, for {len(names)} names and the null class {null}: "
                "give its names in label order with --labels, its null class with --null-class",
                setting="labels",
            )
        self._labels = Labels(names, null)

    def tokens(self, text: str) -> list[tuple[list[int], int]]:  # noqa: ARG002
        """Return nothing: labels are no text."""
        return []

    @torch.inference_mode()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """labels: (P,) int64."""
        found = [self._labels.find(name) for name in prompts]
        return {"labels": torch.tensor(found, device=self.device)}

    def _label_count(self) -> int:
        """Return the number of labels of the network, including the null class."""
        raise NotImplementedError


def tokens_as_grid(tokens: Tensor, latents: Tensor, patch: int) -> Tensor:
    """Return tokens (B, N, F), one per `patch` x `patch` cells of latents (B, C, h, w), as a grid.

    The tokens are in row order; the grid is (B, F, h / patch, w / patch).
    """
    height, width = latents.shape[-2:]
    return tokens.transpose(1, 2).reshape(len(tokens), -1, height // patch, width // patch)


def scaled(pixels: Pixels) -> Tensor:
    """Return pixels (B, height, width, 3), 0 to 255, as (B, 3, height, width) float32, -1 to 1."""
    # With the strides of `pixels`, group norms on a CPU would lose three digits of flat images.
    values = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    return values.float().div(127.5).sub(1.0)


def _is_tappable(name: str) -> bool:
    """Return whether a layer is a whole block, whose output has spatial dimensions."""
    return name == "mid_block" or (name.count(".") == 1 and name.rpartition(".")[2].isdigit())
