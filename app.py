"""Open dsel on the demo run that ships with it: the entry of the Hugging Face Space."""

from __future__ import annotations

import sys

from dsel.app import launch_app
from dsel.assets import DEMO_RUN, asset
from dsel.errors import DselError

if __name__ == "__main__":
    try:
        launch_app(asset(DEMO_RUN))
    except DselError as error:
        sys.stderr.write(f"dsel: {error}\n")
        sys.exit(2)
