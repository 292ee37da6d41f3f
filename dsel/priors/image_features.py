"""Image models of transformers, such as CLIP, SigLIP and DINOv2, as describers of patches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import AutoImageProcessor, AutoModel

from dsel.errors import PriorError, first_line
from dsel.priors.loading import LOADING_FAILS, check_weights, quiet
from dsel.priors.weights import Kind, find_weights
from dsel.types import Pixels

IMAGE_MODEL = Kind(
    "an image model",
    "a folder that a model of transformers was saved in",
    "config.json",
    ("*.json", "*.safetensors"),
)
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""Where an image model says how it wants its pictures; one of them is there."""

AT_ONCE = 64  # pictures per call


class ImageFeaturizer:
    """An image model's embedding of each patch."""

    def __init__(self, name: str, device: torch.device) -> None:
        """Raise `PriorError` for what is no image model with safetensors weights."""
        found = find_weights(name, kind=IMAGE_MODEL)
        if not any((found.folder / file).is_file() for file in PROCESSORS):
            raise PriorError(f"{name} is not an image model: it has no {PROCESSORS[0]}")
        self.fingerprint = f"clip {found.revision}"
        self._device = device
        try:
            with quiet():
                self._load(found.folder)
            self._describe([np.zeros((32, 32, 3), np.uint8)])  # a model of texts would refuse it
        except LOADING_FAILS as error:
            raise PriorError(
                f"{name} cannot be loaded as an image model with safetensors weights: "
                f"{first_line(error)}"
            ) from error

    def _load(self, folder: Path) -> None:
        local = {"local_files_only": True, "trust_remote_code": False}
        self._processor: Any = AutoImageProcessor.from_pretrained(folder, use_fast=False, **local)
        self._model: Any
        self._model, info = AutoModel.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **local
        )
        # Classifiers are saved without the pooling layer, which would be made of random numbers.
        self._pools = not any("pooler" in key for key in info["missing_keys"])
        lacking = sorted(key for key in info["missing_keys"] if "pooler" not in key)
        check_weights(folder, "model", lacking)
        self._model.to(self._device).eval()

    def describe(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Features of pictures of any sizes, (P, d)."""
        parts = [
            self._describe(pictures[start : start + AT_ONCE])
            for start in range(0, len(pictures), AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)

    @torch.inference_mode()
    def _describe(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        images = [Image.fromarray(picture) for picture in pictures]
        inputs = self._processor(images=images, return_tensors="pt")["pixel_values"]
        found = self._embed(inputs.to(self._device))
        embedding: NDArray[np.float32] = found.float().cpu().numpy()
        return embedding

    def _embed(self, inputs: Tensor) -> Tensor:
        """The image tower's embedding, or the pooled state of a model of images alone."""
        if hasattr(self._model, "get_image_features"):
            output = self._model.get_image_features(pixel_values=inputs)
            return output if isinstance(output, Tensor) else output.pooler_output
        output = self._model(pixel_values=inputs)
        pooled: Tensor | None = getattr(output, "pooler_output", None)
        if pooled is not None and self._pools:
            return pooled.flatten(1)
        states: Tensor = output.last_hidden_state  # (P, tokens, d), the first of them the summary
        return states[:, 0] if states.ndim == 3 else states.mean((2, 3))
