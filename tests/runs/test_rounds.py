"""Files of further draws: averaged into the maps of the first ones, whatever their shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dsel.core.halves import halves_of, in_second_half
from dsel.errors import DamageError, RunError
from dsel.runs.rounds import Further, RoundFolder, add_further, read_further
from dsel.runs.schema import ShardRow
from dsel.types import Bucket, ImageRef, Score

T, SHAPES = 2, ((4, 4), (4, 6), (4, 4), (4, 6), (4, 4))
IDS = [f"cat/{n}" for n in range(len(SHAPES))]


def draws_of(seed: int, shape: tuple[int, int], count: int = 8) -> NDArray[np.float64]:
    """Conditional, gap and difference of each draw, (3, D, T, h, w)."""
    return np.random.default_rng(seed).normal(size=(3, count, T, *shape))


def score_of(values: NDArray[np.float64], draws: range, antithetic: bool) -> Score:
    """The score of some of the draws, by definition."""
    mine = values[:, draws.start : draws.stop]
    second = np.array(in_second_half(draws, antithetic))
    halves = halves_of(draws, antithetic)
    noise = np.full((2, *values.shape[2:]), np.nan)
    if halves.first and halves.second:
        noise = halves.scale * (mine[1:, ~second].mean(1) - mine[1:, second].mean(1))
    conditional, gap, difference = mine.mean(1).astype(np.float32)
    return Score(conditional, gap, difference, *noise.astype(np.float32))


def buckets_of(scores: list[Score]) -> list[Bucket]:
    found = []
    for shape in sorted(set(SHAPES)):
        rows = [n for n, one in enumerate(scores) if one.gap.shape[1:] == shape]
        maps = {
            kind: np.stack([getattr(scores[n], kind) for n in rows]).astype(np.float16)
            for kind in ("conditional", "gap", "difference", "noise", "difference_noise")
        }
        found.append(Bucket(np.array(rows), **maps))
    return found


def write(
    folder: RoundFolder, number: int, scores: dict[int, Score], draws: range, box: bool = False
) -> None:
    rows = [ShardRow(ImageRef(IDS[n], 0), score=one) for n, one in scores.items()]
    folder.write(number, 0, rows, {IDS[n]: Further(draws, box) for n in scores})


@pytest.mark.parametrize("antithetic", [True, False])
@pytest.mark.parametrize("box", [True, False])
def test_add_further__is_the_mean_of_all_draws(tmp_path: Path, antithetic: bool, box: bool) -> None:
    """Image 1 is in both rounds, image 2 in the second, image 4 in the first, the rest in none."""
    values = [draws_of(n, shape) for n, shape in enumerate(SHAPES)]
    folder = RoundFolder(tmp_path, "f")
    plan = {1: {1: range(2, 4), 4: range(2, 4)}, 2: {1: range(4, 8), 2: range(2, 4)}}
    for number, of_round in plan.items():
        scores = {n: score_of(values[n], draws, antithetic) for n, draws in of_round.items()}
        rows = [ShardRow(ImageRef(IDS[n], 0), score=one) for n, one in scores.items()]
        chosen = {IDS[n]: Further(draws, box) for n, draws in of_round.items()}
        folder.write(number, 0, rows, chosen)
    row_of = {image_id: n for n, image_id in enumerate(IDS)}
    parts = [read_further(folder.file(number, 0), row_of) for number in plan]
    first = [score_of(one, range(2), antithetic) for one in values]
    buckets = buckets_of(first)
    draws = add_further(buckets, np.full(5, 2), parts, antithetic)
    assert draws.tolist() == [2, 8, 4, 2, 4]
    expected = [score_of(values[n], range(count), antithetic) for n, count in enumerate(draws)]
    for bucket, wanted, before in zip(
        buckets, buckets_of(expected), buckets_of(first), strict=True
    ):
        for kind in ("conditional", "gap", "noise"):
            found = getattr(bucket, kind)
            np.testing.assert_allclose(found, getattr(wanted, kind), rtol=5e-3, atol=5e-3)
        moved = wanted if box else before  # further draws move boxes only if they are for them
        for kind in ("difference", "difference_noise", "locating_gap", "locating_noise"):
            found, of_all = getattr(bucket, kind), getattr(moved, kind)
            np.testing.assert_allclose(found, of_all, rtol=5e-3, atol=5e-3)
        same = [n for n, row in enumerate(bucket.rows) if draws[row] == 2]
        assert np.array_equal(bucket.gap[same], before.gap[same])


def test_add_further__nothing_to_add_is_the_same_maps() -> None:
    scores = [score_of(draws_of(n, s), range(2), True) for n, s in enumerate(SHAPES)]
    first, buckets = buckets_of(scores), buckets_of(scores)
    assert add_further(buckets, np.full(5, 2), [], True).tolist() == [2] * 5
    assert all(np.array_equal(a.gap, b.gap) for a, b in zip(first, buckets, strict=True))


def test_add_further__draws_that_do_not_follow_are_damage(tmp_path: Path) -> None:
    values = [draws_of(n, shape) for n, shape in enumerate(SHAPES)]
    folder = RoundFolder(tmp_path, "f")
    write(folder, 1, {1: score_of(values[1], range(4, 8), True)}, range(4, 8))
    part = read_further(folder.file(1, 0), {IDS[1]: 1})
    first = buckets_of([score_of(one, range(2), True) for one in values])
    with pytest.raises(DamageError, match="its draws do not follow those before it"):
        add_further(first, np.full(5, 2), [part], True)


def test_read_further__other_classes_of_the_shard_are_left_out(tmp_path: Path) -> None:
    folder = RoundFolder(tmp_path, "f")
    scores = {n: score_of(draws_of(n, SHAPES[n]), range(2, 4), True) for n in range(5)}
    write(folder, 1, scores, range(2, 4), box=True)
    found = read_further(folder.file(1, 0), {IDS[3]: 0, IDS[4]: 1})
    assert (found.rows.tolist(), found.start.tolist(), found.stop.tolist()) == (
        [0, 1], [2, 2], [4, 4],
    )  # fmt: skip
    assert found.box.all()
    for bucket, n in zip(found.buckets, (4, 3), strict=True):  # by shape
        assert np.array_equal(bucket.gap[0], scores[n].gap.astype(np.float16))
    nothing = read_further(folder.file(1, 0), {"dog/0": 0})
    assert (len(nothing.rows), nothing.buckets) == (0, ())


def test_round_folder__header_fits_what_was_chosen(tmp_path: Path) -> None:
    folder = RoundFolder(tmp_path, "f")
    score = score_of(draws_of(0, (4, 4)), range(2, 4), True)
    rows = [ShardRow(ImageRef(IDS[0], 0), score=score), ShardRow(ImageRef(IDS[1], 0), "gone")]
    chosen = {IDS[0]: Further(range(2, 4), True), IDS[1]: Further(range(2, 4))}
    folder.write(3, 7, rows, chosen)
    assert folder.file(3, 7) == tmp_path / "rounds/03/00007.safetensors"
    header = folder.check(3, 7)
    assert (header.ids, header.draws, header.box) == ((IDS[0],), ((2, 4),), (True,))
    assert header.failed == (IDS[1],)
    assert header.fits(chosen)
    assert not header.fits({IDS[0]: chosen[IDS[0]]})
    assert not header.fits({**chosen, IDS[2]: Further(range(2, 4))})
    assert not header.fits({**chosen, IDS[0]: Further(range(2, 4), False)})
    assert not header.fits({**chosen, IDS[0]: Further(range(2, 6), True)})


def test_round_folder__of_another_run_or_damaged(tmp_path: Path) -> None:
    folder = RoundFolder(tmp_path, "f")
    write(folder, 1, {0: score_of(draws_of(0, (4, 4)), range(2, 4), True)}, range(2, 4))
    with pytest.raises(RunError, match="belongs to another run"):
        RoundFolder(tmp_path, "g").check(1, 0)
    path = folder.file(1, 0)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DamageError, match="run the same dsel score again"):
        folder.check(1, 0)
    with pytest.raises(DamageError, match="is missing"):
        folder.check(1, 1)
