"""AUCs of classes from losses under several names: by hand, and where names alone would mislead."""

from __future__ import annotations

import numpy as np
import pytest

from dsel.core.label_auc import label_aucs, overall_auc


def drawn(signal: float, bias: float, images: int = 400, seed: int = 0) -> list[np.ndarray]:
    """Losses of three classes: lower by `signal` under the own name, by `bias` under the first."""
    rng = np.random.default_rng(seed)
    own = signal * np.eye(3)[:, None] + bias * np.eye(3)[0]
    return list(rng.normal(size=(3, images, 3)) - own)


def test_label_aucs__by_hand() -> None:
    first = np.array([[0.0, 2.0], [0.0, 1.0]])  # scores of the first class: 2, 1
    second = np.array([[0.0, 1.0], [0.0, 0.0], [0.0, -1.0]])  # 1, 0, -1
    found = label_aucs([first, second])
    assert [one.pairs for one in found] == [6, 6]
    assert [one.auc for one in found] == pytest.approx([5.5 / 6, 5.5 / 6])  # one tie
    assert found[0].shares.tolist() == pytest.approx([1.0, 2.5 / 3])
    assert found[1].shares.tolist() == pytest.approx([0.75, 1.0, 1.0])
    error = np.sqrt((1 / 6) ** 2 / 2 / 2 + (0.0625 / 3) / 3)
    assert [one.standard_error for one in found] == pytest.approx([error, error])


def test_label_aucs__a_name_that_suits_any_image_is_chance() -> None:
    for found in label_aucs(drawn(0.0, 5.0)):
        assert found.auc == pytest.approx(0.5, abs=0.05)
    for found in label_aucs(drawn(1.5, 5.0)):
        assert found.auc > 0.8


def test_label_aucs__standard_errors_are_the_spread_of_other_samples() -> None:
    samples = [label_aucs(drawn(0.7, 1.0, 12, seed)) for seed in range(400)]
    aucs = np.array([[one.auc for one in sample] for sample in samples])
    errors = np.array([[one.standard_error for one in sample] for sample in samples])
    assert np.sqrt(np.square(errors).mean()) == pytest.approx(aucs.std(axis=0).mean(), rel=0.1)
    overall = np.array([overall_auc(sample) for sample in samples])
    spread = overall[:, 0].std()
    assert spread == pytest.approx(np.sqrt(np.square(overall[:, 1]).mean()), rel=0.15)


def test_label_aucs__where_nothing_is_known() -> None:
    one, none = np.zeros((1, 2)), np.zeros((0, 2))
    alone, empty = label_aucs([one, none])
    assert np.isnan([alone.auc, empty.auc]).all()
    assert (alone.pairs, len(alone.shares), len(empty.shares)) == (0, 0, 0)
    assert np.isnan(overall_auc([alone, empty])).all()
    single = label_aucs([one, one])[0]
    assert (single.auc, single.pairs) == (0.5, 1)
    assert np.isnan(single.standard_error)
