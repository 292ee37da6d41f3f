"""What is shipped: the Space's requirements, the README's header, the wheel, and no large file."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import dsel
from dsel.assets import asset

ROOT = Path(__file__).parent.parent
LARGEST_BYTES = 10_000_000  # the Hugging Face Hub takes larger files through LFS alone


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def header() -> dict[str, str]:
    """The lines between the README's first two rules; quotes are the YAML's own."""
    _, block, _ = (ROOT / "README.md").read_text("utf-8").split("---\n", 2)
    pairs = (line.split(":", 1) for line in block.splitlines() if ":" in line)
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def test_requirements__are_the_projects_dependencies(project):
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == project["dependencies"]


def test_version__is_the_packages(project):
    assert project["version"] == dsel.__version__


def test_readme__header_of_the_space(project):
    space = header()
    gradio = next(r for r in map(Requirement, project["dependencies"]) if r.name == "gradio")
    assert space["sdk"] == "gradio"
    assert space["sdk_version"] in gradio.specifier
    assert space["python_version"] == "3.12"
    assert space["app_file"] == "app.py"
    assert (ROOT / space["app_file"]).is_file()
    assert len(space.get("short_description", "")) <= 60


def test_app__is_short():
    assert len((ROOT / "app.py").read_text("utf-8").splitlines()) < 20


def tracked() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_tracked_files__none_is_large():
    sizes = {path: path.stat().st_size for path in tracked() if path.is_file()}
    large = [str(path) for path, size in sizes.items() if size > LARGEST_BYTES]
    assert large == []


def test_tracked_files__no_pickles():
    kinds = {".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle"}
    assert [str(path) for path in tracked() if path.suffix in kinds] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel built from the checkout."""
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    (path,) = out.glob("dsel-*-py3-none-any.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_wheel__holds_the_package_and_its_assets(wheel):
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "dsel").rglob("*.py")}
    assert package <= set(wheel)
    assert "dsel/py.typed" in wheel
    shipped = {
        f"dsel/assets/{path.relative_to(ROOT / 'assets').as_posix()}"
        for path in tracked()
        if path.is_relative_to(ROOT / "assets") and path.is_file()
    }
    assert shipped
    assert shipped <= set(wheel)


def test_wheel__holds_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert tops == {"dsel", f"dsel-{dsel.__version__}.dist-info"}


def test_wheel__has_the_command(wheel, project):
    assert project["scripts"] == {"dsel": "dsel.cli.commands:main"}
    assert any(name.endswith("entry_points.txt") for name in wheel)
    assert any(name.endswith("LICENSE") for name in wheel)


def test_asset__in_a_checkout_lies_beside_the_package():
    assert asset("app/app.css").parent == ROOT / "assets" / "app"
