"""The commands that read what is there and change nothing: check, info, report, verify."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from dsel.cli.flags import AnyRun, Output, Selection
from dsel.cli.printing import knowledge_lines, print_noted, print_plan, print_result
from dsel.errors import RunError, SettingError

if TYPE_CHECKING:
    from dsel.runs import Run
    from dsel.types import Event


def check(
    run: AnyRun,
    boxes: Annotated[
        Path | None,
        arg(help="true boxes or masks of the objects, COCO JSON; RUN/boxes.json by default"),
    ] = None,
    selection: Selection = "",
    output: Output = Output(),
) -> None:
    """Compare the chosen patches with the true objects, and with random and centre patches."""
    from dsel.analysis.localization import check_selection, fit_figures, read_ground_truth
    from dsel.runs import open_run, run_folder

    opened = open_run(run_folder(run))
    truth = read_ground_truth(opened, boxes or _boxes_of(opened))
    if output.dry_run:
        return print_plan(output, fit_figures(truth.matched))
    _, selections = opened.read_selection(selection)
    print_noted(check_selection(opened, selections, truth), output)
    return None


def info(run: AnyRun, output: Output = Output()) -> None:
    """Show what a run contains: settings, counts, skipped images and reasons, selections."""
    from dsel.cli.terminal import figure_text, print_line
    from dsel.runs import open_run, run_folder

    facts = _facts(open_run(run_folder(run)))
    if output.json:
        return print_result(facts, output)
    if knowledge := facts.get("knowledge"):
        facts["knowledge"] = knowledge_lines(knowledge)
    for key, value in facts.items():
        name = key.replace("_", " ")
        if isinstance(value, Mapping) and value:
            print_line(f"{name}:")
            for part_name, part in value.items():
                print_line(f"  {part_name}: {figure_text(part)}")
        else:
            print_line(f"{name}: {figure_text(value) or 'none'}")
    return None


def report(
    run: AnyRun,
    out: Annotated[Path, arg(help="HTML file to write; it needs no other file and no network")],
    selection: Selection = "",
    evaluation: Annotated[
        str, arg(help="fingerprint of the only evaluation to report, with its own selection")
    ] = "",
    pictures: Annotated[int, arg(help="chosen patches shown of each class, at most")] = 10,
    output: Output = Output(),
) -> None:
    """Write a report of a run, or of one evaluation, as one HTML file to send and to keep."""
    from dsel.analysis.explorer import Explorer
    from dsel.analysis.report import plan_report, write_report
    from dsel.cli.terminal import Terminal
    from dsel.runs import open_run, run_folder

    if pictures < 1:
        raise SettingError(f"pictures must be at least 1, got {pictures}", setting="pictures")
    opened = open_run(run_folder(run))
    plan = plan_report(opened, out, selection, evaluation)
    if output.dry_run:
        work = {"out": str(out), "evaluations": len(plan.evaluations)}
        return print_plan(output, work, plan.settings)
    events = write_report(Explorer(opened), out, plan, pictures)
    print_result(Terminal().follow(events), output)
    return None


def verify(
    run_or_out: Annotated[
        Positional[Path], arg(metavar="RUN_OR_OUT", help="run folder, or exported set or zip file")
    ],
    output: Output = Output(),
) -> None:
    """Read every file of a run or of an exported set again, and list what is damaged."""
    from dsel.cli.terminal import Terminal, print_line
    from dsel.pipeline.verify import checks_of_path
    from dsel.pipeline.verify import verify as verify_all

    if output.dry_run:
        return print_plan(output, {"files": sum(1 for _ in checks_of_path(run_or_out))})
    found: list[str] = []
    figures = Terminal().follow(_without_notices(verify_all(run_or_out), found))
    for line in () if output.json else found:
        print_line(line)
    print_result({**figures, "damaged": found if output.json else len(found)}, output)
    if found:
        raise RunError(f"{run_or_out} is damaged: {len(found)} of its files must be repaired")
    return None


def _boxes_of(run: Run) -> Path:
    """Return the run's own file of true boxes."""
    if not run.objects_path.is_file():
        raise RunError(f"{run.path} has no {run.objects_path.name}: name a file with --boxes")
    return run.objects_path


def _without_notices(events: Iterable[Event], texts: list[str]) -> Iterator[Event]:
    """Pass all other events on, and store the texts of notices."""
    from dsel.types import Notice

    for event in events:
        if isinstance(event, Notice):
            texts.append(event.text)
        else:
            yield event


def _facts(run: Run) -> dict[str, Any]:
    identity = run.identity
    finished = (run.path / "summary.json").is_file()
    facts: dict[str, Any] = {
        "run": str(run.path),
        "fingerprint": identity.fingerprint,
        "dataset": identity.dataset_origin.get("source", ""),
        "prior": f"{identity.prior} ({identity.prior_fingerprint}, {identity.precision})",
        "prior_origin": dict(identity.prior_origin),
        "proxies": f"shorter side {identity.resolution_px} px, cells of {identity.cell_px} px",
        "classes": len(identity.classes),
        "images": identity.images,
        "shards": f"{len(run.finished_shards())} of {identity.shards}",
        "threads": identity.threads or "unknown",
        "backend": identity.backend or "unknown",
        "settings": identity.settings.plain(),
    }
    if finished:
        facts["scored"] = run.summary.scored
        facts["images_with_further_draws"] = run.summary.further
        facts["evaluations"] = run.summary.evaluations
        facts["evaluations_per_image"] = round(run.summary.evaluations_per_image, 1)
        facts["skipped"] = {row.id: row.reason for row in run.images.skipped()}
        if (knowledge := run.knowledge) is not None:
            of_classes = zip(identity.classes, map(asdict, knowledge.classes), strict=True)
            facts["knowledge"] = {
                "reason": knowledge.reason,
                "run": asdict(knowledge.run),
                "classes": dict(of_classes),
            }
    facts["selections"] = sorted(p.name for p in (run.path / "selections").glob("*") if p.is_dir())
    return facts
