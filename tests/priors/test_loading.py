"""Devices, arithmetic, compiled networks: chosen, or refused in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from support.lazy import LazyModule
from torch import nn

from dsel.config import PriorSettings
from dsel.errors import PriorError, SettingError
from dsel.priors import load_prior
from dsel.types import Prediction, Prior

logging = LazyModule("diffusers.utils.logging")
loading = LazyModule("dsel.priors.loading")

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")


def test_choose_device__absent_one_is_told():
    for name in ("cuda:99", "gpu", "xpu"):
        with pytest.raises(
            SettingError, match=f"device '{name}' is not available; this machine has"
        ):
            loading.choose_device(name)
    assert loading.choose_device("cpu").type == "cpu"
    assert loading.choose_device("auto").type in {"cpu", "cuda", "mps", "xpu"}


def test_choose_precision__auto_and_named():
    assert loading.choose_precision("float16", CPU) is torch.float16
    assert loading.choose_precision("auto", CPU) in {torch.bfloat16, torch.float32}
    for device, dtype in (("mps", torch.float16), ("xpu", torch.bfloat16)):
        assert loading.choose_precision("auto", torch.device(device)) is dtype


@pytest.mark.parametrize(
    ("has", "dtype"),
    [
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"avx512_f": True, "avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"neon": True, "bf16": True}, torch.bfloat16),
        ({"neon": True}, torch.float32),
    ],
)
def test_choose_precision__emulated_bfloat16_is_not_the_fastest(monkeypatch, has, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert loading.choose_precision("auto", CPU) is dtype


def test_load_prior__prints_nothing_in_a_fresh_process() -> None:
    """Libraries warn when they are first imported, for example without torchvision."""
    code = (
        "from dsel.config import PriorSettings\n"
        "from dsel.priors import load_prior\n"
        "load_prior(PriorSettings(prior='demo', device='cpu'))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "")


def test_quiet__leaves_things_as_they_were():
    before = logging.get_verbosity()
    with loading.quiet():
        assert logging.get_verbosity() == logging.CRITICAL
    assert logging.get_verbosity() == before


REFUSED = """
from dsel.errors import PriorError
from dsel.priors.loading import pipeline_class
try:
    pipeline_class("StableDiffusionPipeline")
except PriorError as error:
    print(error)
"""


def test_pipeline_class__installed_libraries_do_not_fit(tmp_path):
    """Diffusers imports peft for every pipeline once it is there, and here it lacks its parts."""
    (tmp_path / "peft").mkdir()
    (tmp_path / "peft" / "__init__.py").touch()
    (tmp_path / "peft-0.20.0.dist-info").mkdir()
    (tmp_path / "peft-0.20.0.dist-info" / "METADATA").write_text("Name: peft\nVersion: 0.20.0\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", REFUSED], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == (
        "a prior needs libraries that work together (No module named 'peft.tuners'): pip install "
        '"dsel[lora]"\n'
    )


def small(folder: object, **settings: object) -> Prior:
    return load_prior(
        PriorSettings(prior=str(folder), device="cpu", precision="float32", **settings)
    )


def answer(prior: Prior, images: int) -> Prediction:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(images, 4, 8, 8, generator=generator)
    labels = {"labels": prior.embed(["tench", "", "chain saw"])["labels"][:images]}
    times = torch.full((images,), 400)
    return prior.predict(latents, times, labels, tap=torch.tensor([images - 1]))


def same_compiled(folder: object) -> None:
    """For other numbers of rows too, and with the activations of each call."""
    compiled_prior, plain = small(folder, backend="compile"), small(folder)
    compiled_prior.use_backend("compile")
    assert compiled_prior.fingerprint == plain.fingerprint
    for images in (2, 3, 2):
        found, expected = (answer(prior, images) for prior in (compiled_prior, plain))
        torch.testing.assert_close(found.output, expected.output, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.features, expected.features, rtol=1e-4, atol=1e-5)


def test_compiled__taps_and_answers_as_before(family_folder, monkeypatch):
    """As it is traced, without the compiler of C++ behind it."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    same_compiled(family_folder("dit"))


@pytest.mark.slow
def test_compiled__to_machine_code(family_folder):
    same_compiled(family_folder("dit"))


def test_compiled__where_it_cannot_work(monkeypatch):
    """Without a compiler of C++, or Triton on a GPU: known when the network is first asked."""

    def backend(_graph: object, _inputs: object) -> None:
        raise RuntimeError("No working C++ compiler found\nand many more lines")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    network = loading.compiled(nn.Linear(2, 2))
    with pytest.raises(PriorError) as error:
        network(torch.zeros(1, 2))
    text = str(error.value)
    assert text == ("the prior cannot be compiled on this machine (No working C++ compiler found)")


def test_compiled__an_error_of_the_network_stays_one():
    with pytest.raises(KeyError):
        loading.compiled(_Broken())(torch.zeros(1))


class _Broken(nn.Module):
    def forward(self, _inputs: torch.Tensor) -> torch.Tensor:
        raise KeyError("mistake")
