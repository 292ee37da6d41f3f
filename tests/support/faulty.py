"""Jobs whose workers are toys: what each image does to its worker is written in a file.

    python -m support.faulty SOURCE RUN --on local --workers 2

scores a folder of pictures with the exact prior, made slow by pauses, until there is a file
SOURCE.hurry. SOURCE.faults.json has what reading an image does, by its id: kill, memory (there is
no more), full or hang; without an entry it is read.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from dsel.config import LaunchSettings, PriorSettings, ScoreSettings, SourceSettings
from dsel.data import open_dataset
from dsel.errors import DselError, storage_errors
from dsel.pipeline.launch import score_on
from dsel.pipeline.serving import Recipe
from dsel.pipeline.worker import ShardWorker
from dsel.types import Dataset, ImageRef, Pixels
from support.toyset import toy_prior

SLOW = ScoreSettings(
    timesteps=(300, 600), draws=2, most_draws=4, keep=2, shard_size=4, feature_grid=4,
    feature_dim=8, min_side_px=16, rows_per_call=8, keep_s=0,
)  # fmt: skip
"""An image per call, each kept at once."""


def faults_of(source: Path) -> Path:
    """The file with what images of a source do."""
    return source.with_name(source.name + ".faults.json")


def hurry_of(source: Path) -> Path:
    """The file that ends the pauses."""
    return source.with_name(source.name + ".hurry")


class FaultyDataset:
    """A dataset some of whose images do harm."""

    def __init__(self, dataset: Dataset, faults: dict[str, str]) -> None:
        self._dataset, self._faults = dataset, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def read(self, ref: ImageRef) -> Pixels:
        fault = self._faults.get(ref.id, "")
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "memory":
            _use_up_memory()
        if fault == "full":
            with storage_errors(Path("scores/00000.safetensors")):
                raise OSError(28, "No space left on device")
        if fault == "hang":
            time.sleep(3600)
        return self._dataset.read(ref)


def _use_up_memory() -> None:
    """Ask for more memory than the process may have from now on."""
    import resource

    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
    np.ones(256 << 20, np.uint8)


class SlowPrior:
    """A prior that pauses at each call, until there is a file."""

    def __init__(self, prior: Any, pause_s: float, hurry: Path) -> None:
        self._prior, self._pause_s, self._hurry = prior, pause_s, hurry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._prior, name)

    def predict(self, *arguments: Any, **named: Any) -> Any:
        if self._pause_s and not self._hurry.exists():
            time.sleep(self._pause_s)
        return self._prior.predict(*arguments, **named)


@dataclass(frozen=True)
class ToyRecipe(Recipe):
    """Opens pictures and a toy prior."""

    pause_s: float = 0.0

    def open(self) -> ShardWorker:
        dataset = open_dataset(self.source, self.source_settings)
        found = faults_of(Path(self.source))
        faults = json.loads(found.read_text()) if found.exists() else {}
        prior = SlowPrior(toy_prior(dataset.classes), self.pause_s, hurry_of(Path(self.source)))
        faulty = FaultyDataset(dataset, faults)
        return ShardWorker(faulty, prior, self.path, self.settings, self.threads, self.part)


@dataclass(frozen=True)
class BrokenRecipe(ToyRecipe):
    """One that no worker can read, as on a node with another version of dsel."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _refuse, ()


def _refuse() -> None:
    raise ImportError("there is no such recipe on this node")


def recipe_of(
    source: Path, run: Path, settings: ScoreSettings = SLOW, pause_s: float = 0.0
) -> ToyRecipe:
    return ToyRecipe(
        str(source), SourceSettings(), PriorSettings(device="cpu"), run, settings, 1,
        pause_s=pause_s,
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--on", default="local")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pause-s", type=float, default=0.02)
    parser.add_argument("--shards", default="")
    parser.add_argument("--broken", action="store_true")
    options = parser.parse_args()
    launch = LaunchSettings(
        on=options.on, workers=options.workers, threads=1, shards=options.shards
    )
    recipe = recipe_of(options.source, options.run, pause_s=options.pause_s)
    if options.broken:
        recipe = BrokenRecipe(**{one.name: getattr(recipe, one.name) for one in fields(recipe)})
    try:
        for _ in score_on(recipe, launch):
            pass
    except DselError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    # What workers unpickle is in the module of that name, not in this program.
    from support.faulty import main as main_of_module

    sys.exit(main_of_module())
