"""Advice: a short search for the settings that train the best students on validation images.

Successive halving (Jamieson and Talwalkar, arXiv 1502.07943): all candidates get a few short
trainings, the better half gets longer ones and more of them, and so on. The best candidate is then
compared with random whole images by further students, which took no part in the search.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from dsel import __version__
from dsel.analysis.sweep import dsels_own, text_of_baseline
from dsel.cache import SHARED
from dsel.config import AdviseSettings, SelectSettings
from dsel.config.base import fingerprint
from dsel.config.shell import select_command
from dsel.errors import SettingError
from dsel.locks import locked
from dsel.pipeline.evaluation_rows import REFERENCE
from dsel.pipeline.selector import Selector
from dsel.pipeline.trials import Attempt, Trial, Trials
from dsel.pipeline.verdicts import kind_of, p_text, points
from dsel.runs import Run
from dsel.runs.advice import Advice, Candidate, Rung, write_advice
from dsel.runs.evaluations import FOLDER as EVALUATIONS
from dsel.students.statistics import welch_p
from dsel.types import Done, Event, Notice, Started

_WHOLE: Final = MappingProxyType({"cut": "whole", "rank_by": "picture", "within": "score"})
_CENTRAL: Final = MappingProxyType({**_WHOLE, "within": "centroid"})
_BEST_HALF: Final = MappingProxyType({**_CENTRAL, "drop_lowest": 0.5})
_PATCH: Final = MappingProxyType({"rank_by": "patch", "within": "score"})

CANDIDATES: Final[tuple[Mapping[str, Any], ...]] = tuple(
    MappingProxyType({"drop_lowest": 0.0, **kind, "factor": factor})
    for kind in (
        _WHOLE,
        _CENTRAL,
        _BEST_HALF,
        {**_PATCH, "cut": "whole"},
        {**_PATCH, "cut": "context"},
        {**_PATCH, "cut": "patch"},
    )
    for factor in (2, 1)
)
"""What the candidates change of the selection, which is a candidate itself."""

FINAL_SEED: Final = 1_000_000
"""Added to the seeds of the students that compare the best candidate with random images."""


def candidates(select: SelectSettings, most: int) -> tuple[SelectSettings, ...]:
    """Return the settings to begin with, the selection's own first, each once.

    Of a baseline's selection, dsel's own ranking with its settings.
    """
    select = dsels_own(select)
    changed = (select.replace(**change) for change in CANDIDATES)
    return tuple(dict.fromkeys((select, *changed)))[:most]


def advise(
    run: Run, select: SelectSettings, settings: AdviseSettings, trials: Trials
) -> Iterator[Event]:
    """Search for the best settings, and store the advice in the run; `Done` names it.

    The same call again resumes. Raises `StorageError` while another process trains students in the
    run.
    """
    with trials:
        yield from locked(run.path / EVALUATIONS, _advise(run, select, settings, trials))


def _advise(
    run: Run, select: SelectSettings, settings: AdviseSettings, trials: Trials
) -> Iterator[Event]:
    fitting, notices = _fitting(run, candidates(select, settings.candidates))
    if select.baseline != "none":
        notices.append(text_of_baseline(select))
    yield from map(Notice, (*trials.notices, *notices))
    yield from trials.read()
    yield Started("advise", planned_steps(len(fitting), settings, trials), "steps")
    rungs: list[Rung] = []
    left: Sequence[SelectSettings] = fitting
    for steps, seeds in schedule(settings, trials):
        found = yield from _round(left, steps, seeds, trials)
        rungs.append(Rung(steps, seeds, tuple(_candidate(one, select, t) for one, t in found)))
        left = [one for one, _ in found[: -(-len(found) // 2)]]
    best = left[0]
    final = Attempt(best, seeds=settings.final_seeds, first=FINAL_SEED)
    own, random = yield from trials.run([final, replace(final, name=REFERENCE)])
    advice = _advice(run, select, best, own, random, rungs, settings, trials)
    path = write_advice(run.path, advice)
    yield Done("advise", {"advice": advice.fingerprint, "file": str(path), "text": advice.text})


def schedule(settings: AdviseSettings, trials: Trials) -> tuple[tuple[int, int], ...]:
    """Return the steps and the number of students of each round; the last one has all of them."""
    last = settings.rungs - 1
    return tuple(
        (
            max(1, trials.student.steps >> (last - number)),
            max(1, trials.student.seeds * (number + 1) // settings.rungs),
        )
        for number in range(settings.rungs)
    )


def planned_steps(count: int, settings: AdviseSettings, trials: Trials) -> int:
    """Return the training steps of the whole search over so many candidates."""
    total = 2 * settings.final_seeds * trials.student.steps
    for steps, seeds in schedule(settings, trials):
        total += count * steps * seeds
        count = -(-count // 2)
    return total


def _round(
    left: Sequence[SelectSettings], steps: int, seeds: int, trials: Trials
) -> Generator[Event, None, list[tuple[SelectSettings, Trial]]]:
    """Try the candidates that are left; returns them with their trials, the best first."""
    found = yield from trials.run([Attempt(one, steps=steps, seeds=seeds) for one in left])
    return sorted(zip(left, found, strict=True), key=lambda pair: -pair[1].mean)


def _fitting(run: Run, wanted: Sequence[SelectSettings]) -> tuple[list[SelectSettings], list[str]]:
    """Leave out candidates that give too few images; a sentence tells how many."""
    selector = Selector(run, SHARED)
    fitting = [one for one in wanted if _fills(selector, one)]
    if not fitting:
        raise SettingError(
            "the run has too few images for the IPC of its selection: select again with a lower "
            "--ipc"
        )
    short = len(wanted) - len(fitting)
    text = f"{short} candidates are left out, since they give fewer images than IPC"
    return fitting, [text] if short else []


def _fills(selector: Selector, settings: SelectSettings) -> bool:
    every = range(len(selector.classes))
    return all(len(selector.select(c, settings).images) >= settings.ipc for c in every)


def _candidate(settings: SelectSettings, select: SelectSettings, trial: Trial) -> Candidate:
    return Candidate(changes(settings, select), trial.accuracies, trial.mean)


def changes(settings: SelectSettings, select: SelectSettings) -> dict[str, Any]:
    """Return the settings that differ from those of the selection, by name."""
    before = select.plain()
    return {name: value for name, value in settings.plain().items() if value != before[name]}


def _advice(
    run: Run,
    select: SelectSettings,
    best: SelectSettings,
    own: Trial,
    random: Trial,
    rungs: Sequence[Rung],
    settings: AdviseSettings,
    trials: Trials,
) -> Advice:
    difference = own.mean - random.mean
    p_value = welch_p(own.accuracies, random.accuracies)
    better = kind_of(difference, p_value) == "better"
    return Advice(
        fingerprint=fingerprint(
            __version__, run.identity.fingerprint, select, settings, trials.fingerprint
        ),
        validation=trials.validation.source,
        select=best.plain(),
        changes=changes(best, select),
        command=select_command(run.path, best),
        students=len(own.accuracies),
        mean=own.mean,
        sd=own.sd,
        random_mean=random.mean,
        random_sd=random.sd,
        difference=difference,
        p_value=p_value,
        better=better,
        text=advice_text(difference, p_value),
        rungs=tuple(rungs),
    )


def advice_text(difference: float, p_value: float | None) -> str:
    """Say what the best settings are worth."""
    kind, figures = kind_of(difference, p_value), f"{points(difference)} points"
    if p_value is not None:
        figures += f", {p_text(p_value)}"
    if kind == "better":
        return f"these settings train better students than random whole images: {figures}"
    if kind == "worse":
        return f"random whole images are better here than all settings that were tried: {figures}"
    return f"random whole images are as good here: the best settings differ by {figures}"
