"""Tasks of the app's jobs: score a source; export, push, report on, evaluate or advise on a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias

from dsel.config import (
    AdviseSettings,
    EvaluateSettings,
    ExportSettings,
    PriorSettings,
    ScoreSettings,
    SelectSettings,
    SourceSettings,
    StudentSettings,
)
from dsel.config.base import Settings
from dsel.files import place_copy, write_atomically

RUN: Final = "run"
"""The run of a score job, in its folder."""

RUN_WORD: Final = "RUN"
"""Replaces the path of a run in commands for remote visitors."""

SET: Final = "dsel_export.zip"
"""The zip file of an export job, in its folder; a browser saves it by this name."""

REPORT: Final = "dsel-report.html"
"""The file of a report job, in its folder."""


PUSHED: Final = "dataset"
"""The exported set of a push job, in its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTask:
    """Score a source into a run.

    alike: as in `score`, for one picture under several names. workers: as in `LaunchSettings`.
    moved: pairs (file, path in the job's folder), copied there first; written: pairs (path, text).
    `source` is relative to that folder then.
    """

    kind: ClassVar[Literal["score"]] = "score"
    title: str
    source: str
    source_settings: SourceSettings = field(default_factory=SourceSettings)
    prior: PriorSettings = field(default_factory=PriorSettings)
    settings: ScoreSettings = field(default_factory=ScoreSettings)
    alike: bool = False
    workers: int = 0
    moved: tuple[tuple[str, str], ...] = ()
    written: tuple[tuple[str, str], ...] = ()

    def taken_into(self, folder: Path) -> ScoreTask:
        """Return the same task on copies in the job's folder, which no visitor can reach."""
        if not self.moved:
            return self
        for path, text in self.written:
            write_atomically(folder / path, text.encode())
        for file, path in self.moved:
            place_copy(Path(file), folder / path)
        return replace(self, source=str(folder.resolve() / self.source), moved=(), written=())

    def result(self, folder: Path) -> Path:
        """Return the path of the run."""
        return folder / RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTask:
    """Write the distilled set of a run as a zip file; with `images`, these alone instead."""

    kind: ClassVar[Literal["export"]] = "export"
    title: str
    run: str
    select: SelectSettings = field(default_factory=SelectSettings)
    settings: ExportSettings = field(default_factory=ExportSettings)
    images: Sequence[str] = ()

    def taken_into(self, folder: Path) -> ExportTask:  # noqa: ARG002
        """Return the same task: it needs no files of its own."""
        return self

    def result(self, folder: Path) -> Path:
        """Return the path of the zip file."""
        return folder / SET


@dataclass(frozen=True, slots=True, kw_only=True)
class PushTask:
    """Push the distilled set of a run to the Hub as the dataset `repo`, private unless public.

    Whose account it is pushed with is no part of the task, which is stored: see `hub_login`.
    """

    kind: ClassVar[Literal["push"]] = "push"
    title: str
    run: str
    repo: str
    public: bool = False
    select: SelectSettings = field(default_factory=SelectSettings)
    settings: ExportSettings = field(default_factory=ExportSettings)

    def taken_into(self, folder: Path) -> PushTask:  # noqa: ARG002
        """Return the same task: it needs no files of its own."""
        return self

    def result(self, folder: Path) -> Path:
        """Return the path of the exported set, which is removed once it is pushed."""
        return folder / PUSHED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTask:
    """Write the report of a selection of a run as one HTML file.

    public: leave out the folders of this machine. folders: of jobs whose evaluations their visitor
    alone sees, and which are in the report too.
    """

    kind: ClassVar[Literal["report"]] = "report"
    title: str
    run: str
    public: bool
    folders: Sequence[str] = ()
    select: SelectSettings = field(default_factory=SelectSettings)

    def taken_into(self, folder: Path) -> ReportTask:  # noqa: ARG002
        """Return the same task: it needs no files of its own."""
        return self

    def result(self, folder: Path) -> Path:
        """Return the path of the file."""
        return folder / REPORT


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutTask:
    """What is common to tasks that test students of a run on held-out images of `source`.

    moved: as in `ScoreTask`.
    """

    title: str
    run: str
    source: str
    source_settings: SourceSettings = field(default_factory=SourceSettings)
    select: SelectSettings = field(default_factory=SelectSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    moved: tuple[tuple[str, str], ...] = ()

    def taken_into(self, folder: Path) -> Self:
        """Return the same task on copies in the job's folder, which no visitor can reach."""
        if not self.moved:
            return self
        for file, path in self.moved:
            place_copy(Path(file), folder / path)
        return replace(self, source=str(folder.resolve() / self.source), moved=())


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateTask(HeldOutTask):
    """Train students on a selection and on baselines, and test them.

    shared: whether the run stores the evaluation; else the job's folder does, and only its visitor
    sees it.
    """

    kind: ClassVar[Literal["evaluate"]] = "evaluate"
    shared: bool
    settings: EvaluateSettings = field(default_factory=EvaluateSettings)

    def result(self, folder: Path) -> Path:
        """Return the folder that stores the evaluation."""
        return Path(self.run) if self.shared else folder


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseTask(HeldOutTask):
    """Search for the settings that train the best students; the run stores the advice."""

    kind: ClassVar[Literal["advise"]] = "advise"
    student: StudentSettings = field(default_factory=StudentSettings)
    settings: AdviseSettings = field(default_factory=AdviseSettings)

    def result(self, folder: Path) -> Path:  # noqa: ARG002
        """Return the path of the run."""
        return Path(self.run)


Task: TypeAlias = ScoreTask | ExportTask | PushTask | ReportTask | EvaluateTask | AdviseTask

DOWNLOADS: Final[Mapping[str, str]] = MappingProxyType({"export": SET, "report": REPORT})
"""The kinds of jobs whose result is a file to download, and its name."""


def plain_task(task: Task) -> dict[str, Any]:
    """Return a task as values for JSON."""
    values = {one.name: getattr(task, one.name) for one in fields(task)}
    plain = {k: v.plain() if isinstance(v, Settings) else v for k, v in values.items()}
    return {"kind": task.kind, **plain}


def restored_task(plain: Mapping[str, Any]) -> Task:
    """Return the task of values from `plain_task`."""
    values = {key: value for key, value in plain.items() if key not in ("kind", "moved", "written")}
    task, kinds = _RESTORED[plain["kind"]]
    return task(**values | {name: kind.from_plain(plain[name]) for name, kind in kinds.items()})


_HELD_OUT: Final[dict[str, type[Settings]]] = {
    "source_settings": SourceSettings, "select": SelectSettings, "export": ExportSettings,
}  # fmt: skip
_RESTORED: Final[Mapping[str, tuple[type[Task], Mapping[str, type[Settings]]]]] = MappingProxyType({
    "score": (
        ScoreTask,
        {"source_settings": SourceSettings, "prior": PriorSettings, "settings": ScoreSettings},
    ),
    "export": (ExportTask, {"select": SelectSettings, "settings": ExportSettings}),
    "push": (PushTask, {"select": SelectSettings, "settings": ExportSettings}),
    "report": (ReportTask, {"select": SelectSettings}),
    "evaluate": (EvaluateTask, _HELD_OUT | {"settings": EvaluateSettings}),
    "advise": (AdviseTask, _HELD_OUT | {"student": StudentSettings, "settings": AdviseSettings}),
})  # fmt: skip
"""The class of each kind of task, and the classes of its settings."""
