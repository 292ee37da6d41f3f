"""Adapt a prior to a dataset with LoRA, and measure what it knows of the classes before and after.

The measure is the label AUC of `dsel.core.label_auc`, on images that are held out.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from dsel.config import AdaptSettings, PriorSettings, ScoreSettings
from dsel.config.base import fingerprint
from dsel.core.label_auc import LabelAuc, label_aucs, overall_auc
from dsel.data.images import to_proxy
from dsel.errors import PriorError, UnreadableImage
from dsel.locks import locked
from dsel.pipeline.knowledge import DRAWS, PREFERRED, chosen_images, groups_of
from dsel.types import Dataset, Done, Event, ImageRef, Notice, Pixels, Progress, Skipped, Started

if TYPE_CHECKING:
    from dsel.priors.base import PipelinePrior
    from dsel.priors.scorer import Scorer

GROUP: Final = 10
"""Classes whose names an image is compared under."""

MOST_SHARE: Final = 5
"""One in so many images of a class is held out at most."""


def open_adaptable(settings: PriorSettings) -> PipelinePrior:
    """Load a prior to adapt, run by torch; raises what `dsel.priors.load_prior` raises."""
    from dsel.priors import load_prior
    from dsel.priors.base import PipelinePrior

    prior = load_prior(settings.replace(backend="torch"))
    if not isinstance(prior, PipelinePrior):
        raise PriorError(f"{prior.name} is no diffusers pipeline")
    return prior


@dataclass(frozen=True, slots=True)
class _Read:
    """Reads images as the prior sees them: squares of so many pixels."""

    side_px: int
    settings: AdaptSettings

    def __call__(self, dataset: Dataset, ref: ImageRef) -> Pixels:
        return to_proxy(dataset.read(ref), self.side_px, self.settings.fit, 0).pixels


def adapt(
    dataset: Dataset, prior: PipelinePrior, settings: AdaptSettings, out: Path
) -> Iterator[Event]:
    """Train LoRA weights for a prior, and save them at `out` for `--lora`; resumes.

    Raises `PriorError` for a prior without LoRA, `StorageError` if `out` has other files or another
    process trains there, and `RunError` if it was trained with other settings, data or prior.
    """
    from dsel.priors.scorer import Scorer
    from dsel.priors.training.lora import check_adaptable

    check_adaptable(prior)
    how = ScoreSettings(
        timesteps=PREFERRED, draws=DRAWS, prompt=settings.prompt, fit=settings.fit,
        noise_seed=settings.seed,
    )  # fmt: skip
    scorer = Scorer(prior, dataset.names, how)
    scorer.check_classes(range(len(dataset.classes)))
    yield from locked(out, _adapt(dataset, prior, settings, out, scorer))


def _adapt(
    dataset: Dataset, prior: PipelinePrior, settings: AdaptSettings, out: Path, scorer: Scorer
) -> Iterator[Event]:
    from dsel.priors.known_classes import write_known_classes
    from dsel.priors.training.folder import claim
    from dsel.priors.training.loop import cpu_settings, read_losses
    from dsel.priors.training.lora import LoraTraining, add_layers, save_lora, train_lora
    from dsel.priors.weights import WORK

    # Not the number of images: the same checkpoint may be trained for longer.
    identity = fingerprint(
        "adapt", settings.replace(images=1), dataset.fingerprint, prior.fingerprint,
        prior.precision, prior.resolution_px,
    )  # fmt: skip
    claim(out, identity)
    held_out, rest = split(dataset, settings)
    measured = any(held_out)
    if not measured and settings.held_out:
        yield Notice(
            f"no class has {MOST_SHARE} images, so that none is held out, and whether the prior "
            "tells the classes apart is not measured"
        )
    read = _Read(prior.resolution_px, settings)
    before = yield from _label_auc(dataset, scorer, held_out, read, "before")
    training = LoraTraining(dataset, rest, settings, out, identity)
    with cpu_settings(settings.threads):
        parameters = add_layers(prior, settings)
        yield from train_lora(prior, parameters, training)
    file = save_lora(prior, out)
    write_known_classes(out, dataset.classes)
    after = yield from _label_auc(dataset, scorer, held_out, read, "after")
    if measured and after[0] <= before[0]:
        yield Notice(
            f"the adapted prior does not tell the classes apart better (AUC {after[0]:.3f} after, "
            f"{before[0]:.3f} before): train on more images, or adapt all layers"
        )
    figures: dict[str, float | int | str] = {"images": len(rest), "lora": str(file)}
    for name, (auc, error) in (("before", before), ("after", after)):
        if not math.isnan(auc):
            figures |= {f"auc_{name}": round(auc, 4), f"auc_{name}_error": round(error, 4)}
    losses = read_losses(out / WORK / "lora.jsonl")
    yield Done("adapt", figures | ({"loss": losses[-1]["loss"]} if losses else {}))


def split(dataset: Dataset, settings: AdaptSettings) -> tuple[list[list[ImageRef]], list[ImageRef]]:
    """Return the images of each class that are held out, and all others in dataset order.

    Which ones follows from the seed and the ids.
    """
    by_class: list[list[ImageRef]] = [[] for _ in dataset.classes]
    for ref in dataset.refs:
        by_class[ref.class_index].append(ref)
    held_out = [
        chosen_images(refs, min(settings.held_out, len(refs) // MOST_SHARE), settings.seed)
        for refs in by_class
    ]
    ids = {ref.id for refs in held_out for ref in refs}
    return held_out, [ref for ref in dataset.refs if ref.id not in ids]


def _label_auc(
    dataset: Dataset, scorer: Scorer, held_out: Sequence[Sequence[ImageRef]], read: _Read, when: str
) -> Generator[Event, None, tuple[float, float]]:
    """Measure how well the prior tells the classes apart: the AUC and its standard error."""
    counts = [len(refs) for refs in held_out]
    if not any(counts):
        return math.nan, math.nan
    yield Started(f"measure {when}", sum(counts), "images")
    found: list[LabelAuc] = []
    for group in groups_of(counts, GROUP, read.settings.seed):
        losses = {index: np.zeros((0, len(group))) for index in group}
        for ref in (ref for index in group for ref in held_out[index]):
            yield Progress()
            try:
                pixels = read(dataset, ref)
            except UnreadableImage as reason:
                yield Skipped(ref, str(reason))
                continue
            under = scorer.label_losses(ref, pixels, group, PREFERRED, range(DRAWS))  # (K, T)
            row = (under / under.mean(axis=0)).mean(axis=1)
            losses[ref.class_index] = np.vstack([losses[ref.class_index], row])
        found += label_aucs([losses[index] for index in group])
    return overall_auc(found)
