"""What a report of a run contains: its settings, counts, classes, chosen patches, evaluations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np

from dsel.analysis.evaluations import belongs_to
from dsel.analysis.explorer import Explorer
from dsel.analysis.localization import Localization
from dsel.analysis.patch_view import PatchView
from dsel.analysis.quality import OverallQuality, Quality
from dsel.analysis.report_chart import Chart, accuracy_chart
from dsel.analysis.report_pictures import Kind, data_uri, gradient_of, overlay_uri
from dsel.config import PriorSettings, SelectSettings, SourceSettings
from dsel.config.base import Settings, settings_of
from dsel.config.shell import evaluate_command, score_command, select_command
from dsel.core.best_patches import ranking_errors, ranking_scores
from dsel.pipeline.verdicts import verdicts
from dsel.runs import Run
from dsel.runs.evaluations import Evaluation
from dsel.runs.knowledge import Measured
from dsel.types import Box, Event, Progress, Started

MOST_PICTURES: Final = 400
"""Pictures of a report: more make a file that is slow to open."""

MOST_REASONS: Final = 30
EXAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class Value:
    """A setting: its label, its value, its unit, its help, and whether it is not the default."""

    label: str
    value: Any
    unit: str
    help: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """Why images were skipped: how many, and the first of them."""

    text: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A chosen patch: the thumbnail of its image, the map that locates, and its box in shares.

    score: the one that ranks. high: the value of the map at the upper end of its colours.
    """

    view: PatchView
    score: float
    standard_error: float
    image: str
    overlay: str
    high: float
    box: Box


@dataclass(frozen=True, slots=True)
class ClassPart:
    """A class: counts, figures of its kept set, and its chosen patches, best rank first.

    score: the mean over the kept patches of the score that ranks. standard_error: of that mean,
    over the noise that was drawn. localization: of the chosen patches, None without true boxes.
    shown: chosen patches with a picture; the kept set may have more.
    """

    name: str
    scored: int
    skipped: int
    knowledge: Measured | None
    quality: Quality
    score: float
    standard_error: float
    localization: Localization | None
    shown: tuple[Chosen, ...]


@dataclass(frozen=True, slots=True)
class EvaluationPart:
    """A stored evaluation, with its chart and its verdicts; current: of the report's selection."""

    evaluation: Evaluation
    test: str
    current: bool
    chart: Chart | None
    verdicts: tuple[str, ...]
    notices: tuple[str, ...]
    command: str


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report; `commands` make the run and the selection again.

    gradient: the colours of the maps, as stops of a CSS gradient.
    """

    run: Run
    dataset: str
    prior: str
    select: SelectSettings
    gradient: str
    chosen_settings: tuple[Value, ...]
    score_settings: tuple[Value, ...]
    reasons: tuple[Reason, ...]
    more_reasons: int
    quality: OverallQuality
    classes: tuple[ClassPart, ...]
    localization: tuple[Localization, ...]
    evaluations: tuple[EvaluationPart, ...]
    commands: tuple[str, ...]


def report_of(
    explorer: Explorer,
    settings: SelectSettings,
    evaluations: Sequence[Evaluation],
    shown: int,
    path: Path,
    is_public: bool = False,
) -> Generator[Event, None, Report]:
    """Return the report of a selection of a run, and yield events on the way.

    shown: pictures of each class, at most. path: of the run, as commands name it. is_public: leave
    out the folders of this machine.
    """
    run, names, short = explorer.run, _Names(is_public), _Names(is_public=True)
    identity = run.identity
    reasons = _reasons(run)
    most = min(shown, settings.ipc, max(1, MOST_PICTURES // max(len(identity.classes), 1)))
    left, classes = MOST_PICTURES, []
    yield Started("report", len(identity.classes), "classes")
    for index in range(len(identity.classes)):
        classes.append(_class_part(explorer, index, settings, min(most, left)))
        left -= len(classes[-1].shown)
        yield Progress()
    return Report(
        run=run,
        dataset=short.of(str(identity.dataset_origin.get("source", "unknown"))),
        prior=short.of(identity.prior),
        select=settings,
        gradient=gradient_of(_kind(settings)),
        chosen_settings=_values(settings),
        score_settings=_values(identity.settings),
        reasons=reasons[:MOST_REASONS],
        more_reasons=len(reasons[MOST_REASONS:]),
        quality=explorer.quality_overall(settings),
        classes=tuple(classes),
        localization=explorer.localization_overall(settings),
        evaluations=tuple(_evaluation(run, one, settings, path, names) for one in evaluations),
        commands=_commands(run, settings, path, names),
    )


@dataclass(frozen=True, slots=True)
class _Names:
    """Names sources and priors: by their last part where folders must not be seen."""

    is_public: bool

    def of(self, source: str) -> str:
        return (PurePath(source).name or source) if self.is_public else source

    def within(self, text: str, source: str) -> str:
        return text.replace(source, self.of(source)) if source else text


def _values(settings: Settings) -> tuple[Value, ...]:
    declared = settings_of(type(settings)).values()
    return tuple(
        Value(one.label, value, one.unit, one.help, value != one.default)
        for one in declared
        if one.names_result and one.linked
        for value in (getattr(settings, one.name),)
        if not (one.override and value == one.default)
    )


def _reasons(run: Run) -> tuple[Reason, ...]:
    """Count the skipped images by reason, the most frequent first."""
    ids: dict[str, list[str]] = {}
    for row in run.images:
        if row.reason:
            ids.setdefault(row.reason, []).append(row.id)
    counts = Counter({text: len(found) for text, found in ids.items()})
    return tuple(
        Reason(text, count, tuple(ids[text][:EXAMPLES])) for text, count in counts.most_common()
    )


def _class_part(explorer: Explorer, index: int, settings: SelectSettings, shown: int) -> ClassPart:
    run, selected = explorer.run, explorer.select(index, settings)
    kept = sorted(selected.kept(settings.ipc))
    scores = ranking_scores(selected.patches, settings)[kept]
    errors = ranking_errors(selected.patches, settings)[kept]
    is_class = run.images.class_index == index
    scored = int((is_class & run.images.is_scored).sum())
    located = explorer.localization(index, settings)
    return ClassPart(
        name=explorer.classes[index],
        scored=scored,
        skipped=int(is_class.sum()) - scored,
        knowledge=run.knowledge.classes[index] if run.knowledge else None,
        quality=explorer.quality(index, settings),
        score=float(scores.mean()) if kept else math.nan,
        standard_error=_error_of_mean(errors) if kept else math.nan,
        localization=next((one for one in located if one.kind == "chosen"), None),
        shown=tuple(_chosen(explorer, index, settings, shown)),
    )


def _error_of_mean(errors: Any) -> float:
    """Return the standard error of a mean of scores of images, whose noise is independent."""
    return float(np.sqrt(np.square(errors).sum()) / len(errors))


def _kind(settings: SelectSettings) -> Kind:
    return "signed" if settings.locate == "signed" else "positive"


def _chosen(
    explorer: Explorer, index: int, settings: SelectSettings, most: int
) -> Iterator[Chosen]:
    """Yield the first kept patches of a class by rank."""
    views = [view for image in explorer.distilled(index, settings) for view in image]
    views = sorted({view.rank: view for view in views}.values(), key=lambda view: view.rank)[:most]
    files = explorer.files(index, [view.image_id for view in views], "thumbnail")
    by_patch = settings.rank_by == "patch"
    for view, file in zip(views, files, strict=True):
        values = explorer.maps(index, explorer.row_of(index, view.image_id), settings).combined
        high = float(np.nanmax(np.abs(values), initial=0.0))
        width, height = view.width_px, view.height_px
        yield Chosen(
            view=view,
            score=view.score if by_patch else view.picture_score,
            standard_error=view.standard_error if by_patch else view.picture_standard_error,
            image=data_uri(file, "image/webp"),
            overlay=overlay_uri(values, high, _kind(settings)),
            high=high,
            box=Box(view.box.x / width, view.box.y / height,
                    view.box.width / width, view.box.height / height),
        )  # fmt: skip


def _evaluation(
    run: Run, evaluation: Evaluation, settings: SelectSettings, path: Path, names: _Names
) -> EvaluationPart:
    source, own = evaluation.test.source, str(run.identity.dataset_origin.get("source", ""))
    return EvaluationPart(
        evaluation=evaluation,
        test=names.of(source),
        current=belongs_to(evaluation, settings),
        chart=accuracy_chart(evaluation.rows),
        verdicts=verdicts(evaluation),
        notices=tuple(names.within(names.within(text, source), own) for text in evaluation.notices),
        command=evaluate_command(path, names.of(source), evaluation.settings),
    )


def _commands(run: Run, settings: SelectSettings, path: Path, names: _Names) -> tuple[str, ...]:
    """Return the commands that make the run and the selection again."""
    identity = run.identity
    origin: dict[str, Any] = dict(identity.dataset_origin)
    source = names.of(str(origin.pop("source", "SOURCE")))
    prior: Mapping[str, Any] = {"prior": identity.prior, **identity.prior_origin}
    shown = {name: names.of(v) if isinstance(v, str) else v for name, v in prior.items()}
    score = score_command(
        source, path, SourceSettings.from_plain(origin), PriorSettings.from_plain(shown),
        identity.settings,
    )  # fmt: skip
    return score, select_command(path, settings)
