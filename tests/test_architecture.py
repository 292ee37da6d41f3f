"""The house: imports point down, importing is light, files stay small, nothing is unpickled."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dsel"

LEVELS: Mapping[str, int] = {
    "errors": 0,
    "settings": 1, "shipped": 1, "storage": 1, "batching": 1, "cache": 1, "overrides": 1,
    "config": 2, "records": 2, "labels": 2,
    "commands": 3, "flags": 3, "links": 3,
    "noise": 3, "patches": 3, "groups": 3, "ranking": 3, "pictures": 3, "tables": 3,
    "heat": 3, "identity": 3, "shards": 3, "weights": 3, "classfolders": 3, "archives": 3,
    "lasso": 3, "sums": 3, "compare": 3, "tally": 3, "ranges": 3,
    "scoring": 4, "describing": 4, "selection": 4, "compose": 4, "runs": 4, "reading": 4,
    "loading": 4, "datasets": 4, "exports": 4, "listing": 4, "quality": 4,
    "priors": 5, "passes": 5, "cutting": 5, "story": 5, "localisation": 5,
    "kept": 5, "sizes": 5,
    "described": 6, "controls": 6, "layouts": 6,
    "engine": 7, "steps": 7, "terminal": 7,
    "explore": 8,
    "summary": 9, "works": 9,
    "jobfolder": 10,
    "jobs": 11,
    "ui": 12,
    "cli": 13, "app": 13,
}  # fmt: skip
"""The level of every module and package; each imports only from lower ones."""

INNER_LEVELS: Mapping[str, int] = {"datasets.toybox": 3, "priors.training": 5}
"""Packages inside packages that stand for themselves."""

FAMILIES = ("priors", "datasets", "exports")
"""Their files are variants of one thing: they know their `base`, and nothing of their sisters."""

HEAVY = ("torch", "diffusers", "transformers", "gradio", "umap", "sklearn", "plotly")
MOST_LINES = 400
MOST_LINES_OF_APP = 20


@cache
def modules() -> Mapping[str, Path]:
    """Every file of dsel by its dotted name without `dsel.`, and app.py."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            found[name] = path
    app = ROOT / "app.py"
    return {**found, "app": app} if app.exists() else found


@cache
def imports_of(name: str) -> frozenset[str]:
    """Modules of dsel that a module imports anywhere in it, in functions and for types too."""
    tree = ast.parse(modules()[name].read_text("utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}, line {node.lineno}: relative import"
            # what is imported from a package may be one of its modules
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            known = {one for one in inner if one.removeprefix("dsel.") in modules()}
            found |= known or {str(node.module)}
    inside = {one.removeprefix("dsel.") for one in found if one.startswith("dsel.")}
    return frozenset(inside)


def house_of(name: str) -> str:
    """The entry of the tables that a module belongs to."""
    parts = name.split(".")
    inner = ".".join(parts[:2])
    return inner if inner in INNER_LEVELS else parts[0]


def level_of(name: str) -> int:
    house = house_of(name)
    return INNER_LEVELS[house] if house in INNER_LEVELS else LEVELS[house]


@pytest.mark.parametrize("name", modules())
def test_imports__point_down(name: str) -> None:
    assert house_of(name) in {**LEVELS, **INNER_LEVELS}, f"{name} has no level: add it to the table"
    for other in imports_of(name):
        if house_of(other) == house_of(name) or other == f"{name.partition('.')[0]}.base":
            continue  # inside a package: the next test
        assert level_of(other) < level_of(name), (
            f"{name} (level {level_of(name)}) imports {other} (level {level_of(other)})"
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_imports__sisters_know_their_base_only(family: str) -> None:
    for name in modules():
        if house_of(name) == family and name != family:
            sisters = {other for other in imports_of(name) if house_of(other) == family}
            assert sisters <= {f"{family}.base"}, f"{name} imports {sisters}"


@pytest.mark.parametrize("name", modules())
def test_imports__no_cycle(name: str) -> None:
    seen: set[str] = set()
    waiting = list(imports_of(name))
    while waiting:
        other = waiting.pop()
        if other not in seen and other in modules():
            seen.add(other)
            waiting += imports_of(other)
    assert name not in seen, f"{name} imports itself by way of others"


def test_levels__name_what_is_there() -> None:
    there = {house_of(name) for name in modules()}
    assert set(LEVELS) - {"app", "ui"} <= there
    assert set(INNER_LEVELS) <= there


def test_levels__are_those_of_the_readme() -> None:
    """A line of its house plan is a file or folder, its level, and a word on it."""
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    lines = re.findall(r"^[\s|`]*(?:dsel/)?(\w+)(?:\.py|/)[`\s|]+(\d+)[\s|]", text, re.MULTILINE)
    assert {name: int(level) for name, level in lines} == dict(LEVELS)


def loaded_by(code: str) -> set[str]:
    """The heavy libraries that are loaded once `code` has run in a process of its own."""
    loaded = f"' '.join(set({HEAVY}) & set(sys.modules))"
    report = f"\nimport sys\nsys.stderr.write('LOADED ' + {loaded})"
    done = subprocess.run(
        [sys.executable, "-c", code + report],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return set(done.stderr.rpartition("LOADED ")[2].split())


HELP = """
from dsel.cli import main
try:
    main(["--help"])
except SystemExit as done:
    assert not done.code, done.code
"""


def test_importing__is_light() -> None:
    """The package, and the help of the command line, load no heavy library."""
    assert loaded_by("import dsel") == set()
    assert loaded_by(HELP) == set()


@pytest.mark.parametrize("command", ["score", "select", "distill", "train"])
def test_importing__is_light_for_the_help_of_a_command(command: str) -> None:
    assert loaded_by(HELP.replace('"--help"', f'"{command}", "--help"')) == set()


def test_importing__python_dash_m_is_light() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "dsel.cli", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "dsel.config" in loaded
    assert not loaded & set(HEAVY)
    assert "distill" in done.stdout


def test_importing__exploring_needs_no_torch() -> None:
    assert loaded_by("import dsel.explore") == set()
    assert loaded_by("import dsel.engine, dsel.localisation, dsel.terminal") == set()


@pytest.mark.skipif("ui" not in modules(), reason="has no app yet")
def test_importing__the_app_needs_no_torch() -> None:
    assert loaded_by("import dsel.ui") <= {"gradio", "plotly"}


@pytest.mark.parametrize("name", modules())
def test_files__stay_small(name: str) -> None:
    most = MOST_LINES_OF_APP if name == "app" else MOST_LINES
    assert len(modules()[name].read_text("utf-8").splitlines()) < most


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a module, with what is called, such as torch.manual_seed."""
    for node in ast.walk(ast.parse(modules()[name].read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("name", modules())
def test_randomness__no_global_seed(name: str) -> None:
    """Only training seeds torch, inside `fork_rng`, which puts the caller's state back."""
    tree = ast.parse(modules()[name].read_text("utf-8"))
    forked = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and "fork_rng" in ast.unparse(node.items[0])
        for inner in ast.walk(node)
    }
    seeding = re.compile(r"(torch|torch\.(random|cuda)|(np\.|numpy\.)?random)\.\w*seed\w*")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and seeding.fullmatch(ast.unparse(node.func)):
            assert name == "priors.training", f"{name} seeds globally"
            assert id(node) in forked, f"{name}, line {node.lineno}: outside of fork_rng"


@pytest.mark.parametrize("name", modules())
def test_files__nothing_is_unpickled(name: str) -> None:
    text = modules()[name].read_text("utf-8")
    pickling = "pickle|cPickle|dill|cloudpickle|joblib|shelve|marshal"
    assert not re.search(rf"^\s*(import|from)\s+({pickling})\b", text, re.MULTILINE)
    for called, node in calls(name):
        assert called not in {"torch.load", "torch.save"}, f"{name}, line {node.lineno}"
        allowed = [k.value for k in node.keywords if k.arg == "allow_pickle"]
        assert all(isinstance(v, ast.Constant) and v.value is False for v in allowed), name
