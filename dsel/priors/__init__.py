"""Priors: pretrained diffusion models, and what is computed with them.

`load_prior` loads one from the word `demo`, a folder, or a Hub id. Add a family of models as an
adapter module beside `stable_diffusion`, with a line in `ADAPTERS` and one in `FAMILIES`; a new
kind of prediction is a function in `losses`. `scorer` scores images, `featurizer` and
`image_features` compute features of patches, `training` trains a small prior.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import cast

from dsel.config import PriorSettings, ScoreSettings, SelectSettings
from dsel.core.patch_features import Featurizer
from dsel.errors import PriorError, library_errors
from dsel.types import Prior

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
"""The adapter of each family, as module:class, imported when it is used."""

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
"""The family of each pipeline class that a model_index.json may name."""


def load_prior(settings: PriorSettings) -> Prior:
    """Load a prior with the device and precision of its settings.

    Raises `PriorError` for anything that is not a diffusers pipeline of a known family, or does not
    fit into memory, and `SettingError` for a setting that does not fit the prior.
    """
    with library_errors(extra="lora", use="a prior", error=PriorError):
        from dsel.priors.backends import check_backend
        from dsel.priors.base import Loading
        from dsel.priors.loading import choose_device, choose_precision
    from dsel.priors.weights import check_memory, find_weights, origin_of, prior_fingerprint

    device = choose_device(settings.device)
    check_backend(settings.backend, device)
    dtype = choose_precision(settings.precision, device)
    found = find_weights(settings.prior, settings.revision)
    family = family_of(found.folder, settings.family)
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
    """Load the featurizer of `--features reencode` or `--features clip`.

    score, origin and fingerprint are those of the run: reencoding uses the prior that scored it,
    and raises `PriorError` if another one has replaced it.
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
            f"{prior.fingerprint}, the run's {fingerprint}; restore the old one, or score again",
            prior=prior.name,
        )
    return PriorFeaturizer(prior, score)


def family_of(folder: Path, requested: str) -> str:
    """Return the requested family, or that of the pipeline class in model_index.json."""
    index = folder / "model_index.json"
    try:
        kind = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
    except (ValueError, KeyError, TypeError) as error:
        raise PriorError(f"{index} names no pipeline class: save the pipeline again") from error
    if requested != "auto":
        return requested
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise PriorError(
            f"{folder} contains a {kind}; dsel reads {', '.join(FAMILIES)}; "
            "choose one of them with --family if it is compatible"
        )
    return FAMILIES[kind]
