"""Image models of transformers, such as CLIP, SigLIP and DINOv2, as describers of patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import AutoImageProcessor, AutoModel
from transformers.utils import logging as transformers_logging

from dsel.errors import PriorError, first_line
from dsel.priors.base import LOADING_FAILS
from dsel.records import Pixels
from dsel.weights import Kind, find_weights

IMAGE_MODEL = Kind(
    "an image model",
    "a folder that a model of transformers was saved in",
    "config.json",
    ("*.json", "*.safetensors"),
)
AT_ONCE = 64  # pictures per call


class ImageFeaturizer:
    """An image model's embedding of each patch."""

    def __init__(self, name: str, device: torch.device) -> None:
        """Raise `PriorError` for what is no image model with safetensors weights."""
        found = find_weights(name, kind=IMAGE_MODEL)
        self.fingerprint = f"clip {found.revision}"
        transformers_logging.disable_progress_bar()
        try:
            self._processor: Any = AutoImageProcessor.from_pretrained(
                found.folder, local_files_only=True, use_fast=False
            )
            self._model: Any = AutoModel.from_pretrained(
                found.folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
        except LOADING_FAILS as error:
            raise PriorError(
                f"{name} cannot be loaded as an image model with safetensors weights: "
                f"{first_line(error)}"
            ) from error
        self._model.to(device).eval()
        self._device = device

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
        if pooled is not None:
            return pooled.flatten(1)
        states: Tensor = output.last_hidden_state  # (P, tokens, d), the first of them the summary
        return states[:, 0] if states.ndim == 3 else states.mean((2, 3))
