"""Priors: pretrained diffusion models, loaded by the word `demo`, a folder, or a Hub id."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import cast

from dsel.config import PriorSettings, ScoreSettings, SelectSettings
from dsel.errors import PriorError, library_errors
from dsel.types import Featurizer, Prior

ADAPTERS = MappingProxyType(
    {
        "stable-diffusion": "dsel.priors.stable_diffusion:StableDiffusionPrior",
        "sdxl": "dsel.priors.sdxl:SDXLPrior",
        "sd3": "dsel.priors.sd3:SD3Prior",
        "flux": "dsel.priors.flux:FluxPrior",
        "dit": "dsel.priors.dit:DiTPrior",
        "unet": "dsel.priors.unet:UNetPrior",
    }
)
"""The adapter of each family, as module:class, imported when used."""

FAMILIES = MappingProxyType(
    {
        "StableDiffusionPipeline": "stable-diffusion",
        "StableDiffusionXLPipeline": "sdxl",
        "StableDiffusion3Pipeline": "sd3",
        "FluxPipeline": "flux",
        "DiTPipeline": "dit",
        "DDPMPipeline": "unet",
        "DDIMPipeline": "unet",
    }
)
"""The family of each pipeline class, as model_index.json names it."""


def load_prior(settings: PriorSettings) -> Prior:
    """Load a prior on the device and in the arithmetic of its settings.

    Raises `PriorError` for anything that is not a diffusers pipeline of a known family.
    """
    with library_errors(extra="lora", use="a prior", error=PriorError):
        from dsel.priors.base import Loading
        from dsel.priors.loading import choose_device, choose_precision
    from dsel.priors.weights import check_memory, find_weights, origin_of, prior_fingerprint

    device = choose_device(settings.device)
    dtype = choose_precision(settings.precision, device)
    found = find_weights(settings.prior, settings.revision)
    family = _family(found.folder, settings.family)
    module, _, attribute = ADAPTERS[family].partition(":")
    check_memory(found.folder, dtype, device, settings.low_memory)
    build = getattr(import_module(module), attribute)
    loading = Loading(
        folder=found.folder,
        settings=settings,
        origin=origin_of(settings, found),
        fingerprint=prior_fingerprint(settings, found, family),
        device=device,
        dtype=dtype,
    )
    return cast(Prior, build(loading))


def load_featurizer(
    select: SelectSettings,
    score: ScoreSettings,
    origin: Mapping[str, str | int | bool],
    fingerprint: str,
    device: str = "auto",
) -> Featurizer:
    """Load what describes patches for `--features reencode` or `clip`.

    score, origin and fingerprint are those of the run: reencoding asks the prior that scored it,
    and raises `PriorError` if another one lies in its place.
    """
    with library_errors(extra="lora", use="a prior", error=PriorError):
        from dsel.priors.image_features import ImageFeaturizer
        from dsel.priors.loading import choose_device
    if select.features == "clip":
        return ImageFeaturizer(select.feature_model, choose_device(device))
    from dsel.priors.featurizer import PriorFeaturizer

    settings = PriorSettings.from_plain({**origin, "device": device})
    prior = load_prior(settings)
    if prior.fingerprint != fingerprint:
        raise PriorError(
            f"{prior.name} is not the prior that scored this run: its fingerprint is "
            f"{prior.fingerprint}, the run's {fingerprint}; put the old one back, or score again"
        )
    return PriorFeaturizer(prior, score)


def _family(folder: Path, asked: str) -> str:
    """The family asked for, or the one that model_index.json names."""
    index = folder / "model_index.json"
    try:
        kind = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
    except (ValueError, KeyError, TypeError) as error:
        raise PriorError(f"{index} names no pipeline class: save the pipeline again") from error
    if asked != "auto":
        return asked
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise PriorError(
            f"{folder} holds a {kind}; dsel reads {', '.join(FAMILIES)}; "
            "--family says that it is like one of them"
        )
    return FAMILIES[kind]
