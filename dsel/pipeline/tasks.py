"""What workers are given to do, and who lets them do it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

from dsel.config import EvaluateSettings, SelectSettings
from dsel.runs import Run
from dsel.runs.knowledge import KnowledgePlan
from dsel.runs.rounds import Further
from dsel.types import Event

if TYPE_CHECKING:
    from dsel.pipeline.background import BackgroundWriter

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

    @property
    def label(self) -> str:
        """What people read."""
        return f"shard {self.shard}" + (f" of round {self.round}" if self.round else "")


@dataclass(frozen=True, slots=True)
class NamesTask:
    """Score one picture, which each class of the run has, under the names of all classes.

    shards: those that are written. The result is `Notes`.
    """

    shards: Sequence[int]
    shard: int = 0
    round: int = 0
    stage: str = "score"
    label: str = "the picture under its names"


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

    @property
    def label(self) -> str:
        """What people read."""
        return f"group {self.shard} of classes"


@dataclass(frozen=True, slots=True)
class BoxesTask:
    """Store the true boxes that come with a dataset in the finished run; the result is nothing."""

    shard: int = -1
    round: int = 0
    stage: str = "boxes"
    label: str = "the storing of true boxes"


@dataclass(frozen=True, slots=True)
class PrepareTask:
    """Create the run, or resume it; the result is nothing."""

    shard: int = -1
    round: int = 0
    stage: str = "open"
    label: str = "the preparation"


@dataclass(frozen=True, slots=True)
class HeldOutTask:
    """Read held-out images at a size, and store them for all workers; the result is nothing."""

    image_px: int
    shard: int = -1
    round: int = 0
    stage: str = "held-out images"
    label: str = "reading the held-out images"


@dataclass(frozen=True, slots=True)
class WantedSet:
    """A set to compose for students.

    seed: of a baseline's random choices. settings: of the students. select: by which the set is
    selected; None is the evaluated set's own.
    """

    name: str
    ipc: int
    seed: int
    settings: EvaluateSettings
    select: SelectSettings | None = None

    @property
    def label(self) -> str:
        """What people read."""
        return f"{self.name} at IPC {self.ipc}"


@dataclass(frozen=True, slots=True)
class ComposeTask:
    """Compose a set; the result is its `SetFacts`."""

    wanted: WantedSet
    shard: int
    round: int = 0
    stage: str = "compose"

    @property
    def label(self) -> str:
        """What people read."""
        return f"the set {self.wanted.label}"


@dataclass(frozen=True, slots=True)
class StudentTask:
    """Train a student of a set, and store it; the result is a `Trained`.

    shard: its number among the tasks.
    """

    wanted: WantedSet
    seed: int
    shard: int
    round: int = 0
    stage: str = "students"

    @property
    def label(self) -> str:
        """What people read."""
        return f"student {self.seed} of {self.wanted.label}"


ScoreWork: TypeAlias = ShardTask | NamesTask | KnowledgeTask | BoxesTask
StudentWork: TypeAlias = HeldOutTask | ComposeTask | StudentTask
Work: TypeAlias = ScoreWork | StudentWork
Task: TypeAlias = Work | PrepareTask


@dataclass(frozen=True, slots=True)
class Finished:
    """A task is done: its number among those that are run, and its result."""

    number: int
    result: Any


class Worker(Protocol):
    """Does tasks, one at a time; close it after use.

    images, calls and seconds: what it has scored, calls of the prior, and the time in these.
    """

    @property
    def images(self) -> int:
        """Images scored."""

    @property
    def calls(self) -> int:
        """Calls of the prior."""

    @property
    def seconds(self) -> float:
        """Seconds in these calls."""

    def work(self, task: Any, writer: BackgroundWriter) -> Generator[Event, None, Any]:
        """Do a task; returns its result."""

    def close(self) -> None:
        """End what the worker has begun."""


class WorkerRecipe(Protocol):
    """All that a worker needs, wherever it runs: a frozen record, which is sent to its process."""

    @property
    def path(self) -> Path:
        """The folder in which workers say what they do."""

    @property
    def device(self) -> str:
        """The device of the model."""

    def on(self, device: str) -> Self:
        """Return the same on another device."""

    def with_threads(self, threads: int) -> Self:
        """Return the same with so many threads of torch; 0 leaves their number as it is."""

    def open(self) -> Worker:
        """Open and load all of it."""


class TaskRunner(Protocol):
    """Runs tasks, in this process or in others; used as a context, which ends its workers.

    workers: how many there are.
    """

    workers: int

    def stream(self, tasks: Sequence[Work]) -> Generator[Event | Finished, None, None]:
        """Run tasks; yields the end of each among the events.

        Raises `RunError` once all others are done if some could not be; fields: path, failed.
        """

    def run(self, tasks: Sequence[Work]) -> Generator[Event, None, list[Any]]:
        """Run tasks; returns their results in order. Raises `RunError` like `stream`."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...  # fmt: skip


class Runner(TaskRunner, Protocol):
    """Runs the tasks of a run that is scored.

    images, calls and seconds: those of all workers together; see `Worker`.
    """

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


def collected(
    stream: Generator[Event | Finished, None, None], count: int
) -> Generator[Event, None, list[Any]]:
    """Pass the events of `count` tasks on; returns their results in order."""
    results: list[Any] = [None] * count
    for event in stream:
        if isinstance(event, Finished):
            results[event.number] = event.result
        else:
            yield event
    return results
