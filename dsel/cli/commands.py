"""The commands of dsel: flags to settings, settings to the pipeline, events to lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from dsel import __version__
from dsel.cli.care import repair, status
from dsel.cli.evaluation import advise, evaluate, sweep
from dsel.cli.explaining import explain
from dsel.cli.flags import (
    Address,
    AnyRun,
    DistillFlags,
    DistillLaunchFlags,
    Output,
    Pace,
    Publish,
    Scenes,
    SelectFlags,
    Selection,
    SliceName,
    Where,
    with_preset,
)
from dsel.cli.inspection import check, info, report, verify
from dsel.cli.parsing import Commands
from dsel.cli.printing import print_plan, print_result
from dsel.cli.scoring import gather
from dsel.cli.sharing import bundle, space
from dsel.cli.signals import raised_signals
from dsel.cli.teaching import adapt, teach
from dsel.config import (
    ExportSettings,
    LaunchSettings,
    PriorSettings,
    ScoreSettings,
    SelectSettings,
    SourceSettings,
    TrainSettings,
)
from dsel.errors import DselError, PriorError, SettingError, library_errors, printable

if TYPE_CHECKING:
    from dsel.pipeline.serving import Recipe
    from dsel.runs import Run
    from dsel.types import Event

Source = Annotated[
    Positional[str],
    arg(
        metavar="SOURCE",
        help="image folder, .zip, .npz, .parquet or .tar file, a folder of these, a URL of one, "
        "hf://user/name of the Hugging Face Hub, or the word toybox",
    ),
]
COMMANDS = Commands(
    "Dataset distillation by selection: the most discriminative patches. dsel COMMAND --help lists "
    "the settings of a command, dsel --version prints the version."
)


@dataclass(frozen=True, slots=True)
class Scoring:
    """What to score, with which prior, and into which run."""

    source: str
    source_settings: SourceSettings
    path: Path
    prior: PriorSettings
    settings: ScoreSettings
    launch: LaunchSettings

    def recipe(self) -> Recipe:
        """Return how a worker opens all of it."""
        from dsel.pipeline.serving import Recipe

        return Recipe(self.source, self.source_settings, self.prior, self.path, self.settings)


@COMMANDS.command("app")
def open_app(
    run: Annotated[
        Positional[str],
        arg(
            metavar="[RUN]",
            help="run folder, or a run to read from: a zip file of dsel bundle, a URL such as "
            "s3://, or hf://user/name of the Hugging Face Hub; the shipped demo run by default",
        ),
    ] = "",
    address: Address = Address(),
) -> None:
    """Open the app on a run: heat maps, boxes, clusters, sliders, export."""
    from dsel.app import launch_app
    from dsel.assets import DEMO_RUN, asset
    from dsel.runs import run_folder

    launch_app(run_folder(run) if run else asset(DEMO_RUN), host=address.host, port=address.port)


@COMMANDS.command()
def score(
    source: Source,
    run: Annotated[Path, arg(help="run folder to create or resume")],
    prior: PriorSettings = PriorSettings(),
    source_settings: SourceSettings = SourceSettings(),
    settings: ScoreSettings = ScoreSettings(),
    launch: LaunchSettings = LaunchSettings(),
    pace: Pace = Pace(),
    output: Output = Output(),
) -> None:
    """Score every image of a dataset with a prior."""
    scoring = Scoring(source, source_settings, run, prior, settings, launch)
    if output.dry_run:
        return print_plan(output, _scoring_work(scoring, pace), prior, settings, launch)
    print_result(_score(scoring), output)
    return None


@COMMANDS.command()
def select(
    run: AnyRun,
    settings: SelectFlags = SelectFlags(),
    where: Where = Where(),
    output: Output = Output(),
) -> None:
    """Cut, cluster and rank the patches of a scored run."""
    opened, chosen = _open(run), settings.settings()
    if output.dry_run:
        return print_plan(output, {"classes": len(opened.identity.classes)}, chosen)
    print_result(_select(opened, chosen, where), output)
    return None


@COMMANDS.command()
def export(
    run: AnyRun,
    out: Annotated[
        Path, arg(help="folder, or file that ends in .zip, to write the distilled set to")
    ],
    selection: Selection = "",
    of_slice: SliceName = "",
    settings: ExportSettings = ExportSettings(),
    publish: Publish = Publish(),
    output: Output = Output(),
) -> None:
    """Write the distilled set of a selection in one or more formats, or as a zip file of them."""
    opened = _open(run)
    _check_publish(publish, settings, out)
    if output.dry_run:
        chosen, selections = opened.read_selection(selection)
        images = sum(len(s.kept_images(chosen.ipc)) for s in selections)
        if of_slice:
            from dsel.runs.slices import read_slice

            images = len(read_slice(opened.path, of_slice).ids)
        return print_plan(output, {"images": images, "out": str(out)}, settings)
    figures = _export(opened, out, settings, selection, of_slice)
    if publish.push:
        figures = {**figures, **_push(out, publish)}
    print_result(figures, output)
    return None


@COMMANDS.command()
def distill(
    source: Source,
    out: Annotated[Path, arg(help="folder to write the distilled set to")],
    run: Annotated[Path | None, arg(help="run folder; OUT/run by default")] = None,
    prior: PriorSettings = PriorSettings(),
    source_settings: SourceSettings = SourceSettings(),
    score_settings: ScoreSettings = ScoreSettings(),
    select_settings: DistillFlags = DistillFlags(),
    export_settings: ExportSettings = ExportSettings(),
    launch: DistillLaunchFlags = DistillLaunchFlags(),
    pace: Pace = Pace(),
    output: Output = Output(),
) -> None:
    """Score, select and export in one command; run it again to resume."""
    from dsel.pipeline.distill import RUN_IN_OUT, check_out

    check_out(out, export_settings)
    path = run or out / RUN_IN_OUT
    settings = select_settings.settings()
    where = launch.settings()
    scoring = Scoring(source, source_settings, path, prior, score_settings, where)
    if output.dry_run:
        stages = (prior, score_settings, settings, export_settings, where)
        return print_plan(output, _scoring_work(scoring, pace), *stages)
    figures = _distill(scoring, out, settings, export_settings)
    print_result(figures if output.json else figures["export"], output)
    return None


@COMMANDS.command()
def toybox(
    out: Annotated[Positional[Path], arg(help="folder to write the scenes to")],
    scenes: Scenes = Scenes(),
    output: Output = Output(),
) -> None:
    """Render toybox scenes as an image folder, with their boxes.json in COCO format."""
    from dsel.cli.terminal import Terminal
    from dsel.data.toybox_dataset import write_toybox

    source = SourceSettings(per_class=scenes.per_class, scene_seed=scenes.seed)
    if output.dry_run:
        return print_plan(output, {"out": str(out)}, source)
    print_result(Terminal().follow(write_toybox(out, scenes.per_class, scenes.seed)), output)
    return None


@COMMANDS.command()
def train(
    source: Source,
    out: Annotated[Path, arg(help="folder to save the prior to; checkpoints go to OUT/training")],
    source_settings: SourceSettings = SourceSettings(),
    settings: TrainSettings = TrainSettings(),
    output: Output = Output(),
) -> None:
    """Train a small prior from scratch: autoencoder, U-Net and text encoder."""
    from dsel.cli.terminal import Terminal
    from dsel.data import open_dataset

    dataset = open_dataset(source, source_settings)
    if output.dry_run:
        work = {"images": len(dataset.refs), "classes": len(dataset.classes)}
        return print_plan(output, work, settings)
    with library_errors(extra="lora", use="training", error=PriorError):
        from dsel.priors.training import train as train_prior

    print_result(Terminal().follow(train_prior(dataset, settings, out)), output)
    return None


for command in (
    gather, check, explain, info, status, report, verify, repair, bundle, space, evaluate, sweep,
    advise, teach, adapt,
):  # fmt: skip
    COMMANDS.command()(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code 2 is a user-fixable error, one line on standard error.

    SIGTERM ends it like SIGINT, with the exit codes 143 and 130 that shells use.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if list(given) == ["--version"]:
        sys.stdout.write(f"dsel {__version__}\n")
        return 0
    if not given:
        sys.stderr.write(COMMANDS.usage())
        return 2
    # Libraries that load models print on import; what matters reaches the user as an error.
    for name in ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY"):
        os.environ.setdefault(name, "error")
    try:
        with raised_signals() as ended:
            COMMANDS.parse(with_preset(given))()
    except DselError as error:
        sys.stderr.write(f"dsel: {printable(str(error))}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"dsel: {ended.word}; run the same command again to resume\n")
        return ended.code
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to flush
        return 141
    return ended.code if ended.by_sigterm else 0  # the app's server ends without an error


def _score(scoring: Scoring) -> Mapping[str, Any]:
    from dsel.cli.terminal import Terminal
    from dsel.pipeline.launch import is_here, score_on
    from dsel.pipeline.rates import record_rate
    from dsel.priors.loading import choose_device

    recipe = scoring.recipe()
    figures = Terminal().follow(score_on(recipe, scoring.launch))
    if is_here(recipe.device, scoring.launch):  # the rate of one device
        record_rate(scoring.prior, str(choose_device(scoring.prior.device)), figures)
    return figures


def _distill(
    scoring: Scoring, out: Path, select: SelectSettings, export: ExportSettings
) -> Mapping[str, Mapping[str, Any]]:
    """Score, select and export; returns the figures of each stage."""
    from dsel.cli.terminal import Terminal
    from dsel.pipeline.distill import distill_on

    events = distill_on(scoring.recipe(), scoring.launch, out, select, export)
    figures: dict[str, Mapping[str, Any]] = {}
    Terminal().follow(_figures_kept(events, figures))
    return figures


def _figures_kept(
    events: Iterable[Event], figures: dict[str, Mapping[str, Any]]
) -> Iterator[Event]:
    """Pass events on, and store the figures of each stage under its name."""
    from dsel.types import Done

    for event in events:
        if isinstance(event, Done):
            figures[event.stage] = event.figures
        yield event


def _scoring_work(scoring: Scoring, pace: Pace) -> Mapping[str, Any]:
    """Print what would be scored, and return the work to do."""
    from dsel.cli.terminal import Terminal
    from dsel.data import open_dataset
    from dsel.pipeline.contents import contents_events
    from dsel.pipeline.plan import scoring_plan

    dataset = open_dataset(scoring.source, scoring.source_settings)
    exists = (scoring.path / "run.json").is_file()
    settings = scoring.settings
    Terminal().follow(contents_events(dataset, settings))
    shards = -(-len(dataset.refs) // settings.shard_size)
    done = len(_open(scoring.path).finished_shards()) if exists else 0
    left = 1 - done / max(shards, 1)
    return {
        "images": len(dataset.refs),
        "classes": len(dataset.classes),
        **_evaluations(settings),
        "shards": shards,
        "shards_done": done,
        **scoring_plan(dataset, scoring.prior, settings, left, pace.rate),
    }


def _evaluations(settings: ScoreSettings) -> Mapping[str, int | str]:
    """Return how many evaluations of the prior an image takes, as far as that is known."""
    least, most = settings.least_evaluations, settings.most_evaluations
    return {
        "evaluations_per_image": least if least == most else f"at least {least}, at most {most}"
    }


def _select(run: Run, settings: SelectSettings, where: Where) -> Mapping[str, Any]:
    from dsel.cli.terminal import Terminal
    from dsel.pipeline.confidences import teacher_for
    from dsel.pipeline.distill import featurizer_for
    from dsel.pipeline.select import select as select_all

    featurizer = featurizer_for(run, settings, where.device)
    teacher = teacher_for(run, settings, where.device)
    return Terminal().follow(select_all(run, settings, featurizer, teacher))


def _export(
    run: Run, out: Path, settings: ExportSettings, selection: str, of_slice: str = ""
) -> Mapping[str, Any]:
    from dsel.cli.terminal import Terminal
    from dsel.pipeline.chosen import export_slice
    from dsel.pipeline.distill import RUN_IN_OUT
    from dsel.pipeline.export import export as export_all

    if of_slice:
        return Terminal().follow(export_slice(run, of_slice, out, settings, selection))
    return Terminal().follow(export_all(run, out, settings, selection, also_ours=(RUN_IN_OUT,)))


def _check_publish(publish: Publish, settings: ExportSettings, out: Path) -> None:
    from dsel.pipeline.push import check_push

    if publish.push:
        check_push(publish.push, settings, out)
    elif publish.public:
        raise SettingError(
            "--public is for a dataset that is pushed: give its name with --push user/name"
        )


def _push(out: Path, publish: Publish) -> Mapping[str, Any]:
    from dsel.cli.terminal import Terminal
    from dsel.pipeline.push import push

    return Terminal().follow(push(out, publish.push, publish.public))


def _open(run: str | Path) -> Run:
    from dsel.runs import open_run, run_folder

    return open_run(run_folder(run))
