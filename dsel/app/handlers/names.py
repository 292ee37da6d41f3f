"""Handler of one picture under several names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dsel.analysis.names import name_scores
from dsel.app.context import Context
from dsel.app.requests import Params
from dsel.app.wire import packed, plain


def names(context: Context, _: Params) -> Mapping[str, Any]:
    """Return the names of the run's picture with their scores, the best first.

    range: around 0, of all but the largest hundredth of their cells, so that all maps have the same
    colours. image_id: of the picture in the class
    of the first name, with its class and its size.
    """
    explorer = context.explorer
    found = name_scores(explorer, context.settings)
    cells = np.concatenate([np.zeros(1), *(np.abs(one.map).ravel() for one in found)])
    high = float(np.quantile(cells, 0.99))
    best = explorer.images(explorer.class_index(found[0].name)) if found else None
    return {
        "rows": [
            {
                "name": one.name,
                "score": plain(one.score),
                "error": plain(one.error),
                "behind": plain(one.behind),
                "behind_error": plain(one.behind_error),
                "map": packed(one.map),
            }
            for one in found
        ],
        "range": {"low": -high, "high": high},
        "image_id": best.ids[0] if best else "",
        "size": best.frames.proxy[0].tolist() if best else [0, 0],
    }
