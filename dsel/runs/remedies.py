"""What repairs each file of a run, as messages say it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SCORE: Final = "run the same dsel score again, which makes it anew"
SELECT: Final = "run the same dsel select again, which makes it anew"
RUN: Final = "run the same dsel score again, or score the dataset into a new folder"
EVALUATE: Final = "delete it and evaluate again"
VALIDATIONS: Final = "delete it and run sweeps and advice again, which record their sources in it"
SWEEP: Final = "delete it and run the sweep again"
ADVISE: Final = "delete it and ask for advice again"
DRAWS: Final = "delete the folder draws; nothing but the replay of single draws is lost"
SLICE: Final = "delete it and save the slice again"

_BY_FOLDER: Final = {
    "run.json": RUN,
    "selections": SELECT,
    "features": SELECT,
    "teachers": SELECT,
    "evaluations": EVALUATE,
    "sweeps": SWEEP,
    "advice": ADVISE,
    "slices": SLICE,
    "draws": DRAWS,
}


def remedy_of(name: Path) -> str:
    """Return what repairs a file, by its path below the run."""
    return _BY_FOLDER.get(name.parts[0], SCORE)
