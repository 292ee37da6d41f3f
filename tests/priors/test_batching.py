"""Rows per call: halved for memory without a loss, doubled on an accelerator while that pays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from support.mixture import MixturePrior
from support.toyset import (
    CELL_PX,
    PX,
    QUICK,
    dataset_of,
    draw_picture,
    finish,
    tree,
    write_pictures,
)

from dsel.config import ScoreSettings
from dsel.data.images import to_proxy
from dsel.errors import PriorError
from dsel.pipeline.score import score
from dsel.priors.batching import FIRST_ROWS, MOST_ROWS, ROWS_ON_CPU, RowBudget, is_out_of_memory
from dsel.priors.scorer import Scorer
from dsel.types import Conditioning, ImageRef, Pixels, Prediction, Score

CPU, ACCELERATOR = torch.device("cpu"), torch.device("meta")
IMAGES = [ImageRef(f"cat/{number}", 0) for number in range(6)]
DRAWS = range(2)


class SmallMemory(MixturePrior):
    """The toy prior where only so many rows, or pictures, fit into the memory at a time."""

    def __init__(
        self, most_rows: int, most_pictures: int = 100, device: torch.device = CPU
    ) -> None:
        super().__init__(("cat", "dog"), resolution_px=PX, cell_px=CELL_PX)
        self.device = device
        self.most_rows, self.most_pictures = most_rows, most_pictures
        self.asked: list[int] = []

    def encode(self, pixels: Pixels) -> torch.Tensor:
        refuse(len(pixels) > self.most_pictures)
        return super().encode(pixels)

    def predict(
        self, latents: torch.Tensor, timesteps: torch.Tensor, conditioning: Conditioning,
        *, tap: torch.Tensor | None = None,
    ) -> Prediction:  # fmt: skip
        self.asked.append(len(latents))
        refuse(len(latents) > self.most_rows)
        return super().predict(latents, timesteps, conditioning, tap=tap)


def refuse(too_many: bool) -> None:
    if too_many:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has")


def scores_of(prior: MixturePrior, rows_per_call: int = 0) -> list[Score]:
    asked = ScoreSettings(
        timesteps=(300, 600), draws=2, feature_grid=4, feature_dim=8, rows_per_call=rows_per_call
    )
    pixels = np.stack([to_proxy(draw_picture(0, 0, n), PX, "crop", 4).pixels for n in range(6)])
    found = Scorer(prior, [("cat",), ("dog",)], asked).score(IMAGES, pixels, DRAWS)
    assert None not in found
    return found


def same(found: list[Score], expected: list[Score]) -> bool:
    return all(
        np.array_equal(getattr(one, part), getattr(other, part))
        for one, other in zip(found, expected, strict=True)
        for part in ("conditional", "gap", "features")
    )


@pytest.mark.parametrize("most", [2, 3, 10, 47])
def test_attempt__memory_that_runs_out_loses_no_work(most):
    """From 48 rows down to what fits; the scores are those of a budget that always fitted."""
    prior = SmallMemory(most)
    found = scores_of(prior)
    assert max(prior.asked) > most
    assert prior.asked[-1] <= most
    assert same(found, scores_of(SmallMemory(100), 2))


def test_attempt__pictures_that_do_not_fit_go_one_by_one():
    assert same(scores_of(SmallMemory(100, most_pictures=1)), scores_of(SmallMemory(100), 2))


def test_attempt__a_run_is_the_same_where_memory_is_short(tmp_path):
    """Batches hold fewer pictures from then on, and every picture is scored once."""
    source = write_pictures(tmp_path / "source", {"cat": 4, "dog": 4})
    for name, most in (("ample", 1000), ("short", 6)):
        finish(score(dataset_of(source), SmallMemory(most), tmp_path / name, QUICK))
    assert tree(tmp_path / "ample") == tree(tmp_path / "short")


@pytest.mark.parametrize("prior", [SmallMemory(1), SmallMemory(100, most_pictures=0)])
def test_attempt__what_never_fits_is_told_in_one_line(prior):
    with pytest.raises(PriorError) as error:
        scores_of(prior)
    assert str(error.value) == (
        "one image at a time does not fit into memory: use --low-memory, a smaller "
        "--resolution-px or another --device (CUDA out of memory. Tried to allocate 2.00 GiB.)"
    )


def test_attempt__halves_to_even_rows_and_not_below_two():
    budget, seen = RowBudget(100, CPU), []

    def call() -> str:
        seen.append(budget.rows)
        if budget.rows > 2:
            raise MemoryError
        return "done"

    assert budget.attempt(call) == "done"
    assert seen == [100, 50, 24, 12, 6, 2]


def test_attempt__an_error_without_a_text_is_named():
    with pytest.raises(PriorError, match=r"\(MemoryError\)$"):
        RowBudget(2, CPU).attempt(raises(MemoryError()))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory"),
        KeyError("x"), PriorError("no"),
    ],
)  # fmt: skip
def test_attempt__other_errors_pass_through(error):
    budget = RowBudget(64, CPU)
    with pytest.raises(type(error)) as told:
        budget.attempt(raises(error))
    assert told.value is error
    assert budget.rows == 64


def raises(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (ValueError("memory"), False),
    ],
)
def test_is_out_of_memory__by_kind_and_text(error, expected):
    assert is_out_of_memory(error) is expected


def test_row_budget__of_a_processor_is_fixed():
    budget = RowBudget(0, CPU)
    assert budget.rows == ROWS_ON_CPU
    for rate in (1, 1, 9, 9, 99, 99):
        budget.report(rate, 1.0)
    assert budget.rows == ROWS_ON_CPU


@pytest.mark.parametrize(("side", "rows"), [(8, 64), (16, 64), (32, 20), (64, 4), (128, 2)])
def test_row_budget__of_a_processor_has_fewer_rows_for_large_pictures(side, rows):
    assert RowBudget(0, CPU, side * side).rows == rows
    assert RowBudget(48, CPU, side * side).rows == 48
    assert RowBudget(0, ACCELERATOR, side * side).rows == FIRST_ROWS


@pytest.mark.parametrize(("asked", "rows"), [(1, 2), (2, 2), (3, 2), (7, 6), (8, 8), (8192, 8192)])
@pytest.mark.parametrize("device", [CPU, ACCELERATOR])
def test_row_budget__that_was_asked_for_is_even_and_stays(device, asked, rows):
    budget = RowBudget(asked, device)
    for rate in (1, 1, 9, 9, 99, 99):
        budget.report(rate, 1.0)
    assert budget.rows == rows


def grow(budget: RowBudget, rate: Callable[[int], float], batches: int = 40) -> list[int]:
    """Report batches of `rate(rows)` cells a second; the first of each size is slow, as it is."""
    sizes = []
    for _ in range(batches):
        first = not sizes or sizes[-1] != budget.rows
        sizes.append(budget.rows)
        budget.report(int(1e6 * rate(budget.rows)), 1000.0 if first else 1.0)
    return sizes


@pytest.mark.parametrize("best", [32, 64, 256, 2048])
def test_report__settles_at_the_best_size(best):
    """Faster up to `best` rows, and no faster beyond."""
    sizes = grow(budget := RowBudget(0, ACCELERATOR), lambda rows: min(rows, best))
    assert sizes[0] == FIRST_ROWS
    assert max(sizes) == 2 * best
    assert budget.rows == best


def test_report__grows_to_the_most_and_no_further():
    budget = RowBudget(0, ACCELERATOR)
    assert max(grow(budget, lambda rows: rows)) == MOST_ROWS == budget.rows


def test_report__a_little_faster_is_not_worth_twice_the_memory():
    budget = RowBudget(0, ACCELERATOR)
    grow(budget, lambda rows: 1.0 + 0.04 * (rows > 64))
    assert budget.rows == FIRST_ROWS


def test_report__what_is_slower_is_left_again():
    budget = RowBudget(0, ACCELERATOR)
    grow(budget, lambda rows: rows if rows <= 128 else 100)
    assert budget.rows == 128


def test_report__memory_that_ran_out_ends_the_growth():
    """At 256 rows it does not fit: half of them do, and that is where it stays."""
    budget = RowBudget(0, ACCELERATOR)
    while budget.rows < 256:
        grow(budget, lambda rows: rows, batches=1)
    budget.attempt(lambda: refuse(budget.rows > 200))
    assert budget.rows == 128
    grow(budget, lambda rows: rows)
    assert budget.rows == 128


def test_score__rows_found_by_trying_change_no_score():
    """Batch by batch up to what the memory holds, or to what this machine happens to like."""
    prior = SmallMemory(40, device=ACCELERATOR)
    asked = ScoreSettings(timesteps=(300, 600), draws=2, feature_grid=4, feature_dim=8)
    scorer = Scorer(prior, [("cat",), ("dog",)], asked)
    pixels = np.stack([to_proxy(draw_picture(0, 0, n), PX, "crop", 4).pixels for n in range(6)])
    expected = scores_of(SmallMemory(100), 2)
    for _ in range(6):
        assert same(scorer.score(IMAGES, pixels, DRAWS), expected)
