"""Signal and noise amplitudes of timesteps, by hand."""

from __future__ import annotations

import pytest
import torch
from support.mixture import MixturePrior

from dsel.errors import SettingError
from dsel.priors.schedules import add_noise, check_timesteps, diffusion_schedule, flow_schedule

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
