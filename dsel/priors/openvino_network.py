"""A network on OpenVINO: converted once, compiled for shapes of latents, and called as before."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from diffusers.models.embeddings import Timesteps
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from dsel.config.base import fingerprint
from dsel.errors import PriorError, first_line, optional_library
from dsel.priors.conversions import converted

CELLS: Final = MappingProxyType({"CPU": (2, 8, 4096), "GPU": (2, 64, 65_536)})
"""Fewest and most rows of one inference on a device, and the cells that they may have together.

Fewer rows than torch likes: their activations stay in the caches of a processor. Their number is
fixed by the shape of the latents alone, so that a row's neighbours do not change its kernels.
"""

SMALL_BYTES: Final = 100 << 20
"""Weights of a network that is compiled for each shape of its latents, each with a copy of them.

A larger one is compiled for squares, and once more for all other shapes: a fifth slower there.
"""

TIMES: Final = 1000
LARGEST_PX: Final = 8193
"""Entries of the tables of times, and of sizes of images."""

HINTS: Final = MappingProxyType({"float32": "f32", "bfloat16": "bf16", "float16": "f16"})
VERSION: Final = 1
"""Version of how networks are converted; another one converts them anew."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a network is converted for: the prior's fingerprint, its precision, and the device."""

    fingerprint: str
    precision: str
    device: str


class OpenVINONetwork:
    """Calls a converted copy of a network with the arguments of the network itself.

    All tensors among the arguments have one row per latent, and the first one is the latents. The
    first output is returned as the network returns it without a dictionary; what the network's own
    hook stores in `tapped` is a further output, and is stored there by each call. The first call
    raises `PriorError` for a network that cannot be converted.
    """

    def __init__(self, network: nn.Module, tapped: list[Any], target: Target) -> None:
        self._network, self._tapped, self._target = network, tapped, target
        self._requests: dict[tuple[object, ...], Any] = {}
        sizes = (one.numel() * 4 for one in network.parameters())  # in float32
        self._is_small = sum(sizes) <= SMALL_BYTES
        self._model: Any = None
        self._tap_spec: Any = None

    def __call__(self, *inputs: Any, **named: Any) -> tuple[Tensor]:
        """Return the output (B, ...) float32 of rows (B, ...), on the device of the latents."""
        leaves, spec = tree_flatten((inputs, named))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        if self._model is None:
            self._convert(leaves, spec)
        outputs = [part.to(tensors[0].device) for part in self._infer(tensors)]
        self._tapped[:] = [tree_unflatten(outputs[1:], self._tap_spec)]
        return (outputs[0],)

    def _infer(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        arrays = [_on_host(tensor) for tensor in tensors]
        total, sides = len(arrays[0]), arrays[0].shape[2:]
        rows = rows_of(int(np.prod(sides)), self._target.device)
        request = self._request(rows, arrays)
        outputs: list[NDArray[Any]] = []
        for start in range(0, total, rows):
            stop = min(start + rows, total)
            parts = [_padded(array[start:stop], rows) for array in arrays]
            found = request.infer(parts, share_inputs=True, share_outputs=True)
            if not outputs:
                shapes = [found[at].shape[1:] for at in range(len(found))]
                outputs = [np.empty((total, *shape), np.float32) for shape in shapes]
            for at, output in enumerate(outputs):
                output[start:stop] = found[at][: stop - start]
        return [torch.from_numpy(output) for output in outputs]

    def _request(self, rows: int, arrays: Sequence[NDArray[Any]]) -> Any:
        """Return the inference request for so many rows of these shapes, compiled if it is new.

        Which one follows from the shapes alone: whatever came before, a row is computed the same.
        """
        sides = arrays[0].shape[2:]
        is_static = self._is_small or len(set(sides)) == 1
        shapes = [(rows, *array.shape[1:]) for array in arrays]
        if not is_static:
            shapes[0] = (rows, arrays[0].shape[1], *(-1 for _ in sides))
        threads = torch.get_num_threads()
        key = threads, *shapes
        if key not in self._requests:
            self._requests[key] = self._compile(shapes, threads)
        return self._requests[key]

    def _compile(self, shapes: Sequence[Sequence[int]], threads: int) -> Any:
        import openvino

        model = self._model.clone()
        options = compile_options(self._target, threads)
        try:
            model.reshape({at: list(shape) for at, shape in enumerate(shapes)})
            compiled = openvino.Core().compile_model(model, self._target.device, options)
            return compiled.create_infer_request()
        except RuntimeError as error:
            raise PriorError(f"OpenVINO cannot compile it ({first_line(error)})") from error

    def _convert(self, leaves: Sequence[Any], spec: Any) -> None:
        """Convert the network, or read its conversion, for inputs of this kind."""
        with optional_library("openvino", extra="openvino", use="the openvino backend",
                              error=PriorError):  # fmt: skip
            import_module("openvino")
        examples = _examples(leaves)
        try:
            flat = _Flat(_in_float32(self._network), self._tapped, leaves, spec)
            with _tracing(), _tables_of_times(flat):
                flat(*examples)  # says what is tapped, and how it is nested
                self._tap_spec = flat.tap_spec
                name = _name(self._target, examples)
                self._model = converted(name, lambda: _openvino_model(flat, examples))
        except _failures() as error:
            raise PriorError(f"OpenVINO cannot convert it ({first_line(error)})") from error


class _Flat(nn.Module):
    """A network whose inputs and outputs are lists of tensors, the last ones what was tapped."""

    def __init__(
        self, network: nn.Module, tapped: list[Any], leaves: Sequence[Any], spec: Any
    ) -> None:
        super().__init__()
        self.network = network
        self.tap_spec: Any = None
        self._tapped, self._spec = tapped, spec
        self._leaves = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self._at = [at for at, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        leaves = list(self._leaves)
        for at, tensor in zip(self._at, tensors, strict=True):
            leaves[at] = tensor
        inputs, named = tree_unflatten(leaves, self._spec)
        output: Tensor = self.network(*inputs, **named)[0]
        found, self.tap_spec = tree_flatten(self._tapped.pop())
        return (output, *found)


def _failures() -> tuple[type[Exception], ...]:
    """Return the errors of networks that cannot be traced or converted."""
    from openvino import frontend

    return (
        RuntimeError, TypeError, ValueError, LookupError, AttributeError, frontend.GeneralFailure,
        frontend.NotImplementedFailure, frontend.OpConversionFailure, frontend.OpValidationFailure,
    )  # fmt: skip


def compile_options(target: Target, threads: int) -> dict[str, Any]:
    """Return OpenVINO's options: the arithmetic of the prior, and on a processor torch's threads.

    Unpinned, so that several processes share the processor's cores as they would with torch.
    """
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": HINTS[target.precision],
        "PERFORMANCE_HINT": "LATENCY",
    }
    if target.device == "CPU":
        options |= {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
    return options


def openvino_device(device: torch.device, requested: str) -> str:
    """Return OpenVINO's name of a device: its GPUs are Intel's, of which torch may know nothing."""
    if device.type == "xpu":
        return f"GPU.{device.index}" if device.index else "GPU"
    if requested == "auto":
        with optional_library("openvino", extra="openvino", use="the openvino backend",
                              error=PriorError):  # fmt: skip
            import openvino
        if any(name.startswith("GPU") for name in openvino.Core().available_devices):
            return "GPU"
    return "CPU"


def rows_of(cells: int, device: str) -> int:
    """Return the rows of one inference for latents of so many cells."""
    fewest, most, together = CELLS[device.partition(".")[0]]
    return max(fewest, min(most, together // cells))


def _openvino_model(flat: nn.Module, examples: Sequence[Tensor]) -> Any:
    """Convert a module; not by `openvino.convert_model`, which reports its use to a server."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    decoder = TorchScriptPythonDecoder(
        flat, example_input=tuple(examples), trace_kwargs={"check_trace": False}
    )
    frontend = FrontEndManager().load_by_framework("pytorch")
    return frontend.convert(frontend.load(decoder))


def _name(target: Target, examples: Sequence[Tensor]) -> str:
    """Name a conversion by all that it follows from; the sides of latents stay free."""
    libraries = [version(name) for name in ("openvino", "torch", "diffusers")]
    kinds = [(str(one.dtype), one.ndim, *one.shape[1:2]) for one in examples]
    return fingerprint(VERSION, target.fingerprint, target.precision, libraries, kinds)


def _examples(leaves: Sequence[Any]) -> list[Tensor]:
    """Return two rows of each tensor, as a module in float32 takes them."""
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    rows = torch.arange(2) % len(tensors[0])
    with torch.inference_mode(mode=False):
        return [one.detach()[rows].clone().to("cpu", _dtype_of(one)) for one in tensors]


def _in_float32(network: nn.Module) -> nn.Module:
    """Return the network on the CPU in float32, a copy if it is not that already."""
    weights = next(network.parameters())
    if weights.dtype == torch.float32 and weights.device.type == "cpu":
        return network
    return copy.deepcopy(network).to("cpu", torch.float32)


@contextmanager
def _tracing() -> Iterator[None]:
    """Let networks be traced: with gradients off, and without warnings of what stays constant."""
    with torch.inference_mode(mode=False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _tables_of_times(network: nn.Module) -> Iterator[None]:
    """Let sines of times be looked up: OpenVINO would compute them in bfloat16, where 999 is 1000.

    Times and sizes are whole numbers.
    """
    found = {n: part for n, part in network.named_modules() if isinstance(part, Timesteps)}
    for name, module in found.items():
        most = LARGEST_PX if name.endswith("add_time_proj") else TIMES
        module.forward = partial(_looked_up, module(torch.arange(most)))
    try:
        yield
    finally:
        for module in found.values():
            del module.forward


def _looked_up(table: Tensor, times: Tensor) -> Tensor:
    return nn.functional.embedding(times.long(), table)


def _on_host(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().to("cpu", _dtype_of(tensor)).contiguous().numpy()
    return array


def _dtype_of(tensor: Tensor) -> torch.dtype:
    """Return the type of an input; of labels and times whole numbers, which nothing rounds."""
    is_whole = tensor.ndim == 1 or not tensor.is_floating_point()
    return torch.int64 if is_whole else torch.float32


def _padded(part: NDArray[Any], rows: int) -> NDArray[Any]:
    """Repeat the last row until there are so many."""
    lacking = rows - len(part)
    return np.concatenate([part, part[-1:].repeat(lacking, 0)]) if lacking else part
