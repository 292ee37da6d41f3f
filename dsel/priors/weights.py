"""Where a prior's files are: the shipped one, a folder, the Hub; and what names their content."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsel.assets import DEMO_PRIOR, asset
from dsel.config import PriorSettings
from dsel.config.base import fingerprint, result_settings
from dsel.errors import PriorError, first_line

if TYPE_CHECKING:
    import torch

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
ADDRESS = re.compile(r"https?://\S+")
HUB_FILES = (
    "model_index.json",
    "classes.json",
    "*/*.json",
    "*/*.txt",
    "*/*.model",
    "*/*.safetensors",
)
HUB_LEFT_OUT = (
    "safety_checker/*", "*.fp16.safetensors", "*.non_ema.safetensors", "*.fp16-0*",
    "text_encoders/*",
)  # fmt: skip
"""What a pipeline is loaded without: a checker, and its weights a second and third time."""

WORK = "training"
"""Folder in a prior that dsel trained, for checkpoints and the like: no part of the prior."""

LORA_FILE = "pytorch_lora_weights.safetensors"
"""What diffusers calls the LoRA weights that it saves."""

ROOM = 1.15
"""Memory asked for before loading, as a multiple of the weights."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A prior's files, and a name of their content: the Hub's commit, or a hash of the files."""

    folder: Path
    revision: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of saved model: what it is, how it is given, the file it cannot lack, its files."""

    name: str
    given: str
    index: str
    files: tuple[str, ...]


PRIOR = Kind(
    "a prior",
    "the word demo, a folder that a diffusers pipeline was saved in",
    "model_index.json",
    HUB_FILES,
)


def find_weights(name: str, revision: str = "", kind: Kind = PRIOR) -> Weights:
    """The local folder of a model, downloaded first if the name is a Hub id."""
    folder = asset(DEMO_PRIOR) if name == "demo" else Path(name).expanduser()
    here = bool(name) and folder.is_dir()
    if here and revision:
        raise PriorError(f"{name} is not on the Hub: --revision {revision} means nothing there")
    if not here and (folder.is_file() or not HUB_ID.fullmatch(name)):
        raise PriorError(
            f"{name!r} is not {kind.name}: give {kind.given}, or a Hub id such as owner/name"
        )
    if not here:
        folder = download(name, revision, kind.files, HUB_LEFT_OUT)
    if not (folder / kind.index).is_file():
        raise PriorError(
            f"{folder} is not {kind.name}: it has no {kind.index}; give the folder that one was "
            "saved in"
        )
    return Weights(folder, weights_fingerprint(folder) if here else folder.name)


def download(
    name: str, revision: str, files: tuple[str, ...], left_out: tuple[str, ...] = ()
) -> Path:
    """Fetch a repository's files from the Hub, or find them in its cache; raises `PriorError`.

    The folder is named after the commit. Without a network, or with HF_HUB_OFFLINE=1, the cache
    alone answers.
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

    # A broken connection raises what its library does, and hf_xet a plain error of its own.
    fetching_fails: Any = (*HfHubHTTPError.__bases__, OSError, HFValidationError, RuntimeError)
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
            f"{name} is not on this machine, or not all of it, and the Hub cannot be reached: "
            "connect to the internet without HF_HUB_OFFLINE=1, or give a folder"
        ) from error
    except fetching_fails as error:
        why = ADDRESS.sub("the Hub", first_line(error))
        raise PriorError(f"{name} cannot be fetched from the Hub: {why}") from error


def lora_file(name: str) -> Path:
    """The file of LoRA weights: this one, that of a folder, or that of a Hub id."""
    path = Path(name).expanduser()
    if path.is_file():
        if path.suffix == ".safetensors":
            return path
        raise PriorError(
            f"{name} is no safetensors file: dsel reads no pickles, since they run code"
        )
    if not path.is_dir():
        if not HUB_ID.fullmatch(name) or path.suffix == ".safetensors":
            raise PriorError(
                f"{name!r} is not there: give the safetensors file of LoRA weights, its folder, or "
                "a Hub id such as owner/name"
            )
        path = download(name, "", ("*.safetensors",))
    found = sorted(path.glob("*.safetensors"))
    usual = [file for file in found if file.name == LORA_FILE] or found
    if len(usual) != 1:
        there = f"several of them: {', '.join(p.name for p in found)}" if found else "none"
        raise PriorError(f"{name} must hold one safetensors file of LoRA weights, has {there}")
    return usual[0]


def weights_fingerprint(folder: Path) -> str:
    """Name the content of a folder of weights: 16 hex digits, the same wherever it lies."""
    digest = hashlib.sha256()
    kinds = {".safetensors", ".json", ".txt", ".model"}
    for path in sorted(p for p in folder.rglob("*") if p.suffix in kinds):
        if path.relative_to(folder).parts[0] == WORK:
            continue
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(_sha256(path))
    return digest.hexdigest()[:16]


def prior_fingerprint(settings: PriorSettings, weights: Weights, family: str) -> str:
    """Name everything about a prior that changes its answers, wherever its files lie."""
    plain = result_settings(settings)
    for place in ("prior", "revision", "precision", "resolution_px"):
        plain.pop(place)  # the weights are named by content; the others have their own place
    if settings.lora:
        plain["lora"] = _sha256(lora_file(settings.lora)).hex()
    if settings.labels and Path(settings.labels).expanduser().is_file():
        plain["labels"] = _sha256(Path(settings.labels).expanduser()).hex()
    return fingerprint("prior", weights.revision, plain | {"family": family})


def origin_of(settings: PriorSettings, weights: Weights) -> Mapping[str, str | int | bool]:
    """How to load the same prior again, from any folder, with the commit in place of a branch."""
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
    """Raise `PriorError` if the weights alone are more than the memory that is free.

    On a CPU the system would kill the process without a word. With `low_memory` an accelerator
    does without the text encoders.
    """
    spared = ("text_encoder*",) if low_memory and device.type != "cpu" else ()
    needed = ROOM * parameters(folder, spared) * dtype.itemsize
    free = free_memory(device)
    if needed > free:
        raise PriorError(
            f"{folder} needs {needed / 2**30:.1f} GB for its weights in "
            f"{str(dtype).removeprefix('torch.')}, {device} has {free / 2**30:.1f} GB free: take "
            "--precision bfloat16, --low-memory, a smaller prior or a larger machine"
        )


def parameters(folder: Path, spared: Sequence[str] = ()) -> int:
    """How many numbers the parts of a pipeline hold, from the headers of their files.

    `spared` are patterns of parts that do not count.
    """
    found = folder.glob("*/*.safetensors")
    files = [p for p in found if not any(p.parent.match(one) for one in (WORK, *spared))]
    return sum(_numbers(p) for p in files if not any(p.match(one) for one in HUB_LEFT_OUT))


def _numbers(path: Path) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return 0  # loading it says what is wrong


def free_memory(device: torch.device) -> float:
    """Bytes that are free on a device, or on the machine."""
    import psutil
    import torch

    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return float(psutil.virtual_memory().available)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
