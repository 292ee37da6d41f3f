"""Measures how many evaluations locate and rank as well as more of them do.

    python tests/bench/evaluations_bench.py --scenes 100 --seeds 41 42 43 --work WORK
    python tests/bench/evaluations_bench.py --data NPZ --prior FOLDER --scenes 200 --work WORK

Scores toybox scenes of each seed, or photographs of an npz file, with several numbers of draws and
two noises, and locates and ranks by several recipes; what is in WORK already is not scored again.
Prints one JSON object. Of each recipe:

evaluations     rows through the network per image
hit_rate        for each patch size, of all scenes together (toybox; its masks are the truth)
same_box        share of images whose box is the same under the other noise
like_reference  the same as same_box, with the boxes that 192 evaluations locate in the same way,
                and with those that they locate by the positive gap (photographs)
spearman        between the ranking scores of both noises, mean over classes; of patch and picture
label_auc       share of pairs, of an image of a class and one of another that is wrongly labelled
                so, in which the former scores higher; difference is what it would be as a score
knowledge_auc   what the run itself measures of the classes

`older` is the plain loop of earlier code: draws at random timesteps from 100 to 700, one signed
mean of losses that are not divided by anything. `reach` holds the fewest evaluations of the chosen
way to locate whose hit rates are no lower than those of a rival, at both patch sizes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

# so that it also runs in a checkout that is not installed
sys.path.insert(0, str(Path(__file__).parents[2]))

from older_map import OLDER_DRAWS, older_map

from dsel.analysis.localization import check_selection
from dsel.config import PriorSettings, ScoreSettings, SelectSettings
from dsel.core.box_search import largest_mean_boxes
from dsel.core.gap_maps import combined_maps
from dsel.data.spec import open_source
from dsel.data.toybox_dataset import write_toybox
from dsel.pipeline.score import score
from dsel.pipeline.selector import Selector
from dsel.priors import load_prior
from dsel.runs import open_run
from dsel.runs.ground_truth import GroundTruth, read_ground_truth
from dsel.types import Box, ClassSelection, Prior, Started

Doubles = NDArray[np.float64]
EVERY = (200, 300, 400, 500, 600, 700)
NOISES = (0, 1)
DEFAULT = ScoreSettings()


@dataclass(frozen=True)
class Scored:
    """Draws at timesteps that are scored; recipes use some of them."""

    draws: int
    timesteps: tuple[int, ...]

    @property
    def name(self) -> str:
        return "_".join(map(str, (self.draws, *self.timesteps)))


SCORED = (
    Scored(4, EVERY), Scored(2, (200, 300)), Scored(1, (200, 300)),
    Scored(DEFAULT.draws, DEFAULT.timesteps),
)  # fmt: skip
REFERENCE = Scored(16, EVERY)


@dataclass(frozen=True)
class Recipe:
    """A way to spend evaluations, and to locate by what they give."""

    draws: int
    timesteps: tuple[int, ...]
    locate: str
    smooth: float = 0.0

    @property
    def evaluations(self) -> int:
        return 2 * len(self.timesteps) * self.draws

    @property
    def scored(self) -> Scored:
        """The first of what is scored that has these draws."""
        fitting = (one for one in SCORED if one.draws == self.draws)
        return next(one for one in fitting if {*self.timesteps} <= {*one.timesteps})

    def settings(self, patch_px: int, every: bool = False) -> SelectSettings:
        timesteps = EVERY if every else self.timesteps
        return SelectSettings(
            locate=self.locate, smooth=self.smooth, timesteps=timesteps, patch_px=patch_px,
        )  # fmt: skip


def recipes() -> dict[str, Recipe]:
    chosen = SelectSettings()
    default = Recipe(DEFAULT.draws, DEFAULT.timesteps, chosen.locate, chosen.smooth)
    found = {"default": default, "default_48": Recipe(4, EVERY, "positive")}
    found["default_smooth_1"] = replace(default, smooth=1.0)
    for smooth in (1.0, 2.0):
        found[f"default_48_smooth_{smooth:g}"] = replace(found["default_48"], smooth=smooth)
    for draws, timesteps in (
        (1, (200,)), (1, (200, 300)), (2, (200,)), (2, (300,)), (2, (200, 300)), (4, (200,)),
        (4, (200, 300)), (4, (200, 300, 400)), (4, EVERY),
    ):  # fmt: skip
        shown = "all" if timesteps == EVERY else "_".join(map(str, timesteps))
        for locate in ("difference", "positive"):
            for smooth in (0.0, 0.5, 1.0, 1.5, 2.0):
                name = f"{locate}_t{shown}_draws{draws}_smooth{smooth:g}"
                found[name] = Recipe(draws, timesteps, locate, smooth)
    return found


@dataclass(frozen=True)
class Pool:
    """One source of images: right and wrong labels, and its runs by draws and noise."""

    name: str
    right: str
    wrong: str
    work: Path
    boxes: Path | None = None

    def run(self, scored: Scored, noise: int, labels: str = "right") -> Path:
        return self.work / self.name / f"{labels}-{scored.name}-{noise}"


def main() -> None:
    options = _options()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(options, Path(options.work or folder)), indent=2))


def measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    prior = load_prior(
        PriorSettings(prior=options.prior, precision=options.precision, device=options.device)
    )
    pools = list(_pools(options, work))
    every = recipes()
    wanted = {name: every[name] for name in options.recipes or every}
    scored = {one.scored: None for one in wanted.values()}  # in order, each once
    for pool in pools:
        score_pool(pool, prior, scored, bool(options.data), pool in pools[: options.wrong])
    sides = prior.resolution_px // 4, prior.resolution_px // 2
    found: dict[str, Any] = {
        "prior": options.prior, "precision": prior.precision, "scenes": options.scenes,
        "pools": [pool.name for pool in pools], "patch_px": sides,
    }  # fmt: skip
    figures = {
        name: {"evaluations": recipe.evaluations, **of_recipe(pools, recipe, sides, options)}
        for name, recipe in wanted.items()
    }
    if not options.data and options.older:
        figures["older"] = {
            "evaluations": 2 * OLDER_DRAWS, "hit_rate": _joined([
                older_rates(pool, prior, next(iter(wanted.values())).scored, sides)
                for pool in pools
            ]),
        }  # fmt: skip
    if not options.data:
        found["reach"] = {
            rival: reach(figures, rival, options.smooth)
            for rival in ("older", "default_48") if rival in figures
        }  # fmt: skip
    return found | {"recipes": figures}


def reach(figures: Mapping[str, Any], rival: str, smooth: float) -> int | None:
    """The fewest evaluations that locate by the difference as well as a rival does."""
    wanted = figures[rival]["hit_rate"]
    enough = [
        one["evaluations"] for name, one in figures.items()
        if name.startswith("difference") and name.endswith(f"smooth{smooth:g}")
        and all(one["hit_rate"][side] >= rate for side, rate in wanted.items())
    ]  # fmt: skip
    return min(enough, default=None)


def score_pool(
    pool: Pool, prior: Prior, scored: Iterable[Scored], reference: bool, wrong: bool
) -> None:
    """Score what is not scored yet."""
    for one in scored:
        for noise in NOISES:
            _score(pool.right, pool.run(one, noise), prior, one, noise)
        if wrong:
            _score(pool.wrong, pool.run(one, 0, "wrong"), prior, one, 0)
    if reference:
        _score(pool.right, pool.run(REFERENCE, 2), prior, REFERENCE, 2)


def _score(source: str, out: Path, prior: Prior, scored: Scored, noise: int) -> None:
    settings = ScoreSettings(
        draws=scored.draws, timesteps=scored.timesteps, antithetic=scored.draws > 1,
        noise_seed=noise, shard_size=100, knowledge="auto" if noise == 0 else "off",
    )  # fmt: skip
    for event in score(open_source(source), prior, out, settings):
        if isinstance(event, Started):
            print(f"{out}: {event.stage}, {event.total} {event.unit}", file=sys.stderr)


def of_recipe(
    pools: Sequence[Pool], recipe: Recipe, sides: Sequence[int], options: argparse.Namespace
) -> dict[str, Any]:
    """All figures of a recipe; those of a patch are for half the side."""
    first, second = (
        [Selector(open_run(pool.run(recipe.scored, noise))) for pool in pools] for noise in NOISES
    )
    half = recipe.settings(sides[1])
    figures: dict[str, Any] = {}
    if not options.data:
        figures["hit_rate"] = _joined([
            {str(side): _hit_rate(one, recipe.settings(side), pool) for side in sides}
            for pool, one in zip(pools, first, strict=True)
        ])  # fmt: skip
    pairs = list(zip(first, second, strict=True))
    figures |= _agreement([(boxes(a, half), boxes(b, half)) for a, b in pairs])
    if options.data:
        references = [Selector(open_run(pool.run(REFERENCE, 2))) for pool in pools]
        for name, by in (
            ("own", recipe.settings(sides[1], every=recipe.timesteps == EVERY)),
            ("all_positive", Recipe(4, EVERY, "positive").settings(sides[1])),
        ):
            found = _agreement([
                (boxes(a, half), boxes(b, by)) for a, b in zip(first, references, strict=True)
            ])  # fmt: skip
            figures[f"like_reference_{name}"] = found["same_box"]
    figures["spearman"] = {
        key: _mean([
            float(spearmanr(getattr(a.scored(c, half), key), getattr(b.scored(c, half), key))[0])
            for a, b in pairs for c in range(len(a.classes))
        ])
        for key in ("patch", "picture")
    }  # fmt: skip
    judged = [(pool, one) for pool, one in zip(pools, first, strict=True)][: options.wrong]
    if judged:
        figures["label_auc"] = label_auc(recipe, half, judged)
    known = [one.run.knowledge for one in first if recipe.timesteps == recipe.scored.timesteps]
    if aucs := [one.run.auc for one in known if one and one.run.auc]:
        figures["knowledge_auc"] = _mean(aucs)
    return figures


def boxes(selector: Selector, settings: SelectSettings) -> Doubles:
    """The located corners of all images, (N, 2), in the order of the classes."""
    found = [selector.located(index, settings) for index in range(len(selector.classes))]
    return np.concatenate([np.stack([one.x, one.y], axis=1) for one in found])


def _agreement(pairs: Sequence[tuple[Doubles, Doubles]]) -> dict[str, float]:
    a, b = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return {"same_box": round(float((a == b).all(axis=1).mean()), 4)}


def label_auc(
    recipe: Recipe, half: SelectSettings, judged: Sequence[tuple[Pool, Selector]]
) -> dict[str, float]:
    """How often an image scores higher than one that is wrongly labelled with its class."""
    found: dict[str, list[float]] = {"patch": [], "picture": [], "difference": []}
    for pool, right in judged:
        wrong = Selector(open_run(pool.run(recipe.scored, 0, "wrong")))
        for index in range(len(right.classes)):
            scored = right.scored(index, half), wrong.scored(index, half)
            for key in ("patch", "picture"):
                found[key].append(_auc(*(getattr(one, key) for one in scored)))
            found["difference"].append(_auc(*(
                np.concatenate([
                    one.mean(axis=(1, 2)) for one in combined_maps(
                        which.scores(index), which.geometry, half.timesteps, "difference"
                    )
                ]) for which in (right, wrong)
            )))  # fmt: skip
    return {key: _mean(values) for key, values in found.items()}


def _auc(higher: Doubles, lower: Doubles) -> float:
    return float((np.sign(higher[:, None] - lower[None, :]).mean() + 1) / 2)


def _hit_rate(selector: Selector, settings: SelectSettings, pool: Pool) -> float:
    chosen = [selector.select(index, settings) for index in range(len(selector.classes))]
    return float(check_selection(selector.run, chosen, _truth(pool, selector))["hit_rate"])  # type: ignore[arg-type]


def _truth(pool: Pool, selector: Selector) -> GroundTruth:
    assert pool.boxes is not None
    return read_ground_truth(selector.run, pool.boxes)


def older_rates(pool: Pool, prior: Prior, scored: Scored, sides: Sequence[int]) -> dict[str, float]:
    """The hit rates of the plain loop on the images of a pool, one run of which is `scored`."""
    kept = pool.work / pool.name / "older.npz"
    dataset = open_source(pool.right)
    if not kept.exists():
        maps = {ref.id: older_map(prior, dataset, number)
                for number, ref in enumerate(dataset.refs)}  # fmt: skip
        np.savez(kept, **{name.replace("/", "|"): one for name, one in maps.items()})
    with np.load(kept) as stored:
        maps = {name.replace("|", "/"): stored[name] for name in stored.files}
    selector = Selector(open_run(pool.run(scored, 0)))
    return {str(side): _older_rate(pool, selector, maps, side) for side in sides}


def _older_rate(
    pool: Pool, selector: Selector, maps: Mapping[str, NDArray[np.float32]], side: int
) -> float:
    settings = SelectSettings(patch_px=side)
    cell = selector.geometry.cell_px
    chosen: list[ClassSelection] = []
    for index in range(len(selector.classes)):
        frames = dict(zip(selector.scores(index).ids, selector.scores(index).frames, strict=True))
        selected = selector.select(index, settings)
        patches = []
        for patch in selected.patches:
            best = largest_mean_boxes(maps[patch.image_id][None], cell, side, cell)
            box = Box(float(best.x[0, 0]), float(best.y[0, 0]), float(side), float(side))
            source = frames[patch.image_id].to_source(box)
            patches.append(replace(patch, box=box, source_box=source))
        chosen.append(replace(selected, patches=tuple(patches)))
    return float(check_selection(selector.run, chosen, _truth(pool, selector))["hit_rate"])  # type: ignore[arg-type]


def _joined(rates: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean over pools, all of which have as many images."""
    return {key: _mean([one[key] for one in rates]) for key in rates[0]}


def _mean(values: Sequence[float | None]) -> float:
    return round(float(np.mean([one for one in values if one is not None])), 4)


def _pools(options: argparse.Namespace, work: Path) -> Iterator[Pool]:
    per_class = options.scenes // 10
    if options.data:
        yield _photographs(Path(options.data), per_class, work)
        return
    for seed in options.seeds:
        folder = work / f"toybox-{seed}"
        right, wrong = folder / "scenes", folder / "mislabelled"
        if not (right / "boxes.json").exists():
            for _ in write_toybox(right, per_class, seed):
                pass
        if not wrong.exists():
            names = sorted(one.name for one in right.iterdir() if one.is_dir())
            for name, other in zip(names, names[1:] + names[:1], strict=True):
                shutil.copytree(right / name, wrong / other)
        yield Pool(folder.name, str(right), str(wrong), work, right / "boxes.json")


def _photographs(data: Path, per_class: int, work: Path) -> Pool:
    """The first images of each class of an npz, and the same with the next class's label."""
    folder = work / data.stem
    folder.mkdir(parents=True, exist_ok=True)
    with np.load(data) as stored:
        images, labels, classes = (stored[name] for name in ("images", "labels", "classes"))
    rows = np.concatenate([np.flatnonzero(labels == n)[:per_class] for n in range(len(classes))])
    for name, shift in (("right", 0), ("wrong", 1)):
        given = (labels[rows].astype(int) + shift) % len(classes)
        np.savez(folder / f"{name}.npz", images=images[rows], labels=given, classes=classes)
    return Pool(data.stem, str(folder / "right.npz"), str(folder / "wrong.npz"), work)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=100, help="images per seed, of ten classes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[41, 42, 43])
    parser.add_argument("--data", default="", help="an npz of photographs instead of toybox scenes")
    parser.add_argument("--prior", default="demo")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 takes all")
    parser.add_argument("--work", default="", help="folder that keeps what is scored")
    parser.add_argument("--wrong", type=int, default=1, help="pools also scored with wrong labels")
    parser.add_argument("--smooth", type=float, default=SelectSettings().smooth)
    parser.add_argument("--recipes", nargs="*", default=[], help="only these; all by default")
    parser.add_argument("--older", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
