"""The sizes of a prior, read from its configuration: no weights are loaded, nor downloaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from dsel.assets import DEMO_PRIOR, asset
from dsel.config import PriorSettings
from dsel.errors import PriorError
from dsel.priors import family_of
from dsel.priors.weights import HUB_ID, PRIOR, download

CONFIGS: Final = ("model_index.json", "unet/config.json", "transformer/config.json",
                  "vae/config.json")  # fmt: skip
PACK: Final = 2
FLUX_CELLS: Final = 128
"""The side in cells of the images that FLUX was trained on, which no configuration has."""

TRANSFORMERS: Final = ("sd3", "flux", "dit")


@dataclass(frozen=True, slots=True)
class PriorShape:
    """The shorter side of images, the side of a cell, and what sides are multiples of, in pixels.

    step_px: 0 for a prior that sees squares of one size.
    """

    resolution_px: int
    cell_px: int
    step_px: int


def prior_shape(settings: PriorSettings) -> PriorShape:
    """Return the sizes of a prior; raises `PriorError` where its configuration cannot be read."""
    folder = _folder(settings.prior, settings.revision)
    family = family_of(folder, settings.family)
    network = "transformer" if family in TRANSFORMERS else "unet"
    config = _config(folder / network / "config.json")
    try:
        cell_px = 1 if family == "unet" else _cell_px(folder)
        step_px = cell_px * _steps(family, config)
        side_px = settings.resolution_px or cell_px * _trained(family, config)
    except (LookupError, TypeError, ValueError) as error:
        raise PriorError(f"{folder / network / 'config.json'} lacks {error}") from error
    return PriorShape(side_px, cell_px, step_px)


def _folder(name: str, revision: str) -> Path:
    """Return a folder with the configuration, from the Hub if the name is an id."""
    folder = asset(DEMO_PRIOR) if name == "demo" else Path(name).expanduser()
    if not folder.is_dir():
        if folder.is_file() or not HUB_ID.fullmatch(name):
            raise PriorError(
                f"{name!r} is not {PRIOR.name}: give {PRIOR.source}, or a Hub id such as owner/name"
            )
        folder = download(name, revision, CONFIGS)
    if not (folder / PRIOR.index).is_file():
        raise PriorError(f"{folder} is not {PRIOR.name}: it has no {PRIOR.index}")
    return folder


def _config(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PriorError(f"{path} cannot be read: save the pipeline again") from error
    return MappingProxyType(dict(found))


def _cell_px(folder: Path) -> int:
    levels = _config(folder / "vae/config.json")["block_out_channels"]
    return int(2 ** (len(levels) - 1))


def _steps(family: str, config: Mapping[str, Any]) -> int:
    """Return the cells that a side is a multiple of; a U-Net halves at all levels but the last."""
    match family:
        case "dit":
            return 0
        case "sd3":
            return int(config["patch_size"])
        case "flux":
            return PACK
        case _:
            return int(2 ** (len(config["block_out_channels"]) - 1))


def _trained(family: str, config: Mapping[str, Any]) -> int:
    if family == "flux":
        return FLUX_CELLS
    size = config["sample_size"]
    return int(min(size) if isinstance(size, list) else size)
