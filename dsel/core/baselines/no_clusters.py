"""The highest ranking scores regardless of clusters: what the clusters contribute."""

from __future__ import annotations

import numpy as np

from dsel.core.baselines.base import Choice, Pool


def no_clusters(pool: Pool) -> Choice:
    """Order the patches by falling ranking score; equal ones keep their order."""
    return Choice(np.argsort(-pool.ranking_score, kind="stable"))
