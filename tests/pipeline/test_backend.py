"""Which backend a run gets, what it is told, and that a resumed run goes on with it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from support.mixture import MixturePrior
from support.toyset import CELL_PX, PX, QUICK, dataset_of, finish, tree, write_pictures

from dsel.config import PriorSettings
from dsel.core.gap_maps import image_bucket
from dsel.errors import PriorError
from dsel.pipeline import backend as backend_module
from dsel.pipeline.score import score
from dsel.priors import load_prior
from dsel.priors.backends import Trial
from dsel.priors.scorer import Scorer
from dsel.runs import open_run
from dsel.types import Event, Notice


class Choosing(MixturePrior):
    """The toy prior with another backend, which runs as torch does, or cannot."""

    def __init__(self, requested: str = "auto", problem: str = "") -> None:
        super().__init__(("cat", "dog"), resolution_px=PX, cell_px=CELL_PX)
        self.requested_backend = requested
        self.backend_to_try = "openvino" if requested == "auto" else requested
        self.problem = problem
        self.used: set[str] = set()

    def predict(self, latents, timesteps, conditioning, *, tap=None):
        self.used.add(self.backend)
        if self.backend == "openvino" and self.problem:
            raise PriorError(self.problem)
        return super().predict(latents, timesteps, conditioning, tap=tap)


@pytest.fixture(autouse=True)
def always_tried(monkeypatch, tmp_path_factory) -> None:
    monkeypatch.setattr(backend_module, "WORTH_A_TRIAL", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"), {"cat": 4, "dog": 4})


@pytest.fixture
def trial(monkeypatch):
    """Lets trials end as the test says."""

    def ends(speedup: float, difference: float) -> None:
        monkeypatch.setattr(Scorer, "try_backend", lambda *_: Trial(speedup, difference))

    return ends


def notices(events: list[Event]) -> list[str]:
    return [one.text for one in events if isinstance(one, Notice) and "network" in one.text]


def scored(pictures: Path, prior: MixturePrior, run: Path) -> tuple[list[str], str]:
    """Score; the notices, and the backend that the manifest records."""
    events = finish(score(dataset_of(pictures), prior, run, QUICK))
    return notices(events), json.loads((run / "run.json").read_text())["backend"]


@pytest.mark.parametrize(
    ("requested", "speedup", "difference", "chosen", "told"),
    [
        ("auto", 1.5, 1e-6, "openvino", "openvino runs the network: in a trial openvino was 1.50"),
        ("auto", 1.04, 1e-6, "torch", "torch runs the network: in a trial openvino was 1.04"),
        ("openvino", 0.5, 1e-6, "openvino", "openvino runs the network: in a trial openvino was"),
        ("auto", 2.0, 2e-4, "torch", "torch runs the network, because outputs of the openvino"),
        ("openvino", 2.0, float("nan"), "torch", "torch runs the network, because outputs of the"),
    ],
)
def test_score__takes_what_is_faster_and_right(
    pictures, tmp_path, trial, requested, speedup, difference, chosen, told
):
    trial(speedup, difference)
    prior = Choosing(requested)
    found, recorded = scored(pictures, prior, tmp_path / "run")
    assert [text.startswith(told) for text in found] == [True]
    assert (recorded, prior.backend) == (chosen, chosen)
    assert chosen in prior.used


def test_score__a_backend_that_cannot_run_the_prior(pictures, tmp_path):
    prior = Choosing(problem="OpenVINO cannot convert it (no rule)")
    found, recorded = scored(pictures, prior, tmp_path / "run")
    assert found == [
        "torch runs the network, because the openvino backend cannot: OpenVINO cannot convert it "
        "(no rule)"
    ]
    assert recorded == "torch"


def test_score__a_short_run_is_not_worth_a_trial(pictures, tmp_path, monkeypatch):
    """8 images, 2 timesteps, 2 draws and 2 prompts are 64 evaluations."""
    monkeypatch.setattr(backend_module, "WORTH_A_TRIAL", 65)
    prior = Choosing()
    assert scored(pictures, prior, tmp_path / "run") == ([], "torch")
    assert prior.used == {"torch"}
    monkeypatch.setattr(backend_module, "WORTH_A_TRIAL", 64)
    finish(score(dataset_of(pictures), prior, tmp_path / "other", QUICK))
    assert prior.used == {"torch", "openvino"}


def test_score__a_larger_network_is_worth_a_trial_sooner(pictures, tmp_path, monkeypatch):
    """64 evaluations of three times the usual weights count as 192."""
    monkeypatch.setattr(backend_module, "WORTH_A_TRIAL", 192)
    small, large = Choosing(), Choosing()
    large.weights = 3 * backend_module.TRIED_SIZE
    finish(score(dataset_of(pictures), small, tmp_path / "small", QUICK))
    finish(score(dataset_of(pictures), large, tmp_path / "large", QUICK))
    assert (small.used, large.used) == ({"torch"}, {"torch", "openvino"})


def test_score__a_trial_is_made_once_for_a_prior(pictures, tmp_path):
    """However busy the machine is then, the same command has the same choice."""
    first, second = Choosing(), Choosing(problem="not asked")
    told, recorded = scored(pictures, first, tmp_path / "one")
    assert first.used == {"torch", "openvino"}
    if recorded == "openvino":
        second.problem = ""
    assert scored(pictures, second, tmp_path / "other") == (told, recorded)
    assert second.used == {recorded}


def begin(pictures: Path, prior: MixturePrior, run: Path) -> None:
    """Score a shard, and stop."""
    events = score(dataset_of(pictures), prior, run, QUICK)
    for _ in events:
        if (run / "run.json").exists() and open_run(run).finished_shards():
            break
    events.close()


def test_score__resumes_with_the_backend_that_began(pictures, tmp_path, trial):
    trial(2.0, 0.0)
    begin(pictures, Choosing(), tmp_path / "run")
    trial(0.5, 0.0)
    prior = Choosing("torch")
    found, recorded = scored(pictures, prior, tmp_path / "run")
    assert found == []
    assert (recorded, prior.used) == ("openvino", {"openvino"})


def test_score__resumed_with_another_backend_requested(pictures, tmp_path, trial):
    trial(2.0, 0.0)
    begin(pictures, Choosing(), tmp_path / "run")
    events = finish(score(dataset_of(pictures), Choosing("torch"), tmp_path / "run", QUICK))
    assert [one.text for one in events if isinstance(one, Notice)] == [
        "the run was begun with the openvino backend: it computes the rest, not torch, because "
        "another one changes the last digits of scores"
    ]
    again = finish(score(dataset_of(pictures), Choosing("torch"), tmp_path / "run", QUICK))
    assert not [one for one in again if isinstance(one, Notice)]


def test_score__the_backend_that_began_is_missing(pictures, tmp_path, trial):
    trial(2.0, 0.0)
    begin(pictures, Choosing(), tmp_path / "run")
    problem = 'the openvino backend needs the openvino library: pip install "dsel[openvino]"'
    with pytest.raises(PriorError, match="needs the openvino library"):
        finish(score(dataset_of(pictures), Choosing(problem=problem), tmp_path / "run", QUICK))


def test_score__a_finished_run_needs_its_backend_no_more(pictures, tmp_path, trial, monkeypatch):
    trial(2.0, 0.0)
    finish(score(dataset_of(pictures), Choosing(), tmp_path / "run", QUICK))

    def missing(self, name: str) -> None:
        raise PriorError(f"{name} is not installed")

    monkeypatch.setattr(Choosing, "use_backend", missing)
    events = finish(score(dataset_of(pictures), Choosing(), tmp_path / "run", QUICK))
    assert [one.text for one in events if isinstance(one, Notice)] == [
        "torch computes what is left, because the openvino backend cannot: openvino is not "
        "installed"
    ]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_score__the_demo_prior_on_openvino(pictures, tmp_path, precision):
    """Maps are torch's within 1e-4 of the largest, and the same bytes when resumed."""
    pytest.importorskip("openvino")
    dataset, settings = dataset_of(pictures), QUICK.replace(shard_size=4)
    priors = {
        name: load_prior(PriorSettings(device="cpu", precision=precision, backend=name))
        for name in ("torch", "openvino")
    }
    for name, prior in priors.items():
        finish(score(dataset, prior, tmp_path / name, settings))
        assert open_run(tmp_path / name).identity.backend == name
    events = score(dataset, priors["openvino"], tmp_path / "resumed", settings)
    for _ in itertools.takewhile(
        lambda _: not list((tmp_path / "resumed").glob("scores/*.safetensors")), events
    ):
        pass
    events.close()
    finish(score(dataset, priors["openvino"], tmp_path / "resumed", settings))
    assert tree(tmp_path / "resumed") == tree(tmp_path / "openvino")
    if precision == "float32":
        same_maps(tmp_path / "torch", tmp_path / "openvino")


def same_maps(expected: Path, found: Path) -> None:
    """Compare what is stored, in float16: a rounding step is 1e-3 of a value at most."""
    for index in range(2):
        one, other = (open_run(path).class_scores(index) for path in (expected, found))
        for row in range(len(one.ids)):
            maps = [image_bucket(scores, row) for scores in (one, other)]
            for part in ("conditional", "gap"):
                a, b = (getattr(bucket, part).astype(np.float32) for bucket in maps)
                assert np.abs(a - b).max() <= 1e-3 * np.abs(a).max()
