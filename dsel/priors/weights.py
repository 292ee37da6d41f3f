"""A prior's files: where they are (shipped, a folder, the Hub), their fingerprint, their size."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsel.assets import DEMO_PRIOR, asset
from dsel.config import PriorSettings
from dsel.config.base import fingerprint, result_settings
from dsel.errors import PriorError, first_line
from dsel.priors.known_classes import TRAINED_ON
from dsel.priors.variants import (
    choose_variant,
    components_in,
    weight_files,
    without_full_weights,
)

if TYPE_CHECKING:
    import torch

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
ADDRESS = re.compile(r"https?://\S+")
HUB_FILES = (
    "model_index.json",
    "classes.json",
    "trained_on.json",
    "*/*.json",
    "*/*.txt",
    "*/*.model",
    "*/*.safetensors",
)
HUB_LEFT_OUT = (
    "safety_checker/*", "*.fp16.safetensors", "*.non_ema.safetensors", "*.fp16-0*",
    "text_encoders/*",
)  # fmt: skip
"""Files that are not loaded: the safety checker, and further copies of the weights."""

WORK = "training"
"""Folder of checkpoints in a prior that dsel trained; not a part of the prior."""

LORA_FILE = "pytorch_lora_weights.safetensors"
"""The file name of LoRA weights saved by diffusers."""

MEMORY_FACTOR = 1.15
"""Memory required before loading, as a multiple of the weights' size."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's folder, and its revision: the Hub's commit, or a hash of the files."""

    folder: Path
    revision: str


@dataclass(frozen=True, slots=True)
class ModelKind:
    """A kind of saved model, for messages and downloads.

    name: with its article. source: what a user can give besides a Hub id. index: the file that
    every such model has. files: patterns of its files.
    """

    name: str
    source: str
    index: str
    files: tuple[str, ...]


PRIOR = ModelKind(
    "a prior",
    "the word demo, the folder of a saved diffusers pipeline",
    "model_index.json",
    HUB_FILES,
)


def find_weights(name: str, revision: str = "", kind: ModelKind = PRIOR) -> Weights:
    """Return the local folder of a model, after a download if the name is a Hub id.

    Raises `PriorError` where there is no such model.
    """
    folder = asset(DEMO_PRIOR) if name == "demo" else Path(name).expanduser()
    is_local = bool(name) and folder.is_dir()
    if is_local and revision:
        raise PriorError(
            f"{name} is a local folder, where --revision {revision} has no meaning: leave it out",
            setting="revision",
        )
    if not is_local and (folder.is_file() or not HUB_ID.fullmatch(name)):
        raise PriorError(
            f"{name!r} is not {kind.name}: give {kind.source}, or a Hub id such as owner/name"
        )
    if not is_local:
        folder = download(name, revision, kind.files, HUB_LEFT_OUT)
        if kind is PRIOR and (folder / kind.index).is_file():
            _download_variants(name, folder)
    if not (folder / kind.index).is_file():
        raise PriorError(
            f"{folder} is not {kind.name}: it has no {kind.index}; give the folder of a saved one"
        )
    return Weights(folder, weights_fingerprint(folder) if is_local else folder.name)


def download(
    name: str, revision: str, files: tuple[str, ...], left_out: tuple[str, ...] = ()
) -> Path:
    """Download a repository's files from the Hub, or find them in its cache; return their folder.

    The folder is named after the commit. Without a network, or with HF_HUB_OFFLINE=1, only the
    cache is used. Raises `PriorError` where the files cannot be had.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # A broken connection raises an error of its library, and hf_xet a RuntimeError.
    download_errors: Any = (*HfHubHTTPError.__bases__, OSError, HFValidationError, RuntimeError)
    try:
        return Path(
            snapshot_download(
                name, revision=revision or None, allow_patterns=list(files),
                ignore_patterns=list(left_out),
            )
        )  # fmt: skip
    except GatedRepoError as error:
        raise PriorError(
            f"{name} is gated: accept its terms at https://huggingface.co/{name}, then log in with "
            "hf auth login"
        ) from error
    except RevisionNotFoundError as error:
        raise PriorError(f"{name} has no revision {revision!r} on the Hub") from error
    except RepositoryNotFoundError as error:
        raise PriorError(
            f"{name} is not on the Hub, or is private: check its spelling, or log in with "
            "hf auth login"
        ) from error
    except LocalEntryNotFoundError as error:
        raise PriorError(
            f"{name} is not on this machine, or not completely, and the Hub cannot be reached: "
            "connect to the internet without HF_HUB_OFFLINE=1, or give a folder"
        ) from error
    except download_errors as error:
        why = ADDRESS.sub("the Hub", first_line(error))
        raise PriorError(f"{name} cannot be downloaded from the Hub: {why}") from error


def _download_variants(name: str, folder: Path) -> None:
    """Download the weights of the components that have them only as a variant."""
    files = tuple(f"{part}/*.safetensors*" for part in without_full_weights(folder))
    if files:
        download(name, folder.name, files)


def lora_file(name: str) -> Path:
    """Return the file of LoRA weights: this file, that of a folder, or that of a Hub id."""
    path = Path(name).expanduser()
    if path.is_file():
        if path.suffix == ".safetensors":
            return path
        raise PriorError(
            f"{name} is not a safetensors file: dsel reads no pickles, because they can run code"
        )
    if not path.is_dir():
        if not HUB_ID.fullmatch(name) or path.suffix == ".safetensors":
            raise PriorError(
                f"{name!r} does not exist: give the safetensors file of LoRA weights, its folder, "
                "or a Hub id such as owner/name"
            )
        path = download(name, "", ("*.safetensors",))
    found = sorted(path.glob("*.safetensors"))
    candidates = [file for file in found if file.name == LORA_FILE] or found
    if len(candidates) != 1:
        have = f"several of them: {', '.join(p.name for p in found)}" if found else "none"
        raise PriorError(f"{name} must contain one safetensors file of LoRA weights, has {have}")
    return candidates[0]


def weights_fingerprint(folder: Path) -> str:
    """Return a fingerprint of a folder of weights: 16 hex digits, the same at any location."""
    digest = hashlib.sha256()
    kinds = {".safetensors", ".json", ".txt", ".model"}
    for path in sorted(p for p in folder.rglob("*") if p.suffix in kinds):
        if path.relative_to(folder).parts[0] in (WORK, TRAINED_ON):
            continue
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(_sha256(path))
    return digest.hexdigest()[:16]


def prior_fingerprint(settings: PriorSettings, weights: Weights, family: str) -> str:
    """Return a fingerprint of everything that changes a prior's outputs, at any location."""
    plain = result_settings(settings)
    for name in ("prior", "revision", "precision", "resolution_px"):
        plain.pop(name)  # the weights are named by content; the others are in the run's identity
    if settings.lora:
        plain["lora"] = _sha256(lora_file(settings.lora)).hex()
    if settings.labels and Path(settings.labels).expanduser().is_file():
        plain["labels"] = _sha256(Path(settings.labels).expanduser()).hex()
    return fingerprint("prior", weights.revision, plain | {"family": family})


def origin_of(settings: PriorSettings, weights: Weights) -> Mapping[str, str | int | bool]:
    """Return the settings that load the same prior again: absolute paths, and a commit."""
    plain: dict[str, Any] = result_settings(settings)
    if settings.prior != "demo" and not Path(settings.prior).expanduser().is_dir():
        plain["revision"] = weights.revision
    for file in ("prior", "lora", "labels"):
        path = Path(plain[file]).expanduser()
        if plain[file] not in ("", "demo") and path.exists():
            plain[file] = str(path.resolve())
    return plain


def check_memory(
    folder: Path, dtype: torch.dtype, device: torch.device, low_memory: bool = False
) -> None:
    """Raise `PriorError` if the weights alone exceed the free memory; fields: needed, free (bytes).

    On a CPU the system would kill the process without a message. With `low_memory` the text
    encoders are not on the accelerator.
    """
    excluded = ("text_encoder*",) if low_memory and device.type != "cpu" else ()
    needed = MEMORY_FACTOR * parameters(folder, excluded) * dtype.itemsize
    free = free_memory(device)
    if needed > free:
        raise PriorError(
            f"{folder} needs {needed / 2**30:.1f} GB for its weights in "
            f"{str(dtype).removeprefix('torch.')}, {device} has {free / 2**30:.1f} GB free: use "
            "--precision bfloat16, --low-memory, a smaller prior or a larger machine",
            needed=needed,
            free=free,
        )


def parameters(folder: Path, excluded: Sequence[str] = ()) -> int:
    """Return the number of parameters of a pipeline, from the headers of the files that are loaded.

    excluded: patterns of components that do not count.
    """
    components = (
        weight_files(folder / part)
        for part in components_in(folder)
        if not any(fnmatch(part, pattern) for pattern in excluded)
    )
    chosen = (files[choose_variant([*files])] for files in components if files)
    return sum(_numbers(path) for files in chosen for path in files)


def _numbers(path: Path) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return 0  # loading it raises the error


def free_memory(device: torch.device) -> float:
    """Return the bytes that are free on an accelerator, or on the machine."""
    import psutil
    import torch

    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return float(psutil.virtual_memory().available)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
