"""Stored evaluations: what is written is read back, and damaged files are told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.stored import record_of, rewrite

from dsel.config import EvaluateSettings
from dsel.errors import DamageError, RunError
from dsel.runs.evaluations import (
    Evaluation,
    EvaluationRow,
    HeldOutSource,
    StudentResult,
    add_validation,
    list_evaluations,
    list_validations,
    read_evaluation,
    read_students,
    write_evaluation,
    write_student,
)

STUDENT = StudentResult(3, 0.25, 0.5, (10, 20), (0.5, 0.25), "ab" * 32)
TEST = HeldOutSource("toybox:seed=1", {"source": "toybox", "scene_seed": 1}, "f" * 16, 20)
ROW = EvaluationRow("dsel", 10, 100, 400, 128, 64, (STUDENT,), 0.25, best_mean=0.5)
EVALUATION = Evaluation(
    fingerprint="0" * 16, complete=False, settings=EvaluateSettings(ipcs=(1, 10)),
    select={"ipc": 10}, selection="1" * 16, made_of="2" * 16, test=TEST, validation=False,
    classes=("cat", "dog"), rows=(ROW,), notices=("a note",),
)  # fmt: skip


def test_write_evaluation__is_read_back(tmp_path):
    write_evaluation(tmp_path, EVALUATION)
    assert read_evaluation(tmp_path, "0" * 16) == EVALUATION
    assert list_evaluations(tmp_path) == (EVALUATION,)
    assert read_evaluation(tmp_path, "3" * 16) is None
    record = json.loads((tmp_path / "evaluations" / ("0" * 16) / "evaluation.json").read_text())
    assert record["format"] == "dsel evaluation 1"
    assert record["rows"][0]["students"][0]["curve"] == [0.5, 0.25]


def test_read__accuracies_of_classes_and_records_from_before(tmp_path):
    with_classes = replace(STUDENT, per_class=(0.5, None))
    rows = (replace(ROW, students=(with_classes,), per_class=(0.5, None)),)
    write_evaluation(tmp_path, replace(EVALUATION, rows=rows))
    assert read_evaluation(tmp_path, "0" * 16).rows == rows
    write_student(tmp_path, "s", with_classes)
    assert read_students(tmp_path, "s") == (with_classes,)
    for path in tmp_path.rglob("*.json"):  # as earlier versions stored them
        record = record_of(path)
        for one in (*record.get("rows", ()), *students_in(record)):
            del one["per_class"]
        rewrite(path, record)
    assert read_evaluation(tmp_path, "0" * 16) == EVALUATION
    assert read_students(tmp_path, "s") == (STUDENT,)


def students_in(record: dict) -> list[dict]:
    rows = [record, *record.get("rows", ())]
    return [one for row in rows for one in row.get("students", ())]


def test_list_evaluations__none_in_a_new_run(tmp_path):
    assert list_evaluations(tmp_path) == ()
    assert list_validations(tmp_path) == ()


@pytest.mark.parametrize(
    "content", ["[]", "{}", "null", "1", '{"format": "dsel evaluation 1", "rows": []}', "x"]
)
def test_read_evaluation__damaged(tmp_path, content):
    write_evaluation(tmp_path, EVALUATION)
    (path,) = tmp_path.rglob("evaluation.json")
    path.write_text(content)
    with pytest.raises(RunError, match="is damaged"):
        read_evaluation(tmp_path, "0" * 16)


@pytest.mark.parametrize("place", ["", "test", "settings", "rows", "students"])
def test_read_evaluation__of_another_key(tmp_path, place):
    """Its checksum is right."""
    write_evaluation(tmp_path, EVALUATION)
    (path,) = tmp_path.rglob("evaluation.json")
    record = record_of(path)
    row = record["rows"][0]
    places = {"": record, "rows": row, "students": row["students"][0]}
    changed = places.get(place) or record[place]
    changed["other"] = changed.pop(next(key for key in changed if key != "format"))
    rewrite(path, record)
    with pytest.raises(DamageError, match=r"evaluation\.json is damaged: .*; delete it and eval"):
        list_evaluations(tmp_path)


def test_evaluation__row_by_name_and_ipc():
    other = replace(ROW, ipc=1)
    evaluation = replace(EVALUATION, rows=(other, ROW))
    assert evaluation.row("dsel", 10) is ROW
    assert evaluation.row("dsel", 1) is other
    assert evaluation.row("herding", 1) is None


def test_write_student__one_file_each_in_the_order_of_seeds(tmp_path):
    assert read_students(tmp_path, "a") == ()
    tenth = replace(STUDENT, seed=10)
    write_student(tmp_path, "a", tenth)
    write_student(tmp_path, "a", STUDENT)
    write_student(tmp_path, "b", replace(STUDENT, seed=4))
    assert read_students(tmp_path, "a") == (STUDENT, tenth)
    (path,) = tmp_path.rglob("a-10.json")
    path.write_text('{"students": [{"seed": 1}]}')
    with pytest.raises(RunError, match="is damaged"):
        read_students(tmp_path, "a")


def test_read_students__a_file_of_several_of_an_earlier_version(tmp_path):
    write_student(tmp_path, "a", STUDENT)
    (path,) = tmp_path.rglob("a-3.json")
    record = record_of(path)
    record["students"].append({**record["students"][0], "seed": 5})
    path = path.rename(path.with_name("a.json"))
    rewrite(path, record)
    assert [one.seed for one in read_students(tmp_path, "a")] == [3, 5]


def test_add_validation__each_source_once(tmp_path: Path):
    other = replace(TEST, fingerprint="e" * 16)
    for source in (TEST, other, TEST):
        add_validation(tmp_path, source)
    assert list_validations(tmp_path) == (TEST, other)
