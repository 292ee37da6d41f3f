"""The stages in order, as generators of events: score, select, export."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dsel import __version__
from dsel.compose import Cut, compose_class, shortfall
from dsel.config import (
    ExportSettings,
    ScoreSettings,
    SelectSettings,
    SourceSettings,
    restore,
    result_settings,
)
from dsel.datasets import open_dataset
from dsel.errors import DselError, RunError, SettingError, UnreadableImage
from dsel.exports import Export, write_image_folder
from dsel.groups import layout
from dsel.pictures import crop, decode, encode, thumbnail, to_proxy
from dsel.records import (
    ClassSelection,
    Dataset,
    Distilled,
    Done,
    Event,
    Geometry,
    ImageRef,
    Notice,
    Patch,
    Pixels,
    Prior,
    Progress,
    Proxy,
    Skipped,
    Started,
)
from dsel.runs import Identity, Run, create_run
from dsel.selection import locate_class, patch_size, select_class, timestep_columns
from dsel.tables import ShardRow

if TYPE_CHECKING:
    from dsel.scoring import Scorer

PROXY_QUALITY = 90
THUMBNAIL_PX = 96
LOOK_AHEAD = 16
"""Pictures decoded ahead of the prior: enough to hide the slowest, few enough to stay small."""

LIBRARIES = ("numpy", "pillow", "scikit-learn", "torch", "umap-learn")


def identity_of(dataset: Dataset, prior: Prior, settings: ScoreSettings) -> Identity:
    """What the run of this dataset, prior and settings follows from."""
    return Identity(
        classes=dataset.classes,
        dataset_fingerprint=dataset.fingerprint,
        dataset_origin=dict(dataset.origin),
        images=len(dataset.refs),
        prior=prior.name,
        prior_fingerprint=prior.fingerprint,
        resolution_px=prior.resolution_px,
        cell_px=prior.cell_px,
        precision=prior.precision,
        settings=settings,
    )


def score(dataset: Dataset, prior: Prior, path: Path, settings: ScoreSettings) -> Iterator[Event]:
    """Score every image into the run at `path`, going on where an earlier call stopped.

    Figures: images, skipped, model_calls, images_per_s, model_share (of the wall time).
    """
    from dsel.scoring import Scorer  # torch: only where images are scored

    scorer = Scorer(prior, dataset.classes, settings)  # first: it refuses what does not fit
    run = create_run(path, identity_of(dataset, prior, settings))
    finished = set(run.finished_shards())
    shards = _shards(dataset.refs, settings.shard_size)
    done = sum(len(shards[number]) for number in finished)
    yield Started("score", len(dataset.refs), "images", done)
    began = time.perf_counter()
    with ThreadPoolExecutor(settings.decoders) as pool:
        look = _Look(prior.resolution_px, settings, pool)
        for number, refs in enumerate(shards):
            if number not in finished:
                rows = yield from _score_shard(dataset, scorer, refs, look)
                run.write_shard(number, rows)
    seconds = time.perf_counter() - began
    run.finish()
    yield from _fit_layouts(run)
    scored = len(dataset.refs) - done
    yield Done(
        "score",
        {
            "images": run.summary.scored,
            "skipped": run.summary.skipped,
            "model_calls": scorer.calls,
            "images_per_s": round(scored / seconds, 3) if scored else 0.0,
            "model_share": round(scorer.seconds / seconds, 4) if scored else 0.0,
        },
    )


def refuse_unfit(
    prior: Prior, score: ScoreSettings, select: SelectSettings, export: ExportSettings
) -> None:
    """Raise `SettingError` for what a run of this prior could not give, before it is scored."""
    scales = np.ones(len(score.timesteps), np.float32)
    geometry = Geometry(score.timesteps, scales, prior.cell_px, prior.resolution_px)
    patch_size(select, geometry)
    timestep_columns(select.timesteps, score.timesteps)
    _check_image_px(export.image_px or prior.resolution_px, select.factor)


def select(run: Run, settings: SelectSettings) -> Iterator[Event]:
    """Locate, group and rank the patches of every class, and keep them as the current selection."""
    classes = run.identity.classes
    yield Started("select", len(classes), "classes")
    selections = []
    for index in range(len(classes)):
        selected = select_class(run.class_scores(index), run.geometry, settings)
        selections.append(selected)
        if lack := shortfall(selected, settings):
            yield Notice(lack)
        yield Progress()
    run.write_selection(settings, selections)
    yield Done(
        "select",
        {
            "classes": len(classes),
            "patches": sum(len(s.patches) for s in selections),
            "images": sum(min(settings.ipc, len(s.images)) for s in selections),
            "selection": run.selection_name(settings),
        },
    )


def export(
    run: Run,
    out: Path,
    settings: ExportSettings,
    selection: str = "",
    also_ours: Sequence[str] = (),
) -> Iterator[Event]:
    """Compose the images of a kept selection, by default the current one, into an image folder."""
    select_settings, selections = run.read_selection(selection)
    yield from export_selections(run, selections, select_settings, out, settings, also_ours)


def export_selections(
    run: Run,
    selections: Sequence[ClassSelection],
    select_settings: SelectSettings,
    out: Path,
    settings: ExportSettings,
    also_ours: Sequence[str] = (),
) -> Iterator[Event]:
    """Compose the images of any selections into an image folder; nothing is written to the run."""
    dataset, why = _source_of(run, settings)
    if why:
        yield Notice(why)
    image_px = settings.image_px or run.identity.resolution_px
    plan = Export(
        classes=run.identity.classes,
        selections=selections,
        select=select_settings,
        settings=settings,
        image_px=image_px,
        pixels="source" if dataset else "proxy",
        facts=_facts(run, select_settings),
    )
    _check_image_px(image_px, select_settings.factor)
    cut = _source_cutter(run, dataset) if dataset else _proxy_cutter(run)

    def images() -> Iterator[Distilled]:
        for selected in selections:
            yield from compose_class(selected, select_settings, image_px, cut)

    yield from write_image_folder(plan, images(), out, also_ours)


@dataclass(frozen=True, slots=True)
class _Picture:
    """A decoded picture and the WebP bytes that the run keeps of it."""

    proxy: Proxy
    proxy_bytes: bytes
    thumbnail_bytes: bytes


def _score_shard(
    dataset: Dataset, scorer: Scorer, refs: Sequence[ImageRef], look: _Look
) -> Generator[Event, None, list[ShardRow]]:
    """Score one shard's images in order; pictures are decoded ahead while the prior works."""
    rows: list[ShardRow] = []
    for ref, picture in zip(refs, _read_ahead(dataset, refs, look), strict=True):
        row = _score_row(ref, picture, scorer)
        if row.reason:
            yield Skipped(ref, row.reason)
        rows.append(row)
        yield Progress()
    return rows


def _score_row(ref: ImageRef, picture: _Picture | str, scorer: Scorer) -> ShardRow:
    if isinstance(picture, str):
        return ShardRow(ref, picture)
    try:
        score = scorer.score(ref, picture.proxy.pixels)
    except UnreadableImage as reason:
        return ShardRow(ref, str(reason))
    return ShardRow(
        ref, "", picture.proxy.frame, picture.proxy_bytes, picture.thumbnail_bytes, score
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """How pictures become proxies, and the threads that do it."""

    resolution_px: int
    settings: ScoreSettings
    pool: ThreadPoolExecutor


def _read_ahead(
    dataset: Dataset, refs: Sequence[ImageRef], look: _Look
) -> Iterator[_Picture | str]:
    """The pictures in order, or the reason against each, at most `LOOK_AHEAD` of them waiting."""
    waiting: deque[Future[_Picture | str]] = deque()
    for ref in refs:
        waiting.append(look.pool.submit(_read, dataset, ref, look))
        if len(waiting) > LOOK_AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _read(dataset: Dataset, ref: ImageRef, look: _Look) -> _Picture | str:
    try:
        pixels = dataset.read(ref)
    except UnreadableImage as reason:
        return str(reason)
    height, width = pixels.shape[:2]
    if min(height, width) < look.settings.min_side_px:
        return (
            f"is {width} x {height} px: the shorter side must be at least "
            f"{look.settings.min_side_px} px (--min-side-px)"
        )
    proxy = to_proxy(pixels, look.resolution_px, look.settings.fit)
    small = thumbnail(proxy.pixels, THUMBNAIL_PX)
    return _Picture(
        proxy, encode(proxy.pixels, "webp", PROXY_QUALITY), encode(small, "webp", PROXY_QUALITY)
    )


def _shards(refs: Sequence[ImageRef], size: int) -> list[Sequence[ImageRef]]:
    return [refs[start : start + size] for start in range(0, len(refs), size)]


def _fit_layouts(run: Run) -> Iterator[Event]:
    """Place each class's images in the plane, by the features of their default patches."""
    missing = [
        index for index in range(len(run.identity.classes)) if run.read_layout(index) is None
    ]
    if missing:
        yield Started("layout", len(missing), "classes")
    for index in missing:
        scores = run.class_scores(index)
        places = np.zeros((0, 2), np.float32)
        if scores.ids:
            located = locate_class(scores, run.geometry, SelectSettings())
            places = layout(located.features, run.identity.settings.noise_seed)
        run.write_layout(index, places)
        yield Progress()


def _check_image_px(image_px: int, factor: int) -> None:
    if image_px < factor:
        raise SettingError(
            f"image px must be at least {factor} for {factor} x {factor} mosaics, got {image_px}"
        )


def _source_of(run: Run, settings: ExportSettings) -> tuple[Dataset | None, str]:
    """The run's source if its pixels are wanted and there, and a line where they are missed."""
    if settings.pixels == "proxy":
        return None, ""
    try:
        dataset = open_origin(run)
    except DselError as error:
        if settings.pixels == "source":
            raise RunError(f"the source's pixels cannot be had: {error}") from error
        return None, f"cutting from the run's proxies, since the source cannot be read: {error}"
    if dataset.fingerprint == run.identity.dataset_fingerprint:
        return dataset, ""
    why = "the source has changed since the run was scored"
    if settings.pixels == "source":
        raise RunError(f"{why}: score it again, or take --pixels proxy")
    return None, f"cutting from the run's proxies, since {why}"


def open_origin(run: Run) -> Dataset:
    """Open the dataset that a run was scored from; raises `SourceError` if it is gone."""
    origin = dict(run.identity.dataset_origin)
    source = str(origin.pop("source"))
    return open_dataset(source, restore(SourceSettings, origin))


def _source_cutter(run: Run, dataset: Dataset) -> Cut:
    by_id = {ref.id: ref for ref in dataset.refs}
    frames = {row.id: row.frame for row in run.images}

    def read(image_id: str) -> Pixels:
        try:
            pixels = dataset.read(by_id[image_id])
        except UnreadableImage as reason:
            raise RunError(f"{image_id} {reason}: mend it, or take --pixels proxy") from reason
        frame = frames[image_id]
        if frame is None or pixels.shape[:2] != (frame.source_height, frame.source_width):
            raise RunError(
                f"{image_id} has changed since the run was scored: score it again into a new run, "
                "or take --pixels proxy"
            )
        return pixels

    # A class's patches may come from one large picture several times over.
    read_once = lru_cache(4)(read)

    def cut(patch: Patch, width_px: int, height_px: int) -> Pixels:
        return crop(read_once(patch.image_id), patch.source_box, width_px, height_px)

    return cut


def _proxy_cutter(run: Run) -> Cut:
    by_id = {row.id: row for row in run.images}

    def cut(patch: Patch, width_px: int, height_px: int) -> Pixels:
        try:
            proxy = decode(run.pictures([by_id[patch.image_id]], "proxy")[0])
        except UnreadableImage as reason:
            raise RunError(
                f"the proxy of {patch.image_id} {reason}: score it again into a new run"
            ) from reason
        return crop(proxy, patch.box, width_px, height_px)

    return cut


def _facts(run: Run, settings: SelectSettings) -> dict[str, Any]:
    identity = run.identity
    return {
        "dsel": __version__,
        "versions": {name: version(name) for name in LIBRARIES},
        "run": identity.fingerprint,
        "selection": run.selection_name(settings),
        "prior": {"name": identity.prior, "fingerprint": identity.prior_fingerprint},
        "dataset": {
            "fingerprint": identity.dataset_fingerprint,
            "origin": dict(identity.dataset_origin),
        },
        "score": result_settings(identity.settings) | {"precision": identity.precision},
    }
