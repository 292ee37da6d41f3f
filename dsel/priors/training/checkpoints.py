"""Checkpoints in safetensors: weights, moving average, Adam's moments; replaced atomically."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dsel.errors import RunError, storage_errors

ADAM_STATE = ("step", "exp_avg", "exp_avg_sq")


def save_checkpoint(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    step: int,
    identity: str,
) -> None:
    """Write everything that the next step needs; `identity` is the fingerprint of the training."""
    tensors = dict(_module_tensors(modules))
    tensors |= dict(_adam_tensors(optimizer))
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    temporary = path.with_name(f".{path.name}.partial")
    with storage_errors(path):
        save_file(tensors, temporary, {"step": str(step), "identity": identity})
        temporary.replace(path)


def load_checkpoint(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    identity: str,
) -> int:
    """Restore modules and optimizer in place; return the step to resume from, 0 without a file."""
    if not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    if metadata.get("identity") != identity:
        raise RunError(
            f"{path} was trained with other settings or data: use the same ones, or another --out"
        )
    tensors = load_file(path)
    for name, module in modules.items():
        prefix = f"{name}:"
        module.load_state_dict(
            {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        )
    _restore_adam(optimizer, tensors)
    return int(metadata["step"])


def _module_tensors(modules: Mapping[str, nn.Module]) -> Iterator[tuple[str, Tensor]]:
    for name, module in modules.items():
        for key, tensor in module.state_dict().items():
            yield f"{name}:{key}", tensor.clone()


def _adam_tensors(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    for number, state in optimizer.state_dict()["state"].items():
        for key in ADAM_STATE:
            yield f"adam.{number}.{key}", torch.as_tensor(state[key])


def _restore_adam(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    count = sum(len(group["params"]) for group in optimizer.param_groups)
    saved = {
        number: {key: tensors[f"adam.{number}.{key}"] for key in ADAM_STATE}
        for number in range(count)
        if f"adam.{number}.step" in tensors
    }
    optimizer.load_state_dict(optimizer.state_dict() | {"state": saved})
    # The moments get the layout of their parameters: fused Adam reads both by place in memory.
    for parameter, state in optimizer.state.items():
        for key in ADAM_STATE[1:]:
            state[key] = torch.empty_like(parameter).copy_(state[key])
