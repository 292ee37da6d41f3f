"""The folder of a teacher that `dsel teach` trains: config.json and model.safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dsel.config.evaluate import Student
from dsel.errors import PriorError, RunError
from dsel.files import json_bytes, read_json, write_atomically

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"

Name = Annotated[str, Field(max_length=1000)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class TeacherConfig(BaseModel):
    """What config.json holds.

    names: all names of each class, in the order of the network's outputs. image_px: side of the
    images that it was trained on. accuracy: on `validation`, held-out images. dataset: fingerprint
    of the images that it was trained on; origin: where they are from, empty for older teachers.
    settings: those of the training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    format: Literal["dsel teacher 1"] = "dsel teacher 1"
    dsel: Name
    student: Student
    names: Annotated[list[Annotated[list[Name], Field(min_length=1)]], Field(min_length=1)]
    image_px: Annotated[int, Field(ge=1, le=1024)]
    images: Annotated[int, Field(ge=1)]
    dataset: Name
    origin: dict[Name, Any] = Field(default_factory=dict)
    validation: Name
    accuracy: Share | None
    settings: dict[Name, Any]


def is_own_teacher(folder: Path) -> bool:
    """Whether a folder's config.json is that of a teacher of dsel, whatever its version."""
    record = _record(folder)
    return isinstance(record, dict) and str(record.get("format", "")).startswith("dsel teacher")


def read_config(folder: Path) -> TeacherConfig:
    """Read a teacher's config.json; raises `PriorError` for one that dsel did not write."""
    try:
        return TeacherConfig.model_validate(_record(folder))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or CONFIG
        raise PriorError(
            f"{folder / CONFIG} is not that of a teacher of this version of dsel: {where}: "
            f"{first['msg'].lower()}"
        ) from error


def write_config(folder: Path, config: TeacherConfig) -> None:
    """Write a teacher's config.json."""
    write_atomically(folder / CONFIG, json_bytes(config.model_dump()))


def _record(folder: Path) -> Any:
    try:
        return read_json(folder / CONFIG)
    except RunError as error:
        raise PriorError(f"{folder / CONFIG} is missing or damaged: it is not JSON") from error
