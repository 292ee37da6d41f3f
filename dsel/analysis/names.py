"""One picture under several names: the gap of each, and by how much the best one leads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.explorer import Explorer
from dsel.config import SelectSettings
from dsel.core.gap_maps import combined_map, image_bucket, timestep_columns
from dsel.core.standard_errors import picture_errors
from dsel.errors import SettingError

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NameScore:
    """A name of the picture. Scores are means of the signed gap over the picture.

    error: the standard error of the score. behind: how far it is behind the best name, 0 for that
    one; behind_error: the standard error of that difference, which is smaller than those of the
    scores because all names saw the same noise. map: the signed gap, (h, w), as a share of the mean
    loss.
    """

    name: str
    score: float
    error: float
    behind: float
    behind_error: float
    map: NDArray[np.float32]


def name_scores(explorer: Explorer, settings: SelectSettings) -> tuple[NameScore, ...]:
    """Compare the names of a run that has one picture once per class, the best name first.

    Classes whose picture was not scored are left out. Raises `SettingError` for another run, whose
    many classes would all be read.
    """
    images = explorer.run.images
    pictures = {one for one in images.checksums if one}
    if len(images) != len(explorer.classes) or len(pictures) > 1:
        raise SettingError("names can be compared only in a run of one picture, once per class")
    indices = [index for index, _ in enumerate(explorer.classes) if explorer.images(index).ids]
    if not indices:
        return ()
    maps = [_signed_map(explorer, index, settings) for index in indices]
    scores = np.array([one.mean(dtype=np.float64) for one in maps])
    geometry = explorer.geometry
    errors = [
        picture_errors(explorer.scores(index), geometry, settings.timesteps, "signed")[0]
        for index in indices
    ]
    noise = np.array([_noise(explorer, index, settings) for index in indices])  # (K, T)
    best = int(scores.argmax())
    # The noise of a difference is the difference of the noises: they are of the same draws.
    behind_errors = np.sqrt(np.square(noise - noise[best]).sum(axis=1))
    order = np.argsort(-scores, kind="stable").tolist()
    return tuple(
        NameScore(
            explorer.classes[indices[at]],
            float(scores[at]),
            float(errors[at]),
            float(scores[best] - scores[at]),
            float(behind_errors[at]),
            maps[at],
        )
        for at in order
    )


def _signed_map(
    explorer: Explorer, class_index: int, settings: SelectSettings
) -> NDArray[np.float32]:
    bucket = image_bucket(explorer.scores(class_index), 0)
    found: NDArray[np.float32] = combined_map(
        bucket, explorer.geometry, settings.timesteps, "signed", 0.0
    )[0]
    return found


def _noise(explorer: Explorer, class_index: int, settings: SelectSettings) -> Doubles:
    """Return the noise of the score's part at each timestep, (T,)."""
    geometry = explorer.geometry
    columns = timestep_columns(settings.timesteps, geometry.timesteps)
    noise = image_bucket(explorer.scores(class_index), 0).noise[0, columns]
    weights = 1.0 / np.asarray(geometry.losses[columns], np.float64) / len(columns)
    means: Doubles = noise.mean(axis=(1, 2), dtype=np.float64) * weights
    return means
