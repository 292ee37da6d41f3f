"""What workers are given to do, and who lets them do it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, TypeAlias

from dsel.runs import Run
from dsel.runs.knowledge import KnowledgePlan
from dsel.runs.rounds import Further
from dsel.types import Event

Notes: TypeAlias = Mapping[str, Sequence[str]]
"""What decoding has to say, with the ids of the images of which it does."""


@dataclass(frozen=True, slots=True)
class ShardTask:
    """Score a shard: all images with the first draws, or in a round some with further ones.

    chosen and before: the further draws of each image, and its checksum in the first pass. The
    result is `Notes`.
    """

    shard: int
    round: int = 0
    chosen: Mapping[str, Further] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The name of what it belongs to, as events have it."""
        return "round" if self.round else "score"


@dataclass(frozen=True, slots=True)
class NamesTask:
    """Score one picture, which each class of the run has, under the names of all classes.

    shards: those that are written. The result is `Notes`.
    """

    shards: Sequence[int]
    shard: int = 0
    round: int = 0
    stage: str = "score"


@dataclass(frozen=True, slots=True)
class KnowledgeTask:
    """Measure what the prior knows of a group of classes, from the ids of images of each.

    shard: the number of the group. The result is the `LabelAuc` of each class by its index.
    """

    shard: int
    plan: KnowledgePlan
    images: Mapping[int, Sequence[str]]
    round: int = 0
    stage: str = "knowledge"


@dataclass(frozen=True, slots=True)
class BoxesTask:
    """Store the true boxes that come with a dataset in the finished run; the result is nothing."""

    shard: int = -1
    round: int = 0
    stage: str = "boxes"


@dataclass(frozen=True, slots=True)
class PrepareTask:
    """Create the run, or resume it; the result is nothing."""

    shard: int = -1
    round: int = 0
    stage: str = "open"


Work: TypeAlias = ShardTask | NamesTask | KnowledgeTask | BoxesTask
Task: TypeAlias = Work | PrepareTask


class Runner(Protocol):
    """Runs tasks, in this process or in others; used as a context, which ends its workers.

    workers: how many there are. images, calls and seconds: what they have scored, calls of the
    prior, and the time in these, of all workers together.
    """

    workers: int

    @property
    def images(self) -> int:
        """Images scored."""

    @property
    def calls(self) -> int:
        """Calls of the prior."""

    @property
    def seconds(self) -> float:
        """Seconds in these calls."""

    def prepare(self) -> Generator[Event, None, Run]:
        """Create the run, or resume it, and let one of the workers choose its backend."""

    def run(self, tasks: Sequence[Work]) -> Generator[Event, None, list[Any]]:
        """Run tasks; returns their results in order.

        Raises `RunError` once all others are done if some could not be; fields: path, failed.
        """

    def __enter__(self) -> Runner: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...  # fmt: skip
