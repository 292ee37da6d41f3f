"""Jobs run, stop, resume, survive the app, and write the bytes of the command line."""

from __future__ import annotations

import contextvars
import pickle
import shlex
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.jobs import WAIT_S, Gate, wait
from support.stages import ADAPTIVE
from support.stored import record_of, rewrite
from support.synthetic import synthetic_run
from support.toyset import QUICK, dataset_of, finish, toy_prior, tree, write_pictures

from dsel.analysis.explorer import Explorer
from dsel.app.jobs.queue import BUG, Jobs
from dsel.app.jobs.runner import JobRunner, Limits, Priors, _when_free, seconds_of
from dsel.app.jobs.tasks import ExportTask, ScoreTask
from dsel.app.quota import Quota, Quotas
from dsel.cli.commands import main
from dsel.config import ExportSettings, PriorSettings, ScoreSettings, SelectSettings, SourceSettings
from dsel.config.shell import select_and_export
from dsel.errors import PriorError, QuotaError, SettingError, StorageError
from dsel.files import record_bytes
from dsel.locks import hold, locked
from dsel.pipeline.score import score
from dsel.runs import Run
from dsel.types import Event, ImageRef, Progress, Skipped, Started


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"), {"cat": 7, "dog": 5})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run without a source; tests only add selections to it."""
    return synthetic_run(tmp_path_factory.mktemp("jobs") / "a run", classes=2, per_class=14)


@pytest.fixture
def opened() -> Iterator[list[Jobs]]:
    jobs: list[Jobs] = []
    yield jobs
    for one in jobs:
        one.close(WAIT_S)


@pytest.fixture
def jobs_with(tmp_path: Path, opened: list[Jobs]) -> Callable[..., Jobs]:
    """Make jobs with this prior, in one folder."""

    def make(prior: Any = None, **more: Any) -> Jobs:
        runner = more.pop("runner", None) or JobRunner(
            Priors(lambda _: prior or toy_prior()), more.pop("limits", None)
        )
        opened.append(Jobs(tmp_path / "jobs", runner=runner, **more))
        return opened[-1]

    return make


def task_of(source: Path, **more: Any) -> ScoreTask:
    return ScoreTask(title="pets", source=str(source), settings=QUICK, **more)


# One job


def test_start__scores_and_reports(jobs_with, source, tmp_path) -> None:
    jobs = jobs_with()
    token = jobs.start(task_of(source))
    report = wait(jobs, token)
    assert (report.state, report.kind, report.title, report.error) == ("done", "score", "pets", "")
    assert report.figures["images"] == 12
    assert (report.stage, report.place, report.resumable) == ("map", 0, False)
    assert report.asked <= report.started <= report.finished
    finish(score(dataset_of(source), toy_prior(), tmp_path / "direct", QUICK))
    assert tree(jobs.result(token)) == tree(tmp_path / "direct")
    assert len(Explorer(jobs.runner._explorer(jobs.result(token)).run).classes) == 2


def test_start__in_the_context_of_the_visitor(jobs_with, source) -> None:
    visitor: contextvars.ContextVar[str] = contextvars.ContextVar("visitor", default="")
    seen = []

    def load(settings: PriorSettings) -> Any:
        seen.append(visitor.get())
        return toy_prior()

    jobs = jobs_with(runner=JobRunner(Priors(load)))
    visitor.set("a page")
    wait(jobs, jobs.start(task_of(source)))
    assert seen == ["a page"]


def test_token__is_not_on_the_disk(jobs_with, source, tmp_path) -> None:
    jobs = jobs_with()
    token = jobs.start(task_of(source))
    wait(jobs, token)
    assert len(token) >= 32
    for path in (tmp_path / "jobs").rglob("*"):
        assert token not in str(path)
        assert not path.is_file() or token.encode() not in path.read_bytes()


@pytest.mark.parametrize("method", ["report", "cancel", "resume", "result", "task"])
def test_token__unknown(jobs_with, method) -> None:
    jobs = jobs_with()
    with pytest.raises(SettingError, match="there is no such job"):
        getattr(jobs, method)("nobody")
    assert not jobs.knows("nobody")


def test_failure__a_user_fixable_error_is_one_line(jobs_with, tmp_path) -> None:
    jobs = jobs_with()
    token = jobs.start(task_of(tmp_path / "nowhere"))
    report = wait(jobs, token)
    assert report.state == "failed"
    assert report.resumable
    assert "is not a dataset" in report.error
    with pytest.raises(SettingError, match="no result yet: it is failed"):
        jobs.result(token)


def test_failure__a_bug_is_in_the_log(jobs_with, source, caplog) -> None:
    def load(settings: PriorSettings) -> Any:
        raise ZeroDivisionError("secret")

    jobs = jobs_with(runner=JobRunner(Priors(load)))
    report = wait(jobs, jobs.start(task_of(source)))
    assert (report.state, report.error) == ("failed", BUG)
    assert "ZeroDivisionError: secret" in caplog.text


def test_limits__images_and_evaluations(jobs_with, source) -> None:
    for limits, words in ((Limits(images=11), "12 images"), (Limits(evaluations=95), "96 eval")):
        jobs = jobs_with(limits=limits)
        report = wait(jobs, jobs.start(task_of(source)))
        assert report.state == "failed"
        assert words in report.error
    jobs = jobs_with(limits=Limits(12, 96))
    assert wait(jobs, jobs.start(task_of(source))).state == "done"


def test_skipped__have_reasons(jobs_with, tmp_path) -> None:
    source = write_pictures(tmp_path / "pets", {"cat": 3, "dog": 3})
    (source / "cat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    jobs = jobs_with()
    report = wait(jobs, jobs.start(task_of(source)))
    assert report.skipped == 1
    assert [skip.id for skip in report.skips] == ["cat/broken.png"]
    assert "damaged" in report.skips[0].reason


def test_moved__a_copy_is_in_the_job(jobs_with, source, tmp_path) -> None:
    upload = tmp_path / "pets.zip"
    with zipfile.ZipFile(upload, "w") as archive:
        for path in sorted(source.rglob("*.png")):
            archive.write(path, path.relative_to(source))
    gate = Gate(0)
    jobs = jobs_with(gate)
    moved = ((str(upload), "source/pets.zip"),)
    token = jobs.start(replace(task_of(Path("source/pets.zip")), moved=moved))
    upload.unlink()  # as Gradio clears its cache
    gate.open.set()
    report = wait(jobs, token)
    assert (report.state, report.figures["images"]) == ("done", 12)
    assert str(tmp_path / "jobs") in jobs.task(token).source


def test_moved__entries_outside_are_refused(jobs_with, tmp_path) -> None:
    upload = tmp_path / "pets.zip"
    with zipfile.ZipFile(upload, "w") as archive:
        archive.writestr("cat/../../evil.png", b"")
    jobs = jobs_with()
    token = jobs.start(
        replace(task_of(Path("source/pets.zip")), moved=((str(upload), "source/pets.zip"),))
    )
    report = wait(jobs, token)
    assert report.error.startswith("source/pets.zip is refused")  # without the job's own folder
    assert "leads out of it" in report.error


# Cancel and resume


def test_cancel__in_the_middle_then_resume_gives_the_same_bytes(jobs_with, source, tmp_path):
    gate = Gate(2)
    jobs = jobs_with(gate)
    token = jobs.start(task_of(source))
    assert gate.reached.wait(WAIT_S)
    jobs.cancel(token)
    assert (jobs.report(token).state, jobs.report(token).stopping) == ("running", True)
    with pytest.raises(SettingError, match="still stopping"):
        jobs.resume(token)
    gate.calls = None
    gate.open.set()
    report = wait(jobs, token)
    assert (report.state, report.resumable, report.stopping) == ("cancelled", True, False)
    assert 0 < report.done < 12
    jobs.resume(token)
    assert wait(jobs, token).state == "done"
    finish(score(dataset_of(source), toy_prior(), tmp_path / "direct", QUICK))
    assert tree(jobs.result(token)) == tree(tmp_path / "direct")
    with pytest.raises(SettingError, match="done already"):
        jobs.resume(token)


def test_cancel__a_generator_is_closed(jobs_with, source) -> None:
    closed, begun = threading.Event(), threading.Event()

    class Endless(JobRunner):
        def events(self, *_: Any) -> Any:
            try:
                yield Started("score", 10, "images")
                while True:
                    begun.set()
                    yield Skipped(ImageRef("cat/1.png", 0), "is empty")
            finally:
                closed.set()

    jobs = jobs_with(runner=Endless())
    token = jobs.start(task_of(source))
    assert begun.wait(WAIT_S)
    jobs.cancel(token)
    assert wait(jobs, token).state == "cancelled"
    assert closed.is_set()
    assert jobs.report(token).skipped == 1


def test_queue__places_and_a_limit(jobs_with, source) -> None:
    gate = Gate(0)
    jobs = jobs_with(gate)
    first, *waiting = [jobs.start(task_of(source)) for _ in range(9)]
    assert jobs.report(first).place == 0
    assert [jobs.report(token).place for token in waiting] == [1, 2, 3, 4, 5, 6, 7, 8]
    with pytest.raises(SettingError, match="8 jobs are waiting already"):
        jobs.start(task_of(source))
    jobs.cancel(waiting[0])
    assert jobs.report(waiting[0]).state == "cancelled"
    assert jobs.report(waiting[7 - 0]).place == 7
    for token in waiting[1:]:
        jobs.cancel(token)
    gate.open.set()
    assert wait(jobs, first).state == "done"


def test_queue__exports_do_not_wait_for_scores(jobs_with, source, run) -> None:
    gate = Gate(0)
    jobs = jobs_with(gate)
    first = jobs.start(task_of(source))
    token = jobs.start(ExportTask(title="set", run=str(run.path), select=SelectSettings(ipc=1)))
    assert wait(jobs, token).state == "done"
    assert jobs.report(first).state == "running"
    gate.open.set()


# The app ends


def test_restart__a_running_job_is_interrupted_and_resumed(jobs_with, source, tmp_path) -> None:
    gate = Gate(2)
    jobs = jobs_with(gate)
    running = jobs.start(task_of(source))
    waiting = jobs.start(task_of(source))
    assert gate.reached.wait(WAIT_S)
    gate.open.set()
    assert jobs.close(WAIT_S)
    again = jobs_with()
    for token in (running, waiting):
        report = again.report(token)
        assert (report.state, report.resumable, report.title) == ("interrupted", True, "pets")
    again.resume(running)
    assert wait(again, running).state == "done"
    finish(score(dataset_of(source), toy_prior(), tmp_path / "direct", QUICK))
    assert tree(again.result(running)) == tree(tmp_path / "direct")
    assert jobs_with().report(running).figures["images"] == 12


def test_close__an_error_while_the_app_ends_is_an_interruption(jobs_with, source) -> None:
    begun, closing = threading.Event(), threading.Event()

    class Failing(JobRunner):
        def events(self, *_: Any) -> Any:
            yield Started("score", 10, "images")
            begun.set()
            assert closing.wait(WAIT_S)
            raise RuntimeError("can't start new thread at interpreter shutdown")

    jobs = jobs_with(runner=Failing())
    token = jobs.start(task_of(source))
    assert begun.wait(WAIT_S)
    assert not jobs.close(0)
    closing.set()
    report = wait(jobs, token)
    assert (report.state, report.resumable, report.error) == ("interrupted", True, "")


def test_restart__after_a_crash(jobs_with, source, tmp_path) -> None:
    """Only what was written while the job ran is left."""
    jobs = jobs_with()
    token = jobs.start(task_of(source))
    wait(jobs, token)
    (marker,) = (tmp_path / "jobs").glob("*/job.json")
    record = record_of(marker) | {"state": "running", "finished": None}
    rewrite(marker, record)
    again = jobs_with()
    assert again.report(token).state == "interrupted"
    again.resume(token)
    assert wait(again, token).state == "done"
    # Another app still runs the job: this one leaves it alone.
    rewrite(marker, record | {"pid": 1})
    assert not jobs_with().knows(token)


def test_restart__a_damaged_record_is_one_line_of_the_log(
    jobs_with, source, tmp_path, caplog
) -> None:
    jobs = jobs_with()
    token = jobs.start(task_of(source))
    wait(jobs, token)
    (marker,) = (tmp_path / "jobs").glob("*/job.json")
    whole = marker.read_bytes()
    other = record_bytes(record_of(marker) | {"task": {"kind": "bake"}})
    for content in (b"null", b"[]", b"1", whole.replace(b"keep_s", b"kept_s"), other):
        caplog.clear()
        marker.write_bytes(content)
        assert not jobs_with().knows(token)
        (line,) = caplog.messages
        assert line.startswith("a job cannot be read and is left alone: ")
        assert all(not record.exc_info for record in caplog.records)
    marker.write_bytes(whole)
    assert jobs_with().knows(token)


def test_restart__damaged_and_foreign_folders_stay(jobs_with, tmp_path) -> None:
    folders = ["0" * 32, "1" * 32, "mine"]
    for name, text in zip(folders, ("{", '{"format": "other"}', "{}"), strict=True):
        (tmp_path / "jobs" / name).mkdir(parents=True)
        (tmp_path / "jobs" / name / "job.json").write_text(text)
    jobs_with(keep_s=-1.0)
    assert sorted(path.name for path in (tmp_path / "jobs").iterdir()) == sorted(folders)


def test_sweep__removes_only_old_jobs(jobs_with, source, tmp_path) -> None:
    now = [1e9]
    jobs = jobs_with(clock=lambda: now[0])
    token = jobs.start(task_of(source))
    wait(jobs, token)
    (tmp_path / "jobs" / "mine").mkdir()
    now[0] += 24 * 3600 - 1
    assert jobs_with(clock=lambda: now[0]).knows(token)
    now[0] += 2
    assert not jobs_with(clock=lambda: now[0]).knows(token)
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["mine"]


def test_remove__deletes_only_what_has_ended(jobs_with, source, tmp_path) -> None:
    gate = Gate(0)
    jobs = jobs_with(gate)
    token = jobs.start(task_of(source))
    assert gate.reached.wait(WAIT_S)
    with pytest.raises(SettingError, match="still running or waiting: cancel it first"):
        jobs.remove(token)
    gate.open.set()
    assert wait(jobs, token).bytes > 0
    (tmp_path / "jobs" / "mine").mkdir()
    jobs.remove(token)
    assert not jobs.knows(token)
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["mine"]
    assert source.is_dir()
    assert not jobs_with().knows(token)
    with pytest.raises(SettingError, match="there is no such job"):
        jobs.remove(token)


def test_remove__not_while_another_job_reads_the_run(jobs_with, source) -> None:
    jobs = jobs_with()
    token = jobs.start(task_of(source))
    wait(jobs, token)
    read = ExportTask(title="a set", run=str(jobs.result(token)))
    jobs._futures[replace_task(jobs, token, read)] = None
    with pytest.raises(SettingError, match="'a set' still reads this run"):
        jobs.remove(token)
    jobs._futures.clear()
    jobs.remove(token)


def replace_task(jobs: Jobs, token: str, task: ExportTask) -> Any:
    """A job with this task, beside another one."""
    return replace(jobs._job(token), task=task)


def test_remove__a_folder_that_became_a_link_stays(jobs_with, source, tmp_path) -> None:
    jobs = jobs_with()
    token = jobs.start(task_of(source))
    wait(jobs, token)
    folder = jobs.folder(token)
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    jobs.remove(token)
    assert (tmp_path / "elsewhere/run/run.json").is_file()


def test_remove__a_record_that_comes_late_makes_no_folder(jobs_with, source) -> None:
    """A job that ends, or is renamed, stores its record just when somebody deletes it."""
    jobs = jobs_with()
    token = jobs.start(task_of(source))
    wait(jobs, token)
    job = jobs._job(token)
    jobs.remove(token)
    jobs._save(job)
    assert not job.folder.exists()


def test_sweep__not_while_another_job_reads_the_run(jobs_with, source) -> None:
    now = [1e9]
    jobs = jobs_with(clock=lambda: now[0])
    token = jobs.start(task_of(source))
    wait(jobs, token)
    now[0] += 24 * 3600 + 1
    read = ExportTask(title="a set", run=str(jobs.result(token)))
    jobs._futures[replace_task(jobs, token, read)] = None
    jobs.sweep()
    assert jobs.result(token).is_dir()
    jobs._futures.clear()
    jobs.sweep()
    assert not jobs.knows(token)


def test_rename__is_kept_by_a_restart(jobs_with, source) -> None:
    jobs = jobs_with()
    token = jobs.start(task_of(source))
    wait(jobs, token)
    jobs.rename(token, "my pets")
    assert jobs_with().report(token).title == "my pets"


def test_start__a_full_disk(jobs_with, source, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("dsel.app.jobs.folder.FREE_BYTES", 1 << 60)
    jobs = jobs_with()
    with pytest.raises(StorageError, match="almost full"):
        jobs.start(task_of(source))
    assert list((tmp_path / "jobs").iterdir()) == []


# Priors and lent accelerators


def test_priors__stay_loaded() -> None:
    loaded = []

    def load(settings: PriorSettings) -> Any:
        loaded.append(settings.prior)
        if settings.prior == "broken":
            raise PriorError("broken")
        return object()

    priors = Priors(load)
    demo, large, other = (PriorSettings(prior=name) for name in ("demo", "a/b", "c/d"))
    assert priors.get(demo) is priors.get(demo)
    assert priors.get(large) is priors.get(large)
    priors.get(demo)
    priors.get(other)  # in place of the large one
    priors.get(demo)
    priors.get(large)
    assert loaded == ["demo", "a/b", "c/d", "a/b"]
    with pytest.raises(PriorError):
        priors.get(PriorSettings(prior="broken"))


def lent(portions: list[int], most: int) -> Any:
    """An accelerator that is withdrawn after so many events."""

    def accelerate(portion: Any, duration: Any) -> Any:
        def borrow(*arguments: Any) -> Iterator[Event]:
            portions.append(duration(*arguments))
            for count, event in enumerate(portion(*arguments)):
                yield event
                if count == most:
                    return

        return borrow

    return accelerate


def test_lent__portions_end_with_the_same_bytes(jobs_with, source, tmp_path) -> None:
    portions: list[int] = []
    runner = JobRunner(Priors(lambda _: toy_prior()), accelerate=lent(portions, 11))
    jobs = jobs_with(runner=runner)
    token = jobs.start(task_of(source))
    assert wait(jobs, token).state == "done"
    assert len(portions) > 2
    assert set(portions) == {30}
    finish(score(dataset_of(source), toy_prior(), tmp_path / "direct", QUICK))
    assert tree(jobs.result(token)) == tree(tmp_path / "direct")


def test_lent__rounds_of_further_draws_end_with_the_same_bytes(jobs_with, source, tmp_path) -> None:
    portions: list[int] = []
    runner = JobRunner(Priors(lambda _: toy_prior()), accelerate=lent(portions, 45))
    jobs = jobs_with(runner=runner)
    task = replace(task_of(source), settings=ADAPTIVE)
    token = jobs.start(task)
    report = wait(jobs, token)
    assert report.state == "done", report.error
    assert len(portions) > 1
    finish(score(dataset_of(source), toy_prior(), tmp_path / "direct", ADAPTIVE))
    assert (tmp_path / "direct/rounds").exists()
    assert tree(jobs.result(token)) == tree(tmp_path / "direct")


def test_lent__for_less_than_a_shard_takes(jobs_with, source) -> None:
    runner = JobRunner(Priors(lambda _: toy_prior()), accelerate=lent([], 3))
    jobs = jobs_with(runner=runner)
    report = wait(jobs, jobs.start(task_of(source)))
    assert "a shard of 3 images takes longer" in report.error


def test_seconds_of__by_hand() -> None:
    settings = ScoreSettings(timesteps=(100, 200, 300), draws=8)  # 48 evaluations each
    task = ScoreTask(title="", source="", prior=PriorSettings(prior="a/b"), settings=settings)
    assert seconds_of(task, Path(), 100) == 52  # 20 to load, and 4800 at 150 a second
    assert seconds_of(task, Path(), 1) == 30
    assert seconds_of(task, Path(), 10_000) == 300


def test_fitted__shards_fit_into_the_time() -> None:
    settings = ScoreSettings(timesteps=(100, 200, 300), draws=8)
    task = ScoreTask(title="", source="", prior=PriorSettings(prior="a/b"), settings=settings)
    runner = JobRunner(accelerate=lent([], 0))
    assert runner.fitted(task).settings.shard_size == 94  # 30 s at 150 a second, 48 for each
    assert runner.fitted(task).prior.backend == "torch"  # each portion would compile it again
    assert JobRunner().fitted(task) is task


# Exports


EXPORTS = [
    (SelectSettings(ipc=3), ExportSettings()),
    (
        SelectSettings(
            ipc=2, clusters=3, factor=2, patch_px=32, pins=("disc/000003",), bans=("disc/000001",),
            moves=("square/000002@5,9",),
        ),
        ExportSettings(image_px=96, file_format="jpeg", pixels="proxy"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("select", "export"), EXPORTS)
def test_export__is_the_command_lines_zip(jobs_with, run, tmp_path, select, export) -> None:
    jobs = jobs_with()
    before = tree(run.path)
    token = jobs.start(ExportTask(title="", run=str(run.path), select=select, settings=export))
    report = wait(jobs, token)
    assert report.state == "done", report.error
    assert tree(run.path) == before  # nothing is written to the run
    out = tmp_path / "out" / "dsel_export.zip"
    command = select_and_export(run.path, out, select, export)
    for line in command.split(" && "):
        assert main(shlex.split(line)[1:]) == 0
    assert out.read_bytes() == jobs.result(token).read_bytes()
    assert report.figures["bytes"] == out.stat().st_size
    assert report.figures["file"] == "dsel_export.zip"
    assert [path.name for path in out.parent.iterdir()] == [out.name]


# Quotas


def test_start__quotas_of_jobs_and_of_their_results(jobs_with, run) -> None:
    task = ExportTask(title="", run=str(run.path), select=SelectSettings(ipc=1))
    few = Quotas(each=Quota(jobs=2), total=Quota(job_bytes=1))
    jobs = jobs_with(quotas=few)
    token = jobs.start(task)  # a local visitor has no quota, but counts for the total
    wait(jobs, token)
    assert jobs._job(token).bytes > jobs.result(token).stat().st_size
    with pytest.raises(QuotaError, match="the results of all visitors may be at most 0 MiB"):
        jobs.start(task, "a")
    jobs = jobs_with(quotas=few)  # results are counted again when the app is started again
    with pytest.raises(QuotaError, match="the results of all visitors may be at most 0 MiB"):
        jobs.start(task, "a")
    jobs = jobs_with(quotas=Quotas(each=Quota(jobs=2), total=Quota()))
    for _ in range(2):
        wait(jobs, jobs.start(task, "a"))
    with pytest.raises(QuotaError, match="the jobs of one visitor may be at most 2 here"):
        jobs.start(task, "a")
    wait(jobs, jobs.start(task, "b"))


def test_start__quota_of_evaluations(jobs_with, source) -> None:
    per_job = 12 * 2 * len(QUICK.timesteps) * QUICK.draws
    jobs = jobs_with(quotas=Quotas(each=Quota(evaluations=per_job), total=Quota()))
    first = jobs.start(task_of(source), "a")
    assert wait(jobs, first).state == "done"
    report = wait(jobs, jobs.start(task_of(source), "a"))
    assert report.state == "failed"
    assert report.error == (
        f"the evaluations of the prior of one visitor may be at most {per_job:,} here, and "
        f"{per_job:,} are in use: delete what you no longer need, or try again when older ones "
        "have been removed, some time after their end"
    )
    assert report.quota == "evaluations"
    again = jobs_with(quotas=Quotas(each=Quota(evaluations=per_job), total=Quota()))
    assert [one.quota for one in again._jobs.values()].count("evaluations") == 1
    assert wait(jobs, jobs.start(task_of(source), "b")).state == "done"
    assert wait(jobs, jobs.start(task_of(source))).state == "done"


def test_start__no_record_names_a_visitor(jobs_with, run, tmp_path) -> None:
    jobs = jobs_with()
    task = ExportTask(title="", run=str(run.path), select=SelectSettings(ipc=1))
    wait(jobs, jobs.start(task, "192.0.2.77"))
    (marker,) = (tmp_path / "jobs").glob("*/job.json")
    assert "192.0.2.77" not in marker.read_text()


def test_export__of_invalid_settings(jobs_with, run) -> None:
    select = SelectSettings(pins=("nobody",))
    report = wait(
        jobs := jobs_with(), jobs.start(ExportTask(title="", run=str(run.path), select=select))
    )
    assert "unknown image 'nobody' in pins" in report.error


def test_export__notices_of_short_classes(jobs_with, run) -> None:
    jobs = jobs_with()
    token = jobs.start(ExportTask(title="", run=str(run.path), select=SelectSettings(ipc=20)))
    report = wait(jobs, token)
    assert any("class 'disc' has 14 patches" in notice for notice in report.notices)
    assert any("cutting from the run's proxies" in notice for notice in report.notices)


def test_toybox__with_its_settings(jobs_with) -> None:
    """The settings of a job are restored from its record."""
    chosen = SourceSettings(per_class=1, classes=("cactus",))
    jobs = jobs_with(limits=Limits(images=1, evaluations=1))
    token = jobs.start(ScoreTask(title="", source="toybox", source_settings=chosen))
    wait(jobs, token)
    assert jobs_with().task(token) == jobs.task(token)


def test_lent__tasks_and_events_can_be_pickled(tmp_path) -> None:
    """ZeroGPU sends arguments and events through a pipe of its own."""
    task = task_of(tmp_path / "nowhere", prior=PriorSettings(prior="demo"))
    assert pickle.loads(pickle.dumps(task)) == task
    events = list(JobRunner(Priors(lambda _: toy_prior()))._score(task, tmp_path, 0))
    (*_, error) = pickle.loads(pickle.dumps(events))
    assert str(error) == str(events[-1])
    assert "is not a dataset" in str(error)


def test_when_free__waits_for_whoever_writes_there(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("dsel.app.jobs.runner.WAIT_S", 0.0)
    with hold(tmp_path):
        events = _when_free(lambda: locked(tmp_path, iter([Skipped(ImageRef("a", 0), "b")])))
        for _ in range(3):
            waits = next(events)
            assert isinstance(waits, Progress)
            assert waits.count == 0
            assert waits.note.startswith("waits for process ")
    assert list(events) == [Skipped(ImageRef("a", 0), "b")]


def test_when_free__other_errors_end_it() -> None:
    def fail() -> Iterator[Event]:
        yield Progress()
        raise StorageError("no space")

    events = _when_free(fail)
    assert next(events) == Progress()
    with pytest.raises(StorageError, match="no space"):
        next(events)
