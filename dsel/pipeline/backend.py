"""Which backend runs a run's network: the one that began it, the requested or the faster one."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Final

from dsel.errors import PriorError
from dsel.runs import Run, record_backend
from dsel.types import Event, Notice, Prior

if TYPE_CHECKING:
    from dsel.priors.scorer import Scorer

WORTH_A_TRIAL: Final = 4096
"""Evaluations of a run from which on a backend is tried: fewer are done before it is converted.

Of a network with `TRIED_SIZE` weights, the demo prior's. On a processor those of a larger one take
as much longer, and its conversion does not.
"""

TRIED_SIZE: Final = 7_500_000


def settled_backend(run: Run, prior: Prior, scorer: Scorer, is_done: bool) -> Iterator[Event]:
    """Let the run's backend run the prior; choose one and record it if the run has none yet.

    A run goes on with the backend that began it, since another one rounds otherwise: without it,
    resuming raises `PriorError`. Which one a new run gets is in its manifest.
    """
    stored = run.identity.backend
    if stored:
        yield from _at_rest(stored, prior) if is_done else _resumed(stored, prior, scorer)
        return
    chosen = yield from _chosen(run, prior, scorer)
    prior.use_backend(chosen)
    record_backend(run, chosen)


def _at_rest(stored: str, prior: Prior) -> Iterator[Event]:
    """All images are scored; what may be left does not change scores, so torch can compute it."""
    try:
        prior.use_backend(stored)
    except PriorError as error:
        yield Notice(f"torch computes what is left, because the {stored} backend cannot: {error}")


def _resumed(stored: str, prior: Prior, scorer: Scorer) -> Iterator[Event]:
    from dsel.priors.backends import TORCH

    prior.use_backend(stored)
    requested = prior.requested_backend
    if requested not in ("auto", stored):
        yield Notice(
            f"the run was begun with the {stored} backend: it computes the rest, not {requested}, "
            "because another one changes the last digits of scores"
        )
    if stored != TORCH:
        scorer.warm_up()


def _chosen(run: Run, prior: Prior, scorer: Scorer) -> Generator[Event, None, str]:
    from dsel.priors.backends import MIN_SPEEDUP, TOLERANCE, TORCH, differs

    settings, is_free = run.identity.settings, prior.requested_backend == "auto"
    evaluations = run.identity.images * settings.least_evaluations
    backend = prior.backend_to_try
    if backend == TORCH or (is_free and evaluations * _size(prior) < WORTH_A_TRIAL):
        return TORCH
    try:
        trial = scorer.try_backend(backend)
    except PriorError as error:
        yield Notice(f"torch runs the network, because the {backend} backend cannot: {error}")
        return TORCH
    if differs(trial, prior.precision):
        yield Notice(
            f"torch runs the network, because outputs of the {backend} backend differ by "
            f"{trial.difference:.1e} of the largest one, more than {TOLERANCE[prior.precision]}"
        )
        return TORCH
    chosen = TORCH if is_free and trial.speedup < MIN_SPEEDUP else backend
    yield Notice(
        f"{chosen} runs the network: in a trial {backend} was {trial.speedup:.2f} times as fast as "
        "torch"
    )
    return chosen


def _size(prior: Prior) -> float:
    """Return by how much an evaluation of a prior counts."""
    return max(1.0, prior.weights / TRIED_SIZE) if prior.device.type == "cpu" else 1.0
