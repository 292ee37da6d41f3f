"""What is shipped: dependencies and their locks, the README's header, the wheel, no large file."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import dsel
from dsel.assets import asset

ROOT = Path(__file__).parent.parent
CUDA = re.compile("nvidia|cuda|triton")
LARGEST_BYTES = 10_000_000  # the Hugging Face Hub takes larger files through LFS alone


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def header() -> dict[str, str]:
    """The lines between the README's first two rules; quotes are the YAML's own."""
    _, block, _ = (ROOT / "README.md").read_text("utf-8").split("---\n", 2)
    pairs = (line.split(":", 1) for line in block.splitlines() if ":" in line)
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


LOCKS = ("requirements.txt", "tests/requirements.txt")
PYTHONS = ("3.11", "3.12", "3.13")


def listed(project: dict, *extras: str) -> list[Requirement]:
    """The dependencies, and those of some extras, each with the extras that it names itself."""
    found = list(map(Requirement, project["dependencies"]))
    for extra in extras:
        for one in map(Requirement, project["optional-dependencies"][extra]):
            found += listed(project, *one.extras) if one.name == "dsel" else [one]
    return found


def locked(*names: str) -> list[Requirement]:
    lines = [line for name in names for line in (ROOT / name).read_text("utf-8").splitlines()]
    return [Requirement(line) for line in lines if not line.startswith("#")]


def linux(python: str) -> dict[str, str]:
    """What a lock's markers ask of such a machine."""
    return {
        "python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux",
        "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix",
        "implementation_name": "cpython", "platform_python_implementation": "CPython",
    }  # fmt: skip


def pins(machine: dict[str, str] | None, *names: str) -> dict[str, Version]:
    """The versions that the locks hold for a machine, or for this one."""
    chosen = [one for one in locked(*names) if not one.marker or one.marker.evaluate(machine)]
    found = {
        canonicalize_name(one.name): Version(str(one.specifier).removeprefix("=="))
        for one in chosen
    }
    assert len(found) == len(chosen)
    return found


def test_dependencies__all_have_an_upper_bound(project):
    built = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    everything = listed(project, *project["optional-dependencies"])
    for one in [*everything, *map(Requirement, built)]:
        assert {">=", "<"} == {part.operator for part in one.specifier}, f"{one}"


@pytest.mark.parametrize("name", LOCKS)
def test_locks__hold_exact_versions_alone(name):
    """The Space installs the first without any other file."""
    found = locked(name)
    for one in found:
        (part,) = one.specifier
        assert part.operator == "=="
        assert re.fullmatch(r"[\d.]+(\.?(post|rc|b|a)\d+)?", part.version), f"{one}"
        assert one.url is None
    assert [one.name for one in found] == sorted(one.name for one in found)


@pytest.mark.parametrize("python", PYTHONS)
def test_locks__hold_every_dependency_within_its_bounds(project, python):
    for one in listed(project):
        assert pins(linux(python), LOCKS[0])[canonicalize_name(one.name)] in one.specifier, f"{one}"
    for one in listed(project, *project["optional-dependencies"]):
        assert pins(linux(python), *LOCKS)[canonicalize_name(one.name)] in one.specifier, f"{one}"


def test_locks__hold_what_the_libraries_need_themselves():
    """By the metadata of what is installed; torch chooses its own CUDA libraries."""
    for held in (pins(None, LOCKS[0]), pins(None, *LOCKS)):
        same = [name for name in held if Version(version(name)).public == str(held[name])]
        for name in same:
            for one in map(Requirement, requires(name) or ()):
                if (one.marker is None or one.marker.evaluate()) and not CUDA.match(one.name):
                    assert held[canonicalize_name(one.name)] in one.specifier, f"{name}: {one}"


def test_locks__leave_the_cuda_libraries_to_torch():
    assert [one.name for one in locked(*LOCKS) if CUDA.match(one.name)] == []


def test_version__is_the_packages(project):
    assert project["version"] == dsel.__version__


def test_readme__header_of_the_space():
    space = header()
    assert space["sdk"] == "gradio"
    assert Version(space["sdk_version"]) == pins(linux("3.12"), LOCKS[0])["gradio"]
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
