"""How students are trained on a set and compared."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field

from dsel.config.base import Display, Settings
from dsel.config.select import BaselineName
from dsel.config.training import Precision, RecipeBatchSize, RecipeLearningRate, Threads

Student: TypeAlias = Literal[
    "convnet-3", "convnet-4", "convnet-5", "convnet-6", "resnet-10", "resnet-18", "resnet-50",
    "resnet-101", "mobilenet-v2", "efficientnet-b0", "vit-small",
]  # fmt: skip


class StudentSettings(Settings):
    """How students are trained on a set."""

    student: Annotated[
        Student,
        Field(description="architecture of the students, trained from scratch"),
        Display("Student"),
    ] = "convnet-4"
    student_px: Annotated[
        int,
        Field(
            ge=0,
            le=1024,
            description="side of the images that students see; 0 is the side of the distilled "
            "images, at most 64",
        ),
        Display("Student's image size", unit="px"),
    ] = 0
    recipe: Annotated[
        Literal["hard", "soft"],
        Field(description="train on class labels (hard), or on a teacher's probabilities (soft)"),
        Display("Recipe", choices=(("hard", "Class labels"), ("soft", "Teacher's labels"))),
    ] = "hard"
    steps: Annotated[
        int,
        Field(ge=1, le=1_000_000, description="training steps of each student, for any set size"),
        Display("Steps"),
    ] = 300
    batch_size: RecipeBatchSize = 0
    learning_rate: RecipeLearningRate = 0.0
    precision: Precision = "auto"
    seeds: Annotated[
        int,
        Field(ge=1, le=100, description="students per set, each with its own seed"),
        Display("Students per set"),
    ] = 3
    seed: Annotated[
        int, Field(ge=0, le=2**31 - 1, description="seed of the first student"), Display("Seed")
    ] = 0
    unpack: Annotated[
        bool,
        Field(description="train on the tiles of mosaics, each at full size"),
        Display("Unpack mosaics"),
    ] = True
    threads: Threads = 0


class EvaluateSettings(StudentSettings):
    """How students are trained on a set and compared."""

    baselines: Annotated[
        tuple[str, ...],
        Field(
            description="baselines of equal budget to compare with: "
            + ", ".join(name for name in get_args(BaselineName) if name != "none")
        ),
        Display("Baselines"),
    ] = ("random-whole",)
    ipcs: Annotated[
        tuple[Annotated[int, Field(ge=1, le=100_000)], ...],
        Field(description="images per class to evaluate at; empty is the selection's IPC"),
        Display("IPCs"),
    ] = ()
