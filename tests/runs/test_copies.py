"""Images of a run that have the same pixels."""

from __future__ import annotations

from dsel.runs.copies import (
    contradictions,
    copies_of,
    note_of_contradictions,
    note_of_copies,
)
from dsel.runs.schema import ImageRow


def row(image_id: str, class_index: int, checksum: str) -> ImageRow:
    return ImageRow(image_id, class_index, 0, 0, 0, None, "", checksum)


ROWS = (
    row("cat/0", 0, "a"), row("cat/1", 0, "b"), row("cat/2", 0, "a"), row("cat/3", 0, ""),
    row("cat/4", 0, ""), row("cat/5", 0, "a"), row("dog/0", 1, "b"), row("dog/1", 1, "b"),
    row("eel/0", 2, "b"),
)  # fmt: skip
"""Those without a checksum were skipped."""

TRIPLES = tuple((one.id, one.class_index, one.checksum) for one in ROWS)


def test_copies_of__the_first_of_each_class_stays() -> None:
    assert copies_of(TRIPLES) == {"cat/2": "cat/0", "cat/5": "cat/0", "dog/1": "dog/0"}
    assert copies_of(TRIPLES[:2]) == {}


def test_contradictions__one_pair_per_further_class() -> None:
    assert contradictions(ROWS) == (("cat/1", "dog/0"), ("cat/1", "eel/0"))
    assert contradictions(ROWS[:6]) == ()


def test_notes__by_hand() -> None:
    assert note_of_copies({}) == note_of_contradictions(()) == ""
    assert note_of_copies(copies_of(TRIPLES)) == (
        "3 images have the same pixels as an earlier one of the class, which is used in its place, "
        "such as cat/2 (the same as cat/0)"
    )
    assert note_of_copies({"cat/2": "cat/0"}).startswith("1 image has the same pixels as")
    assert note_of_contradictions(contradictions(ROWS)) == (
        "2 images are in two classes with the same pixels, such as cat/1 and dog/0: one label must "
        "be wrong; remove the wrong ones, or leave them out with --bans"
    )
