"""Features that a model computes of cut patches, stored in the run for later selections.

features/<fingerprint>/00000.safetensors    (P, d) of one class's patches, before they are ranked
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.config.base import fingerprint
from dsel.config.shell import select_command
from dsel.core.patch_features import Featurizer
from dsel.core.selection import Located
from dsel.data.images import crop
from dsel.errors import DamageError, SettingError
from dsel.files import opened_tensors, tensor_bytes, write_atomically
from dsel.pipeline.cutting import read_proxy
from dsel.runs import Run, remedies
from dsel.types import Box, ClassScores, Pixels

Describe: TypeAlias = Callable[[ClassScores, Located], NDArray[np.float32]]
"""Features (P, d) of the patches of a class."""


def describer(
    run: Run,
    settings: SelectSettings,
    featurizer: Featurizer | None = None,
    repaired: Callable[[DamageError], None] = lambda _: None,
) -> Describe | None:
    """Return what computes the features of a class's patches; None for those of scoring.

    Without a featurizer it returns stored features, and raises `SettingError` for any others, and
    `DamageError` for damaged ones. repaired: is told of damaged files that are made again.
    """
    if settings.features == "free":
        return None

    def describe(scores: ClassScores, located: Located) -> NDArray[np.float32]:
        path, stored = _path(run, settings, scores), None
        try:
            stored = _read(path, len(located.image), featurizer)
        except DamageError as error:
            if featurizer is None:
                raise
            repaired(error)
        if stored is not None:
            return stored
        if featurizer is None:
            raise SettingError(
                f"{settings.features} features of these patches are not in the run: compute them "
                f"with {select_command(Path('RUN'), settings)}"
            )
        features = featurizer.describe(_cut(run, scores, located))
        record = {"featurizer": featurizer.fingerprint}
        write_atomically(path, tensor_bytes({"features": features}, record))
        return features

    return describe


def _cut(run: Run, scores: ClassScores, located: Located) -> list[Pixels]:
    """Cut the patches out of the proxies."""
    rows = run.class_rows(scores.index)
    side = located.patch_px
    return [
        crop(read_proxy(run, rows[image]), Box(float(x), float(y), side, side), side, side)
        for image, x, y in zip(located.image, located.x, located.y, strict=True)
    ]


def _path(run: Run, settings: SelectSettings, scores: ClassScores) -> Path:
    """Return the file for the features of these boxes; moves of other classes do not change it."""
    ids, corners = set(scores.ids), settings.overrides.corners
    moved = [[id_, corners[id_].x, corners[id_].y] for id_ in sorted(corners) if id_ in ids]
    name = fingerprint(
        run.identity.fingerprint, settings.features, settings.feature_model, settings.patch_px,
        settings.stride_px, settings.per_image, list(settings.timesteps), settings.locate,
        settings.smooth,
        *([moved] if moved else []),
    )  # fmt: skip
    return run.path / "features" / name / f"{scores.index:05d}.safetensors"


def _read(path: Path, count: int, featurizer: Featurizer | None) -> NDArray[np.float32] | None:
    """Return stored features, unless they are another model's; raises `DamageError`."""
    if not path.exists():
        return None
    with opened_tensors(path, remedies.SELECT) as file:
        made_by, features = file.record.get("featurizer"), file.all("features")
    same = featurizer is None or made_by == featurizer.fingerprint
    return features if same and len(features) == count else None
