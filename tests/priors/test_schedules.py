"""Signal and noise amplitudes of timesteps, by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from support.mixture import MixturePrior

from dsel.assets import DEMO_PRIOR, asset
from dsel.config import PriorSettings
from dsel.errors import PriorError, SettingError
from dsel.priors import load_prior
from dsel.priors.schedules import (
    add_noise,
    check_schedule_length,
    check_timesteps,
    diffusion_schedule,
    flow_schedule,
)

NAMES = ("cat", "dog")


def test_add_noise__by_hand() -> None:
    clean, eps = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])
    one, none = torch.tensor(1.0), torch.tensor(0.0)
    found = add_noise(clean, eps, torch.tensor(0.8), torch.tensor(0.6))
    torch.testing.assert_close(found, torch.tensor([1.9, 1.0]))
    assert torch.equal(add_noise(clean, eps, one, none), clean)
    assert torch.equal(add_noise(clean, eps, none, one), eps)


@pytest.mark.parametrize("timestep", [-1, 1000])
def test_check_timesteps__names_the_range(timestep: int) -> None:
    with pytest.raises(SettingError, match=f"between 0 and 999 for this prior, got {timestep}$"):
        check_timesteps([5, timestep], MixturePrior(NAMES).schedule)


def test_check_timesteps__ends_are_inside() -> None:
    check_timesteps([0, 999], MixturePrior(NAMES).schedule)


def test_diffusion_schedule__by_hand() -> None:
    found = diffusion_schedule(torch.tensor([0.64, 0.36]))
    torch.testing.assert_close(found.signal, torch.tensor([0.8, 0.6]))
    torch.testing.assert_close(found.noise, torch.tensor([0.6, 0.8]))
    assert found.inputs.tolist() == [0, 1]


def test_flow_schedule__by_hand() -> None:
    found = flow_schedule(torch.tensor([0.25, 0.5]), torch.tensor([250.0, 500.0]))
    assert found.signal.tolist() == [0.75, 0.5]
    assert found.noise.tolist() == [0.25, 0.5]
    assert found.inputs.tolist() == [250, 500]


@pytest.mark.parametrize("count", [10**9, 100_001, 0, -1, 1000.0, "1000", None, True, [1]])
def test_check_schedule_length__names_what_is_wrong(tmp_path: Path, count: Any) -> None:
    path = tmp_path / "scheduler" / "scheduler_config.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"num_train_timesteps": count}))
    with pytest.raises(PriorError, match=r"between 1 and 100000 num_train_timesteps, got "):
        check_schedule_length(tmp_path)
    path.write_text(json.dumps({"num_train_timesteps": 1000}))
    check_schedule_length(tmp_path)


def test_load_prior__a_schedule_that_would_take_all_memory(tmp_path: Path) -> None:
    folder = tmp_path / "prior"
    shutil.copytree(asset(DEMO_PRIOR), folder)
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_train_timesteps": 10**9}))
    with pytest.raises(PriorError, match="num_train_timesteps, got 1000000000"):
        load_prior(PriorSettings(prior=str(folder), device="cpu"))
