"""Manual overrides with their classes and problems."""

from __future__ import annotations

from support.drawn import geometry, scores_of

from dsel.analysis.override_status import OverrideStatus, override_statuses
from dsel.config import SelectSettings
from dsel.runs.schema import ImageRow
from dsel.types import Frame

SCORES = scores_of([[[[0.0] * 4] * 4]] * 8)


def row(image_id: str, class_index: int, frame: Frame | None) -> ImageRow:
    return ImageRow(image_id, class_index, 0, -1 if frame is None else 0, 0, frame, "")


def test_override_statuses__each_with_its_class_and_what_does_not_fit() -> None:
    frame = SCORES.frames[0]
    rows = [row("cat/0", 0, frame), row("dog/0", 1, frame), row("dog/1", 1, None)]
    settings = SelectSettings(
        patch_px=24, pins=("dog/0", "dog/1"), bans=("cow/0",), moves=("cat/0@8,8", "dog/0@9,0")
    )
    found = list(override_statuses(settings, geometry((0,), (1.0,), 32), rows))
    assert found[0] == OverrideStatus("pin", "dog/0", 1, "")
    assert [(one.kind, one.image_id, one.class_index) for one in found] == [
        ("pin", "dog/0", 1), ("pin", "dog/1", 1), ("ban", "cow/0", -1),
        ("move", "cat/0", 0), ("move", "dog/0", 1),
    ]  # fmt: skip
    assert "was skipped" in found[1].problem
    assert found[2].problem == "unknown image 'cow/0' in bans: ids look like 'cat/0'" or (
        found[2].problem.startswith("unknown image 'cow/0' in bans")
    )
    assert found[3].problem == ""
    assert "must be between 0,0 and 8,8" in found[4].problem
