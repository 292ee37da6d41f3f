"""The threads of torch on the CPU: their number changes the last digits of what it computes.

Convolutions of 1 x 1 pixels are blocked by it, and the ends of each thread's part of an elementwise
function are computed by other instructions than the rest; the weights' precision then amplifies the
differences. So a stage that is resumed uses as many threads as when it began.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def thread_count() -> int:
    """Return the number of threads that torch uses: of all processors, or of OMP_NUM_THREADS."""
    return torch.get_num_threads()


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads, and reset it after; 0 leaves it as it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
