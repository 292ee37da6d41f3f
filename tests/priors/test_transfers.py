"""Copies to and from an accelerator; CUDA's branch with a stand-in, since there is no GPU here."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from dsel.priors import transfers
from dsel.priors.transfers import to_device, to_host


class Queued:
    """A tensor that a CUDA device would hold; writes down what is asked of it."""

    def __init__(self, log: list[str], kind: str) -> None:
        self.log, self.device = log, torch.device(kind)
        self.shape, self.dtype = (2,), torch.float32

    def pin_memory(self) -> Queued:
        self.log.append("pin")
        return self

    def to(self, like: Queued, non_blocking: bool = False) -> Queued:
        self.log.append(f"to {like.device.type}{' queued' if non_blocking else ''}")
        return like

    def copy_(self, source: Queued, non_blocking: bool) -> None:
        self.log.append(f"from {source.device.type}{' queued' if non_blocking else ''}")


def test_to_device__on_a_cpu_takes_the_type_of_the_other():
    found = to_device(torch.ones(2), torch.zeros(1, dtype=torch.float64))
    assert torch.equal(found, torch.ones(2, dtype=torch.float64))


def test_to_device__to_cuda_from_pinned_memory_without_waiting():
    log: list[str] = []
    to_device(Queued(log, "cpu"), Queued(log, "cuda"))
    assert log == ["pin", "to cuda queued"]
    log.clear()
    to_device(Queued(log, "cuda"), Queued(log, "cuda"))  # is there already
    assert log == ["to cuda"]


def test_to_host__on_a_cpu_keeps_the_values():
    parts = [torch.arange(3.0), torch.ones(2, 2)]
    assert all(map(torch.equal, to_host(parts), parts))
    assert to_host([]) == []


def test_to_host__from_cuda_waits_once(monkeypatch):
    log: list[str] = []
    stream = SimpleNamespace(synchronize=lambda: log.append("wait"))

    def empty(_shape: object, *, dtype: object, pin_memory: bool) -> Queued:
        assert pin_memory
        assert dtype == torch.float32
        return Queued(log, "cpu")

    fake = SimpleNamespace(empty=empty, cuda=SimpleNamespace(current_stream=lambda _: stream))
    monkeypatch.setattr(transfers, "torch", fake)
    found = to_host([Queued(log, "cuda"), Queued(log, "cuda")])
    assert log == ["from cuda queued", "from cuda queued", "wait"]
    assert len(found) == 2
