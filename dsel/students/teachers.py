"""Teachers: classifiers that give soft labels, matched to the classes of a dataset by name.

A teacher is a folder of `dsel teach`, or any image classifier of transformers. Its weights are
safetensors, and no code from its files is run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoImageProcessor, AutoModelForImageClassification

from dsel.errors import PriorError, SettingError, first_line, shown
from dsel.priors.labels import Labels, read_labels
from dsel.priors.loading import LOADING_FAILS, check_weights, choose_device, quiet
from dsel.priors.weights import ModelKind, find_weights
from dsel.students.exported import resized
from dsel.students.models import build_student
from dsel.students.records import Images
from dsel.students.teacher_file import CONFIG, WEIGHTS, is_own_teacher, read_config

TEACHER: Final = ModelKind(
    "a teacher",
    "a folder of dsel teach, the folder of a saved image classifier of transformers",
    CONFIG,
    ("*.json", "*.safetensors"),
)
BATCH_SIZE: Final = 64  # images per call
PROBE_PX: Final = 64
"""Side of the images that a processor is shown to learn what it does to colours."""


@dataclass(frozen=True, slots=True)
class _Classifier:
    """A network (B, 3, px, px) -> logits (B, labels), and what it reads.

    A colour in 0 to 1 is multiplied by `colours` (3, 3), and `black` (3, 1, 1) is added. names: all
    names of each label.
    """

    network: nn.Module
    image_px: int
    colours: Tensor
    black: Tensor
    names: Sequence[Sequence[str]]


class Teacher:
    """A classifier of images into the classes of a dataset.

    Attributes:
        name: The folder or the Hub id that it was loaded from.
        fingerprint: A name of its weights, or the Hub's commit.
        image_px: The side of the images that it sees.
    """

    def __init__(
        self, name: str, fingerprint: str, classifier: _Classifier, classes: Sequence[str]
    ) -> None:
        self.name, self.fingerprint = name, fingerprint
        self.image_px = classifier.image_px
        self._classifier = classifier
        self._columns = match_labels(classifier.names, classes)

    @property
    def origin(self) -> dict[str, str]:
        """What the files of an export record of it."""
        return {"name": self.name, "fingerprint": self.fingerprint}

    def probabilities(self, images: Images) -> NDArray[np.float32]:
        """Return the probabilities (N, C) of images (N, px, px, 3), for the C classes alone.

        Images are resampled whole to the side that the teacher sees.
        """
        parts = [
            self._probabilities(images[start : start + BATCH_SIZE])
            for start in range(0, len(images), BATCH_SIZE)
        ]
        return np.concatenate([np.zeros((0, len(self._columns)), np.float32), *parts])

    @torch.inference_mode()
    def _probabilities(self, images: Images) -> NDArray[np.float32]:
        ours = self._classifier
        pixels = np.stack([resized(image, ours.image_px) for image in images])
        inputs = torch.from_numpy(pixels).to(ours.black.device).permute(0, 3, 1, 2).float().div(255)
        output = ours.network(torch.einsum("oc,nchw->nohw", ours.colours, inputs) + ours.black)
        logits = output if isinstance(output, Tensor) else output.logits
        # The softmax over the classes alone: other labels of the teacher get no share.
        found = logits.float()[:, self._columns].softmax(1)  # (B, C)
        probabilities: NDArray[np.float32] = found.cpu().numpy()
        return probabilities


def load_teacher(name: str, classes: Sequence[str], device: str = "auto") -> Teacher:
    """Load a teacher for these classes.

    name: a folder of `dsel teach`, or the folder or the Hub id of an image classifier of
    transformers. Raises `PriorError` where it cannot be loaded, and `SettingError` where it does
    not know all classes.
    """
    found = find_weights(name, kind=TEACHER)
    load = _load_own if is_own_teacher(found.folder) else _load_transformers
    classifier = load(found.folder, choose_device(device))
    return Teacher(name, found.revision, classifier, classes)


def match_labels(names: Sequence[Sequence[str]], classes: Sequence[str]) -> list[int]:
    """Return the label of each class; `names` are all names of each label.

    Case, underscores and spaces do not matter, and of a class called "tench, Tinca tinca" either
    name is enough. Raises `SettingError` for classes without a label of their own.
    """
    labels = Labels(names, null=-1)
    found = {name: _label(labels, name) for name in classes}
    unknown = [name for name, label in found.items() if label is None]
    if unknown:
        raise _mismatch(f"has no label for {_listed(unknown)}", classes, names)
    times = Counter(found.values())
    shared = [name for name, label in found.items() if times[label] > 1]
    if shared:
        raise _mismatch(f"has the same label for {_listed(shared)}", classes, names)
    return [label for label in found.values() if label is not None]


def _label(labels: Labels, name: str) -> int | None:
    for spelling in (name, *name.split(",")):
        try:
            return labels.find(spelling.strip() or name)
        except SettingError:
            continue
    return None


def _mismatch(what: str, classes: Sequence[str], names: Sequence[Sequence[str]]) -> SettingError:
    known = [", ".join(of_label) for of_label in names]
    return SettingError(
        f"the teacher {what}; the classes are: {_listed(classes)}; the teacher's labels are: "
        f"{_listed(known)}",
        setting="teacher",
        classes=list(shown(classes)),
        labels=list(shown(known)),
    )


def _listed(names: Sequence[str]) -> str:
    return (
        "; ".join(shown(names)) if any("," in name for name in names) else ", ".join(shown(names))
    )


def _load_own(folder: Path, device: torch.device) -> _Classifier:
    config = read_config(folder)
    network = build_student(config.student, len(config.names), config.image_px, seed=0)
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except LOADING_FAILS as error:
        raise PriorError(
            f"{folder / WEIGHTS} is missing or damaged: train the teacher again with dsel teach "
            f"({first_line(error)})"
        ) from error
    # A student normalizes its images itself.
    colours, black = torch.eye(3, device=device), torch.zeros(3, 1, 1, device=device)
    return _Classifier(network.to(device).eval(), config.image_px, colours, black, config.names)


def _load_transformers(folder: Path, device: torch.device) -> _Classifier:
    names = read_labels(folder / CONFIG)
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        with quiet():
            processor = AutoImageProcessor.from_pretrained(folder, use_fast=False, **local)
            network, info = AutoModelForImageClassification.from_pretrained(
                folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **local
            )
            colours, black = _colours(processor)
    except LOADING_FAILS as error:
        raise PriorError(
            f"{folder} cannot be loaded as an image classifier with safetensors weights: "
            f"{first_line(error)}"
        ) from error
    check_weights(folder, "classifier", sorted(info["missing_keys"]))
    if len(names) != network.config.num_labels:
        raise PriorError(f"{folder / CONFIG} names {len(names)} labels of its network")
    return _Classifier(
        network.to(device).eval(),
        _side(processor, folder),
        colours.to(device),
        black.to(device),
        names,
    )


def _colours(processor: Any) -> tuple[Tensor, Tensor]:
    """Return what a processor makes of a colour in 0 to 1: a matrix (3, 3), and black (3, 1, 1).

    Processors rescale and normalize in ways of their own, and some swap red and blue: so it is
    shown black, red, green and blue.
    """
    shown = np.zeros((4, PROBE_PX, PROBE_PX, 3), np.uint8)
    for channel in range(3):
        shown[1 + channel, ..., channel] = 255
    values = processor(list(shown), return_tensors="pt")["pixel_values"]  # (4, 3, H, W)
    middle = values[:, :, values.shape[2] // 2, values.shape[3] // 2].float()
    return (middle[1:] - middle[0]).T, middle[0].view(3, 1, 1)


def _side(processor: Any, folder: Path) -> int:
    """Return the side of the images that the network sees."""
    crops = getattr(processor, "do_center_crop", False)
    size = dict(processor.crop_size if crops else processor.size)
    sides = [size[key] for key in ("height", "width", "shortest_edge") if size.get(key)]
    if not sides or len(set(sides)) > 1:
        raise PriorError(f"{folder} sees images of {json.dumps(size)}: dsel needs a square")
    return int(sides[0])
