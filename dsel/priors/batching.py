"""The batch size of the prior: given, or doubled while that is faster; halved out of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from dsel.errors import PriorError, first_line

T = TypeVar("T")
ROWS_ON_CPU = 64
"""Most rows per call on a CPU: more are not faster, and a fixed number is reproducible."""

CELLS_ON_CPU = 20_480
"""Most cells of all rows of a call on a CPU: the activations of more exceed its caches."""

FIRST_ROWS, MOST_ROWS = 32, 4096
"""First and largest number of rows per call that is tried on an accelerator."""

ENCODE_BATCH = 4
"""Most images encoded in one call: an image takes far more memory than a latent."""

OUT_OF_MEMORY = ("out of memory", "DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED")
"""Texts that mark an error as running out of memory."""

MIN_SPEEDUP = 1.05
"""Minimum speed-up for which a doubled batch is kept."""


class RowBudget:
    """The number of rows of the next call; `rows` is even, because losses come in pairs."""

    def __init__(self, requested: int, device: torch.device, cells: int = 1) -> None:
        """Use `requested` rows, or search if it is 0; `cells` are those of a square image."""
        self._searching = not requested and device.type != "cpu"
        on_cpu = min(ROWS_ON_CPU, CELLS_ON_CPU // cells)
        first = FIRST_ROWS if self._searching else on_cpu
        self.rows = max(2, (requested or first) // 2 * 2)
        self._best = 0.0
        self._warm = False

    def attempt(self, call: Callable[[], T]) -> T:
        """Run `call`, which reads `rows`; halve them and retry each time memory runs out.

        Raises `PriorError` if two rows are too many.
        """
        while True:
            try:
                return call()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._halve(error)
            # Outside of the handler, where the error's frames no longer reference their tensors.
            _release()

    def report(self, cells: int, seconds: float) -> None:
        """Report the time of a batch; the rows double until that is no longer faster.

        cells: rows times cells of an image, so that images of different shapes are comparable.
        """
        if not self._searching:
            return
        if not self._warm:  # the first batch of a size is slow, because kernels are chosen
            self._warm = True
            return
        rate = cells / max(seconds, 1e-9)
        if rate < MIN_SPEEDUP * self._best or self.rows >= MOST_ROWS:
            self.rows = self.rows if rate >= MIN_SPEEDUP * self._best else self.rows // 2
            self._searching = False
            return
        self._best, self._warm = rate, False
        self.rows *= 2

    def _halve(self, error: Exception) -> None:
        self._searching = False
        if self.rows <= 2:
            raise PriorError(
                "one image at a time does not fit into memory: use --low-memory, a smaller "
                f"--resolution-px or another --device ({first_line(error)})"
            ) from error
        self.rows = max(2, self.rows // 4 * 2)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the device or the machine is out of memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(sign in str(error) for sign in OUT_OF_MEMORY)


def _release() -> None:
    """Release the memory that the failed call had reserved."""
    for backend in (torch.cuda, torch.mps, torch.xpu):
        if backend.is_available():
            backend.empty_cache()
