"""From scores to ranked patches: the steps of a selection, composed once for every caller."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from dsel.cache import Cache, bytes_of
from dsel.config import SelectSettings
from dsel.config.overrides import KnownIds
from dsel.core.baselines.base import Choice, Teacher
from dsel.core.baselines.registry import BASELINES, choose
from dsel.core.baselines.selection import baseline_selection, pool_of
from dsel.core.clustering import Clusters, cluster_patches
from dsel.core.gap_maps import MapKind, Maps, combined_maps
from dsel.core.overrides import check_overrides
from dsel.core.patch_features import Featurizer
from dsel.core.selection import (
    Located,
    Scored,
    locate_class,
    rank_class,
    score_class,
    score_pictures,
    without_images,
)
from dsel.errors import DamageError, SettingError, unknown
from dsel.patches import ImageRanks
from dsel.pipeline.confidences import confidence_of
from dsel.pipeline.feature_cache import describer
from dsel.runs import Run, made_again
from dsel.runs.ground_truth import (
    GroundTruth,
    largest_shares,
    read_ground_truth,
)
from dsel.types import ClassImages, ClassScores, ClassSelection

T = TypeVar("T")
DEFAULTS: Final = SelectSettings()

_LOCATED: Final = (
    "timesteps", "locate", "smooth", "patch_px", "stride_px", "per_image", "moves", "features",
    "feature_model",
)  # fmt: skip
_SCORED: Final = (*_LOCATED, "score", "rank_by")
_CLUSTERS: Final = (*_SCORED, "bans", "discriminative_share", "k")
_RANKED: Final = (
    *_CLUSTERS, "pins", "within", "across", "drop_lowest", "factor", "cut", "context",
)  # fmt: skip
_BASELINE: Final = ("baseline", "baseline_seed", "teacher")

READS: Final[Mapping[str, tuple[str, ...]]] = {
    "located": _LOCATED,
    "scored": _SCORED,
    "clusters": _CLUSTERS,
    "selection": _RANKED,
    "choice": (*_SCORED, "bans", "k", *_BASELINE),
    "baseline": (*_CLUSTERS, "factor", "cut", "context", *_BASELINE),
}
"""The settings that each step reads, those of the steps before it included.

`k` is the number of clusters, which follows from `clusters` and `ipc`; IPC matters only there.
`choice` and `baseline` are a baseline's order and its selection; they replace `selection`.
"""


@dataclass(frozen=True, slots=True)
class _Latest:
    """Combined maps, and the timesteps and the smoothing that they are of."""

    how: tuple[tuple[int, ...], float]
    maps: Maps


class Selector:
    """The steps of a selection over one finished run.

    With a cache, each step is cached under the settings that it reads (see `READS`), so that a
    changed setting repeats only the steps that depend on it. Without one, nothing is kept, and a
    selection takes the memory of one class. Methods may be called from any number of threads.

    featurizer: computes features that scoring does not store. teacher: answers the baselines that
    ask one. Without them, what an earlier selection stored in the run is available.
    """

    def __init__(
        self,
        run: Run,
        cache: Cache | None = None,
        featurizer: Featurizer | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        self.run = run
        self.geometry = run.geometry
        self.classes = run.identity.classes
        self._cache = Cache(limit_bytes=0) if cache is None else cache
        self._featurizer = featurizer
        self._teacher = teacher
        self._notices: list[str] = []
        self._owner = object()
        # Cached values belong to this object alone, so closing a run frees them.
        weakref.finalize(self, self._cache.forget, self._owner).atexit = False

    def class_index(self, name: str) -> int:
        """Return the index of a class; raises `SettingError` for an unknown name."""
        if name not in self.classes:
            raise unknown("class", name, self.classes)
        return self.classes.index(name)

    def row_of(self, class_index: int, image_id: str) -> int:
        """Return an image's row in its class; raises `SettingError` if it was not scored."""
        row_of, image_id = self.images(class_index).row_of, self.known_id(image_id)
        if image_id not in row_of:
            name = self.classes[class_index]
            raise SettingError(f"class {name!r} has no scored image {image_id!r}")
        return row_of[image_id]

    def known_id(self, image_id: str) -> str:
        """Return an image's id as the run spells it; an unknown one is returned unchanged."""
        return self._known.find(image_id)

    def with_known_ids(self, settings: SelectSettings) -> SelectSettings:
        """Spell the ids in manual overrides as the run does."""
        overrides = settings.overrides
        return settings.replace(**asdict(self._known.respell(overrides))) if overrides else settings

    def check_overrides(self, settings: SelectSettings) -> None:
        """Raise `SettingError` for manual overrides that do not fit the run."""
        if settings.overrides:
            settings = self.with_known_ids(settings)
            check_overrides(settings, self.geometry, self.run.frames, self.run.copies)

    def notices(self) -> list[str]:
        """Return what was repaired since the last call."""
        found, self._notices = self._notices, []
        return found

    def select(self, class_index: int, settings: SelectSettings) -> ClassSelection:
        """Select the ranked patches of a class, by dsel's own ranking or by a baseline.

        Raises `SettingError` for settings that do not fit the run.
        """
        settings = self.with_known_ids(settings)
        self.check_overrides(settings)
        own = settings.baseline == "none"
        step, make = ("selection", self._select) if own else ("baseline", self._select_baseline)
        return self._cached(
            (step, class_index, narrowed(settings, step)),
            lambda: make(class_index, settings),
            selection_bytes,
            small=True,
        )

    def images(self, class_index: int) -> ClassImages:
        """Return the scored images of a class without their scores."""
        return self.run.class_images(class_index)

    def scores(self, class_index: int) -> ClassScores:
        """Return all scores of a class."""
        name = "scores", class_index
        return self._cached(name, lambda: self.run.class_scores(class_index), scores_bytes)

    def located(
        self, class_index: int, settings: SelectSettings, scores: ClassScores | None = None
    ) -> Located:
        """Locate the patches of all images of a class, with the features that cluster them.

        Banned images have theirs too, so that a ban costs nothing. scores: those of the class, if
        they are at hand.
        """
        return self._cached(
            ("located", class_index, narrowed(settings, "located")),
            lambda: self._locate(
                class_index, settings, self.scores(class_index) if scores is None else scores
            ),
        )

    def scored(
        self, class_index: int, settings: SelectSettings, scores: ClassScores | None = None
    ) -> Scored:
        """Locate a class's patches and score them, without banned images and copies of others."""
        scores = self.scores(class_index) if scores is None else scores
        scored = self._cached(
            ("scored", class_index, narrowed(settings, "scored")),
            lambda: self._score(class_index, settings, scores),
        )
        return without_images(scored, scores.ids, {*settings.bans, *self.run.copies})

    def _select(self, class_index: int, settings: SelectSettings) -> ClassSelection:
        scores = self.scores(class_index)
        scored = self.scored(class_index, settings, scores)
        clusters = self._clusters(class_index, settings, scored)
        return rank_class(scores, scored, clusters, narrowed(settings, "selection"))

    def _select_baseline(self, class_index: int, settings: SelectSettings) -> ClassSelection:
        scores = self.scores(class_index)
        scored = self.scored(class_index, settings, scores)
        return baseline_selection(
            scores,
            scored,
            self._clusters(class_index, settings, scored),
            self._choice(class_index, settings, scores, scored),
            self._maps(class_index, settings.timesteps, settings.score, scores),
            self.geometry,
            narrowed(settings, "baseline"),
        )

    def _choice(
        self, class_index: int, settings: SelectSettings, scores: ClassScores, scored: Scored
    ) -> Choice:
        """Order a class's patches by the baseline of the settings."""
        read = narrowed(settings, "choice")

        def make() -> Choice:
            needs, confidence, shares = BASELINES[read.baseline].needs, None, None
            if needs == "teacher":
                confidence = confidence_of(
                    self.run, settings, scores, self._teacher, self._repaired
                )
            elif needs == "objects":
                shares = self._object_shares(settings, scores)
            return choose(read.baseline, pool_of(scores, scored, read, confidence, shares))

        return self._cached(("choice", class_index, read), make, small=True)

    def _object_shares(self, settings: SelectSettings, scores: ClassScores) -> NDArray[np.float64]:
        """Return the share of each of a class's images that its largest true object covers."""
        truth = self.ground_truth()
        if truth is None:
            raise SettingError(
                f"the baseline {settings.baseline} needs the true objects of the run: put a "
                f"boxes.json in COCO format into {self.run.path}",
                setting="baseline",
            )
        return largest_shares(truth, dict(zip(scores.ids, scores.frames, strict=True)))

    def _locate(self, class_index: int, settings: SelectSettings, scores: ClassScores) -> Located:
        """Locate the patches; features of a model replace those that scoring stored."""
        maps = self._locating_maps(class_index, settings, scores)
        located = locate_class(scores, self.geometry, narrowed(settings, "located"), maps)
        describe = describer(self.run, settings, self._featurizer, self._repaired)
        if describe is None or not len(located.image):
            return located
        return replace(located, features=describe(scores, located))

    def _repaired(self, error: DamageError) -> None:
        self._notices.append(made_again(error))

    def _score(self, class_index: int, settings: SelectSettings, scores: ClassScores) -> Scored:
        located = self.located(class_index, settings, scores)
        maps = self._maps(class_index, settings.timesteps, settings.score, scores)
        read = narrowed(settings, "scored")
        pictures = self._cached(
            ("pictures", class_index, settings.timesteps, settings.score),
            lambda: score_pictures(scores, self.geometry, read, maps),
            small=True,
        )
        return score_class(scores, located, self.geometry, read, maps, pictures)

    def _locating_maps(
        self, class_index: int, settings: SelectSettings, scores: ClassScores | None = None
    ) -> Maps:
        """Combine the maps of a class that locating uses over timesteps."""
        how = settings.timesteps, settings.locate
        return self._maps(class_index, *how, scores, settings.smooth, locating=True)

    def _maps(
        self,
        class_index: int,
        timesteps: tuple[int, ...],
        kind: MapKind,
        scores: ClassScores | None = None,
        smooth: float = 0.0,
        *,
        locating: bool = False,
    ) -> Maps:
        """Combine a class's maps over timesteps, to locate by or to score by.

        Of each kind, those of the last settings alone are cached: they are large, and quickly made.
        """

        def make() -> _Latest:
            of_class = self.scores(class_index) if scores is None else scores
            how = timesteps, kind, smooth
            maps = combined_maps(of_class, self.geometry, *how, locating=locating)
            return _Latest((timesteps, smooth), maps)

        # Without further draws the gap that locates is the one that scores.
        name = "maps", class_index, kind, bool(smooth), locating and bool(self.run.summary.rounds)
        found = self._cached(name, make, lambda made: made.maps.nbytes)
        if found.how != (timesteps, smooth):
            self._cache.drop(self._owner, name)
            found = self._cached(name, make, lambda made: made.maps.nbytes)
        # Another thread may have stored those of other settings meanwhile.
        return found.maps if found.how == (timesteps, smooth) else make().maps

    def _clusters(self, class_index: int, settings: SelectSettings, scored: Scored) -> Clusters:
        read = narrowed(settings, "clusters")
        # Where images have different numbers of draws, scores move with each round.
        strength = scored.located.strength if self.run.summary.rounds else None
        return self._cached(
            ("clusters", class_index, read),
            lambda: cluster_patches(
                scored.located.features,
                scored.ranking,
                read.k,
                read.discriminative_share,
                strength,
            ),
            small=True,
        )

    def _features(
        self, class_index: int, settings: SelectSettings, selected: ClassSelection
    ) -> NDArray[np.float32]:
        """Return the features (P, d) of ranked patches, in their order.

        A baseline's own box has those of the patch that was located in its image, so that figures
        of all selections are in one space.
        """
        scores = self.scores(class_index)
        scored = self.scored(class_index, settings, scores)
        located, positions = scored.located, np.arange(len(scored.patch))
        corners = np.stack([located.x, located.y], axis=1)
        if settings.baseline != "none":
            choice = self._choice(class_index, settings, scores, scored)
            positions = choice.positions
            corners = corners[positions] if choice.boxes is None else choice.boxes[:, :2]
        rows = located.image[positions].tolist()
        places = zip(rows, *corners.T.tolist(), strict=True)
        position = dict(zip(places, positions.tolist(), strict=True))
        patches = selected.patches  # whose images are rows of the class
        ranked = zip(patches.image.tolist(), *patches.box[:, :2].T.tolist(), strict=True)
        return located.features[[position[place] for place in ranked]]

    def ground_truth(self) -> GroundTruth | None:
        """Return the true objects of the run; raises `SourceError` if they cannot be read."""
        path = self.run.objects_path
        if not path.exists():
            return None
        return self._cached(
            ("ground truth",),
            lambda: read_ground_truth(self.run, path),
            # Python's numbers take several times the bytes of their JSON.
            lambda _: 4 * path.stat().st_size,
        )

    @cached_property
    def _known(self) -> KnownIds:
        return KnownIds(self.run.frames)

    def _cached(
        self,
        name: tuple[object, ...],
        make: Callable[[], T],
        weigh: Callable[[T], int] = bytes_of,
        small: bool = False,
    ) -> T:
        return self._cache.get(self._owner, name, make, weigh, small)


def selection_bytes(selected: ClassSelection) -> int:
    """Return the memory of a selection; the ids of images are those of the run."""
    return selected.patches.nbytes + ImageRanks.of(selected.images).table.nbytes


def scores_bytes(scores: ClassScores) -> int:
    """Return the memory of a class's scores once all are read; the run has its ids and frames."""
    return int(scores.features.nbytes) + sum(bucket.nbytes for bucket in scores.buckets)


def narrowed(settings: SelectSettings, step: str) -> SelectSettings:
    """Return the settings that a step reads; all others are at their defaults.

    Steps get no other settings than these, and are cached under them.
    """
    read = {name: getattr(settings, name) for name in READS[step]}
    if "k" in read:
        read["ipc"] = read.pop("k")  # `clusters` of 0 follows it, and IPC has the larger range
    return DEFAULTS.replace(**read)
