"""Which backend is tried on which device, its trial, and the answer that is remembered."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError

import pytest
import torch
from support.mixture import MixturePrior

from dsel.errors import SettingError
from dsel.priors import backends
from dsel.priors.backends import (
    Trial,
    backend_to_try,
    check_backend,
    compare,
    differs,
    remembered,
)

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def missing(monkeypatch) -> None:
    """An environment without OpenVINO."""

    def version(name: str) -> str:
        if name == "openvino":
            raise PackageNotFoundError(name)
        return "1"

    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(backends, "version", version)
    monkeypatch.setattr(backends, "import_module", absent)


@pytest.mark.parametrize("kind", ["cuda", "xpu", "mps"])
def test_backend_to_try__compiles_on_accelerators(kind):
    assert backend_to_try("auto", torch.device(kind), converts=True) == "compile"
    assert backend_to_try("torch", torch.device(kind), converts=True) == "torch"


def test_backend_to_try__openvino_on_a_cpu_where_it_is_installed():
    pytest.importorskip("openvino")
    assert backend_to_try("auto", CPU, converts=True) == "openvino"
    assert backend_to_try("auto", CPU, converts=False) == "torch"
    assert backend_to_try("compile", CPU, converts=True) == "compile"


@pytest.mark.usefixtures("missing")
def test_backend_to_try__openvino_is_missing():
    assert backend_to_try("auto", CPU, converts=True) == "torch"
    check_backend("auto", CPU)
    with pytest.raises(SettingError) as error:
        check_backend("openvino", CPU)
    assert str(error.value) == (
        'the openvino backend needs the openvino library: pip install "dsel[openvino]"'
    )


def test_backend_to_try__openvino_of_a_version_that_does_not_fit(monkeypatch):
    from packaging.specifiers import SpecifierSet

    monkeypatch.setattr("dsel.errors.version", lambda _: "2024.1.0")
    monkeypatch.setattr("dsel.errors._wanted", lambda *_: SpecifierSet(">=2026,<2027"))
    assert backend_to_try("auto", CPU, converts=True) == "torch"
    with pytest.raises(SettingError, match=r"needs openvino>=2026,<2027, but 2024\.1\.0 is"):
        check_backend("openvino", CPU)


class Shifted(MixturePrior):
    """A prior whose other backend adds a little to the output, or to the activations."""

    def __init__(self, output: float = 0.0, features: float = 0.0) -> None:
        super().__init__(("cat", "dog"), resolution_px=32, cell_px=4)
        self.shift = output, features
        self.calls: list[str] = []

    def predict(self, latents, timesteps, conditioning, *, tap=None):
        self.calls.append(self.backend)
        found = super().predict(latents, timesteps, conditioning, tap=tap)
        if self.backend == "torch":
            return found
        return replace(
            found,
            output=found.output + self.shift[0] * found.output.abs().max(),
            features=found.features + self.shift[1] * found.features.abs().max(),
        )


def rows(prior: MixturePrior) -> tuple[torch.Tensor, torch.Tensor, dict]:
    latents = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    named = prior.embed(["An image of cat."])["named"]
    return latents, torch.tensor([100, 200, 300, 400]), {"named": named.expand(4, -1)}


@pytest.mark.parametrize(("output", "features"), [(0.0, 0.0), (3e-4, 1e-4), (1e-4, 3e-4)])
def test_compare__finds_the_largest_difference(output, features):
    prior = Shifted(output, features)
    trial = compare(prior, "openvino", *rows(prior))
    assert trial.difference == pytest.approx(max(output, features), rel=1e-2)
    assert trial.speedup > 0
    assert prior.calls == ["torch", "openvino"] * 4  # a warm-up, and three turns
    assert prior.backend == "openvino"


def test_compare__the_speedup_is_of_medians(monkeypatch):
    """Torch takes 4, 90 and 6 s, the other 3, 3 and 50 s; the clock is read before and after."""
    lasts = iter([4, 3, 90, 3, 6, 50])
    ticks = (t for length in lasts for t in (0.0, float(length)))
    monkeypatch.setattr(backends.time, "perf_counter", lambda: next(ticks))
    prior = Shifted()
    assert compare(prior, "openvino", *rows(prior)).speedup == 6 / 3


def test_differs__by_precision_and_for_what_is_not_a_number():
    assert not differs(Trial(1.0, 1e-4), "float32")
    assert differs(Trial(1.0, 1.1e-4), "float32")
    assert not differs(Trial(1.0, 0.05), "bfloat16")
    assert differs(Trial(1.0, float("nan")), "bfloat16")


def test_remembered__asks_once_for_each_shape_and_precision():
    prior, asked = Shifted(), []
    latents = torch.zeros(2, 3, 8, 8)

    def run() -> Trial:
        asked.append(1)
        return Trial(1.0 + len(asked), 0.0)

    assert remembered(prior, "compile", latents, run).speedup == 2.0
    assert remembered(prior, "compile", latents, run).speedup == 2.0
    assert remembered(prior, "compile", latents[:1], run).speedup == 3.0
    prior.precision = "bfloat16"
    assert remembered(prior, "compile", latents, run).speedup == 4.0


def test_remembered__a_record_that_cannot_be_read_is_measured_again(tmp_path):
    prior, latents = Shifted(), torch.zeros(2, 3, 8, 8)
    assert remembered(prior, "compile", latents, lambda: Trial(2.0, 0.0)).speedup == 2.0
    (file,) = (tmp_path / "dsel" / "networks").glob("*.json")
    file.write_text('{"speedup": "fast"}')
    assert remembered(prior, "compile", latents, lambda: Trial(3.0, 0.0)).speedup == 3.0
