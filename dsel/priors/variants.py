"""Which of a component's weight files are loaded: the full ones, or else those of a variant."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dsel.errors import PriorError

if TYPE_CHECKING:
    import torch

WEIGHTED: Final = (
    "unet", "transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3",
)  # fmt: skip
"""Components of a pipeline that have weights."""

FULL: Final = ""
"""The variant of files without one in their names."""

SHORT: Final = {"torch.float32": "fp32", "torch.float16": "fp16", "torch.bfloat16": "bf16"}
KNOWN: Final = ("fp32", "bf16", "fp16")
FILE: Final = re.compile(
    r"(?:diffusion_pytorch_model|model)(?:\.(?P<variant>\w+))?(?:-\d+-of-\d+)?(?:\.(?P<late>\w+))?"
    r"\.safetensors"
)
"""A file of weights; libraries write a variant before or after the number of a part."""


def weight_files(folder: Path) -> Mapping[str, Sequence[Path]]:
    """Return the files of a component's weights by variant."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        if match := FILE.fullmatch(path.name):
            found.setdefault(match["variant"] or match["late"] or FULL, []).append(path)
    return found


def choose_variant(variants: Sequence[str], dtype: torch.dtype | None = None) -> str:
    """Return the variant to load: the full weights, the wanted precision, or a similar one."""
    order = (FULL, SHORT.get(str(dtype), FULL), *KNOWN)
    known = [variant for variant in order if variant in variants]
    return next(iter(known or sorted(variants)))


def components_in(folder: Path) -> Mapping[str, Sequence[str]]:
    """Return the components with weights that a pipeline lists and has: library and class of each.

    Raises `PriorError` for a model_index.json that lists none.
    """
    index = folder / "model_index.json"
    try:
        listed = json.loads(index.read_text(encoding="utf-8"))
        named = {part: listed[part] for part in WEIGHTED if any(listed.get(part) or ())}
    except (ValueError, TypeError, AttributeError) as error:
        raise PriorError(f"{index} lists no components: save the pipeline again") from error
    return {part: kind for part, kind in named.items() if (folder / part).is_dir()}


def variants_of(folder: Path, left_out: Sequence[str], dtype: torch.dtype) -> Mapping[str, str]:
    """Return the variant to load of each component.

    left_out: components that are not loaded. Raises `PriorError` for one without safetensors files.
    """
    found = {}
    for part in components_in(folder):
        if part in left_out:
            continue
        variants = weight_files(folder / part)
        if not variants:
            raise PriorError(_no_weights(folder, part))
        found[part] = choose_variant(list(variants), dtype)
    return found


def without_full_weights(folder: Path) -> list[str]:
    """Return the components that have no weights, or only those of a variant."""
    return [part for part in components_in(folder) if FULL not in weight_files(folder / part)]


def _no_weights(folder: Path, part: str) -> str:
    pickles = sorted(path.name for path in (folder / part).glob("*.bin"))
    have = f"only {pickles[0]}, a pickle" if pickles else "no safetensors file"
    return (
        f"{folder} has {have} with the weights of its {part}: dsel reads no pickles, because they "
        "can run code; save the pipeline again as safetensors"
    )
