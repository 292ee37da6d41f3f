"""A damaged run is scored again where it is damaged, and equals the undamaged one byte for byte."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open
from support.damage import ADAPTIVE, damage
from support.stored import flip, rewrite
from support.toyset import finish, scored_run, toy_prior, tree, write_pictures

from dsel.cli.commands import main
from dsel.config import PriorSettings
from dsel.errors import PriorError, RunError, SourceError, StorageError
from dsel.files import table_bytes, tensor_bytes
from dsel.pipeline import repair as repairing
from dsel.pipeline.repair import repair
from dsel.pipeline.verify import verify
from dsel.priors import load_prior
from dsel.runs import open_run
from dsel.runs.schema import IMAGES, PROXIES
from dsel.types import Done, Notice, Prior, Skipped, Started

CLASSES = {"cat": 5, "dog": 4}
PARTS = ("scores", "proxies", "rounds", "layouts", "images.parquet", "summary.json")


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `source` and the run `whole` of it."""
    folder = tmp_path_factory.mktemp("repair")
    scored_run(write_pictures(folder / "source", CLASSES), folder / "whole", ADAPTIVE)
    return folder


@pytest.fixture
def run(scored: Path) -> Path:
    path = scored / "run"
    shutil.rmtree(path, ignore_errors=True)
    return Path(shutil.copytree(scored / "whole", path))


def load(_: PriorSettings) -> Prior:
    return toy_prior(tuple(CLASSES))


def repaired(run: Path) -> tuple[dict, list]:
    events = finish(repair(run, load))
    assert isinstance(events[-1], Done)
    return dict(events[-1].figures), events


def files(run: Path) -> dict[str, str]:
    """The files of a run, without those that were set aside."""
    return {name: print_ for name, print_ in tree(run).items() if not name.startswith("damaged/")}


def tensors(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    with safe_open(path, "numpy") as file:
        record = json.loads(file.metadata()["dsel"])
        found = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    record.pop("checksum")
    return found, record


def test_repair__nothing_is_damaged(scored: Path, run: Path) -> None:
    figures, events = repaired(run)
    assert (figures["damaged"], figures["repaired"], figures["aside"]) == (0, 0, "")
    assert not [event for event in events if isinstance(event, Notice)]
    assert tree(run) == tree(scored / "whole")


@pytest.mark.parametrize("seed", range(3))
def test_repair__a_bit_or_an_end_of_each_file(scored: Path, run: Path, seed: int) -> None:
    """Each file in turn is damaged at a seeded place, and set aside as it was."""
    whole = files(scored / "whole")
    for name in sorted(whole):
        if name.partition("/")[0] not in PARTS:
            continue
        what = damage(run / name, f"{seed} {name}")
        found = (run / name).read_bytes()
        figures, events = repaired(run)
        assert (figures["damaged"], figures["repaired"], figures["left"]) == (1, 1, 0), what
        assert files(run) == whole, what
        assert (Path(figures["aside"]) / name).read_bytes() == found
        begun = [one for one in events if isinstance(one, Started) and one.stage == "score"]
        shard = name.startswith(("scores/", "proxies/"))
        assert [one.total - one.done for one in begun] == [3 if shard else 0], what
        shutil.rmtree(run / "damaged")


def test_repair__several_at_once_and_missing_ones(scored: Path, run: Path) -> None:
    flip(run / "scores/00000.safetensors", 40)
    (run / "proxies/00002.parquet").unlink()
    (run / "images.parquet").unlink()
    flip(run / "layouts/00001.safetensors", 40)
    assert repaired(run)[0]["left"] == 0
    assert files(run) == files(scored / "whole")
    assert sorted(tree(run / "damaged/1")) == [
        "layouts/00001.safetensors", "scores/00000.safetensors",
    ]  # fmt: skip


def test_repair__values_that_are_not_finite_numbers(scored: Path, run: Path) -> None:
    """The checksum is right, and the values cannot be those of a score."""
    path = run / "scores/00001.safetensors"
    for name in ("features", "gap/8x8"):
        found, record = tensors(path)
        name = next(key for key in found if key.startswith(name.partition("/")[0]))
        found[name].flat[3] = np.inf if name == "features" else np.nan
        path.write_bytes(tensor_bytes(found, record))
        (line,) = [one.text for one in finish(verify(run)) if isinstance(one, Notice)]
        assert line.startswith(f"{path} is damaged: its {name} has values that are not finite")
        assert repaired(run)[0]["repaired"] == 1
        assert files(run) == files(scored / "whole")


def test_repair__an_order_that_is_not_the_runs(scored: Path, run: Path) -> None:
    proxies = pq.read_table(run / "proxies/00001.parquet")
    turned = proxies.set_column(0, "id", pa.array(proxies["id"].to_pylist()[::-1]))
    (run / "proxies/00001.parquet").write_bytes(table_bytes(turned, PROXIES))
    images = pq.read_table(run / "images.parquet")
    (run / "images.parquet").write_bytes(table_bytes(images.slice(0, 8), IMAGES))
    lines = [one.text for one in finish(verify(run)) if isinstance(one, Notice)]
    assert [line.partition(": ")[2].partition(";")[0] for line in lines] == [
        "it lists other images than the scores", "it differs from 00001.parquet",
        "it has positions of other images",
    ]  # fmt: skip
    assert repaired(run)[0]["left"] == 0
    assert files(run) == files(scored / "whole")


def test_repair__leaves_what_scoring_does_not_write(scored: Path, run: Path) -> None:
    flip(next((run / "selections").glob("*/patches.parquet")), 40)
    flip(run / "scores/00002.safetensors", 40)
    (run / "scores/notes.txt").write_text("mine")
    figures, _ = repaired(run)
    assert (figures["damaged"], figures["repaired"], figures["left"]) == (2, 1, 1)
    assert (run / "scores/notes.txt").read_text() == "mine"


def test_repair__an_unfinished_run_is_left_to_score(scored: Path, run: Path) -> None:
    for path in ("summary.json", "images.parquet", "scores/00002.safetensors"):
        (run / path).unlink()
    flip(run / "scores/00001.safetensors", 40)
    figures, events = repaired(run)
    assert "the run is not finished" in [e for e in events if isinstance(e, Notice)][-1].text
    assert figures["left"] == 0
    assert open_run(run).finished_shards() == (0,)
    assert not [event for event in events if isinstance(event, Skipped)]


def test_repair__a_file_that_may_not_be_read_is_not_a_damaged_one(run: Path) -> None:
    """A folder in its place, like a missing permission, is for the user to put right."""
    flip(run / "scores/00001.safetensors", 40)
    (run / "scores/00000.safetensors").unlink()
    (run / "scores/00000.safetensors").mkdir()
    with pytest.raises(StorageError, match="is a folder, not a file: move it elsewhere"):
        repaired(run)
    assert not (run / "damaged").exists()


def test_repair__a_dataset_that_is_gone_or_another(scored: Path, run: Path) -> None:
    flip(run / "scores/00002.safetensors", 40)
    before, source = tree(run), scored / "source"
    source.rename(scored / "moved")
    with pytest.raises(SourceError, match=r"cannot be repaired without its dataset: .*moved"):
        finish(repair(run, load))
    write_pictures(source, {"cat": 5, "dog": 3})
    with pytest.raises(SourceError, match="has other images than when it was scored"):
        finish(repair(run, load))
    shutil.rmtree(source)
    (scored / "moved").rename(source)
    assert tree(run) == before


def test_repair__a_prior_that_is_gone_or_another(scored: Path, run: Path) -> None:
    flip(run / "scores/00002.safetensors", 40)
    before = tree(run)
    with pytest.raises(PriorError, match="without its prior mixture: 'mixture' is not a prior"):
        finish(repair(run, load_prior))
    with pytest.raises(PriorError, match="is not the prior that scored it"):
        finish(repair(run, lambda _: toy_prior(("cat", "dog", "horse"))))
    assert tree(run) == before


def test_repair__a_manifest_or_no_run(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is not a run: it has no run\.json"):
        finish(repair(tmp_path, load))
    flip(run / "run.json", 40)
    with pytest.raises(RunError, match=r"run\.json is damaged"):
        finish(repair(run, load))


def test_repair__what_the_prior_knows_stays_measured_as_it_was(
    scored: Path, run: Path, tmp_path: Path
) -> None:
    """Not measured again where it was off, and in full where the damaged file says so."""
    assert repairing._knowledge(tmp_path) == "off"
    rewrite(run / "knowledge.json", {"plan": {"images": 16, "group": 10}})
    assert repairing._knowledge(run) == "full"
    (run / "knowledge.json").write_text("{")
    assert repairing._knowledge(run) == "auto"
    assert repaired(run)[0]["left"] == 0
    assert files(run) == files(scored / "whole")


def test_command__repair(scored: Path, tiny_prior: Path, tmp_path: Path, capsys) -> None:
    """The prior is loaded from where the run says that it is."""
    run, source = tmp_path / "run", str(scored / "source")
    quick = ("--timesteps", "300", "--draws", "2", "--shard-size", "3", "--feature-grid", "4")
    prior = ("--prior", str(tiny_prior), "--device", "cpu")
    assert main(["score", source, "--run", str(run), *prior, *quick]) == 0
    whole = files(run)
    assert main(["repair", str(run)]) == 0
    flip(run / "proxies/00001.parquet", 40)
    capsys.readouterr()
    assert main(["repair", str(run), "--dry-run"]) == 0
    assert "damaged: 1" in capsys.readouterr().out
    assert main(["repair", str(run), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["repaired"] == 1
    assert files(run) == whole
    assert main(["select", str(run), "--ipc", "2"]) == 0
    flip(run / "selections/current.json", 40)
    assert main(["repair", str(run)]) == 2
    assert "1 damaged file is left" in capsys.readouterr().err
