"""Importing is light, files stay small, nothing is unpickled, nothing seeds globally."""

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

HEAVY = (
    "torch", "diffusers", "transformers", "gradio", "umap", "sklearn", "plotly", "pandas",
    "matplotlib", "pycocotools", "scipy",
)  # fmt: skip
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
from dsel.cli.commands import main
try:
    main(["--help"])
except SystemExit as done:
    assert not done.code, done.code
"""


def test_importing__is_light() -> None:
    """The package, and the help of the command line, load no heavy library."""
    assert loaded_by("import dsel") == set()
    assert loaded_by(HELP) == set()


@pytest.mark.parametrize("command", ["score", "select", "distill", "train", "teach"])
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
    assert loaded_by("import dsel.analysis.explorer") == set()
    assert (
        loaded_by("import dsel.pipeline.export, dsel.pipeline.score, dsel.analysis.localization")
        == set()
    )


def test_importing__the_app_needs_no_torch() -> None:
    allowed = {"gradio", "plotly", "pandas"}  # gradio itself imports pandas
    assert loaded_by("from dsel.app import build_app, launch_app") <= allowed


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
            assert name.startswith("priors.training"), f"{name} seeds globally"
            assert id(node) in forked, f"{name}, line {node.lineno}: outside of fork_rng"


@pytest.mark.parametrize("name", modules())
def test_files__nothing_is_unpickled(name: str) -> None:
    text = modules()[name].read_text("utf-8")
    pickling = "pickle|cPickle|dill|cloudpickle|joblib|shelve|marshal"
    assert not re.search(rf"^\s*(import|from)\s+({pickling})\b", text, re.MULTILINE)
    for called, node in calls(name):
        if name == "exports.dd_ranking":  # files of tensors alone, which are read as such
            safe = [k.value for k in node.keywords if k.arg == "weights_only"]
            constant = [isinstance(v, ast.Constant) and v.value is True for v in safe]
            assert called != "torch.load" or constant == [True], f"{name}, line {node.lineno}"
        else:
            assert called not in {"torch.load", "torch.save"}, f"{name}, line {node.lineno}"
        allowed = [k.value for k in node.keywords if k.arg == "allow_pickle"]
        assert all(isinstance(v, ast.Constant) and v.value is False for v in allowed), name
