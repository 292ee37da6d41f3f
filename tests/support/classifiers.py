"""Small classifiers that tests save: of transformers, and those of `dsel teach`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsel.students.teacher_file import WEIGHTS, TeacherConfig, write_config

SIDE_PX = 32


def save_resnet(folder: Path, labels: Sequence[str], **preprocessing: Any) -> Path:
    """Save an untrained ResNet of transformers and its preprocessing."""
    import torch
    from transformers import ConvNextImageProcessorPil, ResNetConfig, ResNetForImageClassification

    from dsel.priors.loading import quiet

    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic",
        id2label=dict(enumerate(labels)), label2id={name: n for n, name in enumerate(labels)},
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ResNetForImageClassification(config)
    with quiet():
        network.save_pretrained(folder)
    how: dict[str, Any] = {"size": {"shortest_edge": SIDE_PX}, "crop_pct": 1.0}
    ConvNextImageProcessorPil(**(how | preprocessing)).save_pretrained(folder)
    return folder


def save_teacher(folder: Path, names: Sequence[Sequence[str]], **changes: Any) -> Path:
    """Save an untrained student as a teacher of dsel."""
    from safetensors.torch import save_file

    from dsel.students.models import build_student

    config = TeacherConfig(
        dsel="0", student="convnet-3", names=[list(one) for one in names], image_px=16, images=9,
        dataset="0" * 16, validation="", accuracy=None, settings={},
    )  # fmt: skip
    write_config(folder, config.model_copy(update=changes))
    save_file(build_student("convnet-3", len(names), 16, seed=0).state_dict(), folder / WEIGHTS)
    return folder
