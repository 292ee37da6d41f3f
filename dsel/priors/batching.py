"""How many noised latents a call of the prior takes: given, found by trying, halved for memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from dsel.errors import PriorError, first_line

T = TypeVar("T")
ON_PROCESSOR = 64
"""Most rows per call on a CPU: more are not faster, and a fixed number repeats every last bit."""

CELLS_ON_PROCESSOR = 20_480
"""Most cells of all rows of a call on a CPU: what more of them need outgrows its caches."""

AT_FIRST, AT_MOST = 32, 4096
"""Rows per call that trying begins and ends with on an accelerator."""

ENCODED = 4
"""Pictures encoded in one call at most: at full size each takes far more memory than a latent."""

OUT_OF_MEMORY = ("out of memory", "DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED")
"""Of these, the text of an error holds one if memory has run out."""

WORTH = 1.05
"""Twice the rows must be faster by this factor to stay."""


class RowBudget:
    """Knows how many rows the next call may have; `rows` is even, a row per half of a pair."""

    def __init__(self, asked: int, device: torch.device, cells: int = 1) -> None:
        """`asked` is the number to use, or 0 to find it; a square picture has so many cells."""
        self._trying = not asked and device.type != "cpu"
        on_processor = min(ON_PROCESSOR, CELLS_ON_PROCESSOR // cells)
        at_first = AT_FIRST if self._trying else on_processor
        self.rows = max(2, (asked or at_first) // 2 * 2)
        self._best = 0.0
        self._warm = False

    def attempt(self, call: Callable[[], T]) -> T:
        """Do `call`, which looks at `rows`; each time that memory runs out, again with half."""
        while True:
            try:
                return call()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._halve(error)
            # Outside of the handler, where the error's frames no longer hold their tensors.
            _release()

    def report(self, cells: int, seconds: float) -> None:
        """Take in how long a batch took; until doubling the rows is not worth it, they double.

        cells: rows times cells of a picture, so that pictures of other shapes compare.
        """
        if not self._trying:
            return
        if not self._warm:  # the first batch of a size chooses kernels, and is slow for it
            self._warm = True
            return
        rate = cells / max(seconds, 1e-9)
        if rate < WORTH * self._best or self.rows >= AT_MOST:
            self.rows = self.rows if rate >= WORTH * self._best else self.rows // 2
            self._trying = False
            return
        self._best, self._warm = rate, False
        self.rows *= 2

    def _halve(self, error: Exception) -> None:
        self._trying = False
        if self.rows <= 2:
            raise PriorError(
                "one picture at a time is more than the memory holds: give --low-memory, a smaller "
                f"--resolution-px or another --device ({first_line(error)})"
            ) from error
        self.rows = max(2, self.rows // 4 * 2)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of the device or the machine, has run out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(sign in str(error) for sign in OUT_OF_MEMORY)


def _release() -> None:
    """Give back what the failed call had reserved."""
    for backend in (torch.cuda, torch.mps, torch.xpu):
        if backend.is_available():
            backend.empty_cache()
