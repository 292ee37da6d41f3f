"""Teachers: their labels by name, their probabilities against the network's own, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from support.classifiers import SIDE_PX, save_resnet, save_teacher

from dsel.errors import PriorError, SettingError
from dsel.students.models import build_student
from dsel.students.teacher_file import read_config
from dsel.students.teachers import load_teacher, match_labels

LABELS = ("tench, Tinca tinca", "English_springer", "crane", "crane", "dog")


def images(count: int, side_px: int = SIDE_PX) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, side_px, side_px, 3), np.uint8)


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_resnet(tmp_path_factory.mktemp("teachers") / "resnet", LABELS)


@pytest.mark.parametrize(
    ("classes", "wanted"),
    [
        (["tench"], [0]),
        (["Tinca  Tinca", "DOG"], [0, 4]),
        (["english springer", "tench, Tinca tinca"], [1, 0]),
        (["perch, dog"], [4]),
    ],
)
def test_match_labels__by_any_name(classes, wanted):
    names = [label.split(", ") for label in LABELS]
    assert match_labels(names, classes) == wanted


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["dog", "cat", "horse"], "has no label for cat, horse"),
        (["crane", "dog"], "has no label for crane"),
        (["tench", "tinca tinca"], "has the same label for tench, tinca tinca"),
    ],
)
def test_match_labels__a_mismatch_shows_both_lists(classes, message):
    names = [label.split(", ") for label in LABELS]
    with pytest.raises(SettingError) as error:
        match_labels(names, classes)
    assert str(error.value) == (
        f"the teacher {message}; the classes are: {', '.join(classes)}; the teacher's labels are: "
        "tench, Tinca tinca; English_springer; crane; crane; dog"
    )


def test_match_labels__long_lists_are_shortened():
    with pytest.raises(SettingError) as error:
        match_labels([[f"label {n}"] for n in range(1000)], [f"class {n}" for n in range(500)])
    assert "class 19, and 480 more; the classes are: " in str(error.value)
    assert str(error.value).endswith("label 19, and 980 more")


def test_teacher__of_transformers_as_the_library_itself(resnet):
    """All labels, so that the softmax is the network's own; images that need no resampling."""
    from transformers import ConvNextImageProcessorPil, ResNetForImageClassification

    labels = ("tench", "English springer", "dog")
    teacher, batch = load_teacher(str(resnet), labels), images(3)
    processor = ConvNextImageProcessorPil.from_pretrained(resnet)
    network = ResNetForImageClassification.from_pretrained(resnet).eval()
    pictures = [Image.fromarray(one) for one in batch]
    with torch.inference_mode():
        logits = network(**processor(pictures, return_tensors="pt")).logits.numpy()
    wanted = softmax(logits[:, [0, 1, 4]])
    found = teacher.probabilities(batch)
    assert (found.dtype, teacher.image_px) == (np.float32, SIDE_PX)
    assert found == pytest.approx(wanted, abs=1e-5)


def test_teacher__normalization_of_the_preprocessing(tmp_path):
    """Another scale, mean and deviation give the same as normalizing by hand."""
    how = {"rescale_factor": 1 / 127.5, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 2, 1]}
    folder, batch = save_resnet(tmp_path, ("a", "b"), **how), images(2)
    from transformers import ResNetForImageClassification

    inputs = (batch / 127.5 - [0.1, 0.2, 0.3]) / [0.5, 2, 1]
    network = ResNetForImageClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits = network(torch.from_numpy(inputs).permute(0, 3, 1, 2).float()).logits.numpy()
    found = load_teacher(str(folder), ("a", "b")).probabilities(batch)
    assert found == pytest.approx(softmax(logits), abs=1e-5)


@pytest.mark.parametrize("name", ["MobileViTImageProcessorPil", "EfficientNetImageProcessorPil"])
def test_teacher__preprocessing_that_swaps_channels_or_normalizes_twice(tmp_path, name):
    """MobileViT reads blue, green, red; EfficientNet divides by its deviation once more."""
    import transformers

    folder, batch = save_resnet(tmp_path, ("a", "b")), images(2)
    how = {"size": {"height": SIDE_PX, "width": SIDE_PX}, "do_center_crop": False}
    processor = getattr(transformers, name)(**how)
    processor.save_pretrained(folder)
    inputs = processor([Image.fromarray(one) for one in batch], return_tensors="pt")
    network = transformers.ResNetForImageClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits = network(**inputs).logits.numpy()
    found = load_teacher(str(folder), ("a", "b")).probabilities(batch)
    assert found == pytest.approx(softmax(logits), abs=1e-5)


def test_teacher__of_dsel_as_the_network_itself(tmp_path):
    folder = save_teacher(tmp_path, [["cat"], ["dog", "hound"]])
    batch = images(70, 16)
    network = build_student("convnet-3", 2, 16, seed=5)
    network.load_state_dict(load_file(folder / "model.safetensors"))
    with torch.inference_mode():
        inputs = torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255
        logits = network.eval()(inputs).numpy()
    found = load_teacher(str(folder), ("Hound", "cat")).probabilities(batch)
    assert found == pytest.approx(softmax(logits)[:, ::-1], abs=1e-5)


def test_teacher__no_images_and_other_sides(tmp_path):
    teacher = load_teacher(str(save_teacher(tmp_path, [["cat"], ["dog"]])), ("cat", "dog"))
    assert teacher.probabilities(images(0)).shape == (0, 2)
    assert teacher.probabilities(images(2, 50)).sum(1) == pytest.approx(1)


def test_load_teacher__fingerprint_is_that_of_the_weights(tmp_path):
    one, two = (save_teacher(tmp_path / name, [["cat"], ["dog"]]) for name in ("a", "b"))
    other = save_teacher(tmp_path / "c", [["cat"], ["dog"]], images=8)
    prints = [load_teacher(str(f), ("cat", "dog")).fingerprint for f in (one, two, other)]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "dsel teacher 9"}, "format: input should be 'dsel teacher 1'"),
        ({"student": "os.system"}, "student: input should be"),
        ({"image_px": -1}, "image_px: input should be greater than or equal to 1"),
        ({"names": []}, "names: list should have at least 1 item"),
        ({"auto_map": {"AutoModel": "x.Y"}}, "auto_map: extra inputs are not permitted"),
    ],
)
def test_load_teacher__a_config_that_dsel_did_not_write(tmp_path, changes, message):
    folder = save_teacher(tmp_path, [["cat"], ["dog"]])
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(record | changes))
    with pytest.raises(PriorError, match="is not that of a teacher of this version of dsel") as e:
        load_teacher(str(folder), ("cat", "dog"))
    assert message in str(e.value)


def test_load_teacher__that_is_none(tmp_path):
    with pytest.raises(PriorError, match="'nowhere' is not a teacher: give a folder of dsel teach"):
        load_teacher("nowhere", ("cat",))
    with pytest.raises(PriorError, match=r"is not a teacher: it has no config\.json"):
        load_teacher(str(tmp_path), ("cat",))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(PriorError, match="is missing or damaged: it is not JSON"):
        load_teacher(str(tmp_path), ("cat",))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(PriorError, match="has no class names"):
        load_teacher(str(tmp_path), ("cat",))


def test_load_teacher__damaged_or_pickled_weights(tmp_path):
    own = save_teacher(tmp_path / "own", [["cat"], ["dog"]])
    (own / "model.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(PriorError, match="train the teacher again with dsel teach"):
        load_teacher(str(own), ("cat", "dog"))
    theirs = save_resnet(tmp_path / "theirs", ("cat", "dog"))
    (theirs / "model.safetensors").rename(theirs / "pytorch_model.bin")
    with pytest.raises(PriorError, match="cannot be loaded as an image classifier with safetensor"):
        load_teacher(str(theirs), ("cat", "dog"))


def test_load_teacher__code_of_others_is_not_run(tmp_path):
    folder = save_resnet(tmp_path, ("cat", "dog"))
    record = json.loads((folder / "config.json").read_text())
    record |= {"model_type": "mine", "auto_map": {"AutoModelForImageClassification": "evil.Evil"}}
    (folder / "config.json").write_text(json.dumps(record))
    (folder / "evil.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    with pytest.raises(PriorError, match="cannot be loaded as an image classifier"):
        load_teacher(str(folder), ("cat", "dog"))
    assert not Path("ran").exists()


def test_read_config__what_was_written(tmp_path):
    config = read_config(save_teacher(tmp_path, [["cat", "tabby"], ["dog"]], accuracy=0.5))
    assert (config.names, config.accuracy) == ([["cat", "tabby"], ["dog"]], 0.5)
