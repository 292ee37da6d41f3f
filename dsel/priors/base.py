"""What every prior needs: a device, an arithmetic, and a name for its weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from dsel.errors import SettingError

WORK = "training"
"""Folder in a prior that dsel trained, for checkpoints and the like: no part of the prior."""


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` takes an accelerator if there is one."""
    if name == "auto":
        return _best_device()
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SettingError(
            f"device {name!r} is not there; this machine has {_best_device().type!r}, auto finds it"
        ) from error
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The arithmetic of that name; `auto` takes the fastest that the device supports well."""
    if name != "auto":
        dtype: torch.dtype = getattr(torch, name)
        return dtype
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.bfloat16
    return torch.float16 if device.type == "mps" else torch.float32


def weights_fingerprint(folder: Path) -> str:
    """Name the content of a folder of weights: 16 hex digits, the same wherever it lies."""
    digest = hashlib.sha256()
    kinds = {".safetensors", ".json", ".txt"}
    for path in sorted(p for p in folder.rglob("*") if p.suffix in kinds):
        if path.relative_to(folder).parts[0] == WORK:
            continue
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _best_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
