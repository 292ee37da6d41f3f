"""Copies between main memory and an accelerator, which CUDA does while it computes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def to_device(values: Tensor, like: Tensor) -> Tensor:
    """Return values on the device and in the type of another tensor.

    From pinned memory, a copy to a CUDA device is queued behind the work that was asked for, and
    nobody waits for it.
    """
    if not _copies_queued(like.device) or values.device.type != "cpu":
        return values.to(like)
    return values.pin_memory().to(like, non_blocking=True)


def to_host(parts: Sequence[Tensor]) -> list[Tensor]:
    """Return tensors in main memory, waiting once for all of them."""
    if not parts or not _copies_queued(parts[0].device):
        return [part.cpu() for part in parts]
    found = [torch.empty(p.shape, dtype=p.dtype, pin_memory=True) for p in parts]
    for target, part in zip(found, parts, strict=True):
        target.copy_(part, non_blocking=True)
    torch.cuda.current_stream(parts[0].device).synchronize()
    return found


def _copies_queued(device: torch.device) -> bool:
    return device.type == "cuda"
