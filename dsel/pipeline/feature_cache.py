"""Features of cut patches that a model had to be asked for, kept in the run for the next time.

features/<fingerprint>/00000.safetensors    (P, d) of one class's patches, before they are ranked
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dsel.config import SelectSettings
from dsel.config.base import fingerprint
from dsel.config.shell import select_command
from dsel.core.selection import Describe, Located
from dsel.data.images import crop
from dsel.errors import SettingError
from dsel.files import write_atomically
from dsel.pipeline.cutting import read_proxy
from dsel.runs import Run
from dsel.types import Box, ClassScores, Featurizer


def describer(
    run: Run, settings: SelectSettings, featurizer: Featurizer | None = None
) -> Describe | None:
    """What describes a class's patches under these settings; None for the features of scoring.

    Without a featurizer it knows what was kept, and raises `SettingError` for anything else.
    """
    if settings.features == "free":
        return None

    def describe(scores: ClassScores, located: Located) -> NDArray[np.float32]:
        path = _path(run, settings, scores)
        kept = _read(path, len(located.image), featurizer)
        if kept is not None:
            return kept
        if featurizer is None:
            raise SettingError(
                f"{settings.features} features of these patches are not in the run: make them with "
                f"{select_command(Path('RUN'), settings)}"
            )
        pictures = _cut(run, scores, located)
        features = featurizer.describe(pictures)
        write_atomically(path, save({"features": features}, {"featurizer": featurizer.fingerprint}))
        return features

    return describe


def _cut(run: Run, scores: ClassScores, located: Located) -> list[NDArray[np.uint8]]:
    """The patches' pixels, from the pictures as the prior saw them."""
    rows = run.class_rows(scores.index)
    side = located.patch_px
    return [
        crop(read_proxy(run, rows[image]), Box(float(x), float(y), side, side), side, side)
        for image, x, y in zip(located.image, located.x, located.y, strict=True)
    ]


def _path(run: Run, settings: SelectSettings, scores: ClassScores) -> Path:
    """Where the features of these boxes lie: pins, bans and moves of other classes change none."""
    ids, corners = set(scores.ids), settings.overrides.corners
    moved = [[id_, corners[id_].x, corners[id_].y] for id_ in sorted(corners) if id_ in ids]
    name = fingerprint(
        run.identity.fingerprint, settings.features, settings.feature_model, settings.patch_px,
        settings.stride_px, settings.per_image, list(settings.timesteps), settings.gap,
        *([moved] if moved else []),
    )  # fmt: skip
    return run.path / "features" / name / f"{scores.index:05d}.safetensors"


def _read(path: Path, count: int, featurizer: Featurizer | None) -> NDArray[np.float32] | None:
    """What was kept, unless it is damaged or another model's."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as file:
            made_by = (file.metadata() or {}).get("featurizer")
            features: NDArray[np.float32] = file.get_tensor("features")
    except (SafetensorError, OSError):
        return None
    same = featurizer is None or made_by == featurizer.fingerprint
    return features if same and len(features) == count else None
