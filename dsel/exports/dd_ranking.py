"""Tensors for DD-Ranking (https://github.com/NUS-HPC-AI-Lab/DD-Ranking): images.pt and labels.pt.

images.pt        (N, 3, px, px) float32 in 0..1, class by class; not normalized
labels.pt        (N,) int64, the class indices
soft_labels.pt   (N, C) float32, a teacher's probabilities, if there is one

They hold tensors alone, so that `torch.load(weights_only=True)` reads them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dsel.checksums import digest, digest_of
from dsel.errors import storage_errors
from dsel.exports.base import Export
from dsel.exports.formats import CLASSES, Format, Record, Sink, Soft, classes_file
from dsel.exports.readme import README, other_readme
from dsel.files import place_written, temporary_beside, write_atomically
from dsel.types import Distilled

if TYPE_CHECKING:
    import torch

IMAGES: Final = "images.pt"
LABELS: Final = "labels.pt"
SOFT: Final = "soft_labels.pt"
FILE_BYTES: Final = 1500
"""Bytes of a file beside its tensor, about."""

LINES: Final = """\
```python
import torch

images = torch.load("OUT/images.pt", weights_only=True)    # (N, 3, px, px) float32 in 0..1
labels = torch.load("OUT/labels.pt", weights_only=True)    # (N,) int64
```

The images are not normalized: subtract the mean and divide by the standard deviation that the test images get.
"""  # noqa: E501


class _Tensors(Sink):
    """Images in a tensor on disk, which is then saved: a set may be larger than memory."""

    def __init__(self, export: Export, out: Path, soft: Soft | None) -> None:
        self._export, self._out, self._soft = export, out, soft
        self._labels: list[int] = []
        side = export.canvas.image_px
        self._shape = (export.images, 3, side, side)
        self._temporary = temporary_beside(out / IMAGES)
        self._images: torch.Tensor | None = None

    def prepare(self, image: Distilled, content: bytes) -> Any:
        """Return the image as (3, px, px) float32 in 0..1."""
        return np.ascontiguousarray(image.pixels.transpose(2, 0, 1)).astype(np.float32) / 255

    def append(self, image: Distilled, prepared: Any) -> str:
        """Store the image in the tensor on disk."""
        import torch

        at = len(self._labels)
        with storage_errors(self._temporary):
            self._opened()[at] = torch.from_numpy(prepared)
        self._labels.append(image.class_index)
        return f"{IMAGES}#{at}"

    def close(self) -> Mapping[str, str]:
        """Save the tensors."""
        import torch

        images, path = self._opened(), temporary_beside(self._out / IMAGES)
        try:
            with storage_errors(self._out / IMAGES), path.open("wb") as file:
                torch.save(images, file)
            checksums = {IMAGES: digest_of(path)}
            self.size = path.stat().st_size
            place_written(path, self._out / IMAGES)
        finally:
            path.unlink(missing_ok=True)
            self.discard()
        others = {LABELS: torch.tensor(self._labels, dtype=torch.int64)}
        if self._soft is not None:
            others[SOFT] = torch.from_numpy(self._soft.astype(np.float32))
        return checksums | {name: self._save(name, tensor) for name, tensor in others.items()}

    def discard(self) -> None:
        """Remove the tensor on disk."""
        self._images = None
        self._temporary.unlink(missing_ok=True)

    def _opened(self) -> torch.Tensor:
        import torch

        if self._images is None:
            count = int(np.prod(self._shape))
            if count:
                flat = torch.from_file(str(self._temporary), shared=True, size=count)
            else:
                flat = torch.zeros(0)
            self._images = flat.reshape(self._shape)
        return self._images

    def _save(self, name: str, tensor: torch.Tensor) -> str:
        import torch

        stream = io.BytesIO()
        torch.save(tensor, stream)
        write_atomically(self._out / name, stream.getvalue())
        return digest(stream.getvalue())


class DDRanking(Format):
    """Tensors of images and labels."""

    name = "ddranking"
    purpose = "the benchmark DD-Ranking: tensors alone"
    stores = ""
    holds_soft = True

    def sink(self, export: Export, out: Path, soft: Soft | None) -> Sink:
        """Open the folder."""
        return _Tensors(export, out, soft)

    def place(self, export: Export, class_index: int, number: int, at: int) -> str:
        """Return the row of an image."""
        return f"{IMAGES}#{at}"

    def side_files(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
    ) -> dict[str, bytes]:
        """Return the README and the classes."""
        return {
            README: other_readme(export, self.purpose, LINES).encode(),
            CLASSES: classes_file(export),
        }

    def stored_bytes(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
        images_bytes: int,
    ) -> dict[str, int]:
        """Return the sizes of the tensors, about."""
        images, side = export.images, export.canvas.image_px
        sizes = {IMAGES: 12 * images * side**2 + FILE_BYTES, LABELS: 8 * images + FILE_BYTES}
        if export.settings.teacher:
            sizes[SOFT] = 4 * images * len(export.classes) + FILE_BYTES
        return sizes

    def records(self, out: Path, manifest: Mapping[str, Any]) -> Iterator[Record]:
        """Read the labels, as many as there are images."""
        import torch

        images = torch.load(out / IMAGES, weights_only=True, mmap=True)
        labels = torch.load(out / LABELS, weights_only=True).tolist()
        for at, label in enumerate(labels[: len(images)]):
            yield Record(f"{IMAGES}#{at}", int(label))
