"""Priors: pretrained diffusion models, loaded by the word `demo`, a folder, or a Hub id."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import cast

from dsel.config import ScoreSettings
from dsel.errors import PriorError
from dsel.records import Prior
from dsel.shipped import DEMO_PRIOR, asset

ADAPTERS = MappingProxyType(
    {"StableDiffusionPipeline": "dsel.priors.stable_diffusion:StableDiffusionPrior"}
)
"""The adapter of each diffusers pipeline class, as module:class, imported when used."""

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
HUB_FILES = ["model_index.json", "*/*.json", "*/*.txt", "*/*.safetensors"]
HUB_LEFT_OUT = ["safety_checker/*", "*.fp16.safetensors", "*.non_ema.safetensors"]
"""What a pipeline is loaded without: a checker, and its weights a second and third time."""


def load_prior(name: str, settings: ScoreSettings) -> Prior:
    """Load the prior that `name` means, on the device and in the arithmetic of the settings.

    Raises `PriorError` for anything that is not a diffusers pipeline of a known class.
    """
    from dsel.priors.base import choose_device, choose_precision, weights_fingerprint

    folder = find_prior(name)
    adapter = _adapter(folder)
    module, _, attribute = adapter.partition(":")
    device = choose_device(settings.device)
    dtype = choose_precision(settings.precision, device)
    build = getattr(import_module(module), attribute)
    return cast(Prior, build(folder, name, weights_fingerprint(folder), device, dtype))


def find_prior(name: str) -> Path:
    """The local folder of a prior, downloaded first if the name is a Hub id."""
    if name == "demo":
        return asset(DEMO_PRIOR)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists() or not HUB_ID.fullmatch(name):
        raise PriorError(
            f"{name!r} is not a prior: give the word demo, a folder that a diffusers pipeline "
            "was saved in, or a Hub id such as owner/name"
        )
    return _download(name)


def _adapter(folder: Path) -> str:
    index = folder / "model_index.json"
    if not index.is_file():
        raise PriorError(
            f"{folder} is not a prior: it has no model_index.json; give the folder that a "
            "diffusers pipeline was saved in"
        )
    try:
        kind = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
    except (ValueError, KeyError, TypeError) as error:
        raise PriorError(f"{index} names no pipeline class: save the pipeline again") from error
    if not isinstance(kind, str) or kind not in ADAPTERS:
        raise PriorError(f"{folder} holds a {kind}; dsel reads {', '.join(ADAPTERS)}")
    return ADAPTERS[kind]


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES, ignore_patterns=HUB_LEFT_OUT))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise PriorError(f"{name} cannot be fetched from the Hub: {first}") from error
