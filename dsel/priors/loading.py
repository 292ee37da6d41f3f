"""The parts of loading a prior: device, precision, text encoders, LoRA, compilation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import diffusers
import torch
from diffusers.dependency_versions_check import dep_version_check as diffusers_takes
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError
from torch import nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection, T5EncoderModel
from transformers.dependency_versions_check import dep_version_check as transformers_takes
from transformers.utils import logging as transformers_logging

from dsel.errors import (
    PriorError,
    SettingError,
    first_line,
    library_errors,
    optional_library,
)
from dsel.priors.variants import components_in
from dsel.priors.weights import lora_file

LOADING_FAILS = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError,
    ImportError, SafetensorError,
)  # fmt: skip
"""Errors that diffusers, transformers, peft and safetensors raise for unusable files."""

LORA_DOWN = (".lora_A.", ".lora.down.", ".lora_linear_layer.down.", "lora_down")
"""Parts of the names of LoRA's down-projections, of which each changed layer has one."""

TEXT_ENCODERS: Mapping[Any, Any] = MappingProxyType(
    {kind.__name__: kind for kind in (CLIPTextModel, CLIPTextModelWithProjection, T5EncoderModel)}
)


def choose_device(name: str) -> torch.device:
    """Return the device of that name; `auto` is an accelerator if there is one."""
    if name == "auto":
        return _best_device()
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SettingError(
            f"device {name!r} is not available; this machine has {_best_device().type!r}, which "
            "auto selects",
            setting="device",
        ) from error
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the precision of that name; `auto` is the fastest that the device supports well."""
    if name != "auto":
        dtype: torch.dtype = getattr(torch, name)
        return dtype
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu" and not _multiplies_bfloat16():
        return torch.float32
    return torch.float16 if device.type == "mps" else torch.bfloat16


def _multiplies_bfloat16() -> bool:
    """Whether the processor has bfloat16 instructions; emulated, they are slower than float32."""
    # Older releases of torch cannot tell; float32 is right everywhere.
    has: Mapping[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(has.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16", "sve_bf16"))


def _best_device() -> torch.device:
    for name, backend in (("cuda", torch.cuda), ("xpu", torch.xpu), ("mps", torch.backends.mps)):
        if backend.is_available():
            return torch.device(name)
    return torch.device("cpu")


def pipeline_class(name: str) -> Any:
    """Import a class of diffusers; raises `PriorError` if its libraries do not fit together."""
    with library_errors(extra="lora", use="a prior", error=PriorError):
        return getattr(diffusers, name)


def load_components(
    folder: Path, variants: Mapping[str, str], options: Mapping[str, Any]
) -> dict[str, nn.Module]:
    """Load a pipeline's text encoders, and its other components that exist only as a variant.

    variants: of each component that is loaded. Raises `PriorError` for one that lacks weights.
    """
    kinds = components_in(folder)
    found = {}
    for part, variant in variants.items():
        library, name = kinds[part]
        how = {**options, "variant": variant or None}
        if name in TEXT_ENCODERS:
            found[part], info = TEXT_ENCODERS[name].from_pretrained(
                folder / part, output_loading_info=True, **how
            )
            check_weights(folder, part, sorted(info["missing_keys"]))
        elif variant and library == "diffusers":
            found[part] = pipeline_class(name).from_pretrained(folder / part, **how)
    return found


def check_weights(folder: Path, part: str, lacking: Sequence[str]) -> None:
    """Raise `PriorError` for weights that are missing in the files."""
    if lacking:
        raise PriorError(
            f"{folder} is incomplete: its {part} lacks {len(lacking)} of its weights, such as "
            f"{lacking[0]}"
        )


def add_lora(pipeline: Any, name: str) -> None:
    """Fuse LoRA weights into a pipeline; raises `PriorError` for what cannot be added."""
    if not hasattr(pipeline, "load_lora_weights"):
        raise PriorError(f"diffusers has no LoRA for a {type(pipeline).__name__}: leave out --lora")
    check_peft()
    file = lora_file(name)
    how = {"weight_name": file.name, "use_safetensors": True, "local_files_only": True}
    try:
        with quiet():
            state = pipeline.lora_state_dict(file.parent, **how)
            pipeline.load_lora_weights(file.parent, **how)
    except LOADING_FAILS as error:
        raise PriorError(
            f"{name} cannot be loaded as LoRA: it is damaged, or made for another prior "
            f"({first_line(error)})"
        ) from error
    there = _lora_layers(state[0] if isinstance(state, tuple) else state)
    modules = (part for part in pipeline.components.values() if isinstance(part, nn.Module))
    added = sum(_lora_layers(name for name, _ in part.named_parameters()) for part in modules)
    if added < there or not there:
        raise PriorError(
            f"{name} is LoRA of another prior: this one lacks {there - added} of its {there} layers"
        )
    # By default FLUX would leave out its text encoder.
    pipeline.fuse_lora(components=list(pipeline.get_list_adapters()))
    pipeline.unload_lora_weights()


def check_peft() -> None:
    """Raise `PriorError` unless diffusers and transformers take the peft that is installed."""
    with optional_library("peft", extra="lora", use="LoRA", error=PriorError):
        import_module("peft")
        diffusers_takes("peft")
        transformers_takes("peft")


def _lora_layers(names: Iterable[str]) -> int:
    """How many layers are changed, by the names of the weights: each has one that goes down."""
    return sum(any(down in name for down in LORA_DOWN) for name in names)


def compiled(network: nn.Module) -> Callable[..., Any]:
    """Return the network, compiled at its first call, which raises `PriorError` if that fails."""
    from torch._dynamo.exc import TorchDynamoException

    compiled_network = torch.compile(network)

    def call(*inputs: Any, **named: Any) -> Any:
        try:
            return compiled_network(*inputs, **named)
        except TorchDynamoException as error:
            why = first_line(getattr(error, "inner_exception", error))
            raise PriorError(f"the prior cannot be compiled on this machine ({why})") from error

    return call


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bars and logs of both libraries; problems are raised as errors."""
    libraries = (diffusers_logging, transformers_logging)
    levels = [library.get_verbosity() for library in libraries]
    for library in libraries:
        library.disable_progress_bar()
        library.set_verbosity(library.CRITICAL)
    try:
        yield
    finally:
        for library, level in zip(libraries, levels, strict=True):
            library.set_verbosity(level)
