"""Rounds of further draws: each chooses, from what is stored, the images on which the set depends.

The choice of a round is a function of the finished rounds before it and of nothing else, so that an
interrupted run makes the same choices again, and any process that sees the files makes them too.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

import numpy as np

from dsel.core.adaptive import needing_draws, next_draws
from dsel.errors import DamageError
from dsel.pipeline.scoring_loop import round_pass
from dsel.pipeline.tasks import Runner
from dsel.runs import Run
from dsel.runs.rounds import Further, Rounds
from dsel.runs.run import SUMMARY
from dsel.types import Event, Progress, Started


def further_rounds(run: Run, runner: Runner) -> Generator[Event, None, Rounds]:
    """Spend further draws until no image needs any, or those that do have the most that they may.

    Call it once all images have the first draws. Returns the shards of each round.
    """
    rounds, settings = Rounds(), run.identity.settings
    if settings.most_draws <= settings.draws:
        return rounds
    if (yield from _are_whole(run)):
        return run.summary.rounds
    classes: Iterable[int] = range(len(run.identity.classes))
    while chosen := (yield from _choose(run, rounds, sorted(classes))):
        shards = yield from round_pass(run, runner, len(rounds) + 1, chosen)
        rounds = (*rounds, shards)
        # Another class has the same scores as before, and would choose none again.
        classes = {row.class_index for row in run.images if row.id in chosen}
    return rounds


def _are_whole(run: Run) -> Generator[Event, None, bool]:
    """Read the rounds of a finished run; one with a damaged file is an unfinished one again."""
    if not (run.path / SUMMARY).exists():
        return False
    try:
        rounds = run.summary.rounds
    except DamageError:
        return False  # the summary is written again, and opening the run said so
    found = [(number, shard) for number, of in enumerate(rounds, start=1) for shard in of]
    if found:
        yield Started("verify", len(found), "shards")
    whole = True
    for number, shard in found:
        try:
            run.round_files.check(number, shard)
        except DamageError:
            whole = False  # its round says so
        yield Progress()
    if not whole:
        run.reopen()
    return whole


def _choose(
    run: Run, rounds: Rounds, classes: list[int]
) -> Generator[Event, None, dict[str, Further]]:
    """Return what each image gets in the next round, by id, from the rounds before."""
    settings, geometry = run.identity.settings, run.first_geometry
    failed = {image_id for header in run.round_files.headers(rounds) for image_id in header.failed}
    yield Started("choose", len(classes), "classes")
    chosen: dict[str, Further] = {}
    for index in classes:
        scores = run.class_scores(index, rounds)
        if scores.ids:
            needs = needing_draws(scores, geometry, settings, run.copies)
            may = scores.draws < settings.most_draws
            for row in np.flatnonzero(may & (needs.place | needs.box)).tolist():
                if scores.ids[row] not in failed:
                    draws = next_draws(int(scores.draws[row]), settings.most_draws)
                    chosen[scores.ids[row]] = Further(draws, bool(needs.box[row]))
        yield Progress()
    return chosen
