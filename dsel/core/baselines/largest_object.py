"""The images whose true object is largest: whether the size of the object explains a result."""

from __future__ import annotations

import numpy as np

from dsel.core.baselines.base import Choice, Pool, by_image


def largest_object(pool: Pool) -> Choice:
    """Order the images by the share of their largest true object; unknown ones come last."""
    assert pool.object_share is not None
    share = np.nan_to_num(pool.object_share, nan=-1.0)
    return Choice(by_image(np.argsort(-share, kind="stable"), pool))
