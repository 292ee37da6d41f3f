"""Evaluations: what is compared, equal budgets, resume, what is stored."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.classifiers import save_teacher
from support.scored import evaluated_run
from support.toyset import finish
from support.trainer import Interrupted, same_images, trainer

from dsel.config import EvaluateSettings, ExportSettings
from dsel.errors import SettingError
from dsel.pipeline.evaluate import evaluate, planned
from dsel.pipeline.evaluated import open_sets
from dsel.pipeline.held_out import HeldOutTest, Validation
from dsel.pipeline.training import how_trained
from dsel.pipeline.training_sets import TrainingSets
from dsel.runs import open_run
from dsel.types import Done, Notice, Progress, Started

__all__ = ["trainer"]

QUICK = EvaluateSettings(student_px=16, steps=5, seeds=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, and held-out pictures of the same classes."""
    return evaluated_run(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy to write to."""
    for name in ("run", "test", "validation"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def sets(folder: Path) -> TrainingSets:
    return open_sets(folder / "run")


@pytest.fixture
def unseen(folder: Path, sets: TrainingSets) -> HeldOutTest:
    return HeldOutTest(sets.subject, str(folder / "test"))


def stored(folder: Path):
    (found,) = open_run(folder / "run").evaluations()
    return found


def test_evaluate__rows_of_the_set_and_of_random_images(folder, sets, unseen, trainer):
    done = finish(evaluate(sets, unseen, QUICK.replace(ipcs=(1, 2))))[-1]
    evaluation = stored(folder)
    assert isinstance(done, Done)
    assert done.figures["evaluation"] == evaluation.fingerprint
    assert evaluation.complete
    assert [(row.name, row.ipc, row.images, row.training_images) for row in evaluation.rows] == [
        ("dsel", 1, 2, 2), ("random-whole", 1, 2, 2), ("dsel", 2, 4, 4), ("random-whole", 2, 4, 4),
    ]  # fmt: skip
    assert {(row.image_px, row.student_px) for row in evaluation.rows} == {(128, 16)}
    assert [[student.seed for student in row.students] for row in evaluation.rows] == [[0, 1]] * 4
    assert evaluation.test.images == 5
    assert not evaluation.validation


def test_evaluate__every_set_has_the_same_images_per_class(sets, unseen, trainer):
    finish(evaluate(sets, unseen, QUICK))
    counts = [Counter(one.labels.tolist()) for one in trainer.sets]
    assert counts == [{0: 2, 1: 2}] * 4  # two students of each
    assert {one.images.shape for one in trainer.sets} == {(4, 16, 16, 3)}


def test_evaluate__random_images_are_drawn_for_each_student(sets, unseen, trainer):
    finish(evaluate(sets, unseen, QUICK.replace(seeds=3)))
    assert trainer.calls == [(0,), (1,), (2,)] * 2
    assert all(same_images(trainer.sets[0], one) for one in trainer.sets[1:3])
    assert not any(same_images(trainer.sets[3], one) for one in trainer.sets[4:])


def test_evaluate__test_images_have_the_set_s_class_indices(folder, trainer):
    sets = open_sets(folder / "run")
    (folder / "test/disc").rename(folder / "test/x1")
    (folder / "test/square").rename(folder / "test/ Square")
    names = {"x1": "DISC", " Square": ["box", "square"]}
    (folder / "test/classes.json").write_text(json.dumps(names))
    finish(evaluate(sets, HeldOutTest(sets.subject, str(folder / "test")), QUICK))
    assert Counter(trainer.tests[0].labels.tolist()) == {0: 3, 1: 2}
    assert trainer.tests[0].images.shape == (5, 16, 16, 3)


def test_evaluate__the_same_again_trains_nothing(folder, sets, unseen, trainer):
    finish(evaluate(sets, unseen, QUICK))
    before, content = trainer.students, stored(folder)
    events = finish(evaluate(sets, unseen, QUICK))
    assert trainer.students == before == 4
    assert stored(folder) == content
    assert isinstance(events[-1], Done)


def test_evaluate__changed_true_objects_are_another_evaluation(folder, trainer):
    run = open_run(folder / "run")
    how = QUICK.replace(baselines=("largest-object",))
    for sign in (1, 1, -1):
        rows = [(row.id, row.frame) for row in run.images if row.frame][::sign]
        images = [
            {"id": n, "file_name": name, "width": f.source_width, "height": f.source_height}
            for n, (name, f) in enumerate(rows)
        ]
        objects = [{"image_id": n, "bbox": [0, 0, 8 + n, 8]} for n in range(len(rows))]
        run.objects_path.write_text(json.dumps({"images": images, "annotations": objects}))
        sets = open_sets(folder / "run")
        finish(evaluate(sets, HeldOutTest(sets.subject, str(folder / "test")), how))
    assert len(run.evaluations()) == 2


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_evaluate__resumes_after_every_student(folder, sets, unseen, trainer, after):
    trainer.stop_after = after
    with pytest.raises(Interrupted):
        finish(evaluate(sets, unseen, QUICK))
    half = stored(folder)
    assert not half.complete
    assert sum(len(row.students) for row in half.rows) == after
    trainer.stop_after = -1
    trainer.calls.clear()
    events = finish(evaluate(open_sets(folder / "run"), unseen, QUICK))
    assert trainer.students == 4 - after
    started = next(e for e in events if isinstance(e, Started) and e.stage == "evaluate")
    assert (started.done, started.total) == (5 * after, 5 * 4)
    at = events.index(started)
    assert sum(e.count for e in events[at:] if isinstance(e, Progress)) == 5 * (4 - after)
    whole = stored(folder)
    trainer.calls.clear()
    shutil.rmtree(folder / "run/evaluations")
    finish(evaluate(sets, unseen, QUICK))
    assert stored(folder) == whole


def test_evaluate__a_further_student_or_baseline_keeps_the_others(sets, unseen, trainer):
    finish(evaluate(sets, unseen, QUICK))
    trainer.calls.clear()
    finish(evaluate(sets, unseen, QUICK.replace(seeds=3)))
    assert trainer.calls == [(2,), (2,)]


def test_evaluate__another_recipe_trains_again(sets, unseen, trainer):
    finish(evaluate(sets, unseen, QUICK))
    trainer.calls.clear()
    finish(evaluate(sets, unseen, QUICK.replace(steps=6)))
    assert trainer.students == 4


def test_evaluate__threads_change_nothing(folder, sets, unseen, trainer):
    finish(evaluate(sets, unseen, QUICK))
    finish(evaluate(sets, unseen, QUICK.replace(threads=1)))
    assert trainer.students == 4
    assert stored(folder).complete


@pytest.mark.parametrize("at_once", [2, 5])
def test_evaluate__students_at_the_same_time_store_the_same(folder, sets, unseen, trainer, at_once):
    how = QUICK.replace(seeds=3, ipcs=(1, 2))
    finish(evaluate(sets, unseen, how))
    in_turn = stored(folder)
    shutil.rmtree(folder / "run/evaluations")
    trainer.at_once, trainer.stop_after = at_once, 5
    with pytest.raises(Interrupted):
        finish(evaluate(sets, unseen, how))
    assert sum(len(row.students) for row in stored(folder).rows) <= 5
    trainer.stop_after = -1
    finish(evaluate(sets, unseen, how))
    assert stored(folder) == in_turn


def test_evaluate__unequal_budgets_are_told(folder, unseen, trainer):
    sets = open_sets(folder / "run")
    events = finish(evaluate(sets, unseen, QUICK.replace(ipcs=(7,))))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert any("class 'disc' has 6 patches and gives 6 images" in text for text in notices)
    assert set(stored(folder).notices) == set(notices)


def test_evaluate__accuracies_and_differences(folder, sets, unseen, trainer):
    finish(evaluate(sets, unseen, QUICK))
    own, random = stored(folder).rows
    a, b = ([s.last for s in row.students] for row in (own, random))
    assert own.mean == pytest.approx(np.mean(a))
    assert own.sd == pytest.approx(np.std(a, ddof=1))
    assert own.standard_error == pytest.approx(np.std(a, ddof=1) / np.sqrt(2))
    assert own.best_mean == pytest.approx(np.mean(a) + 0.1)
    assert own.difference == pytest.approx(np.mean(a) - np.mean(b))
    assert (random.difference, random.p_value) == (None, None)


def test_evaluate__unknown_baseline(sets, unseen):
    with pytest.raises(SettingError, match=r"unknown baseline 'rand'; known are: .*random-whole"):
        finish(evaluate(sets, unseen, QUICK.replace(baselines=("rand",))))


@pytest.mark.parametrize("run", [evaluate, lambda *given: planned(*given) and ()])
def test_evaluate__what_cannot_train_is_refused_before_anything_is_stored(
    folder, sets, unseen, run
):
    too_small = QUICK.replace(student="convnet-6", student_px=32)
    with pytest.raises(SettingError, match="convnet-6 needs images of at least 64 px"):
        list(run(sets, unseen, too_small))
    with pytest.raises(SettingError, match="the soft recipe needs a teacher"):
        list(run(sets, unseen, QUICK.replace(recipe="soft")))
    assert open_run(folder / "run").evaluations() == ()
    assert Validation(sets.subject, str(folder / "test")).source == unseen.source


@pytest.mark.parametrize("seen", [True, False])
def test_evaluate__a_teacher_must_not_have_seen_the_test(folder, unseen, seen):
    dataset = unseen.source.fingerprint if seen else "0" * 16
    classes = [[name] for name in unseen.subject.classes]
    teacher = save_teacher(folder / "teacher", classes, dataset=dataset)
    taught = open_sets(folder / "run", export=ExportSettings(teacher=str(teacher)))
    if not seen:
        assert planned(taught, unseen, QUICK)["sets"] == 2
        return
    with pytest.raises(SettingError, match=r"was trained on images of .*test"):
        finish(evaluate(taught, unseen, QUICK))


def test_evaluate__refuses_a_validation(folder, sets):
    validation = Validation(sets.subject, str(folder / "validation"))
    with pytest.raises(TypeError, match="takes a HeldOutTest"):
        finish(evaluate(sets, validation, QUICK))  # type: ignore[arg-type]


def test_evaluate__proxies_where_they_are_wanted(folder, unseen, trainer):
    sets = open_sets(folder / "run", export=ExportSettings(pixels="proxy", image_px=24))
    finish(evaluate(sets, unseen, QUICK))
    assert {row.image_px for row in stored(folder).rows} == {24}


def test_how_trained__a_chosen_precision_names_other_students():
    automatic = how_trained(EvaluateSettings())
    assert "precision" not in automatic  # students that were stored before there was a choice
    chosen = how_trained(EvaluateSettings(precision="bfloat16"))
    assert chosen == automatic | {"precision": "bfloat16"}
