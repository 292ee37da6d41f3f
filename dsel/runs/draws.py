"""Every draw of the images of a very small run, so that the page can replay how a choice settled.

draws/<image>-<first draw>.safetensors   gap and difference (T, D, h, w) and loss (T, D), the mean
                                         conditional loss over cells, float32 each

A run of up to `MOST_IMAGES` images has these files, such as one that scores a single picture; of
any other, only the means over the draws are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from dsel.files import opened_tensors, tensor_bytes, write_atomically
from dsel.runs import remedies
from dsel.runs.shards import check_owner

if TYPE_CHECKING:
    from dsel.runs.run import Run
    from dsel.types import DrawLosses, ImageRef

MOST_IMAGES: Final = 8
FOLDER: Final = "draws"


@dataclass(frozen=True, slots=True)
class StoredDraws:
    """The draws of one image in order: gap and difference (T, D, h, w), loss (T, D)."""

    gap: NDArray[np.float32]
    difference: NDArray[np.float32]
    loss: NDArray[np.float32]

    @property
    def count(self) -> int:
        """The number of draws."""
        return int(self.gap.shape[1])


def draw_keeper(
    run: Run, refs: Sequence[ImageRef]
) -> Callable[[Sequence[ImageRef], range, DrawLosses], None] | None:
    """Return what stores the draws of images of a run; None for a run of too many images."""
    if len(refs) > MOST_IMAGES:
        return None
    numbers = {ref.id: number for number, ref in enumerate(refs)}

    def keep(batch: Sequence[ImageRef], draws: range, losses: DrawLosses) -> None:
        for row, ref in enumerate(batch):
            tensors = {
                "gap": losses.gap[row],
                "difference": losses.difference[row],
                "loss": losses.conditional[row].mean(axis=(2, 3)),
            }
            record = {"fingerprint": run.identity.fingerprint, "image": ref.id}
            content = {name: np.ascontiguousarray(part) for name, part in tensors.items()}
            path = _file(run.path, numbers[ref.id], draws.start)
            write_atomically(path, tensor_bytes(content, record))

    return keep


def read_draws(run: Run, image_id: str) -> StoredDraws | None:
    """Return the draws of an image; None if the run does not have them.

    Raises `DamageError` for a damaged file, and `RunError` for one of another run.
    """
    if len(run.images) > MOST_IMAGES:
        return None
    number = run.images.row_of[image_id]
    paths = sorted((run.path / FOLDER).glob(f"{number:05d}-*.safetensors"))
    parts = [_read(run, path) for path in paths]
    if not parts:
        return None
    return StoredDraws(*(np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True)))


def _read(run: Run, path: Path) -> tuple[NDArray[np.float32], ...]:
    with opened_tensors(path, remedies.DRAWS) as file:
        check_owner(path, str(file.record.get("fingerprint")), run.identity.fingerprint)
        return tuple(file.all(name) for name in ("gap", "difference", "loss"))


def _file(folder: Path, number: int, first: int) -> Path:
    return folder / FOLDER / f"{number:05d}-{first:05d}.safetensors"
