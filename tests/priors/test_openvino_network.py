"""Each family on OpenVINO against torch: outputs, activations, shapes, precision, fallbacks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from support.families import CLASS_NAMES

from dsel.config import PriorSettings
from dsel.errors import PriorError, SettingError
from dsel.priors import conversions, load_prior
from dsel.priors.openvino_network import (
    SMALL_BYTES,
    OpenVINONetwork,
    Target,
    compile_options,
    openvino_device,
    rows_of,
)
from dsel.types import Prediction, Prior

openvino = pytest.importorskip("openvino")
KINDS = ("sd_epsilon", "sd_v", "sdxl", "dit", "pixel_unet")


@pytest.fixture(autouse=True)
def caches(tmp_path_factory, monkeypatch) -> Path:
    """One cache folder for all tests of this module, so that a family is converted once."""
    folder = tmp_path_factory.getbasetemp() / "openvino-caches"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def load(kind: str, family_folder: Callable[[str], Path], **settings: object) -> Prior:
    plain = {"device": "cpu", "precision": "float32"} | settings
    return load_prior(PriorSettings(prior=str(family_folder(kind)), **plain))


def predict(prior: Prior, kind: str, rows: int, wider: int = 0, time: int = 700) -> Prediction:
    """Predict rows of noise, whose latents are so much wider than high, and tap two of them."""
    side = prior.resolution_px // prior.cell_px
    channels = prior.encode(np.zeros((1, *[prior.resolution_px] * 2, 3), np.uint8)).shape[1]
    generator = torch.Generator().manual_seed(rows)
    latents = torch.randn(rows, channels, side, side + wider, generator=generator)
    which = torch.arange(rows) % 2
    conditioning = prior.embed(CLASS_NAMES[kind][:2])
    chosen = {name: part[which] for name, part in conditioning.items()}
    times = torch.full((rows,), time)
    return prior.predict(latents, times, chosen, tap=torch.tensor([0, rows - 1]))


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("kind", KINDS)
def test_call__outputs_and_activations_are_those_of_torch(kind, family_folder):
    """For squares and, where the family takes them, wider images; for any number of rows."""
    prior = load(kind, family_folder)
    step = prior.step_px // prior.cell_px if prior.step_px else 0
    shapes = [(5, 0), (13, 0), (3, step), (9, 2 * step)] if step else [(5, 0), (13, 0)]
    for rows, wider in shapes:
        prior.use_backend("torch")
        expected = predict(prior, kind, rows, wider)
        prior.use_backend("openvino")
        found = predict(prior, kind, rows, wider)
        assert prior.backend == "openvino"
        assert found.output.dtype == torch.float32
        assert difference(found.output, expected.output) < 1e-5
        assert difference(found.features, expected.features) < 1e-5


def test_call__a_row_does_not_depend_on_the_others(family_folder):
    """The number of rows of one inference is fixed by their shape, and its rest is filled up."""
    prior = load("sd_epsilon", family_folder)
    prior.use_backend("openvino")
    side, names = prior.resolution_px // prior.cell_px, prior.embed(["a cat"])
    latents = torch.randn(11, 4, side, side, generator=torch.Generator().manual_seed(3))
    times = torch.full((11,), 300)

    def outputs(rows: slice) -> torch.Tensor:
        count = len(times[rows])
        states = {k: part.expand(count, -1, -1) for k, part in names.items()}
        return prior.predict(latents[rows], times[rows], states).output

    whole = outputs(slice(0, 11))
    assert torch.equal(outputs(slice(0, 8)), whole[:8])
    assert torch.equal(outputs(slice(0, 3)), whole[:3])


@pytest.mark.parametrize("kind", ["sd_epsilon", "dit"])
def test_call__bfloat16_is_as_exact_as_torch_at_late_timesteps(kind, family_folder):
    """In bfloat16 the timestep 999 is 1000: its sines must not be computed in it."""
    exact = predict(load(kind, family_folder), kind, 8, time=999).output
    prior = load(kind, family_folder, precision="bfloat16")
    of_torch = difference(predict(prior, kind, 8, time=999).output, exact)
    prior.use_backend("openvino")
    assert difference(predict(prior, kind, 8, time=999).output, exact) < 2 * of_torch


def test_call__a_large_network_is_compiled_once_for_all_that_are_not_square(
    family_folder, monkeypatch
):
    monkeypatch.setattr("dsel.priors.openvino_network.SMALL_BYTES", 1)
    prior = load("sd_epsilon", family_folder)
    compiled = []
    compile_one = OpenVINONetwork._compile
    monkeypatch.setattr(
        OpenVINONetwork, "_compile",
        lambda self, shapes, threads: compiled.append(shapes) or compile_one(self, shapes, threads),
    )  # fmt: skip
    for wider in (0, 4, 8, 0, 4):
        prior.use_backend("torch")
        expected = predict(prior, "sd_epsilon", 4, wider)
        prior.use_backend("openvino")
        assert difference(predict(prior, "sd_epsilon", 4, wider).output, expected.output) < 1e-5
    assert [shapes[0][2:] for shapes in compiled] == [(8, 8), (-1, -1)]


def test_conversion__is_stored_once_and_used_by_the_next_prior(family_folder, caches, monkeypatch):
    prior = load("pixel_unet", family_folder)
    prior.use_backend("openvino")
    expected = predict(prior, "pixel_unet", 4).output
    monkeypatch.setattr("dsel.priors.openvino_network._openvino_model", None)  # a call would fail
    again = load("pixel_unet", family_folder)
    again.use_backend("openvino")
    assert torch.equal(predict(again, "pixel_unet", 4).output, expected)


@pytest.mark.parametrize("name", [conversions.MODEL, conversions.WEIGHTS, conversions.RECORD])
def test_conversion__that_is_damaged_is_made_again(name, family_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    prior = load("dit", family_folder)
    prior.use_backend("openvino")
    expected = predict(prior, "dit", 4).output
    (file,) = conversions.conversions().glob(f"*/{name}")
    whole = file.read_bytes()
    file.write_bytes(whole[:-9] + b"x" + whole[-8:])
    again = load("dit", family_folder)
    again.use_backend("openvino")
    assert torch.equal(predict(again, "dit", 4).output, expected)
    assert file.read_bytes() != whole[:-9] + b"x" + whole[-8:]
    assert not list(conversions.conversions().glob("*.partial"))


def test_conversion__where_nothing_can_be_stored(family_folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    prior = load("dit", family_folder)
    expected = predict(prior, "dit", 3).output
    prior.use_backend("openvino")
    assert difference(predict(prior, "dit", 3).output, expected) < 1e-5


def test_conversion__sends_nothing(family_folder, tmp_path, monkeypatch):
    """`openvino.convert_model` would report its use."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    telemetry = pytest.importorskip("openvino_telemetry")
    monkeypatch.setattr(telemetry.Telemetry, "__init__", None)  # a call would fail
    monkeypatch.setattr(telemetry.Telemetry, "send_event", None)
    prior = load("dit", family_folder)
    prior.use_backend("openvino")
    assert predict(prior, "dit", 2).output.isfinite().all()


def test_call__what_cannot_be_converted_ends_with_one_line(family_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def refuse(*_: object) -> None:
        raise openvino.frontend.OpConversionFailure("no rule for aten::odd\nand a long list")

    monkeypatch.setattr("dsel.priors.openvino_network._openvino_model", refuse)
    prior = load("dit", family_folder)
    prior.use_backend("openvino")
    with pytest.raises(PriorError) as error:
        predict(prior, "dit", 2)
    assert str(error.value) == "OpenVINO cannot convert it (no rule for aten::odd)"
    prior.use_backend("torch")
    assert predict(prior, "dit", 2).output.isfinite().all()


@pytest.mark.parametrize("kind", ["sd3", "flux_dev"])
def test_use_backend__a_family_that_openvino_does_not_run(kind, family_folder):
    prior = load(kind, family_folder, resolution_px=64)
    assert prior.backend_to_try == "torch"
    with pytest.raises(PriorError, match=r"^OpenVINO does not run a \w+Pipeline$"):
        prior.use_backend("openvino")
    assert prior.backend == "torch"


def test_use_backend__attention_in_slices(family_folder):
    prior = load("sd_epsilon", family_folder, low_memory=True)
    assert prior.backend_to_try == "torch"
    with pytest.raises(PriorError, match=r"^OpenVINO does not run attention in slices$"):
        prior.use_backend("openvino")


def test_load_prior__openvino_does_not_change_the_fingerprint(family_folder):
    one, other = load("dit", family_folder, backend="openvino"), load("dit", family_folder)
    assert (one.fingerprint, one.origin) == (other.fingerprint, other.origin)
    assert (one.requested_backend, one.backend_to_try, one.backend) == (
        "openvino", "openvino", "torch",
    )  # fmt: skip
    assert (other.requested_backend, other.backend_to_try) == ("auto", "openvino")


def test_load_prior__openvino_on_a_device_that_it_does_not_have(family_folder):
    with pytest.raises(SettingError) as error:
        load("dit", family_folder, backend="openvino", device="meta")
    assert str(error.value) == (
        "backend openvino runs on cpu and xpu, not on meta: use --device cpu, or leave the backend "
        "on auto"
    )
    assert error.value.fields["setting"] == "backend"


def test_compile_options__follow_precision_and_threads():
    on_cpu = compile_options(Target("x", "bfloat16", "CPU"), 3)
    assert on_cpu["INFERENCE_PRECISION_HINT"] == "bf16"
    assert on_cpu["INFERENCE_NUM_THREADS"] == 3
    on_gpu = compile_options(Target("x", "float16", "GPU.1"), 3)
    assert on_gpu["INFERENCE_PRECISION_HINT"] == "f16"
    assert "INFERENCE_NUM_THREADS" not in on_gpu


class _Core:
    devices = ("CPU", "GPU.0", "GPU.1")

    @property
    def available_devices(self) -> list[str]:
        return list(self.devices)


def test_openvino_device__an_intel_gpu_is_taken_by_auto_and_by_name(monkeypatch):
    monkeypatch.setattr(openvino, "Core", _Core)
    cpu = torch.device("cpu")
    assert openvino_device(cpu, "auto") == "GPU"
    assert openvino_device(cpu, "cpu") == "CPU"
    assert openvino_device(torch.device("xpu", 1), "xpu:1") == "GPU.1"
    assert openvino_device(torch.device("xpu"), "xpu") == "GPU"
    monkeypatch.setattr(_Core, "devices", ("CPU",))
    assert openvino_device(cpu, "auto") == "CPU"


def test_openvino_device__without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(PriorError, match="the openvino backend needs"):
        openvino_device(torch.device("cpu"), "auto")


@pytest.mark.parametrize(
    ("cells", "device", "rows"),
    [(256, "CPU", 8), (1024, "CPU", 4), (4096, "CPU", 2), (9216, "CPU", 2), (4096, "GPU.1", 16)],
)
def test_rows_of__fewer_for_larger_latents(cells, device, rows):
    assert rows_of(cells, device) == rows


def test_small__is_about_the_demo_prior():
    prior = load_prior(PriorSettings(device="cpu", precision="float32"))
    weights = sum(part.numel() for part in prior._network.parameters()) * 4
    assert weights < SMALL_BYTES
