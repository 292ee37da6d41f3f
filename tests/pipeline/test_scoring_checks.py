"""A run whose scores cannot be used ends with an error that says what to try."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from support.mixture import MixturePrior
from support.toyset import PX, QUICK, SMALL, dataset_of, finish, toy_prior, write_pictures
from torch import Tensor

from dsel.config import ExportSettings
from dsel.errors import RunError
from dsel.pipeline.distill import distill
from dsel.pipeline.score import score
from dsel.runs import open_run
from dsel.types import Notice


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "in", {"cat": 2, "dog": 2})


def prior_with(change: Callable[[Tensor, Tensor], Tensor]) -> MixturePrior:
    """The toy prior with a changed output: of the output, and of which classes each row named."""
    prior = toy_prior()
    predict = prior.predict

    def changed(latents, timesteps, conditioning, *, tap=None):  # type: ignore[no-untyped-def]
        found = predict(latents, timesteps, conditioning, tap=tap)
        output = change(found.output, conditioning["named"])
        return type(found)(output, found.features)

    prior.predict = changed  # type: ignore[method-assign]
    return prior


def test_score__answers_that_are_not_numbers(pictures: Path, tmp_path: Path) -> None:
    prior = prior_with(lambda output, _: output * float("nan"))
    for _ in range(2):  # the same command again ends in the same way
        with pytest.raises(RunError) as caught:
            finish(score(dataset_of(pictures), prior, tmp_path / "run", QUICK))
        assert str(caught.value) == (
            "none of the 4 images was scored: cat/00.png: the prior's output is not a finite "
            "number that can be stored, and 3 more; try --precision bfloat16 or another prior (now "
            "float32), with a new --run folder"
        )
    with pytest.raises(RunError, match="is not finished"):
        _ = open_run(tmp_path / "run").summary


def test_distill__does_not_export_gaps_of_zero(pictures: Path, tmp_path: Path) -> None:
    """A prior that ignores its prompt."""
    prior = prior_with(lambda output, _: torch.zeros_like(output))
    stages = QUICK, SMALL, ExportSettings()
    with pytest.raises(RunError, match=r"all gaps are 0, .* try another --precision \(now float32"):
        finish(distill(dataset_of(pictures), prior, tmp_path / "run", tmp_path / "out", stages))
    assert not (tmp_path / "out").exists()


def test_score__every_image_of_a_class_is_not_a_number(pictures: Path, tmp_path: Path) -> None:
    prior = prior_with(
        lambda output, named: output.masked_fill(
            (named == torch.tensor([0.0, 1.0])).all(1)[:, None, None, None], float("nan")
        )
    )
    prior.precision = "float16"
    with pytest.raises(RunError) as caught:
        finish(score(dataset_of(pictures), prior, tmp_path / "run", QUICK))
    assert str(caught.value) == (
        "every image of class 'dog' was skipped: dog/00.png: the prior's output is not a finite "
        "number that can be stored, and 1 more; try --precision float32 (now float16), with a new "
        f"--run folder, or use the other classes with dsel select {tmp_path / 'run'}"
    )
    assert open_run(tmp_path / "run").summary.scored == 2


def test_score__every_image_of_a_class_is_unusable(pictures: Path, tmp_path: Path) -> None:
    for name in ("00", "01"):
        Image.new("RGB", (PX, 4)).save(pictures / "dog" / f"{name}.png")
    with pytest.raises(
        RunError,
        match=r"every image of class 'dog' was skipped: dog/00\.png: is "
        r"32 x 4 px: .*; repair the images, or leave the class out with --classes",
    ):
        finish(score(dataset_of(pictures), toy_prior(), tmp_path / "run", QUICK))


def test_score__settings_of_further_draws_without_any_are_named(
    pictures: Path, tmp_path: Path
) -> None:
    settings = QUICK.replace(keep=3, tolerance=0.2)
    events = finish(score(dataset_of(pictures), toy_prior(), tmp_path / "run", settings))
    texts = [one.text for one in events if isinstance(one, Notice)]
    assert "keep 3 is not used: it needs most draws of more than 0" in texts
    assert "tolerance 0.2 is not used: it needs most draws of more than 0" in texts
    further = settings.replace(most_draws=4)
    events = finish(score(dataset_of(pictures), toy_prior(), tmp_path / "other", further))
    assert not [one for one in events if isinstance(one, Notice) and "not used" in one.text]
