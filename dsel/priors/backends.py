"""What runs a prior's network: torch, torch's compiler or OpenVINO; a trial finds the faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from platform import node
from statistics import median
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor

from dsel.config.base import fingerprint
from dsel.errors import SettingError, optional_library
from dsel.priors.conversions import store_record, stored_record
from dsel.types import Conditioning, Prediction, Prior

TORCH, COMPILE, OPENVINO = "torch", "compile", "openvino"

COMPILES: Final = frozenset({"cuda", "xpu", "mps"})
"""Devices on which torch's compiler is tried; on a CPU it gains nothing."""

CONVERTS: Final = frozenset({"cpu", "xpu"})
"""Devices that OpenVINO runs on: processors, and Intel's GPUs."""

TOLERANCE: Final = MappingProxyType({"float32": 1e-4, "bfloat16": 0.1, "float16": 0.1})
"""How much an output may differ from torch's, relative to the largest value of torch's."""

MIN_SPEEDUP: Final = 1.05
"""Minimum speed-up for which torch is left."""

TURNS: Final = 3
"""Timed calls of each backend in a trial."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How many times as fast as torch a backend is, and its largest relative difference."""

    speedup: float
    difference: float


def check_backend(requested: str, device: torch.device) -> None:
    """Raise `SettingError` for a backend that this machine or this device does not have."""
    if requested != OPENVINO:
        return
    with optional_library(OPENVINO, extra=OPENVINO, use="the openvino backend"):
        import_module(OPENVINO)
    if device.type not in CONVERTS:
        raise SettingError(
            f"backend openvino runs on cpu and xpu, not on {device.type}: use --device cpu, or "
            "leave the backend on auto",
            setting="backend",
        )


def backend_to_try(requested: str, device: torch.device, converts: bool) -> str:
    """Return the backend that was requested; for auto, one that may be faster than torch here.

    converts: whether the network can be converted for OpenVINO.
    """
    if requested != "auto":
        return requested
    if device.type in COMPILES:
        return COMPILE
    if converts and device.type in CONVERTS and _has_openvino():
        return OPENVINO
    return TORCH


def _has_openvino() -> bool:
    """Whether an OpenVINO is installed that dsel can use; it is not imported."""
    try:
        version(OPENVINO)
        with optional_library(OPENVINO, extra=OPENVINO, use="the openvino backend"):
            return True
    except (PackageNotFoundError, SettingError):
        return False


def compare(
    prior: Prior, backend: str, latents: Tensor, times: Tensor, rows: Conditioning
) -> Trial:
    """Time a backend against torch on these rows, in turns, and compare the outputs.

    Leaves the prior with that backend. Raises `PriorError` if it cannot run the prior.
    """
    tap = torch.arange(1)

    def call(name: str) -> Prediction:
        prior.use_backend(name)
        found = prior.predict(latents, times, rows, tap=tap)
        found.output[:1].cpu()  # waits for an accelerator
        return found

    def seconds(name: str) -> float:
        began = time.perf_counter()
        call(name)
        return time.perf_counter() - began

    expected, found = call(TORCH), call(backend)  # the first calls convert, compile and warm up
    timed = [(seconds(TORCH), seconds(backend)) for _ in range(TURNS)]
    speedup = median(torch_s for torch_s, _ in timed) / median(own_s for _, own_s in timed)
    pairs = [(expected.output, found.output), (expected.features, found.features)]
    return Trial(speedup, max(_difference(*pair) for pair in pairs))


def remembered(prior: Prior, backend: str, latents: Tensor, run: Callable[[], Trial]) -> Trial:
    """Return the trial of this prior on this machine; `run` it if it was never done.

    Two runs with the same settings so make the same choice on one machine, however busy it is.
    """
    libraries = [version("torch"), version(OPENVINO) if backend == OPENVINO else ""]
    name = fingerprint(
        "trial", prior.fingerprint, prior.precision, backend, libraries, list(latents.shape),
        str(prior.device), torch.get_num_threads(), node(),
    )  # fmt: skip
    record = stored_record(name) or {}
    try:
        return Trial(float(record["speedup"]), float(record["difference"]))
    except (LookupError, TypeError, ValueError):
        trial = run()
        store_record(name, asdict(trial))
        return trial


def differs(trial: Trial, precision: str) -> bool:
    """Whether the outputs differ by more than rounding explains; so does a NaN."""
    return not trial.difference <= TOLERANCE[precision]


def _difference(expected: Any, found: Any) -> float:
    """Return the largest difference of two tensors, relative to the largest expected value."""
    largest = expected.float().abs().max().clamp_min(torch.finfo(torch.float32).tiny)
    return float(((found.float() - expected.float()).abs().max() / largest).item())
