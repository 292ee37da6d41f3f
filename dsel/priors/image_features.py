"""Features of patches from image models of transformers, such as CLIP, SigLIP and DINOv2."""

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
from dsel.priors.weights import ModelKind, find_weights
from dsel.types import Pixels

IMAGE_MODEL = ModelKind(
    "an image model",
    "the folder of a saved model of transformers",
    "config.json",
    ("*.json", "*.safetensors"),
)
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""The files of an image model's preprocessing, of which it has one."""

BATCH_SIZE = 64  # patches per call


class ImageFeaturizer:
    """An image model's embedding of each patch."""

    def __init__(self, name: str, device: torch.device) -> None:
        """Load an image model with safetensors weights; raises `PriorError` for any other."""
        found = find_weights(name, kind=IMAGE_MODEL)
        if not any((found.folder / file).is_file() for file in PROCESSORS):
            raise PriorError(f"{name} is not an image model: it has no {PROCESSORS[0]}")
        self.fingerprint = f"clip {found.revision}"
        self._device = device
        try:
            with quiet():
                self._load(found.folder)
            self._describe([np.zeros((32, 32, 3), np.uint8)])  # fails for a text model
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
        # Classifiers are saved without the pooling layer, whose weights would be random.
        self._has_pooler = not any("pooler" in key for key in info["missing_keys"])
        lacking = sorted(key for key in info["missing_keys"] if "pooler" not in key)
        check_weights(folder, "model", lacking)
        self._model.to(self._device).eval()

    def describe(self, patches: Sequence[Pixels]) -> NDArray[np.float32]:
        """Return features (P, d) of patches of any sizes."""
        parts = [
            self._describe(patches[start : start + BATCH_SIZE])
            for start in range(0, len(patches), BATCH_SIZE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)

    @torch.inference_mode()
    def _describe(self, patches: Sequence[Pixels]) -> NDArray[np.float32]:
        images = [Image.fromarray(patch) for patch in patches]
        inputs = self._processor(images=images, return_tensors="pt")["pixel_values"]
        found = self._embed(inputs.to(self._device))
        embedding: NDArray[np.float32] = found.float().cpu().numpy()
        return embedding

    def _embed(self, inputs: Tensor) -> Tensor:
        """Return the embedding of an image-text model, or the pooled state of an image model."""
        if hasattr(self._model, "get_image_features"):
            output = self._model.get_image_features(pixel_values=inputs)
            return output if isinstance(output, Tensor) else output.pooler_output
        output = self._model(pixel_values=inputs)
        pooled: Tensor | None = getattr(output, "pooler_output", None)
        if pooled is not None and self._has_pooler:
            return pooled.flatten(1)
        states: Tensor = output.last_hidden_state  # (P, tokens, d), the first is the class token
        return states[:, 0] if states.ndim == 3 else states.mean((2, 3))
