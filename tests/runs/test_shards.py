"""Scores of maps of many shapes go into one file and come back, whichever of them are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from dsel.errors import DamageError, RunError
from dsel.runs.shards import (
    KINDS,
    Header,
    ScoreIndices,
    Shape,
    StoredBucket,
    map_rows,
    read_header,
    read_scores,
    shape_of,
    shard_bytes,
)
from dsel.types import Score

T = 3
shapes = st.sampled_from([(4, 4), (4, 8), (6, 4), (4, 5)])


def score(shape: Shape, seed: int) -> Score:
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(len(KINDS), T, *shape)).astype(np.float32)
    return Score(*maps, rng.normal(size=(2, 2, 5)).astype(np.float32))


def header(count: int, fingerprint: str = "f") -> Header:
    return Header(fingerprint, tuple(f"cat/{n}" for n in range(count)), (0.5,) * T, 2.5)


def write(path: Path, scores: list[Score]) -> Path:
    path.write_bytes(shard_bytes(scores, header(len(scores))))
    return path


def indices(path: Path, scores: list[Score]) -> ScoreIndices:
    found = map_rows([shape_of(one) for one in scores])
    numbers = np.arange(len(scores))
    shape = np.array([shape_of(one) for one in scores], np.int64).reshape(-1, 2)
    return ScoreIndices([path], 0 * numbers, numbers, shape, np.array(found, np.int64))


def joined(parts: list[ScoreIndices]) -> ScoreIndices:
    """The images of several files, one after the other."""
    columns = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("row", "shape", "map_row")
    ]
    file = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return ScoreIndices([part.paths[0] for part in parts], file, *columns)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shards")


def test_map_rows__count_each_shape_for_itself() -> None:
    found = [score(shape, 0) for shape in ((4, 4), (4, 8), (4, 4), (8, 4), (4, 8), (4, 4))]
    assert map_rows([shape_of(one) for one in found]) == [0, 0, 1, 0, 1, 2]
    assert map_rows([]) == []


@settings(max_examples=40, deadline=None)
@given(first=st.lists(shapes, max_size=6), second=st.lists(shapes, max_size=6), data=st.data())
def test_read_scores__round_trip_of_any_images_of_two_shards(
    folder: Path, first: list[Shape], second: list[Shape], data: st.DataObject
) -> None:
    shards = [
        [score(shape, 10 * number + n) for n, shape in enumerate(part)]
        for number, part in enumerate((first, second))
    ]
    paths = [write(folder / f"{number}.safetensors", part) for number, part in enumerate(shards)]
    everything = [one for part in shards for one in part]
    if not everything:
        return
    wanted = data.draw(st.sets(st.integers(0, len(everything) - 1), min_size=1))
    asked = [everything[n] for n in sorted(wanted)]
    index = joined([indices(path, part) for path, part in zip(paths, shards, strict=True)])
    found = read_scores(index.take(np.array(sorted(wanted))))
    assert np.array_equal(found.features, np.stack([s.features for s in asked], dtype=np.float16))
    assert sorted(row for bucket in found.buckets for row in bucket.rows) == list(range(len(asked)))
    order = [bucket.gap.shape[2:] for bucket in found.buckets]
    assert order == sorted(set(order))
    for bucket in found.buckets:
        assert (np.diff(bucket.rows) > 0).all()
        for at, row in enumerate(bucket.rows):
            one = asked[row]
            for kind in KINDS:
                stored = getattr(one, kind).astype(np.float16)
                alone = bucket.take(np.array([at]))
                assert np.array_equal(getattr(alone, kind)[0], stored)
                assert np.array_equal(getattr(bucket, kind)[at], stored)


def test_read_scores__reads_a_kind_when_it_is_asked_for(tmp_path: Path) -> None:
    scores = [score((4, 4), n) for n in range(3)]
    path = write(tmp_path / "a", scores)
    (bucket,) = read_scores(indices(path, scores)).buckets
    assert isinstance(bucket, StoredBucket)
    assert bucket.nbytes == 3 * (8 + len(KINDS) * T * 4 * 4 * 2)
    assert not any(map(bucket.has, KINDS))
    alone = bucket.take(np.array([1]))
    assert not any(map(bucket.has, KINDS))
    assert np.array_equal(alone.noise, bucket.noise[1:2])
    assert [kind for kind in KINDS if bucket.has(kind)] == ["noise"]
    assert bucket.noise is bucket.noise
    path.unlink()
    with pytest.raises(DamageError):
        _ = bucket.gap
    with pytest.raises(AttributeError):
        _ = bucket.proxy


def test_take__single_images_in_any_order(tmp_path: Path) -> None:
    parts = [score((4, 4), n) for n in range(3)]
    (bucket,) = read_scores(indices(write(tmp_path / "s", parts), parts)).buckets
    for row in (1, 1, 2, 0, 1):
        taken = bucket.take(np.array([row]))
        assert taken.rows.tolist() == [row]
        for kind in KINDS:
            assert np.array_equal(getattr(taken, kind)[0], getattr(parts[row], kind).astype("f2"))


def test_shard_bytes__names_tensors_by_shape(tmp_path: Path) -> None:
    path = write(tmp_path / "a", [score(shape, n) for n, shape in enumerate(((4, 8), (4, 4)) * 2)])
    with safe_open(path, "numpy") as file:
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        kinds = {file.get_slice(name).get_dtype() for name in found}
    assert found == {
        "features": (4, 2, 2, 5),
        "conditional/4x4": (2, T, 4, 4), "conditional/4x8": (2, T, 4, 8),
        "gap/4x4": (2, T, 4, 4), "gap/4x8": (2, T, 4, 8),
        "difference/4x4": (2, T, 4, 4), "difference/4x8": (2, T, 4, 8),
        "noise/4x4": (2, T, 4, 4), "noise/4x8": (2, T, 4, 8),
        "difference_noise/4x4": (2, T, 4, 4), "difference_noise/4x8": (2, T, 4, 8),
    }  # fmt: skip
    assert kinds == {"F16"}


def test_shard_bytes__same_scores_same_bytes() -> None:
    scores = [score(shape, n) for n, shape in enumerate(((4, 8), (4, 4), (6, 4)))]
    assert shard_bytes(scores, header(3)) == shard_bytes(list(scores), header(3))


def test_read_header__round_trip(tmp_path: Path) -> None:
    for count in (0, 2):
        scores = [score((4, 4), n) for n in range(count)]
        assert read_header(write(tmp_path / "a", scores)) == header(count)


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_read__damaged_file_is_named(tmp_path: Path, keep: int) -> None:
    scores = [score((4, 4), 0)]
    path = write(tmp_path / "a.safetensors", scores)
    path.write_bytes(path.read_bytes()[:keep])
    for read in (lambda: read_header(path), lambda: read_scores(indices(path, scores))):
        with pytest.raises(
            RunError, match=r"a\.safetensors is damaged: .*; run the same dsel score"
        ):
            read()


def test_read__missing_file_or_shape_is_named(tmp_path: Path) -> None:
    scores = [score((4, 4), 0)]
    with pytest.raises(RunError, match="gone is missing: run the same dsel score again"):
        read_scores(indices(tmp_path / "gone", scores))
    path = write(tmp_path / "a", scores)
    with pytest.raises(RunError, match="is damaged"):
        read_scores(indices(path, [score((4, 8), 0)]))
    path.write_bytes(shard_bytes(scores, header(1)).replace(b'"dsel"', b'"else"'))
    with pytest.raises(RunError, match="is damaged"):
        read_header(path)
